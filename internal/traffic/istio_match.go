package traffic

import (
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/penstock-dev/penstock/internal/canary"
)

// fieldsOf returns a block of a canary as an unstructured object holds it. Istio's blocks have the names of Istio's own API.
// A nil pointer is an empty object.
func fieldsOf(block any) map[string]any {
	if reflect.ValueOf(block).IsNil() {
		return nil
	}
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(block)
	if err != nil {
		panic(fmt.Sprintf("%T: %v", block, err)) // a struct of texts and numbers always can be
	}
	return fields
}

// sayable writes a comparison by suffix, for which Istio has no word, as a regular expression. Istio holds an expression
// against the whole value.
func sayable(comparison map[string]any) {
	if suffix, found := comparison["suffix"].(string); found {
		delete(comparison, "suffix")
		comparison["regex"] = ".*" + regexp.QuoteMeta(suffix)
	}
}

// conditions returns match requests in Istio's words.
func conditions(requests []canary.HTTPMatchRequest) []map[string]any {
	all := make([]map[string]any, 0, len(requests))
	for n := range requests {
		match := fieldsOf(&requests[n])
		for _, field := range []string{"uri", "scheme", "method", "authority"} {
			if comparison := object(match, field); comparison != nil {
				sayable(comparison)
			}
		}
		for _, field := range []string{"headers", "queryParams", "withoutHeaders"} {
			for _, comparison := range object(match, field) {
				if comparison, ok := comparison.(map[string]any); ok {
					sayable(comparison)
				}
			}
		}
		all = append(all, match)
	}
	return all
}

// serviceMatches returns the requests that the route is for; none means all. A TCP connection has nothing but its port.
func (i *istioCodec) serviceMatches() ([]map[string]any, []string) {
	all := conditions(i.spec.Spec.Service.Match)
	if i.field == "http" {
		return all, nil
	}
	var problems []string
	for n, match := range all {
		for _, field := range slices.Sorted(maps.Keys(match)) {
			if field != "port" && field != sourceLabels && field != "gateways" && field != "sourceNamespace" {
				problems = append(problems, fmt.Sprintf("spec.service.match[%d].%s: spec.service.appProtocol is tcp, and a TCP connection has no %s; "+
					"it can be matched by port, sourceLabels, sourceNamespace and gateways", n, field, field))
			}
		}
	}
	return all, problems
}

// analysisMatches returns the requests of an A/B test: those of the route that spec.analysis.match selects.
func (i *istioCodec) analysisMatches() ([]map[string]any, []string) {
	a := i.spec.Spec.Analysis
	if a == nil || len(a.Match) == 0 {
		return nil, []string{analysisMatch + ": there is no condition to select requests by"}
	}
	return i.both(analysisMatch, conditions(a.Match))
}

// both returns the requests for which one of the conditions and one of spec.service.match hold.
func (i *istioCodec) both(path string, selected []map[string]any) (all []map[string]any, problems []string) {
	service := conditions(i.spec.Spec.Service.Match)
	if len(service) == 0 {
		return selected, nil
	}
	for n, match := range selected {
		for m, other := range service {
			merged, clash := and(match, other)
			if clash != "" {
				problems = append(problems, fmt.Sprintf("%s: condition %d and spec.service.match[%d] both set %s, and differently; "+
					"a VirtualService has one condition for it", path, n, m, clash))
				continue
			}
			all = append(all, merged)
		}
	}
	return all, problems
}

// and returns the conditions of both, or what they contradict each other in.
func and(a, b map[string]any) (both map[string]any, clash string) {
	both = clone(a)
	for _, field := range slices.Sorted(maps.Keys(b)) {
		value := b[field]
		switch have, set := both[field]; {
		case !set:
			both[field] = runtime.DeepCopyJSONValue(value)
		case reflect.DeepEqual(have, value):
		case strings.HasSuffix(strings.ToLower(field), "headers"), field == "queryParams", field == sourceLabels:
			merged, key := and(object(both, field), object(b, field))
			if key != "" {
				return nil, field + "." + key
			}
			both[field] = merged
		default:
			return nil, field
		}
	}
	return both, ""
}

// cookieCondition holds for requests that carry a cookie, given as name=value.
func cookieCondition(cookie string) map[string]any {
	m := cookieMatch(cookie)
	return map[string]any{"headers": map[string]any{strings.ToLower(m.name): map[string]any{"regex": m.value}}}
}

// istioLimits lists what a VirtualService has no words for.
func istioLimits(c *canary.Canary) []string {
	i, s, a := newIstioCodec(c), &c.Spec.Service, c.Spec.Analysis
	var problems []string
	if s.Delegation && len(s.Hosts)+len(s.Gateways) > 0 {
		problems = append(problems, "spec.service.delegation: a VirtualService that another one delegates to has neither hosts nor gateways; "+
			"remove spec.service.hosts and spec.service.gateways, or delegation")
	}
	_, wrong := i.serviceMatches()
	problems = append(problems, wrong...)
	if a == nil {
		return problems
	}
	if i.field == "tcp" {
		for _, asked := range []struct {
			field string
			set   bool
		}{{"match", len(a.Match) > 0}, {"mirror", a.Mirror}, {"sessionAffinity", a.SessionAffinity != nil}} {
			if asked.set {
				problems = append(problems, fmt.Sprintf("spec.analysis.%s: spec.service.appProtocol is tcp, and Istio sees no requests in a TCP connection; "+
					"remove one of them", asked.field))
			}
		}
		return problems
	}
	if len(a.Match) > 0 {
		_, wrong := i.analysisMatches()
		problems = append(problems, wrong...)
	}
	if a.SessionAffinity != nil {
		_, wrong := i.both(affinityPath, []map[string]any{cookieCondition(a.SessionAffinity.CookieName + "=x")})
		problems = append(append(problems, wrong...), cookieLimits(a.SessionAffinity)...)
	}
	return problems
}
