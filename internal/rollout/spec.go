package rollout

import (
	"slices"
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
	Name, Target, Primary string // as messages name the canary, its target and its primary: name.namespace

	Steps     []Step        // every strategy is a list of steps
	Promotion []Weight      // canary weights on the way back to a promoted primary; empty: all at once
	Interval  time.Duration // length of an analysis window
	Threshold int           // failed checks at which the rollout is rolled back
	Deadline  time.Duration // how long the cluster may take to follow a decision
	Checks    []string      // names of the checks that must all pass
	Skip      bool          // spec.skipAnalysis
	Suspend   bool          // spec.suspend
	Settle    time.Duration // how long a router goes on taking up a route that it has reported; 0: not at all
	Affinity  bool          // users who have seen the canary stay on it

	Hooks []canary.HookType // the types of webhooks that there are, each once

	OnNoData      Policy            // what a check without data means
	Inconclusive  map[string]Policy // checks, by name, that have a policy of their own for that
	Consecutive   int               // failed checks in a row at which the rollout is rolled back; 0: only Threshold counts
	HoldOnFailure bool              // a failed analysis leaves the traffic where it is, for a person to look
	HoldOnCancel  bool              // a cancelled run leaves the traffic where it is, for the next run to go on
	GateTimeout   time.Duration     // how long a gate, or missing data, is waited for; 0 has no end
	GateHold      bool              // a gate that did not open in time suspends the rollout instead of rolling it back
	SuspendAtGate bool              // a run does not wait for a closed gate to the end: it suspends the rollout, for another run
	SuspendAfter  time.Duration     // how long it waits before it does
	Group         bool              // the promotion waits for the group's other canaries
	Revert        bool              // spec.revertOnDeletion: a deleted canary is uninstalled
	Uninstall     bool              // the target gets its traffic back, and what was made for the canary goes away
}

// Plan compiles a valid canary. Weighted canaries step up to maxWeight, after one mirrored step if they ask for it.
// Iterations hold one route for as many windows; blue/green then hands all traffic to the canary before the primary is
// touched, and A/B testing leaves everybody where they are.
//
// Unlike Flagger, which can overshoot it by one step, the last weight is maxWeight.
func Plan(c *canary.Canary) Spec {
	a := c.Spec.Analysis
	if a == nil {
		a = &canary.Analysis{}
	}
	s := Spec{
		Name: dotted(c.Name, c.Namespace), Target: dotted(c.Spec.TargetRef.Name, c.Namespace), Primary: dotted(c.PrimaryName(), c.Namespace),
		Affinity: a.SessionAffinity != nil, Interval: a.EffectiveInterval(), Threshold: a.EffectiveThreshold(), Deadline: c.ProgressDeadline(),
		Skip: c.Spec.SkipAnalysis, Suspend: c.Spec.Suspend, Revert: c.Spec.RevertOnDeletion,
	}
	for _, m := range a.Metrics {
		s.Checks = append(s.Checks, m.Name)
	}
	for i := range a.Webhooks {
		if hook := a.Webhooks[i].EffectiveType(); !s.Hooked(hook) {
			s.Hooks = append(s.Hooks, hook)
		}
	}
	if a.Mirror && a.Iterations == 0 {
		s.Steps = append(s.Steps, Step{Mirror: mirrored(a)}) // one look at the canary without users on it
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

// Compare adds the checks that hold the canary to the primary, and takes those out that they replace. A comparison without
// enough samples never passes, whatever a check without data means.
func (s *Spec) Compare(comparisons []*canary.Comparison) {
	for _, x := range comparisons {
		if x.Spec.Replaces != "" {
			s.Checks = slices.DeleteFunc(s.Checks, func(name string) bool { return name == x.Spec.Replaces })
		}
	}
	for _, x := range comparisons {
		s.Checks = append(s.Checks, x.Name)
		if s.Inconclusive == nil {
			s.Inconclusive = map[string]Policy{}
		}
		s.Inconclusive[x.Name] = NoDataFails
		if x.Spec.OnInconclusive == canary.InconclusiveHolds {
			s.Inconclusive[x.Name] = NoDataHolds
		}
	}
}

func iterations(a *canary.Analysis) []Step {
	hold := Step{Match: len(a.Match) > 0}
	if a.Mirror {
		hold.Mirror = mirrored(a)
	}
	steps := make([]Step, 0, a.Iterations+1)
	for range a.Iterations {
		steps = append(steps, hold)
	}
	if hold.Match {
		return steps // the other users stay where they are until the primary is ready
	}
	return append(steps, Step{Weight: 100, Bare: true})
}

func mirrored(a *canary.Analysis) Weight {
	if a.MirrorWeight > 0 {
		return Weight(a.MirrorWeight)
	}
	return 100
}

func dotted(name, namespace string) string { return name + "." + namespace }

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
