package canary

import "testing"

func TestNearestFindsWhatWasMeant(t *testing.T) {
	t.Parallel()
	names := []string{"stepWeight", "stepWeights", "stepWeightPromotion", "interval", "name", "url"}
	for word, want := range map[string]string{
		"stepWeigth": "stepWeight", "stepweights": "stepWeights", "STEPWEIGHT": "stepWeight", "intervall": "interval", "nmae": "name",
		"ulr": "url", "weight": "", "x": "", "": "", "iterations": "",
	} {
		if got := nearest(word, names); got != want {
			t.Errorf("nearest(%q) = %q, want %q", word, got, want)
		}
	}
}

func TestParentTakesOneElementOffAPath(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"spec.analysis.metrics[2].name": "spec.analysis.metrics[2]",
		"spec.analysis.metrics[2]":      "spec.analysis.metrics",
		`metadata.labels["a.b/c[0]"]`:   "metadata.labels",
		"spec":                          "",
	} {
		if got := parent(path); got != want {
			t.Errorf("parent(%q) = %q, want %q", path, got, want)
		}
	}
}

func TestAURLIsShownWithoutItsSecrets(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"http://a/b":                   "http://a/b",
		"ftp://u:secret@a/b?token=xyz": "ftp://u:xxxxx@a/b?***",
		"%zz://u:secret@a":             "***@a",
	} {
		if got := shownURL(raw); got != want {
			t.Errorf("shownURL(%q) = %q, want %q", raw, got, want)
		}
	}
}
