package e2e

import "testing"

// A run that was killed has left traffic on the canary. Finalize waits for its lease to expire, and ends what it left.
func TestFinalizeEndsWhatAKilledRunHasLeft(t *testing.T) {
	t.Parallel()
	for _, flags := range [][]string{nil, {"--expired"}} {
		t.Run(append(flags, "of this job")[0], func(t *testing.T) {
			t.Parallel()
			s := newScenario(t, "gatewayapi:v1", analysis("interval", "20s"))
			s.initialise()
			first := s.rollOut(v2)
			s.awaitWeight(10)
			first.Kill()
			end := s.Penstock(append([]string{"finalize", "-f", "canary.yaml"}, flags...)...)
			s.endLater(end, 0)
			s.wantLine(end, "unfinished, at Progressing with 10 % of the traffic on the canary")
			s.wantRolledBack(v1)
			s.wantWeights(0, 10, 0)
			s.wantSafe()
			again := s.Penstock("finalize", "-f", "canary.yaml")
			s.end(again, 0)
			s.wantLine(again, "nothing to finish: the rollout is over: Failed")
		})
	}
}

// A run that is alive keeps its rollout, whoever looks for dead ones.
func TestFinalizeLeavesALivingRunAlone(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "gatewayapi:v1", analysis("interval", "6s"), analysis("maxWeight", 50))
	s.initialise()
	run := s.rollOut(v2)
	s.awaitWeight(10)
	end := s.Penstock("finalize", "-f", "canary.yaml", "--expired")
	s.endLater(end, 0)
	s.wantLine(end, "its run is alive, and is left alone")
	s.endLater(run, 0)
	s.wantPromoted(v2)
	s.wantWeights(0, 10, 20, 30, 40, 50, 0)
	s.wantSafe()
}
