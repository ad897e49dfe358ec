package rehearsal

import (
	"net/http"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/penstock-dev/penstock/internal/canary"
)

// istioRouter is Istio, as far as the routes of VirtualServices for HTTP and TCP go. Subsets, faults and policies are not
// played.
var istioRouter = router{
	kinds: []Kind{
		istioKind("VirtualService", "virtualservices", "vs"),
		istioKind("DestinationRule", "destinationrules", "dr"),
	},
	standIn: standInIstio,
	obey: func(r *Routing, seen routed) {
		for ref, object := range seen.objects {
			if ref.Kind == "VirtualService" {
				obeyVirtualService(r, subObject(object.Object, "spec"), seen.services)
			}
		}
	},
}

func istioKind(kind, resource, short string) Kind {
	return Kind{
		GroupVersionKind: schema.GroupVersionKind{Group: "networking.istio.io", Version: "v1beta1", Kind: kind},
		Resource:         resource, ShortNames: []string{short}, Namespaced: true, Generation: true,
	}
}

// standInIstio says which conditions are not played.
func standInIstio(s *Stage, c *canary.Canary) error {
	if c.Spec.Analysis == nil {
		return nil
	}
	for _, match := range c.Spec.Analysis.Match {
		if len(match.SourceLabels) > 0 {
			s.say("sourceLabels: every request counts as one from such a pod")
			break
		}
	}
	return nil
}

// obeyVirtualService makes the proxy do what the routes say for the Services of the primary and the canary. The last of
// them takes the requests that no other does.
func obeyVirtualService(r *Routing, spec map[string]any, services [2]string) {
	var rules []Rule
	for _, field := range []string{"http", "tcp"} {
		for _, route := range subObjects(spec, field) {
			if split, ours := istioSplit(route, services); ours {
				rules = append(rules, Rule{Split: split, Match: istioMatch(route)})
			}
		}
	}
	if last := len(rules) - 1; last >= 0 {
		r.Split, r.Rules = rules[last].Split, rules[:last]
	}
}

func istioSplit(route map[string]any, services [2]string) (split Split, ours bool) {
	var weights [2]float64
	destinations := subObjects(route, "route")
	for _, d := range destinations {
		for v, service := range services {
			if host, _ := subObject(d, "destination")["host"].(string); strings.Split(host, ".")[0] != service {
				continue
			}
			ours = true
			if weight := numberOr(d["weight"], 0); weight > 0 || len(destinations) == 1 {
				weights[v] += max(weight, 1)
			}
			added := subObject(subObject(subObject(d, "headers"), "response"), "add")
			for name, value := range added {
				if strings.EqualFold(name, "Set-Cookie") {
					split.Cookies[v], _ = value.(string)
				}
			}
		}
	}
	if total := weights[Primary] + weights[Canary]; total > 0 {
		split.Canary = int(weights[Canary]*100/total + 0.5)
	}
	if host, _ := subObject(route, "mirror")["host"].(string); host == services[Canary] {
		split.Mirror = int(numberOr(subObject(route, "mirrorPercentage")["value"], 100))
	}
	return split, ours
}

// istioMatch reads the matches of a route: one of them must hold.
func istioMatch(route map[string]any) func(*http.Request) bool {
	var alternatives []func(*http.Request) bool
	for _, match := range subObjects(route, "match") {
		alternatives = append(alternatives, istioConditions(match))
	}
	return func(r *http.Request) bool {
		return len(alternatives) == 0 || slices.ContainsFunc(alternatives, func(match func(*http.Request) bool) bool { return match(r) })
	}
}

// istioConditions reads one match: all of its conditions must hold, apart from those on where a request comes from.
func istioConditions(match map[string]any) func(*http.Request) bool {
	var all []func(*http.Request) bool
	for field, of := range map[string]func(*http.Request) string{
		"uri":       func(r *http.Request) string { return r.URL.Path },
		"method":    func(r *http.Request) string { return r.Method },
		"authority": func(r *http.Request) string { return r.Host },
		"scheme":    func(*http.Request) string { return "http" },
	} {
		if comparison := subObject(match, field); comparison != nil {
			holds := envoyMatch(comparison)
			all = append(all, func(r *http.Request) bool { return holds(of(r)) })
		}
	}
	for name := range subObject(match, "headers") {
		holds := envoyMatch(subObject(subObject(match, "headers"), name))
		all = append(all, func(r *http.Request) bool {
			value, there := headerText(r, name)
			return there && holds(value)
		})
	}
	for name := range subObject(match, "withoutHeaders") {
		holds := envoyMatch(subObject(subObject(match, "withoutHeaders"), name))
		all = append(all, func(r *http.Request) bool {
			value, there := headerText(r, name)
			return !there || !holds(value)
		})
	}
	for name := range subObject(match, "queryParams") {
		holds := envoyMatch(subObject(subObject(match, "queryParams"), name))
		all = append(all, func(r *http.Request) bool { return r.URL.Query().Has(name) && holds(r.URL.Query().Get(name)) })
	}
	return func(r *http.Request) bool {
		return !slices.ContainsFunc(all, func(holds func(*http.Request) bool) bool { return !holds(r) })
	}
}

// headerText returns all values of a header as Envoy compares them.
func headerText(r *http.Request, name string) (text string, there bool) {
	separator := ","
	if strings.EqualFold(name, "cookie") {
		separator = "; "
	}
	values := r.Header.Values(name)
	return strings.Join(values, separator), len(values) > 0
}

// envoyMatch reads a comparison with exact, prefix or regex, which must hold for the whole text.
func envoyMatch(comparison map[string]any) func(string) bool {
	if exact, found := comparison["exact"].(string); found {
		return func(text string) bool { return text == exact }
	}
	if prefix, found := comparison["prefix"].(string); found {
		return func(text string) bool { return strings.HasPrefix(text, prefix) }
	}
	expression, found := comparison["regex"].(string)
	pattern, err := regexp.Compile("^(?:" + expression + ")$")
	return func(text string) bool { return !found || err == nil && pattern.MatchString(text) }
}
