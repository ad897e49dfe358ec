package traffic

import (
	"slices"

	"github.com/penstock-dev/penstock/internal/rollout"
)

// contourWeight returns the weight of each Service of a route. When none has one, Contour gives all of them the same.
func contourWeight(services []map[string]any) func(service map[string]any) float64 {
	var total float64
	for _, service := range services {
		if service["mirror"] != true {
			total += number(service, "weight", 0)
		}
	}
	return func(service map[string]any) float64 {
		switch {
		case service["mirror"] == true:
			return 0
		case total == 0:
			return 1
		}
		return number(service, "weight", 0)
	}
}

// read returns what the routes of an HTTPProxy say, and whether those that split by weight all have the same share.
func (r *contourCodec) read(routes []map[string]any) (route rollout.Route, even bool) {
	var mine []map[string]any
	for _, one := range routes {
		if contourServes(one, r.primary, r.canary) {
			mine = append(mine, one)
		}
	}
	if len(mine) == 0 {
		route.Handover = slices.ContainsFunc(routes, func(one map[string]any) bool { return contourServes(one, r.apex) })
		return route, true
	}
	route.Managed, even = true, true
	splits, asides := r.sort(mine)
	for i, split := range splits {
		weight, mirror := r.share(split)
		even = even && (i == 0 || weight == route.Canary)
		route.Canary, route.Mirror = max(route.Canary, weight), max(route.Mirror, mirror)
	}
	for _, aside := range asides {
		if weight, _ := r.share(aside); weight > 0 {
			route.Match = true
		}
	}
	return route, even
}

// sort tells the routes that split by weight from those of an A/B test: they have the conditions of spec.service.match.
// The last one splits in any case, so that a change of spec.service.match does not make all of them a test.
func (r *contourCodec) sort(mine []map[string]any) (splits, asides []map[string]any) {
	matches, _ := contourMatches(r.spec)
	for i, route := range mine {
		conditions := signature(objects(route, "conditions"))
		same := slices.ContainsFunc(matches, func(m contourMatch) bool { return signature(m.conditions()) == conditions })
		if same || i == len(mine)-1 {
			splits = append(splits, route)
			continue
		}
		asides = append(asides, route)
	}
	return splits, asides
}

// share returns which part of a route's requests goes to the canary, and which part is copied to it.
func (r *contourCodec) share(route map[string]any) (weight, mirror rollout.Weight) {
	services := objects(route, "services")
	of := contourWeight(services)
	var part, total float64
	for _, service := range services {
		total += of(service)
		if text(service, "name", "") != r.canary {
			continue
		}
		part += of(service)
		if service["mirror"] == true {
			mirror = rollout.Weight(number(service, "weight", 0))
			if mirror == 0 { // Contour takes nothing for everything
				mirror = 100
			}
		}
	}
	return share(part, total), mirror
}
