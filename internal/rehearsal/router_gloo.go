package rehearsal

import (
	"net/http"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/penstock-dev/penstock/internal/canary"
)

// glooRouter is Gloo Edge, as far as a RouteTable and its Upstreams go. The VirtualService that delegates to the table is
// the user's.
var glooRouter = router{
	kinds: []Kind{
		{
			GroupVersionKind: schema.GroupVersionKind{Group: "gateway.solo.io", Version: "v1", Kind: "RouteTable"},
			Resource:         "routetables", ShortNames: []string{"rt"}, Namespaced: true, Generation: true, Status: true,
		},
		{
			GroupVersionKind: schema.GroupVersionKind{Group: "gloo.solo.io", Version: "v1", Kind: "Upstream"},
			Resource:         "upstreams", ShortNames: []string{"us"}, Namespaced: true, Generation: true, Status: true,
		},
	},
	standIn: standInUpstream,
	obey:    obeyGloo,
}

// standInUpstream leaves out settings that are not there: they have no meaning for the proxy.
func standInUpstream(s *Stage, c *canary.Canary) error {
	if c.Spec.UpstreamRef != nil && s.find("Upstream", c.Spec.UpstreamRef.Name) == nil {
		s.say("Upstream %q: it is not in the files, so its settings are left out", c.Spec.UpstreamRef.Name)
		c.Spec.UpstreamRef = nil
	}
	return nil
}

// obeyGloo takes the first route that matches, as Envoy does, and follows its destinations by their Upstreams.
func obeyGloo(r *Routing, seen routed) {
	behind := map[string]string{}
	for ref, object := range seen.objects {
		if ref.Kind == "Upstream" {
			service, _ := subObject(subObject(object.Object, "spec"), "kube")["serviceName"].(string)
			behind[ref.Name] = service
		}
	}
	destination := func(d map[string]any) (string, float64) {
		name, _ := subObject(subObject(d, "destination"), "upstream")["name"].(string)
		return behind[name], numberOr(d["weight"], 0)
	}
	for ref, object := range seen.objects {
		if ref.Kind != "RouteTable" {
			continue
		}
		var rules []Rule
		for _, route := range subObjects(subObject(object.Object, "spec"), "routes") {
			destinations := subObjects(subObject(subObject(route, "routeAction"), "multi"), "destinations")
			if split, ours := weighted(destinations, destination, seen.services); ours {
				rules = append(rules, Rule{Split: split, Match: glooMatch(subObjects(route, "matchers"))})
			}
		}
		r.inOrder(rules)
	}
}

// inOrder makes the proxy take the first rule that matches. The last one takes all requests that are left.
func (r *Routing) inOrder(rules []Rule) {
	if last := len(rules) - 1; last >= 0 {
		r.Split, r.Rules = rules[last].Split, rules[:last]
	}
}

// weighted reads a list of backends, and whether any of them is one of the two Services.
func weighted(backends []map[string]any, of func(map[string]any) (service string, weight float64), services [2]string) (Split, bool) {
	ours := slices.ContainsFunc(backends, func(b map[string]any) bool {
		name, _ := of(b)
		return slices.Contains(services[:], name)
	})
	var r Routing
	r.weigh(backends, of, services)
	return r.Split, ours
}

// glooMatch reads matchers, one of which must hold. A route without any takes every request.
func glooMatch(matchers []map[string]any) func(*http.Request) bool {
	alternatives := make([]func(*http.Request) bool, 0, len(matchers))
	for _, m := range matchers {
		alternatives = append(alternatives, glooMatcher(m))
	}
	return func(r *http.Request) bool {
		return len(alternatives) == 0 || slices.ContainsFunc(alternatives, func(match func(*http.Request) bool) bool { return match(r) })
	}
}

// glooMatcher reads one matcher, all conditions of which must hold.
func glooMatcher(m map[string]any) func(*http.Request) bool {
	var all []func(*http.Request) bool
	if prefix, found := m["prefix"].(string); found {
		all = append(all, func(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, prefix) })
	}
	if methods, _ := m["methods"].([]any); len(methods) > 0 {
		all = append(all, func(r *http.Request) bool { return slices.Contains(methods, any(r.Method)) })
	}
	for _, header := range subObjects(m, "headers") {
		name, _ := header["name"].(string)
		compare := glooText(header)
		all = append(all, func(r *http.Request) bool {
			values := r.Header.Values(name)
			return len(values) > 0 && compare(strings.Join(values, ","))
		})
	}
	for _, parameter := range subObjects(m, "queryParameters") {
		name, _ := parameter["name"].(string)
		compare := glooText(parameter)
		all = append(all, func(r *http.Request) bool { return r.URL.Query().Has(name) && compare(r.URL.Query().Get(name)) })
	}
	return func(r *http.Request) bool {
		return !slices.ContainsFunc(all, func(holds func(*http.Request) bool) bool { return !holds(r) })
	}
}

// glooText reads how a text is compared: with an expression for the whole of it, or exactly. Nothing to compare with asks
// only that there is one.
func glooText(condition map[string]any) func(string) bool {
	value, _ := condition["value"].(string)
	if expression, _ := condition["regex"].(bool); expression {
		pattern, err := regexp.Compile("^(?:" + value + ")$")
		return func(text string) bool { return err == nil && pattern.MatchString(text) }
	}
	return func(text string) bool { return value == "" || text == value }
}
