package rollout

import (
	"time"

	"github.com/penstock-dev/penstock/internal/canary"
)

// Step is one stage of the analysis: a route, held for one analysis window.
type Step struct {
	Weight Weight
	Mirror Weight
	Match  bool
	Bare   bool // not judged: taken and left as soon as the world has converged on it
}

// Spec is a canary compiled for deciding: the strategy is data, not code.
type Spec struct {
	Steps     []Step        // every strategy is a list of steps
	Promotion []Weight      // canary weights on the way back to a promoted primary; empty: all at once
	Interval  time.Duration // length of an analysis window
	Threshold int           // failed checks at which the rollout is rolled back
	Deadline  time.Duration // how long the cluster may take to follow a decision
	Checks    []string      // names of the checks that must all pass
	Skip      bool          // spec.skipAnalysis
	Suspend   bool          // spec.suspend
}

// Plan compiles a valid canary. Weighted canaries step up to maxWeight; iterations hold one route for as many windows
// and then hand all traffic to the canary before the primary is touched.
//
// Unlike Flagger, which can overshoot it by one step, the last weight is maxWeight.
func Plan(c *canary.Canary) Spec {
	a := c.Spec.Analysis
	if a == nil {
		a = &canary.Analysis{}
	}
	s := Spec{
		Interval: a.EffectiveInterval(), Threshold: a.EffectiveThreshold(), Deadline: c.ProgressDeadline(),
		Skip: c.Spec.SkipAnalysis, Suspend: c.Spec.Suspend,
	}
	for _, m := range a.Metrics {
		s.Checks = append(s.Checks, m.Name)
	}
	switch {
	case a.Iterations > 0:
		s.Steps = iterations(a)
	case len(a.StepWeights) > 0:
		for _, w := range a.StepWeights {
			s.Steps = append(s.Steps, Step{Weight: min(Weight(w), 100)})
		}
	case a.StepWeight > 0:
		limit := a.EffectiveMaxWeight()
		for w := a.StepWeight; w < limit; w += a.StepWeight {
			s.Steps = append(s.Steps, Step{Weight: Weight(w)})
		}
		s.Steps = append(s.Steps, Step{Weight: Weight(limit)})
	}
	s.Promotion = promotion(s.Steps, Weight(a.StepWeightPromotion))
	return s
}

func iterations(a *canary.Analysis) []Step {
	hold := Step{Match: len(a.Match) > 0}
	if a.Mirror {
		hold.Mirror = 100
		if a.MirrorWeight > 0 {
			hold.Mirror = Weight(a.MirrorWeight)
		}
	}
	steps := make([]Step, 0, a.Iterations+1)
	for range a.Iterations {
		steps = append(steps, hold)
	}
	return append(steps, Step{Weight: 100, Bare: true})
}

// promotion lists the canary weights between the last step and zero.
func promotion(steps []Step, by Weight) []Weight {
	if by <= 0 || len(steps) == 0 {
		return nil
	}
	var weights []Weight
	for w := steps[len(steps)-1].Weight - by; w > 0; w -= by {
		weights = append(weights, w)
	}
	return weights
}
