package traffic

import (
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/rollout"
)

// traefik routes with a weighted TraefikService that has the name of the apex Service. The user's IngressRoute names it in
// the place of a Service, so it stays after the canary, and then names the apex Service alone.
//
// Traefik reports nothing of it, so that it counts as taken up when it is written. A Service without traffic is left out:
// Traefik wants weights above 0. What else the TraefikService has, such as sticky sessions, stays.
var traefik = Router{
	Can:    Can{Weights: true},
	Refs:   func(c *canary.Canary) []canary.Ref { return []canary.Ref{traefikRef(c)} },
	Render: renderTraefik,
	Read:   readTraefik,
	Made:   nothingMade,
	Exact:  traefikExact,
	Lacks:  nothingLacks,
	Limits: nothingLimits,
}

const traefikGroup = "traefik.io"

func traefikRef(c *canary.Canary) canary.Ref {
	gvr := schema.GroupVersionResource{Group: traefikGroup, Version: "v1alpha1", Resource: "traefikservices"}
	return c.RefOf(gvr, "TraefikService", c.ServiceName())
}

func traefikExact(ref canary.Ref) [][]string {
	if ref.Group != traefikGroup {
		return nil
	}
	return [][]string{{"spec", "weighted", "services"}}
}

func renderTraefik(c *canary.Canary, live canary.Objects, want rollout.Route) ([]*unstructured.Unstructured, error) {
	ref := traefikRef(c)
	if err := onlyWeights(c, ref, want); err != nil {
		return nil, err
	}
	before := live[ref]
	if before == nil && want.Handover {
		return nil, nil // as there would be none without a canary
	}
	apex := c.ServiceName()
	weights := []struct {
		service string
		weight  rollout.Weight
	}{{apex + primarySuffix, 100 - want.Canary}, {apex + canarySuffix, want.Canary}}
	if want.Handover {
		weights = weights[:1]
		weights[0].service, weights[0].weight = apex, 100
	}
	present := traefikServices(before)
	var services []map[string]any
	for _, w := range weights {
		if w.weight > 0 {
			service := traefikService(c, present, w.service)
			service["name"], service["namespace"] = w.service, c.Namespace
			service["port"], service["weight"] = int64(c.Spec.Service.Port), int64(w.weight)
			services = append(services, service)
		}
	}
	for _, service := range present {
		switch name := text(service, "name", ""); {
		case traefikOurs(c, service, name):
		case number(service, "weight", 1) > 0:
			return nil, fmt.Errorf("route %s: it sends requests to %s %q too, so that weights are no percentages", ref, text(service, "kind", serviceKind), name)
		default:
			services = append(services, clone(service))
		}
	}
	route := ref.New()
	route.Object["spec"] = map[string]any{"weighted": map[string]any{"services": list(services)}}
	if err := release(c, route, before, want); err != nil {
		return nil, err
	}
	return []*unstructured.Unstructured{route}, nil
}

func traefikServices(live *unstructured.Unstructured) []map[string]any {
	if live == nil {
		return nil
	}
	return objects(object(object(live.Object, "spec"), "weighted"), "services")
}

// traefikService returns what a Service has beside its weight. A side that is new gets what the other one has.
func traefikService(c *canary.Canary, present []map[string]any, name string) map[string]any {
	var found map[string]any
	for _, service := range present {
		if !traefikOurs(c, service, text(service, "name", "")) {
			continue
		}
		if found == nil || text(service, "name", "") == name {
			found = service
		}
	}
	return clone(found)
}

// traefikOurs reports whether an entry is the apex, the primary's or the canary's Service.
func traefikOurs(c *canary.Canary, service map[string]any, name string) bool {
	apex := c.ServiceName()
	return (name == apex || name == apex+primarySuffix || name == apex+canarySuffix) &&
		text(service, "kind", serviceKind) == serviceKind && text(service, "namespace", c.Namespace) == c.Namespace
}

func readTraefik(c *canary.Canary, live canary.Objects) rollout.RouteReport {
	ref, apex := traefikRef(c), c.ServiceName()
	route := live[ref]
	if route == nil {
		return rollout.RouteReport{Message: ref.String() + " does not exist yet"}
	}
	weights, total := map[string]float64{}, 0.0
	for _, service := range traefikServices(route) {
		weight := number(service, "weight", 1)
		total += weight
		if name := text(service, "name", ""); traefikOurs(c, service, name) {
			weights[name] += weight
		}
	}
	report := rollout.RouteReport{Known: true}
	switch {
	case weights[apex+primarySuffix]+weights[apex+canarySuffix] > 0:
		report.Managed, report.Settled = true, true
		report.Canary = share(weights[apex+canarySuffix], total)
	case total > 0 && weights[apex] == total:
		report.Handover, report.Settled = true, true
		report.Message = unmanaged(c, ref)
	default:
		report.Message = unmanaged(c, ref)
	}
	return report
}
