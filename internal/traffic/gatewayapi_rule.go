package traffic

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/rollout"
)

// ruleCodec reads and writes the rules of an HTTPRoute. Penstock's are those that name the primary's or the canary's
// Service: one that splits the requests by weight and, before it, those that take some requests out: of an A/B test, and
// of users who are kept on one side.
type ruleCodec struct {
	spec                  *canary.Canary
	apex, primary, canary string // names of Services
}

func newRuleCodec(c *canary.Canary) *ruleCodec {
	apex := c.ServiceName()
	return &ruleCodec{spec: c, apex: apex, primary: apex + primarySuffix, canary: apex + canarySuffix}
}

// names reports whether a backend is one of the Services.
func (r *ruleCodec) names(backend map[string]any, services ...string) bool {
	if text(backend, "kind", serviceKind) != serviceKind || text(backend, "group", "") != "" ||
		text(backend, "namespace", r.spec.Namespace) != r.spec.Namespace {
		return false
	}
	for _, service := range services {
		if text(backend, "name", "") == service {
			return true
		}
	}
	return false
}

// ours reports whether a rule sends requests to one of the Services.
func (r *ruleCodec) ours(rule map[string]any, services ...string) bool {
	for _, backend := range objects(rule, "backendRefs") {
		if r.names(backend, services...) {
			return true
		}
	}
	return false
}

// render returns the rules that the route should have. The others' rules stay as and where they are.
func (r *ruleCodec) render(live []map[string]any, want rollout.Route) ([]map[string]any, error) {
	matches, problems := serviceMatches(r.spec)
	if len(problems) > 0 {
		return nil, errors.New(problems[0])
	}
	mine, base, err := r.find(live, matches)
	if err != nil {
		return nil, err
	}
	split, err := r.rule(base, want)
	if err != nil {
		return nil, err
	}
	r.match(split, matches)
	added, err := r.aside(split, want)
	if err != nil {
		return nil, err
	}
	added = append(added, split)
	var rules []map[string]any
	for i, rule := range live {
		if !mine[i] {
			if added != nil && r.shadows(rule, matches) {
				return nil, fmt.Errorf("spec.rules[%d] takes the same requests as the canary and comes before it, so the canary would get none; "+
					"remove it, or set spec.service.match", i)
			}
			rules = append(rules, clone(rule))
			continue
		}
		rules, added = append(rules, added...), nil
	}
	return append(rules, added...), nil
}

// find returns which live rules are Penstock's, and the one that splits the requests: the last of them. A route that was
// there before has one that points at the apex Service instead; it is taken over when it takes the same requests.
func (r *ruleCodec) find(live []map[string]any, matches []routeMatch) (mine map[int]bool, base map[string]any, err error) {
	mine = map[int]bool{}
	for i, rule := range live {
		if r.ours(rule, r.primary, r.canary) {
			mine[i], base = true, rule
		}
	}
	if base != nil {
		return mine, base, nil
	}
	for i, rule := range live {
		if !r.ours(rule, r.apex) {
			continue
		}
		if base != nil || !r.sameMatches(rule, matches) {
			return nil, nil, fmt.Errorf("spec.rules[%d] sends requests to Service %q itself, past the canary; "+
				"a rule that Penstock can take over is the only one that does so and has the matches of spec.service.match, which are %s",
				i, r.apex, describeMatches(matches))
		}
		mine[i], base = true, rule
	}
	return mine, base, nil
}

// rule returns the rule that splits the requests, with what others put into the live one.
func (r *ruleCodec) rule(live map[string]any, want rollout.Route) (map[string]any, error) {
	rule := clone(live)
	filters, problems := routeFilters(r.spec)
	if len(problems) > 0 {
		return nil, errors.New(problems[0])
	}
	if want.Mirror > 0 {
		filters = append(filters, r.mirror(want.Mirror))
	}
	filters = r.mergeFilters(objects(live, "filters"), filters)
	delete(rule, "filters")
	if len(filters) > 0 {
		rule["filters"] = list(filters)
	}
	timeouts, problems := routeTimeouts(r.spec)
	if len(problems) > 0 {
		return nil, errors.New(problems[0])
	}
	if len(timeouts) > 0 {
		merged := clone(object(rule, "timeouts"))
		maps.Copy(merged, timeouts)
		rule["timeouts"] = merged
	}
	if want.Handover {
		rule["backendRefs"] = list(r.handedOver(objects(live, "backendRefs")))
		return rule, nil
	}
	backends, err := r.backends(objects(live, "backendRefs"), want.Canary)
	if err != nil {
		return nil, err
	}
	if err := r.cookies(backends, want); err != nil {
		return nil, err
	}
	rule["backendRefs"] = list(backends)
	return rule, nil
}

// backends returns the primary's and the canary's Service with their weights. Their other fields are kept; a third
// backend with a weight of its own would make percentages impossible.
func (r *ruleCodec) backends(live []map[string]any, weight rollout.Weight) ([]map[string]any, error) {
	refs := []map[string]any{r.backend(live, r.primary, 100-weight), r.backend(live, r.canary, weight)}
	for _, backend := range live {
		switch {
		case r.names(backend, r.primary, r.canary, r.apex):
		case number(backend, "weight", 1) > 0:
			return nil, fmt.Errorf("the rule of the canary sends requests to %s %q too, so that weights are no percentages; give it a rule of its own",
				text(backend, "kind", serviceKind), text(backend, "name", ""))
		default:
			refs = append(refs, clone(backend))
		}
	}
	return refs, nil
}

func (r *ruleCodec) backend(live []map[string]any, service string, weight rollout.Weight) map[string]any {
	backend := map[string]any{"group": "", "kind": serviceKind}
	for _, name := range []string{service, r.apex} { // of a rule that is taken over, both get what the apex had
		i := slices.IndexFunc(live, func(b map[string]any) bool { return r.names(b, name) })
		if i >= 0 {
			backend = withoutCookies(live[i])
			break
		}
	}
	backend["name"], backend["port"], backend["weight"] = service, int64(r.spec.Spec.Service.Port), int64(weight)
	return backend
}
