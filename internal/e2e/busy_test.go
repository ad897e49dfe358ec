package e2e

import "testing"

// A run that is asked to stop does so in the middle of its window, and the one that has asked goes on with its own image.
func TestARunThatSupersedesStartsOver(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "gatewayapi:v1", analysis("interval", "5s"), analysis("maxWeight", 20))
	s.initialise()
	first := s.rollOut(v2)
	s.awaitWeight(10)
	second := s.rollOut(v3, "--if-busy", "supersede")
	s.end(first, 4)
	s.wantLine(first, "another run has taken over")
	left := s.awaitRecord("any", func(saved) bool { return true })
	s.end(second, 0)
	s.wantPromoted(v3)
	s.wantWeights(0, 10, 0, 10, 20, 0)
	s.wantSafe()
	if end := s.awaitRecord("Succeeded", func(r saved) bool { return r.Status.Phase == "Succeeded" }); end.Epoch < left.Epoch {
		t.Errorf("the epoch went from %d to %d", left.Epoch, end.Epoch)
	}
}

// A suspended rollout has the traffic that it had until a run is started to open its gate.
func TestASuspendedRolloutIsPromotedByTheRunThatOpensItsGate(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "gatewayapi:v1", analysis("interval", "2s"), analysis("maxWeight", 20))
	s.initialise()
	s.end(s.rollOut(v2, "--on-gate", "suspend", "--watchdog", "schedule", "--suspend-at", "confirm-promotion"), 0)
	s.wantWeights(0, 10, 20)
	idle := s.Penstock("finalize", "-f", "canary.yaml", "--expired")
	s.end(idle, 0)
	s.wantLine(idle, "the rollout is suspended at confirm-promotion with 20 % of the traffic on the canary")
	s.wantWeights(0, 10, 20)
	s.end(s.run("--approved", "confirm-promotion"), 0)
	s.wantPromoted(v2)
	s.wantWeights(0, 10, 20, 0)
	s.wantSafe()
}
