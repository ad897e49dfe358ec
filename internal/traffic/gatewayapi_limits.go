package traffic

import (
	"fmt"

	"github.com/penstock-dev/penstock/internal/canary"
)

func gatewayLacks(c *canary.Canary) []string {
	if len(c.Spec.Service.GatewayRefs) == 0 {
		return []string{"spec.service.gatewayRefs: " + gatewayNeeds}
	}
	return nil
}

func gatewayLimits(c *canary.Canary) []string {
	_, matching := serviceMatches(c)
	problems := append(grpcLimits(c), matching...)
	if a := c.Spec.Analysis; a != nil && len(a.Match) > 0 && len(matching) == 0 {
		_, matching = analysisMatches(c)
		problems = append(problems, matching...)
	}
	problems = append(problems, affinityLimits(c)...)
	problems = append(problems, tooManyMatches(c)...)
	problems = append(problems, prefixRewrite(c)...)
	_, filtering := routeFilters(c)
	problems = append(problems, filtering...)
	_, timing := routeTimeouts(c)
	return append(problems, timing...)
}

// The most matches that an HTTPRoute holds.
const (
	maxRuleMatches  = 64
	maxRouteMatches = 128
)

// tooManyMatches reports a canary whose rules need more matches than an HTTPRoute holds. Rules of others come on top.
func tooManyMatches(c *canary.Canary) []string {
	service := max(1, len(c.Spec.Service.Match))
	test, rules := 0, 1
	if c.Spec.Analysis != nil {
		test = service * len(c.Spec.Analysis.Match)
	}
	if a := affinity(c); a != nil {
		rules += 2 // who is kept on the canary, and who was by the rollout before
		if a.PrimaryCookieName != "" {
			rules++
		}
	}
	total, largest := service*rules+test, max(service, test)
	if largest <= maxRuleMatches && total <= maxRouteMatches {
		return nil
	}
	return []string{fmt.Sprintf("spec.service.match: with spec.analysis it makes %d matches in the HTTPRoute, up to %d in one rule; "+
		"%d and %d are possible", total, largest, maxRouteMatches, maxRuleMatches)}
}
