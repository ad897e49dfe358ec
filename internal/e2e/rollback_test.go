package e2e

import (
	"slices"
	"testing"
)

func TestAFailingMetricRollsBack(t *testing.T) {
	t.Parallel()
	for _, provider := range []string{"gatewayapi:v1", "nginx", "kubernetes"} {
		t.Run(provider, func(t *testing.T) {
			t.Parallel()
			s := newScenario(t, provider)
			s.initialise()
			// Both checks pass before there is traffic, and twice with it; then users see errors.
			s.prometheus.Script("", Value(100), Value(100), Value(100), Value(42.5))
			s.prometheus.Script("histogram_quantile", Value(50))
			run := s.rollOut(v2)
			s.end(run, 1)
			s.wantLine(run, "FAILED CHECK 1/2")
			s.wantLine(run, "ROLLED BACK")
			s.wantLine(run, "42.5%")
			s.wantRolledBack(v1)
			s.wantSafe()
			want := []string{"Initializing", "Initialized", "Progressing", "RollingBack", "Failed"}
			if got := s.phases(); !slices.Equal(got, want) {
				t.Errorf("the phases were %v, want %v", got, want)
			}
			if provider != "kubernetes" {
				s.wantWeights(0, 10, 20, 30, 0)
			}
		})
	}
}

// Answers that are no number to judge are told apart, and none of them lets a canary pass.
func TestAnAnswerThatIsNoValueNeverPasses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer Answer
		want   string
	}{
		"no data":        {Empty(), "no data"},
		"not a number":   {NaN(), "NaN"},
		"several series": {Series(99.5, 100), "2 series"},
		"garbage":        {Garbage(), "not an answer of Prometheus"},
		"server error":   {Fail(503, "down for maintenance"), "503"},
		"refused query":  {Refuse("query timed out"), "query timed out"},
		"no answer":      {Hang(), "no answer within"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScenario(t, "nginx", analysis("threshold", 1))
			s.initialise()
			s.prometheus.Script("", Value(100), c.answer) // the first is asked before there is traffic
			s.prometheus.Script("histogram_quantile", Value(50))
			run := s.rollOut(v2)
			s.end(run, 1)
			s.wantLine(run, c.want)
			s.wantRolledBack(v1)
			s.wantWeights(0, 10, 0)
			s.wantSafe()
			t.Logf("%s", s.wantLine(run, "FAILED CHECK").Text)
		})
	}
}

func TestAPrometheusThatIsNotThereNeverPasses(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "nginx", analysis("threshold", 1),
		func(spec map[string]any) { spec["metricsServer"] = "http://127.0.0.1:9" })
	s.initialise()
	run := s.rollOut(v2)
	s.end(run, 1)
	s.wantLine(run, "cannot reach http://127.0.0.1:9: connection refused")
	s.wantRolledBack(v1)
	s.wantWeights(0) // nobody has met the canary
	s.wantSafe()
}
