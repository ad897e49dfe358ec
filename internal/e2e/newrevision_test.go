package e2e

import "testing"

func TestAChangeDuringTheRolloutStartsItOver(t *testing.T) {
	t.Parallel()
	for _, provider := range []string{"gatewayapi:v1", "nginx", "kubernetes"} {
		t.Run(provider, func(t *testing.T) {
			t.Parallel()
			s := newScenario(t, provider, analysis("interval", "2s"))
			s.initialise()
			run := s.rollOut(v2)
			s.awaitStep(2)
			s.SetImage("podinfo", v3)
			s.end(run, 0)
			s.wantPromoted(v3)
			if provider != "kubernetes" {
				s.wantWeights(0, 10, 20, 0, 10, 20, 30, 40, 50, 0)
			}
			s.wantSafe()
			s.record.Replay(func(m Moment) {
				if p := m.Object("Deployment", "podinfo-primary"); p != nil && imageOf(p) == v2 {
					t.Errorf("the primary ran %s, which was never analysed to the end", v2)
				}
			})
		})
	}
}

func TestAChangeThatIsTakenBackRollsBack(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "gatewayapi:v1", analysis("interval", "2s"))
	s.initialise()
	run := s.rollOut(v2)
	s.awaitStep(2)
	s.SetImage("podinfo", v1)
	s.end(run, 1)
	s.wantRolledBack(v1)
	s.wantSafe()
}

func TestAChangeWhilePromotingIsAnalysedByTheNextRun(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "nginx", analysis("stepWeight", 50))
	s.initialise()
	run := s.rollOut(v2 + "-slow-3")
	s.awaitRecord("Promoting", func(r saved) bool { return r.Status.Phase == "Promoting" })
	s.SetImage("podinfo", v3)
	code := run.Wait(patience)
	t.Logf("ended with %d\n%s", code, run.Transcript())
	s.wantSafe()
	again := s.run()
	s.end(again, 0)
	s.wantPromoted(v3)
	s.wantSafe()
}
