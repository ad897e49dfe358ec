package traffic

import (
	"fmt"

	"github.com/penstock-dev/penstock/internal/rollout"
)

// sideWeights are the weights of a route's destinations.
type sideWeights struct {
	of    map[string]float64 // by side; a side that is named without a weight is there with 0
	total float64
	other string // a destination with a weight that is none of the sides'
}

func (w sideWeights) ours() bool { return len(w.of) > 0 }

// destinations returns where a route sends to. A single destination is one that has all the weight.
func (g glooCodec) destinations(route map[string]any) []map[string]any {
	action := object(route, "routeAction")
	if single := object(action, "single"); single != nil {
		return []map[string]any{{"destination": single, "weight": int64(1)}}
	}
	return objects(object(action, "multi"), "destinations")
}

func (g glooCodec) weights(route map[string]any) sideWeights {
	w := sideWeights{of: map[string]float64{}}
	for _, d := range g.destinations(route) {
		side, name := g.side(object(d, "destination"))
		weight := number(d, "weight", 0) // as Gloo takes it when it is not given
		w.total += weight
		switch {
		case side != "":
			w.of[side] += weight
		case weight > 0:
			w.other = name
		}
	}
	return w
}

// side tells which of the Services a destination names: by the Upstream, or, for the apex, by the Service itself. Gloo's
// discovery keeps its Upstreams in a namespace of its own.
func (g glooCodec) side(destination map[string]any) (side, name string) {
	if service := object(object(destination, "kube"), "ref"); service != nil {
		name = text(service, "name", "")
		if name == g.c.ServiceName() && text(service, "namespace", g.c.Namespace) == g.c.Namespace {
			return glooApex, name
		}
		return "", fmt.Sprintf("Service %q", name)
	}
	upstream := object(destination, "upstream")
	name = text(upstream, "name", "")
	if name == glooUpstream(g.c, glooApex).Name {
		return glooApex, name
	}
	for _, side := range []string{glooPrimary, glooCanary} {
		if name == glooUpstream(g.c, side).Name && text(upstream, "namespace", g.c.Namespace) == g.c.Namespace {
			return side, name
		}
	}
	return "", fmt.Sprintf("Upstream %q", name)
}

// renderRoutes returns the routes of the table: the foreign ones as they are, and in the place of the canary's last one
// those of the wanted route.
func (g glooCodec) renderRoutes(want rollout.Route) ([]map[string]any, error) {
	live := g.routes()
	place := -1
	for i, route := range live {
		if g.weights(route).ours() {
			place = i
		}
	}
	var routes []map[string]any
	add := func(base map[string]any) error {
		mine, err := g.renderMine(base, want)
		routes = append(routes, mine...)
		return err
	}
	for i, route := range live {
		w := g.weights(route)
		switch {
		case i == place:
			if err := add(clone(route)); err != nil {
				return nil, err
			}
		case !w.ours():
			if len(objects(route, "matchers")) == 0 && (i < place || place < 0) {
				return nil, fmt.Errorf("spec.routes[%d] takes every request and comes before the canary's, so the canary would get none; remove it", i)
			}
			routes = append(routes, clone(route))
		case w.of[glooApex] > 0:
			return nil, fmt.Errorf("spec.routes[%d] sends requests to Service %q itself, past the canary; leave one such route, which the canary takes over",
				i, g.c.ServiceName())
		}
	}
	if place < 0 {
		if err := add(map[string]any{}); err != nil {
			return nil, err
		}
	}
	return routes, nil
}

// renderMine returns the canary's own routes, with what else is in the live one.
func (g glooCodec) renderMine(split map[string]any, want rollout.Route) ([]map[string]any, error) {
	if other := g.weights(split).other; other != "" {
		return nil, fmt.Errorf("the canary's route sends requests to %s too, so that weights are no percentages; give it a route of its own", other)
	}
	if len(objects(split, "matchers")) == 0 {
		split["inheritablePathMatchers"] = true
	}
	present := g.destinations(split)
	if want.Handover {
		split["routeAction"] = g.action(present, map[string]rollout.Weight{glooApex: 100})
		return []map[string]any{split}, nil
	}
	var routes []map[string]any
	if want.Match {
		test := clone(split)
		matchers, err := g.testMatchers(objects(split, "matchers"))
		if err != nil {
			return nil, err
		}
		test["matchers"] = list(matchers)
		test["routeAction"] = g.action(present, map[string]rollout.Weight{glooPrimary: 0, glooCanary: 100})
		routes = append(routes, test)
	}
	split["routeAction"] = g.action(present, map[string]rollout.Weight{glooPrimary: 100 - want.Canary, glooCanary: want.Canary})
	return append(routes, split), nil
}

// action sends to the sides by weight. A side keeps what its destination has beside; one that is new gets what another has.
func (g glooCodec) action(present []map[string]any, weights map[string]rollout.Weight) map[string]any {
	var destinations []map[string]any
	for _, side := range []string{glooApex, glooPrimary, glooCanary} {
		weight, wanted := weights[side]
		if !wanted {
			continue
		}
		var like map[string]any
		for _, d := range present {
			if of, _ := g.side(object(d, "destination")); of != "" && (like == nil || of == side) {
				like = d
			}
		}
		d := clone(like)
		destination := clone(object(d, "destination"))
		delete(destination, "kube")
		ref := glooUpstream(g.c, side)
		destination["upstream"] = map[string]any{"name": ref.Name, "namespace": ref.Namespace}
		d["destination"], d["weight"] = destination, int64(weight)
		destinations = append(destinations, d)
	}
	for _, d := range present {
		if of, _ := g.side(object(d, "destination")); of == "" {
			destinations = append(destinations, clone(d))
		}
	}
	return map[string]any{"multi": map[string]any{"destinations": list(destinations)}}
}
