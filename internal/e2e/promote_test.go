package e2e

import (
	"slices"
	"testing"
)

func TestTheFirstRunInitialisesAndTheNextPromotes(t *testing.T) {
	t.Parallel()
	for provider, weights := range map[string][]int{
		"gatewayapi:v1": {0, 10, 20, 30, 40, 50, 0},
		"nginx":         {0, 10, 20, 30, 40, 50, 0},
		"kubernetes":    {0, 100, 0},
	} {
		t.Run(provider, func(t *testing.T) {
			t.Parallel()
			s := newScenario(t, provider)
			first := s.run()
			s.end(first, 0)
			s.wantLine(first, "INITIALISED")
			if primary := s.deployment("podinfo-primary"); primary.image != v1 || primary.ready != 2 {
				t.Errorf("after the first run the primary is %+v, want 2 ready pods of %s", primary, v1)
			}
			if target := s.deployment("podinfo"); target.replicas != 0 {
				t.Errorf("after the first run the target is %+v, want it scaled to zero", target)
			}
			s.wantWeights(0)

			second := s.rollOut(v2)
			s.end(second, 0)
			s.wantLine(second, "PROMOTED")
			s.wantPromoted(v2)
			s.wantWeights(weights...)
			s.wantSafe()
			want := []string{"Initializing", "Initialized", "Progressing", "Promoting", "Finalising", "Succeeded"}
			if got := s.phases(); !slices.Equal(got, want) {
				t.Errorf("the phases were %v, want %v", got, want)
			}

			third := s.rollOut(v2)
			s.end(third, 0)
			s.wantLine(third, "nothing to do")
			s.wantWeights(weights...)
		})
	}
}
