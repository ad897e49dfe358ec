package traffic

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/rollout"
)

// istioCodec reads and writes the routes of a VirtualService. Penstock's are those that name the primary's or the canary's
// Service: one that splits the requests by weight and, before it, those that take some requests out.
type istioCodec struct {
	spec                  *canary.Canary
	apex, primary, canary string // names of Services
	field                 string // the list of routes in the spec: http or tcp
}

func newIstioCodec(c *canary.Canary) *istioCodec {
	apex := c.ServiceName()
	i := &istioCodec{spec: c, apex: apex, primary: apex + primarySuffix, canary: apex + canarySuffix, field: "http"}
	if istioTCP(c) {
		i.field = "tcp"
	}
	return i
}

// wanted returns the spec of the VirtualService.
func (i *istioCodec) wanted(before *unstructured.Unstructured, want rollout.Route) (map[string]any, error) {
	live := specOf(before)
	if want.Handover {
		if original := i.original(before); original != nil {
			return original, nil
		}
		if !i.managed(live) {
			return i.plain(live), nil
		}
	}
	routes, err := i.routes(objects(live, i.field), want)
	if err != nil {
		return nil, err
	}
	spec := map[string]any{i.field: list(routes)}
	if s := &i.spec.Spec.Service; !s.Delegation {
		hosts, gateways := s.Hosts, s.Gateways
		if !slices.Contains(hosts, i.apex) && !slices.Contains(hosts, "*") {
			hosts = append(slices.Clone(hosts), i.apex)
		}
		if len(gateways) == 0 {
			gateways = []string{meshWide}
		}
		spec["hosts"], spec["gateways"] = texts(hosts), texts(gateways)
	}
	return spec, nil
}

// plain returns what of a live spec Penstock writes, as it is.
func (i *istioCodec) plain(live map[string]any) map[string]any {
	spec := map[string]any{}
	for _, field := range []string{"hosts", "gateways", "http", "tcp"} {
		if value, found := live[field]; found {
			spec[field] = runtime.DeepCopyJSONValue(value)
		}
	}
	return spec
}

// hosts reports whether a destination is one of the Services, however its name is written.
func (i *istioCodec) hosts(destination map[string]any, services ...string) bool {
	host := text(object(destination, "destination"), "host", "")
	for _, service := range services {
		for _, name := range []string{"", "." + i.spec.Namespace, "." + i.spec.Namespace + ".svc", "." + i.spec.Namespace + ".svc.cluster.local"} {
			if host == service+name {
				return true
			}
		}
	}
	return false
}

// ours reports whether a route sends requests to one of the Services.
func (i *istioCodec) ours(route map[string]any, services ...string) bool {
	return slices.ContainsFunc(objects(route, "route"), func(d map[string]any) bool { return i.hosts(d, services...) })
}

// managed reports whether a spec sends requests to the primary or the canary.
func (i *istioCodec) managed(spec map[string]any) bool {
	for _, field := range []string{"http", "tcp"} {
		for _, route := range objects(spec, field) {
			if i.ours(route, i.primary, i.canary) {
				return true
			}
		}
	}
	return false
}

// routes returns the routes that the VirtualService should have. The others' stay as and where they are.
func (i *istioCodec) routes(live []map[string]any, want rollout.Route) ([]map[string]any, error) {
	var base map[string]any
	mine := make([]bool, len(live))
	for n, route := range live {
		if mine[n] = i.ours(route, i.apex, i.primary, i.canary); !mine[n] {
			continue
		}
		base = route
		for _, d := range objects(route, "route") {
			if !i.hosts(d, i.apex, i.primary, i.canary) && number(d, "weight", 0) > 0 {
				return nil, fmt.Errorf("spec.%s[%d] sends requests to %q too, so that weights are no percentages; give it a route of its own",
					i.field, n, text(object(d, "destination"), "host", ""))
			}
		}
	}
	split, err := i.split(base, want)
	if err != nil {
		return nil, err
	}
	added, err := i.aside(split, want)
	if err != nil {
		return nil, err
	}
	added = append(added, split)
	var routes []map[string]any
	for n, route := range live {
		if !mine[n] {
			if added != nil && len(objects(route, "match")) == 0 {
				return nil, fmt.Errorf("spec.%s[%d] takes every request and comes before the canary's route, so the canary would get none; "+
					"give it a match, or move it to the end", i.field, n)
			}
			routes = append(routes, clone(route))
			continue
		}
		routes, added = append(routes, added...), nil
	}
	return append(routes, added...), nil
}

// split returns the route that splits the requests by weight. What spec.service has no word for, such as a fault, stays.
func (i *istioCodec) split(base map[string]any, want rollout.Route) (map[string]any, error) {
	route := clone(base)
	s := &i.spec.Spec.Service
	for _, field := range []string{"match", "rewrite", "timeout", "retries", "corsPolicy", "headers", "mirror", "mirrors", "mirrorPercentage", "mirrorPercent"} {
		delete(route, field)
	}
	matches, problems := i.serviceMatches()
	if len(problems) > 0 {
		return nil, fmt.Errorf("%s", strings.Join(problems, "; "))
	}
	if len(matches) > 0 {
		route["match"] = list(matches)
	}
	if i.field == "http" {
		if s.Timeout != "" {
			route["timeout"] = s.Timeout
		}
		if s.Rewrite != nil {
			route["rewrite"] = fieldsOf(&canary.HTTPRewrite{URI: s.Rewrite.URI, Authority: s.Rewrite.Authority})
		}
		for field, value := range map[string]map[string]any{"retries": fieldsOf(s.Retries), "corsPolicy": i.cors(), "headers": fieldsOf(s.Headers)} {
			if len(value) > 0 {
				route[field] = value
			}
		}
		if want.Mirror > 0 {
			route["mirror"] = i.destination(i.canary)
			route["mirrorPercentage"] = map[string]any{"value": int64(want.Mirror)}
		}
	}
	if want.Handover {
		route["route"] = []any{map[string]any{"destination": i.destination(i.apex)}}
		return route, nil
	}
	backends := i.backends(want.Canary)
	if keepsUsers(i.spec, want) {
		a := affinity(i.spec)
		if a.PrimaryCookieName != "" {
			i.sets(backends[0], cookieText(a, a.PrimaryCookieName, want.Session, primaryMaxAge(i.spec.Spec.Analysis)))
		}
		i.sets(backends[1], cookieText(a, a.CookieName, want.Session, a.EffectiveMaxAge()))
	}
	route["route"] = list(backends)
	return route, nil
}

// cors returns spec.service.corsPolicy in Istio's words.
func (i *istioCodec) cors() map[string]any {
	policy := fieldsOf(i.spec.Spec.Service.CorsPolicy)
	if origins := objects(policy, "allowOrigins"); len(origins) > 0 {
		for _, origin := range origins {
			sayable(origin)
		}
		policy["allowOrigins"] = list(origins)
	}
	return policy
}

// backends returns the primary's and the canary's destination, in this order.
func (i *istioCodec) backends(weight rollout.Weight) []map[string]any {
	return []map[string]any{
		{"destination": i.destination(i.primary), "weight": int64(100 - weight)},
		{"destination": i.destination(i.canary), "weight": int64(weight)},
	}
}

// destination names a Service. With several ports, one that a gateway leads to has to say which.
func (i *istioCodec) destination(service string) map[string]any {
	destination := map[string]any{"host": service}
	s := &i.spec.Spec.Service
	if s.PortDiscovery && (s.Delegation || len(s.Gateways) > 0 && s.Gateways[0] != meshWide) {
		destination["port"] = map[string]any{"number": int64(s.Port)}
	}
	return destination
}

// sets makes the answers of a destination set a cookie.
func (i *istioCodec) sets(destination map[string]any, cookie string) {
	destination["headers"] = map[string]any{"response": map[string]any{"add": map[string]any{setCookie: cookie}}}
}

// aside returns the routes that take some requests out before the others are split: see ruleCodec.aside.
func (i *istioCodec) aside(split map[string]any, want rollout.Route) ([]map[string]any, error) {
	if want.Handover || i.field == "tcp" {
		return nil, nil
	}
	var routes []map[string]any
	pin := func(matches []map[string]any, weight rollout.Weight) map[string]any {
		route := clone(split)
		maps.DeleteFunc(route, func(field string, _ any) bool {
			return field == "name" || weight == 100 && strings.HasPrefix(field, "mirror") // the canary would get the request twice
		})
		route["match"] = list(matches)
		route["route"] = list(i.backends(weight))
		routes = append(routes, route)
		return route
	}
	carry := func(cookie string) []map[string]any {
		matches, _ := i.both(affinityPath, []map[string]any{cookieCondition(cookie)}) // istioLimits has the problems
		return matches
	}
	if want.Match {
		matches, problems := i.analysisMatches()
		if len(problems) > 0 {
			return nil, fmt.Errorf("%s", strings.Join(problems, "; "))
		}
		pin(matches, 100)
	}
	a := affinity(i.spec)
	if keepsUsers(i.spec, want) {
		pin(carry(a.CookieName+"="+want.Session), 100)
		if a.PrimaryCookieName != "" {
			pin(carry(a.PrimaryCookieName+"="+want.Session), 0)
		}
	}
	if a != nil && want.Previous != "" && want.Previous != want.Session {
		backends := objects(pin(carry(a.CookieName+"="+want.Previous), want.Canary), "route")
		i.sets(backends[0], cookieText(a, a.CookieName, want.Previous, -1))
		if keepsUsers(i.spec, want) {
			i.sets(backends[1], cookieText(a, a.CookieName, want.Session, a.EffectiveMaxAge()))
		}
	}
	return routes, nil
}

// specOf returns the spec of an object, or nil.
func specOf(o *unstructured.Unstructured) map[string]any {
	if o == nil {
		return nil
	}
	return object(o.Object, "spec")
}
