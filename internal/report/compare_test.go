package report_test

import (
	"math"
	"strings"
	"testing"

	"github.com/penstock-dev/penstock/internal/report"
	"github.com/penstock-dev/penstock/internal/rollout"
)

func slower() rollout.CheckResult {
	return rollout.CheckResult{
		Name: "duration-like-primary", Verdict: rollout.Fail, Value: ptr(152.5), Unit: "ms", Query: "canary query", Raw: "[]",
		Message: "duration-like-primary: median 152.50 ms is above the primary's 102.50 ms by more than 10 % of it (p < 0.0001, Cliff's delta 1.00, large)",
		Comparison: &rollout.Comparison{
			Measure: "median", Value: 102.5, P: 1e-5, Effect: 1, Query: "primary query",
			Canary: []float64{148, 149, 150, 151, 152, 153, 154, 155, 156, 157}, Primary: []float64{98, 99, 100, 101, 102, 103, 104, 105, 106, 107},
		},
	}
}

// compared failed because it was slower than the primary.
func compared() report.Snapshot {
	s := failing(2, slower())
	s.Spec.Checks = []string{"duration-like-primary", "request-duration"}
	s.Outcome, s.Status.Phase, s.Status.Weight, s.Route.Canary = rollout.RolledBack, rollout.Failed, 0, 0
	return because(s, rollout.CheckFailed, slower().Message)
}

func TestAComparisonShowsBothSides(t *testing.T) {
	t.Parallel()
	s := compared()
	r := report.Summarise(s)
	html, err := report.HTML(r, s)
	if err != nil {
		t.Fatal(err)
	}
	junit, err := report.JUnit(r)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"table": {report.Table(r, 100, false), []string{"│ 152ms │ primary 102ms │ ✗ fail"}},
		"page":  {report.Markdown(s, options("compared", report.PlatformGitHub)), []string{"primary 102ms", "above the primary's 102.50 ms", "primary query"}},
		"html": {string(html), []string{
			"samples of the last window; the primary&#39;s are dashed", `<polyline class="primary"`, "sample 1 of the primary: 98ms", "sample 10: 157ms", "primary query",
		}},
		"junit": {string(junit), []string{"above the primary&#39;s 102.50 ms", "primary query"}},
	} {
		for _, want := range c.want {
			if !strings.Contains(c.text, want) {
				t.Errorf("%s has no %q:\n%s", name, want, c.text)
			}
		}
	}
}

func TestAComparisonThatIsNotFiniteIsNotWritten(t *testing.T) {
	t.Parallel()
	s := compared()
	for i := range s.History {
		for j := range s.History[i].Checks {
			if c := s.History[i].Checks[j].Comparison; c != nil {
				broken := *c
				broken.Primary = []float64{math.Inf(1), math.NaN()}
				s.History[i].Checks[j].Comparison = &broken
			}
		}
	}
	r := report.Summarise(s)
	if doc, err := r.JSON(); err != nil || strings.Contains(string(doc), "comparison") {
		t.Errorf("%v: %s", err, doc)
	}
	if _, err := report.HTML(r, s); err != nil {
		t.Error(err)
	}
}
