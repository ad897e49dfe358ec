package rehearsal

import (
	"net/http"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/penstock-dev/penstock/internal/canary"
)

// gatewayRouter is an implementation of the Gateway API.
var gatewayRouter = router{standIn: standInGateway, obey: obeyGateway}

// gatewayRouterV1beta1 is one that has not heard of v1 yet.
var gatewayRouterV1beta1 = router{
	kinds: []Kind{{
		GroupVersionKind: routesV1beta1().GroupVersion().WithKind("HTTPRoute"), Resource: routesV1beta1().Resource,
		Namespaced: true, Status: true, Generation: true, Defaults: defaultHTTPRoute,
	}},
	standIn: standInGateway, obey: obeyGateway,
}

func standInGateway(s *Stage, c *canary.Canary) error {
	if len(c.Spec.Service.GatewayRefs) == 0 {
		s.say("spec.service.gatewayRefs is not given: Gateway \"rehearsal\", which accepts every route")
		c.Spec.Service.GatewayRefs = []canary.ParentReference{{Name: "rehearsal"}}
		return nil
	}
	for _, ref := range c.Spec.Service.GatewayRefs {
		if s.find("Gateway", ref.Name) == nil {
			s.say("Gateway %q: one that accepts every route", ref.Name)
		}
	}
	return nil
}

func obeyGateway(r *Routing, seen routed) {
	for ref, object := range seen.objects {
		if ref.Kind == "HTTPRoute" || ref.Kind == "GRPCRoute" {
			r.obey(object, seen.services)
		}
	}
}

// obey makes the proxy do what the rules of an HTTPRoute say for the Services of the primary and the canary. It reads
// them as a gateway does, without the help of whoever wrote them: a rule that could not work does not work here either.
//
// The last of the rules takes the requests that no other does. A gateway would look for the most specific one instead;
// the two are the same as long as each rule narrows down those after it.
func (r *Routing) obey(route *unstructured.Unstructured, services [2]string) {
	var rules []Rule
	for _, rule := range subObjects(subObject(route.Object, "spec"), "rules") {
		if split, ours := ruleSplit(rule, services); ours {
			rules = append(rules, Rule{Split: split, Match: ruleMatch(rule)})
		}
	}
	if len(rules) == 0 {
		return
	}
	last := len(rules) - 1
	r.Split, r.Rules = rules[last].Split, rules[:last]
}

// ruleSplit reads the backends and the filters of a rule.
func ruleSplit(rule map[string]any, services [2]string) (split Split, ours bool) {
	var weights [2]float64
	for _, backend := range subObjects(rule, "backendRefs") {
		for v, service := range services {
			if backend["name"] != service {
				continue
			}
			ours = true
			weights[v] += numberOr(backend["weight"], 1)
			for _, filter := range subObjects(backend, "filters") {
				if cookie := addedCookie(filter); cookie != "" {
					split.Cookies[v] = cookie
				}
			}
		}
	}
	if total := weights[Primary] + weights[Canary]; total > 0 {
		split.Canary = int(weights[Canary]*100/total + 0.5)
	}
	for _, filter := range subObjects(rule, "filters") {
		mirror := subObject(filter, "requestMirror")
		if subObject(mirror, "backendRef")["name"] == services[Canary] {
			split.Mirror = int(numberOr(mirror["percent"], 100))
		}
	}
	return split, ours
}

func addedCookie(filter map[string]any) string {
	for _, header := range subObjects(subObject(filter, "responseHeaderModifier"), "add") {
		if name, _ := header["name"].(string); strings.EqualFold(name, "Set-Cookie") {
			value, _ := header["value"].(string)
			return value
		}
	}
	return ""
}

func numberOr(value any, fallback float64) float64 {
	switch value := value.(type) {
	case int64:
		return float64(value)
	case float64:
		return value
	}
	return fallback
}

// ruleMatch reads the matches of a rule: one of them must hold. A rule without any takes every request.
func ruleMatch(rule map[string]any) func(*http.Request) bool {
	var alternatives []func(*http.Request) bool
	for _, match := range subObjects(rule, "matches") {
		alternatives = append(alternatives, oneMatch(match))
	}
	return func(r *http.Request) bool {
		return len(alternatives) == 0 || slices.ContainsFunc(alternatives, func(match func(*http.Request) bool) bool { return match(r) })
	}
}

// oneMatch reads one match: all of its conditions must hold.
func oneMatch(match map[string]any) func(*http.Request) bool {
	var all []func(*http.Request) bool
	if path := subObject(match, "path"); path != nil {
		holds := textMatch(path)
		all = append(all, func(r *http.Request) bool { return holds(r.URL.Path) })
	}
	if call := subObject(match, "method"); call != nil { // of a GRPCRoute
		service, _ := call["service"].(string)
		method, _ := call["method"].(string)
		all = append(all, func(r *http.Request) bool {
			calledService, calledMethod, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
			return (service == "" || service == calledService) && (method == "" || method == calledMethod)
		})
	}
	if method, found := match["method"].(string); found {
		all = append(all, func(r *http.Request) bool { return r.Method == method })
	}
	for _, header := range subObjects(match, "headers") {
		name, _ := header["name"].(string)
		holds := textMatch(header)
		all = append(all, func(r *http.Request) bool {
			value, there := headerText(r, name)
			return there && holds(value)
		})
	}
	for _, parameter := range subObjects(match, "queryParams") {
		name, _ := parameter["name"].(string)
		holds := textMatch(parameter)
		all = append(all, func(r *http.Request) bool {
			query := r.URL.Query()
			return query.Has(name) && holds(query.Get(name))
		})
	}
	return func(r *http.Request) bool {
		return !slices.ContainsFunc(all, func(holds func(*http.Request) bool) bool { return !holds(r) })
	}
}

// textMatch reads how a text is compared. An expression must hold for the whole of it, as with Envoy; one that is none
// never holds.
func textMatch(match map[string]any) func(string) bool {
	kind, _ := match["type"].(string)
	value, _ := match["value"].(string)
	switch kind {
	case "RegularExpression":
		pattern, err := regexp.Compile("^(?:" + value + ")$")
		return func(text string) bool { return err == nil && pattern.MatchString(text) }
	case "PathPrefix":
		prefix := strings.TrimSuffix(value, "/")
		return func(text string) bool { return text == prefix || strings.HasPrefix(text, prefix+"/") }
	}
	return func(text string) bool { return text == value }
}
