package traffic

import (
	"fmt"
	"slices"
	"strings"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/rollout"
)

// Refuse lists what c asks for and this router cannot do, and what the router needs and c lacks, each beginning with the
// field. It is empty when nothing stands in the way. Leaving out silently what was asked for would be another rollout.
func (r Router) Refuse(c *canary.Canary) []string {
	a := c.Spec.Analysis
	if a == nil {
		a = &canary.Analysis{}
	}
	problems := append(r.Lacks(c), r.Limits(c)...)
	refuse := func(field, what string, can func(Can) bool) {
		if !can(r.Can) {
			problems = append(problems, fmt.Sprintf("%s: the %s router %s; %s", field, c.Spec.Provider, what, able(can)))
		}
	}
	if field, weight := split(c); field != "" {
		refuse(field, fmt.Sprintf("sends all or nothing to the canary, never %d %%; use spec.analysis.iterations instead", weight),
			func(can Can) bool { return can.Weights })
	}
	if len(a.Match) > 0 {
		refuse("spec.analysis.match", "does not look at requests", func(can Can) bool { return can.Match })
	}
	if a.Mirror {
		refuse("spec.analysis.mirror", "does not copy requests", func(can Can) bool { return can.Mirror })
		if a.MirrorWeight > 0 && a.MirrorWeight < 100 {
			refuse("spec.analysis.mirrorWeight", fmt.Sprintf("cannot copy only %d %% of the requests", a.MirrorWeight),
				func(can Can) bool { return can.MirrorWeight })
		}
	}
	if a.SessionAffinity != nil {
		refuse("spec.analysis.sessionAffinity", "does not keep users on one side", func(can Can) bool { return can.SessionAffinity })
	}
	return problems
}

// able names the routers that can do what another cannot.
func able(can func(Can) bool) string {
	all := abilities()
	names := slices.DeleteFunc(List(), func(name string) bool { return !can(all[name]) })
	if len(names) == 0 {
		return "no router of this version can"
	}
	return "routers that can: " + strings.Join(names, ", ")
}

// split returns the field that asks for a share between nothing and everything, and the first such share.
func split(c *canary.Canary) (string, rollout.Weight) {
	plan := rollout.Plan(c)
	for _, step := range plan.Steps {
		if step.Weight%100 == 0 {
			continue
		}
		if len(c.Spec.Analysis.StepWeights) > 0 {
			return "spec.analysis.stepWeights", step.Weight
		}
		return "spec.analysis.stepWeight", step.Weight
	}
	for _, weight := range plan.Promotion {
		if weight%100 != 0 {
			return "spec.analysis.stepWeightPromotion", weight
		}
	}
	return "", 0
}
