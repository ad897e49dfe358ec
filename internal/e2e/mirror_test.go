package e2e

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRequestsAreCopiedBeforeTheFirstWeight(t *testing.T) {
	t.Parallel()
	for name, share := range map[string]int{"a share of them": 30, "all of them": 100} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScenario(t, "gatewayapi:v1", analysis("stepWeight", 25), analysis("mirror", true), func(spec map[string]any) {
				if share < 100 {
					analysis("mirrorWeight", share)(spec)
				}
			})
			s.initialise()
			s.end(s.rollOut(v2), 0)
			s.wantPromoted(v2)
			s.wantWeights(0, 25, 50, 0)
			s.wantSafe()
			want := [][]string{
				{whole}, {fmt.Sprintf("%s, copies %d%% to podinfo-canary", whole, share)},
				{"primary 75, canary 25"}, {"primary 50, canary 50"}, {whole},
			}
			if diff := cmp.Diff(want, s.rules()); diff != "" {
				t.Errorf("the rules (-want +got):\n%s", diff)
			}
		})
	}
}

func TestABlueGreenRolloutIsJudgedByCopies(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "gatewayapi:v1", iterations(2), analysis("mirror", true), analysis("mirrorWeight", 10))
	s.initialise()
	s.end(s.rollOut(v2), 0)
	s.wantPromoted(v2)
	s.wantSafe()
	want := [][]string{{whole}, {whole + ", copies 10% to podinfo-canary"}, {"primary 0, canary 100"}, {whole}}
	if diff := cmp.Diff(want, s.rules()); diff != "" {
		t.Errorf("the rules (-want +got):\n%s", diff)
	}
}

func TestNothingIsCopiedToACanaryThatFailed(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "gatewayapi:v1", analysis("mirror", true), analysis("threshold", 1), analysis("interval", "3s"))
	s.initialise()
	run := s.rollOut(v2)
	s.awaitStep(1)
	s.prometheus.Script("", Value(1))
	s.end(run, 1)
	s.wantRolledBack(v1)
	s.wantWeights(0)
	want := [][]string{{whole}, {whole + ", copies 100% to podinfo-canary"}, {whole}}
	if diff := cmp.Diff(want, s.rules()); diff != "" {
		t.Errorf("the rules (-want +got):\n%s", diff)
	}
}

// iterations makes the strategy one of as many windows.
func iterations(n int) func(map[string]any) {
	return func(spec map[string]any) {
		a := spec["analysis"].(map[string]any)
		delete(a, "stepWeight")
		delete(a, "maxWeight")
		a["iterations"] = n
	}
}
