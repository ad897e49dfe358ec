package traffic

import (
	"errors"
	"slices"

	"github.com/penstock-dev/penstock/internal/rollout"
)

// aside returns the rules that take some requests out before the others are split by weight: what spec.analysis.match
// selects, then who is kept on the canary, then who is kept on the primary, and last who was kept by the rollout before.
// Each has more conditions than the split, or comes first, so a gateway looks at it first.
func (r *ruleCodec) aside(split map[string]any, want rollout.Route) ([]map[string]any, error) {
	if want.Handover {
		return nil, nil
	}
	var rules []map[string]any
	if want.Match {
		matches, problems := analysisMatches(r.spec)
		if len(problems) > 0 {
			return nil, errors.New(problems[0])
		}
		rule, err := r.pinned(split, matches, 100)
		if err != nil {
			return nil, err
		}
		rules = append(rules, rule)
	}
	kept, err := r.kept(split, want)
	if err != nil {
		return nil, err
	}
	rules = append(rules, kept...)
	released, err := r.released(split, want)
	return append(rules, released...), err
}

// pinned returns the split's rule for some of its requests, with a weight of their own.
func (r *ruleCodec) pinned(split map[string]any, matches []routeMatch, weight rollout.Weight) (map[string]any, error) {
	rule := clone(split)
	delete(rule, "name") // the name of a rule is unique within its route
	r.match(rule, matches)
	if weight == 100 { // the canary would get the request twice
		filters := slices.DeleteFunc(objects(rule, "filters"), r.mirrors)
		delete(rule, "filters")
		if len(filters) > 0 {
			rule["filters"] = list(filters)
		}
	}
	backends, err := r.backends(objects(split, "backendRefs"), weight)
	if err != nil {
		return nil, err
	}
	rule["backendRefs"] = list(backends)
	return rule, nil
}

// handedOver returns the apex Service in the place of the primary's and the canary's, and the other backends as they are.
func (r *ruleCodec) handedOver(live []map[string]any) []map[string]any {
	apex := r.backend(live, r.primary, 0)
	apex["name"] = r.apex
	delete(apex, "weight")
	refs := []map[string]any{apex}
	for _, backend := range live {
		if !r.names(backend, r.primary, r.canary, r.apex) {
			refs = append(refs, clone(backend))
		}
	}
	return refs
}
