package e2e

import (
	"testing"
	"time"
)

// takeover bounds a run that must wait for the lease of a killed one to expire.
const takeover = 90 * time.Second

// endLater is end for a run that waits for the lease of another one first.
func (s *scenario) endLater(r *Run, code int) {
	s.t.Helper()
	if got := r.Wait(takeover); got != code {
		s.t.Fatalf("the run ended with %d, want %d", got, code)
	}
}

func TestAKilledRunIsResumedAtTheSameStep(t *testing.T) {
	t.Parallel()
	for _, provider := range []string{"gatewayapi:v1", "nginx"} {
		t.Run(provider, func(t *testing.T) {
			t.Parallel()
			s := newScenario(t, provider, analysis("interval", "2s"))
			s.initialise()
			first := s.rollOut(v2)
			s.awaitWeight(20)
			first.Kill()
			left := s.awaitRecord("step 2", func(r saved) bool { return r.Status.Step >= 2 })

			second := s.rollOut(v2)
			s.endLater(second, 0)
			s.wantPromoted(v2)
			s.wantWeights(0, 10, 20, 30, 40, 50, 0)
			s.wantSafe()
			end := s.awaitRecord("Succeeded", func(r saved) bool { return r.Status.Phase == "Succeeded" })
			if end.Epoch <= left.Epoch {
				t.Errorf("the second run wrote under epoch %d, the first under %d", end.Epoch, left.Epoch)
			}
			if len(end.History) <= len(left.History) {
				t.Errorf("the history has %d entries, and had %d when the run was killed", len(end.History), len(left.History))
			}
			for i := range left.History {
				if end.History[i] != left.History[i] {
					t.Errorf("entry %d of the history was %+v and is %+v", i, left.History[i], end.History[i])
				}
			}
		})
	}
}

func TestARunThatIsKilledWhilePromotingIsFinished(t *testing.T) {
	t.Parallel()
	for _, phase := range []string{"Promoting", "Finalising"} {
		t.Run(phase, func(t *testing.T) {
			t.Parallel()
			s := newScenario(t, "gatewayapi:v1", analysis("stepWeight", 50))
			s.initialise()
			first := s.rollOut(v2 + "-slow-2")
			s.awaitRecord("Promoting", func(r saved) bool { return r.Status.Phase == "Promoting" })
			if phase == "Finalising" {
				cluster.Gateway.Set(s.Name, Withhold) // so that the phase cannot end
				s.awaitRecord(phase, func(r saved) bool { return r.Status.Phase == phase })
			}
			first.Kill()
			cluster.Gateway.Set(s.Name, Accept)

			second := s.rollOut(v2 + "-slow-2")
			s.endLater(second, 0)
			s.wantPromoted(v2 + "-slow-2")
			s.wantWeights(0, 50, 0)
			s.wantSafe()
		})
	}
}

func TestARunThatIsKilledWhileRollingBackIsRolledBack(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "gatewayapi:v1", analysis("threshold", 1))
	s.initialise()
	s.prometheus.Script("", Value(10))
	first := s.rollOut(v2)
	first.AwaitLine("analysing")
	cluster.Gateway.Set(s.Name, Withhold) // so that the rollback cannot end
	s.awaitRecord("RollingBack", func(r saved) bool { return r.Status.Phase == "RollingBack" })
	s.wantWeights(0, 10, 0)
	first.Kill()
	cluster.Gateway.Set(s.Name, Accept)

	second := s.run()
	s.endLater(second, 1)
	s.wantRolledBack(v1)
	s.wantSafe()
}

func TestARunThatIsKilledBeforeTheFirstPrimaryIsReadyIsFinished(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "nginx")
	s.SetImage("podinfo", v1+"-slow-3")
	s.AwaitReady("podinfo")
	first := s.run()
	s.awaitRecord("Initializing", func(r saved) bool { return r.Status.Phase == "Initializing" })
	first.Kill()
	second := s.run()
	s.endLater(second, 0)
	s.wantLine(second, "INITIALISED")
	s.wantSafe()
}
