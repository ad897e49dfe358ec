package canary_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/penstock-dev/penstock/internal/canary"
)

// live returns an object as a client of the API does.
func live(t *testing.T, object any) *unstructured.Unstructured {
	t.Helper()
	data, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	u := &unstructured.Unstructured{}
	if err := u.UnmarshalJSON(data); err != nil {
		t.Fatal(err)
	}
	return u
}

func TestAnObjectOfAClusterIsWhatTheFileSays(t *testing.T) {
	t.Parallel()
	files := append(load(t, "examples/*.yaml"), load(t, "good/whole-schema.yaml")...)
	for _, f := range files {
		set, err := canary.Parse([]canary.File{f})
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range set.Canaries {
			got, err := canary.FromObject(live(t, want))
			if diff := cmp.Diff(want, got); err != nil || diff != "" {
				t.Errorf("%s: %v (-want +got):\n%s", f.Name, err, diff)
			}
		}
		for _, want := range set.Templates {
			got, err := canary.TemplateFromObject(live(t, want))
			if diff := cmp.Diff(want, got); err != nil || diff != "" {
				t.Errorf("%s: %v (-want +got):\n%s", f.Name, err, diff)
			}
		}
		for _, want := range set.Providers {
			got, err := canary.ProviderFromObject(live(t, want))
			if diff := cmp.Diff(want, got); err != nil || diff != "" {
				t.Errorf("%s: %v (-want +got):\n%s", f.Name, err, diff)
			}
		}
	}
}

func canaryObject(t *testing.T) *unstructured.Unstructured {
	t.Helper()
	set, err := parse(t, weighted("web", ", namespace: shop"))
	if err != nil {
		t.Fatal(err)
	}
	return live(t, set.Canaries[0])
}

func set(t *testing.T, u *unstructured.Unstructured, value any, path ...string) {
	t.Helper()
	if err := unstructured.SetNestedField(u.Object, value, path...); err != nil {
		t.Fatal(err)
	}
}

func TestUnknownFieldsOfAClusterAreIgnored(t *testing.T) {
	t.Parallel()
	u := canaryObject(t)
	set(t, u, "new", "spec", "inventedLater")
	set(t, u, map[string]any{"phase": "Progressing", "canaryWeight": int64(30), "inventedLater": true}, "status")
	c, err := canary.FromObject(u)
	if err != nil {
		t.Fatal(err)
	}
	if c.Status.Phase != "Progressing" || c.Status.CanaryWeight != 30 {
		t.Errorf("status %+v", c.Status)
	}
}

func TestBadValuesOfAClusterNameTheObject(t *testing.T) {
	t.Parallel()
	u := canaryObject(t)
	set(t, u, int64(0), "spec", "service", "port")
	set(t, u, "often", "spec", "analysis", "interval")
	set(t, u, "ten", "spec", "analysis", "stepWeight")
	_, err := canary.FromObject(u)
	const want = `Canary "shop/web": spec.analysis.interval: "often" is not a duration; write a number and its unit, such as 30s, 1m or 1h
Canary "shop/web": spec.analysis.stepWeight: "ten" where a whole number is needed
Canary "shop/web": spec.service.port: 0 is not between 1 and 65535`
	if err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
}

func TestAnObjectOfAnotherKindIsRefused(t *testing.T) {
	t.Parallel()
	u := canaryObject(t)
	u.SetAPIVersion("flagger.app/v1alpha3")
	if _, err := canary.FromObject(u); err == nil {
		t.Error("v1alpha3 is read")
	}
	if _, err := canary.TemplateFromObject(canaryObject(t)); err == nil {
		t.Error("a Canary is read as a MetricTemplate")
	}
}
