package forge

import (
	"encoding/json"
	"testing"
)

func TestACodeQualityReportTellsEveryProblemApart(t *testing.T) {
	t.Parallel()
	read := func(findings ...Finding) []map[string]any {
		t.Helper()
		text, err := CodeQuality(findings)
		if err != nil {
			t.Fatal(err)
		}
		var report []map[string]any
		if err := json.Unmarshal(text, &report); err != nil || report == nil {
			t.Fatalf("%v in %s", err, text)
		}
		return report
	}
	if none := read(); len(none) != 0 {
		t.Errorf("no problem: %v", none)
	}
	before := read(Finding{"./deploy/canary.yaml", 7, "spec.x: unknown"}, Finding{"deploy/canary.yaml", 9, "spec.x: unknown"}, Finding{"other.yaml", 0, "spec.x: unknown"})
	after := read(Finding{"deploy/canary.yaml", 8, "spec.x: unknown"}, Finding{"deploy/canary.yaml", 10, "spec.x: unknown"})
	seen := map[any]bool{}
	for i, problem := range before {
		if seen[problem["fingerprint"]] {
			t.Errorf("two problems have the fingerprint %v", problem["fingerprint"])
		}
		seen[problem["fingerprint"]] = true
		location := problem["location"].(map[string]any)
		want := []struct {
			path string
			line float64
		}{{"deploy/canary.yaml", 7}, {"deploy/canary.yaml", 9}, {"other.yaml", 1}}[i]
		if location["path"] != want.path || location["lines"].(map[string]any)["begin"] != want.line || problem["description"] != "spec.x: unknown" || problem["severity"] != "major" {
			t.Errorf("problem %d: %v", i, problem)
		}
	}
	for i, problem := range after {
		if problem["fingerprint"] != before[i]["fingerprint"] {
			t.Errorf("problem %d is another one now that it is a line further down", i)
		}
	}
}
