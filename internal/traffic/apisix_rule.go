package traffic

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/rollout"
)

func apisixRules(route *unstructured.Unstructured) []map[string]any {
	return objects(object(route.Object, "spec"), "http")
}

// apisixBackend returns the backend of a rule that is a Service, or nil.
func apisixBackend(rule map[string]any, service string) map[string]any {
	for _, backend := range objects(rule, "backends") {
		if text(backend, "serviceName", "") == service {
			return backend
		}
	}
	return nil
}

// apisixWeight returns the weight of a backend, which is 100 when it is not given.
func apisixWeight(backend map[string]any) float64 { return number(backend, "weight", 100) }

// apisixSplit returns the rules of the user's route to the apex Service, split between the primary and the canary.
func apisixSplit(c *canary.Canary, user *unstructured.Unstructured, weight rollout.Weight) ([]map[string]any, error) {
	apex := c.ServiceName()
	var rules []map[string]any
	for i, rule := range apisixRules(user) {
		base := apisixBackend(rule, apex)
		if base == nil {
			continue
		}
		name := fmt.Sprintf("spec.http[%d] (%s)", i, text(rule, "name", ""))
		var backends []map[string]any
		for _, side := range []struct {
			service string
			weight  rollout.Weight
		}{{apex + primarySuffix, 100 - weight}, {apex + canarySuffix, weight}} {
			backend := clone(base)
			backend["serviceName"], backend["weight"] = side.service, int64(side.weight)
			backends = append(backends, backend)
		}
		for _, other := range objects(rule, "backends") {
			service := text(other, "serviceName", "")
			switch {
			case service == apex:
			case apisixWeight(other) > 0:
				return nil, fmt.Errorf("%s sends requests to Service %q too, so that weights are no percentages", name, service)
			default:
				backends = append(backends, clone(other))
			}
		}
		for _, upstream := range objects(rule, "upstreams") {
			if apisixWeight(upstream) > 0 {
				return nil, fmt.Errorf("%s sends requests to ApisixUpstream %q too, so that weights are no percentages", name, text(upstream, "name", ""))
			}
		}
		split := clone(rule)
		split["backends"] = list(backends)
		split["priority"] = max(apisixPriority, int64(number(rule, "priority", 0))+1)
		rules = append(rules, split)
	}
	if rules == nil {
		return nil, fmt.Errorf("no rule points at Service %q, of which the canary takes a share", apex)
	}
	return rules, nil
}

// apisixHandedOver returns the rules of the canary's route with the apex Service in the place of the primary's and the
// canary's.
func apisixHandedOver(c *canary.Canary, route *unstructured.Unstructured) []map[string]any {
	apex := c.ServiceName()
	var rules []map[string]any
	for _, live := range apisixRules(route) {
		rule := clone(live)
		var kept []map[string]any
		for _, service := range []string{apex, apex + primarySuffix, apex + canarySuffix} {
			if base := apisixBackend(live, service); base != nil {
				backend := clone(base)
				backend["serviceName"], backend["weight"] = apex, int64(100)
				kept = append(kept, backend)
				break
			}
		}
		for _, backend := range objects(live, "backends") {
			if !slices.Contains([]string{apex, apex + primarySuffix, apex + canarySuffix}, text(backend, "serviceName", "")) {
				kept = append(kept, clone(backend))
			}
		}
		rule["backends"] = list(kept)
		rules = append(rules, rule)
	}
	return rules
}

// apisixRead returns the weights of the three Services in the rule that gives the canary most, and whether all the rules
// have the same share for it.
func apisixRead(c *canary.Canary, route *unstructured.Unstructured) (most map[string]float64, even bool) {
	apex := c.ServiceName()
	even = true
	for _, rule := range apisixRules(route) {
		weights := map[string]float64{}
		for _, service := range []string{apex, apex + primarySuffix, apex + canarySuffix} {
			if backend := apisixBackend(rule, service); backend != nil {
				weights[service] = apisixWeight(backend)
			}
		}
		of := func(w map[string]float64) rollout.Weight {
			return share(w[apex+canarySuffix], w[apex+primarySuffix]+w[apex+canarySuffix])
		}
		even = even && (most == nil || of(most) == of(weights))
		if most == nil || of(weights) > of(most) {
			most = weights
		}
	}
	return most, even
}

// apisixBehind names a rule of the user's route that comes before the canary's, which then gets nothing of its requests.
func apisixBehind(c *canary.Canary, user, written *unstructured.Unstructured) string {
	for _, rule := range apisixRules(user) {
		if apisixBackend(rule, c.ServiceName()) == nil {
			continue
		}
		name := text(rule, "name", "")
		i := slices.IndexFunc(apisixRules(written), func(r map[string]any) bool { return text(r, "name", "") == name })
		switch {
		case i < 0:
			return fmt.Sprintf("has no rule %q, which the user's route has", name)
		case number(apisixRules(written)[i], "priority", 0) <= number(rule, "priority", 0):
			return fmt.Sprintf("has a rule %q that does not come before the user's", name)
		}
	}
	return ""
}
