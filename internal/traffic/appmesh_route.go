package traffic

import (
	"fmt"
	"strings"

	"github.com/penstock-dev/penstock/internal/rollout"
)

// The priorities of the routes of an A/B test and of the one for the rest: the lowest number comes first.
const (
	meshTest = 10
	meshRest = 20
	meshLast = 1001 // of a route without a priority; the highest that can be given is 1000
)

// field is the field of a route that says what is to be done.
func (m meshCodec) field() string {
	switch {
	case m.version == meshV1:
		return "http"
	case m.protocol() == "grpc":
		return "grpcRoute"
	}
	return "httpRoute"
}

func (m meshCodec) targets(route map[string]any) []map[string]any {
	return objects(object(object(route, m.field()), "action"), "weightedTargets")
}

// side returns the suffix of the Service that a target stands for.
func (m meshCodec) side(target map[string]any) (suffix string, ours bool, name string) {
	name = text(target, "virtualNodeName", "")
	if ref := object(target, "virtualNodeRef"); ref != nil {
		name = text(ref, "name", "")
		if text(ref, "namespace", m.c.Namespace) != m.c.Namespace {
			return "", false, name
		}
	}
	suffix, ours = strings.CutPrefix(name, m.c.ServiceName())
	switch suffix {
	case "", primarySuffix, canarySuffix:
		return suffix, ours, name
	}
	return "", false, or(name, text(target, "virtualNodeARN", ""))
}

func (m meshCodec) weights(route map[string]any) sideWeights {
	w := sideWeights{of: map[string]float64{}}
	for _, target := range m.targets(route) {
		suffix, ours, name := m.side(target)
		weight := number(target, "weight", 0)
		w.total += weight
		switch {
		case ours:
			w.of[suffix] += weight
		case weight > 0:
			w.other = name
		}
	}
	return w
}

func (m meshCodec) routes() []map[string]any {
	return objects(object(fields(m.live[m.carrier("")]), "spec"), "routes")
}

// mine returns the canary's own routes: the last to be looked at, which has the weights, and those before it.
func (m meshCodec) mine() (split map[string]any, tests []map[string]any) {
	for _, route := range m.routes() {
		switch {
		case !m.weights(route).ours():
		case split == nil:
			split = route
		case number(route, "priority", meshLast) >= number(split, "priority", meshLast):
			split, tests = route, append(tests, split)
		default:
			tests = append(tests, route)
		}
	}
	return split, tests
}

// renderRoutes returns the routes of the apex: the canary's own, and the foreign ones as they are.
func (m meshCodec) renderRoutes(want rollout.Route) ([]any, error) {
	split, _ := m.mine()
	if other := m.weights(split).other; other != "" {
		return nil, fmt.Errorf("the canary's route sends requests to VirtualNode %q too, so that weights are no percentages; give it a route of its own", other)
	}
	routes, err := m.renderMine(split, want)
	if err != nil {
		return nil, err
	}
	for _, route := range m.routes() {
		if !m.weights(route).ours() {
			routes = append(routes, clone(route))
		}
	}
	return list(routes), nil
}

func (m meshCodec) renderMine(live map[string]any, want rollout.Route) ([]map[string]any, error) {
	split := clone(live)
	split["name"] = or(text(split, "name", ""), m.c.ServiceName())
	if a := m.c.Spec.Analysis; a != nil && len(a.Match) > 0 {
		split["priority"] = int64(meshRest)
	}
	do := clone(object(split, m.field()))
	match := clone(object(do, "match"))
	if m.field() != "grpcRoute" {
		match["prefix"] = m.prefix()
	}
	do["match"] = match
	if timeout := m.timeout(); timeout != nil {
		do["timeout"] = timeout
	}
	if retries := m.retries(); retries != nil {
		do["retryPolicy"] = retries
	}
	split[m.field()] = do
	present := m.targets(live)
	if want.Handover {
		do["action"] = m.action(present, []meshTarget{{m.remaining(), 100}})
		return []map[string]any{split}, nil
	}
	var routes []map[string]any
	if want.Match {
		matches, _ := m.testMatches() // what is wrong with them was said before
		if len(matches) == 0 {
			return nil, fmt.Errorf("%s: there is no condition to select requests by", analysisMatch)
		}
		for i, conditions := range matches {
			test := clone(split)
			test["name"], test["priority"] = m.testName(i), int64(meshTest+i)
			narrowed := object(object(test, m.field()), "match")
			for name, value := range conditions {
				if more, ok := value.([]any); ok {
					before, _ := narrowed[name].([]any)
					value = append(before, more...)
				}
				narrowed[name] = value
			}
			object(test, m.field())["action"] = m.action(present, []meshTarget{{canarySuffix, 100}, {primarySuffix, 0}})
			routes = append(routes, test)
		}
	}
	do["action"] = m.action(present, []meshTarget{{canarySuffix, want.Canary}, {primarySuffix, 100 - want.Canary}})
	return append(routes, split), nil
}

// testName is Flagger's for the first.
func (m meshCodec) testName(i int) string {
	if i == 0 {
		return m.c.ServiceName() + "-a"
	}
	return fmt.Sprintf("%s-a%d", m.c.ServiceName(), i+1)
}

// directRoutes send everything to the canary.
func (m meshCodec) directRoutes() []any {
	match := map[string]any{"prefix": m.prefix()}
	if m.field() == "grpcRoute" {
		match = map[string]any{}
	}
	do := map[string]any{"match": match, "action": m.action(nil, []meshTarget{{canarySuffix, 100}})}
	if timeout := m.timeout(); timeout != nil {
		do["timeout"] = timeout
	}
	if retries := m.retries(); retries != nil {
		do["retryPolicy"] = retries
	}
	return []any{map[string]any{"name": m.c.ServiceName() + canarySuffix, m.field(): do}}
}

// meshTarget is the weight of a node.
type meshTarget struct {
	suffix string
	weight rollout.Weight
}

// action sends to nodes by weight, and leaves those of others, which have none, where they are.
func (m meshCodec) action(present []map[string]any, weights []meshTarget) map[string]any {
	var targets []any
	for _, w := range weights {
		name := m.node(w.suffix).Name
		target := map[string]any{"virtualNodeName": name}
		if m.version == meshV2 {
			target = map[string]any{"virtualNodeRef": map[string]any{"name": name}}
		}
		target["weight"] = int64(w.weight)
		targets = append(targets, target)
	}
	for _, target := range present {
		if _, ours, _ := m.side(target); !ours {
			targets = append(targets, clone(target))
		}
	}
	return map[string]any{"weightedTargets": targets}
}
