package traffic

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/rollout"
)

// contourCodec reads and writes the routes of an HTTPProxy. Penstock's are those that name the primary's or the canary's
// Service: the requests of an A/B test first, then one for each spec.service.match that splits the requests by weight.
type contourCodec struct {
	spec                  *canary.Canary
	apex, primary, canary string // names of Services
}

func newContourCodec(c *canary.Canary) *contourCodec {
	apex := c.ServiceName()
	return &contourCodec{spec: c, apex: apex, primary: apex + primarySuffix, canary: apex + canarySuffix}
}

// linkerdHeader tells Linkerd's proxy beside Envoy which Service was meant.
const linkerdHeader = "l5d-dst-override"

func contourServes(route map[string]any, names ...string) bool {
	return slices.ContainsFunc(objects(route, "services"), func(s map[string]any) bool {
		return slices.Contains(names, text(s, "name", ""))
	})
}

// render returns the routes that the HTTPProxy should have. The others' stay as and where they are.
func (r *contourCodec) render(live []map[string]any, want rollout.Route) ([]map[string]any, error) {
	matches, problems := contourMatches(r.spec)
	var selected []contourMatch
	if want.Match && !want.Handover {
		selected, problems = contourSelected(r.spec)
	}
	if len(problems) > 0 {
		return nil, errors.New(problems[0])
	}
	bases, mine, err := r.find(live, matches, want)
	if err != nil {
		return nil, err
	}
	var added []map[string]any
	for _, m := range selected {
		route, err := r.route(bases[""], rollout.Route{Canary: 100})
		if err != nil {
			return nil, err
		}
		route["conditions"] = list(m.conditions())
		added = append(added, route)
	}
	for _, m := range matches {
		base := bases[signature(m.conditions())]
		if base == nil {
			base = bases[""]
		}
		route, err := r.route(base, want)
		if err != nil {
			return nil, err
		}
		route["conditions"] = list(m.conditions())
		added = append(added, route)
	}
	var routes []map[string]any
	for i, route := range live {
		if !mine[i] {
			routes = append(routes, clone(route))
			continue
		}
		routes, added = append(routes, added...), nil
	}
	return append(routes, added...), nil
}

// find returns the live routes that are rendered anew, by their conditions, and under "" the last of them. Routes that
// were there before name the apex Service; they are taken over when they take the requests of spec.service.match.
func (r *contourCodec) find(live []map[string]any, matches []contourMatch, want rollout.Route) (bases map[string]map[string]any, mine []bool, err error) {
	var wanted []string
	for _, m := range matches {
		wanted = append(wanted, signature(m.conditions()))
	}
	bases, mine = map[string]map[string]any{}, make([]bool, len(live))
	for i, route := range live {
		conditions := signature(objects(route, "conditions"))
		same := slices.Contains(wanted, conditions)
		switch {
		case contourServes(route, r.primary, r.canary), contourServes(route, r.apex) && same:
			mine[i], bases[conditions], bases[""] = true, route, route
		case want.Handover:
		case contourServes(route, r.apex):
			return nil, nil, fmt.Errorf("spec.routes[%d] sends requests to Service %q itself, past the canary; "+
				"one that Penstock can take over has the conditions of spec.service.match, which are %s", i, r.apex, strings.Join(wanted, ", or "))
		case same:
			return nil, nil, fmt.Errorf("spec.routes[%d] takes the same requests as the canary; remove it, or set spec.service.match", i)
		}
	}
	return bases, mine, nil
}

// route returns a route to the Services, with what others put into the live one.
func (r *contourCodec) route(live map[string]any, want rollout.Route) (map[string]any, error) {
	route := clone(live)
	policies, problems := contourPolicies(r.spec)
	if len(problems) > 0 {
		return nil, errors.New(problems[0])
	}
	for field, values := range policies {
		merged := clone(object(route, field))
		if _, found := merged["idle"]; !found && field == "timeoutPolicy" {
			merged["idle"] = "5m"
		}
		maps.Copy(merged, values)
		route[field] = merged
	}
	services, err := r.services(objects(live, "services"), want)
	if err != nil {
		return nil, err
	}
	route["services"] = list(services)
	return route, nil
}

// services returns the Services with their weights. Their other fields are kept; another one with a weight of its own
// would make percentages impossible.
func (r *contourCodec) services(live []map[string]any, want rollout.Route) ([]map[string]any, error) {
	var services []map[string]any
	if want.Handover {
		apex := r.service(live, r.apex)
		apex["weight"] = int64(100) // without one it would share with Services of weight 0
		services = append(services, apex)
	} else {
		primary, canary := r.service(live, r.primary), r.service(live, r.canary)
		primary["weight"], canary["weight"] = int64(100-want.Canary), int64(want.Canary)
		services = append(services, primary, canary)
		if want.Mirror > 0 {
			mirror := clone(canary)
			mirror["mirror"], mirror["weight"] = true, int64(want.Mirror)
			services = append(services, mirror)
		}
	}
	weight := contourWeight(live)
	for _, service := range live {
		name, mirror := text(service, "name", ""), service["mirror"] == true
		switch {
		case name == r.primary || name == r.canary || name == r.apex:
			continue
		case mirror && want.Mirror > 0:
			return nil, fmt.Errorf("it copies requests to Service %q already, and a route can copy them to one only", name)
		case !mirror && weight(service) > 0 && !want.Handover:
			return nil, fmt.Errorf("it sends requests to Service %q too, so that weights are no percentages; give that one a route of its own", name)
		}
		services = append(services, clone(service))
	}
	return services, nil
}

// service returns one of the three Services with what it has in the live route, or what another of them has.
func (r *contourCodec) service(live []map[string]any, name string) map[string]any {
	var found map[string]any
	for _, known := range []string{name, r.primary, r.apex, r.canary} {
		i := slices.IndexFunc(live, func(s map[string]any) bool { return text(s, "name", "") == known && s["mirror"] != true })
		if i >= 0 {
			found = live[i]
			break
		}
	}
	service, port := clone(found), int64(r.spec.Spec.Service.Port)
	service["name"], service["port"] = name, port
	policy := clone(object(service, "requestHeadersPolicy"))
	set := slices.DeleteFunc(objects(policy, "set"), func(h map[string]any) bool { return text(h, "name", "") == linkerdHeader })
	if name != r.apex {
		set = append(set, map[string]any{"name": linkerdHeader, "value": fmt.Sprintf("%s.%s.svc.cluster.local:%d", name, r.spec.Namespace, port)})
	}
	policy["set"] = list(set)
	if len(set) == 0 {
		delete(policy, "set")
	}
	service["requestHeadersPolicy"] = policy
	if len(policy) == 0 {
		delete(service, "requestHeadersPolicy")
	}
	return service
}
