package rehearsal

import (
	"cmp"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// contourRouter is Contour. The root HTTPProxy that includes the canary's is the user's, and is taken to be there.
var contourRouter = router{
	kinds: []Kind{{
		GroupVersionKind: schema.GroupVersionKind{Group: "projectcontour.io", Version: "v1", Kind: "HTTPProxy"},
		Resource:         "httpproxies", ShortNames: []string{"proxy"}, Namespaced: true, Status: true, Generation: true,
		Taken: proxyTaken,
	}},
	obey: func(r *Routing, seen routed) {
		for ref, object := range seen.objects {
			if ref.Kind == "HTTPProxy" {
				r.obeyProxy(object, seen.services)
			}
		}
	},
}

func proxyTaken(proxy *unstructured.Unstructured) map[string]any {
	return map[string]any{
		"currentStatus": "valid", "description": "Valid HTTPProxy",
		"conditions": []any{map[string]any{
			"type": "Valid", "status": "True", "reason": "Valid", "message": "Valid HTTPProxy", "observedGeneration": proxy.GetGeneration(),
		}},
	}
}

// obeyProxy makes the proxy do what the routes of an HTTPProxy say for the two Services. Contour looks at the longest path
// first, and of equal ones at that with the most other conditions; the last one takes what no other does.
func (r *Routing) obeyProxy(proxy *unstructured.Unstructured, services [2]string) {
	type route struct {
		Rule
		path, others int
	}
	var routes []route
	for _, object := range subObjects(subObject(proxy.Object, "spec"), "routes") {
		split, ours := proxySplit(subObjects(object, "services"), services)
		if !ours {
			continue
		}
		one := route{Rule: Rule{Split: split}}
		var all []func(*http.Request) bool
		for _, condition := range subObjects(object, "conditions") {
			holds, path, others := proxyCondition(condition)
			all = append(all, holds...)
			one.path, one.others = one.path+path, one.others+others
		}
		one.Match = func(request *http.Request) bool {
			return !slices.ContainsFunc(all, func(holds func(*http.Request) bool) bool { return !holds(request) })
		}
		routes = append(routes, one)
	}
	if len(routes) == 0 {
		return
	}
	slices.SortStableFunc(routes, func(a, b route) int {
		return cmp.Or(cmp.Compare(b.path, a.path), cmp.Compare(b.others, a.others))
	})
	last := len(routes) - 1
	r.Split = routes[last].Split
	for _, one := range routes[:last] {
		r.Rules = append(r.Rules, one.Rule)
	}
}

// proxySplit reads the Services of a route. When none has a weight, all have the same.
func proxySplit(backends []map[string]any, services [2]string) (split Split, ours bool) {
	var weights, named [2]float64
	for _, backend := range backends {
		for v, service := range services {
			switch {
			case backend["name"] != service:
			case backend["mirror"] == true && Version(v) == Canary:
				if split.Mirror = int(numberOr(backend["weight"], 0)); split.Mirror == 0 {
					split.Mirror = 100
				}
			case backend["mirror"] != true:
				ours = true
				weights[v] += numberOr(backend["weight"], 0)
				named[v] = 1
			}
		}
	}
	if weights[Primary]+weights[Canary] == 0 {
		weights = named
	}
	if total := weights[Primary] + weights[Canary]; total > 0 {
		split.Canary = int(weights[Canary]*100/total + 0.5)
	}
	return split, ours
}

// proxyCondition reads one element of a route's conditions, the length of its path and how many others it has.
func proxyCondition(condition map[string]any) (holds []func(*http.Request) bool, path, others int) {
	for _, kind := range []string{"prefix", "exact", "regex"} {
		value, _ := condition[kind].(string)
		if value == "" {
			continue
		}
		path = len(value)
		matches := proxyText(map[string]any{kind: value})
		holds = append(holds, func(r *http.Request) bool { return matches(r.URL.Path) })
	}
	if header := subObject(condition, "header"); header != nil {
		name, _ := header["name"].(string)
		matches := proxyText(header)
		others++
		holds = append(holds, func(r *http.Request) bool {
			values := r.Header.Values(name)
			separator := ","
			if strings.EqualFold(name, "cookie") {
				separator = "; "
			}
			return len(values) > 0 && matches(strings.Join(values, separator))
		})
	}
	if parameter := subObject(condition, "queryParameter"); parameter != nil {
		name, _ := parameter["name"].(string)
		matches := proxyText(parameter)
		others++
		holds = append(holds, func(r *http.Request) bool {
			query := r.URL.Query()
			return query.Has(name) && matches(query.Get(name))
		})
	}
	return holds, path, others
}

// proxyText reads how a text is compared. An expression must hold for the whole of it; one that is none never holds.
func proxyText(match map[string]any) func(string) bool {
	of := func(field string) string { value, _ := match[field].(string); return value }
	switch {
	case match["present"] == true:
		return func(string) bool { return true }
	case of("contains") != "":
		return func(text string) bool { return strings.Contains(text, of("contains")) }
	case of("prefix") != "":
		return func(text string) bool { return strings.HasPrefix(text, of("prefix")) }
	case of("suffix") != "":
		return func(text string) bool { return strings.HasSuffix(text, of("suffix")) }
	case of("regex") != "":
		pattern, err := regexp.Compile("^(?:" + of("regex") + ")$")
		return func(text string) bool { return err == nil && pattern.MatchString(text) }
	}
	return func(text string) bool { return text == of("exact") }
}
