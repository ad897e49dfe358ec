package e2e

import "testing"

// With --on-failure hold a failed analysis leaves the traffic where it is, for a person to look; the next run starts over.
func TestAFailedAnalysisCanBeHeld(t *testing.T) {
	t.Parallel()
	for _, provider := range []string{"gatewayapi:v1", "nginx"} {
		t.Run(provider, func(t *testing.T) {
			t.Parallel()
			s := newScenario(t, provider, analysis("threshold", 1))
			s.initialise()
			// The checks pass before there is traffic, and at 10 %; at 20 % users see errors.
			s.prometheus.Script("", Value(100), Value(100), Value(42.5))
			s.prometheus.Script("histogram_quantile", Value(50))
			run := s.rollOut(v2, "--on-failure", "hold")
			s.end(run, 1)
			s.wantLine(run, "Halted with 20% of the traffic on the canary")
			s.wantWeight(20)
			s.prometheus.Script("", Value(100))
			s.end(s.rollOut(v3), 0)
			s.wantPromoted(v3)
			s.wantSafe()
		})
	}
}
