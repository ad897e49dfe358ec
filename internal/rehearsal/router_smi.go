package rehearsal

import (
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// splitRouter is a mesh that obeys a version of SMI's TrafficSplit.
func splitRouter(version string) router {
	gvk := schema.GroupVersionKind{Group: "split.smi-spec.io", Version: version, Kind: "TrafficSplit"}
	return router{
		kinds: []Kind{{GroupVersionKind: gvk, Resource: "trafficsplits", ShortNames: []string{"ts"}, Namespaced: true, Generation: true}},
		obey:  obeySplit,
	}
}

func obeySplit(r *Routing, seen routed) {
	for ref, object := range seen.objects {
		if ref.Kind == "TrafficSplit" {
			r.weigh(subObjects(subObject(object.Object, "spec"), "backends"), func(backend map[string]any) (string, float64) {
				name, _ := backend["service"].(string)
				return name, quantityOr(backend["weight"], 0)
			}, seen.services)
		}
	}
}

// weigh makes the proxy split by the weights of a list of backends, if any of them is one of the two Services.
func (r *Routing) weigh(backends []map[string]any, of func(map[string]any) (service string, weight float64), services [2]string) {
	var weights [2]float64
	for _, backend := range backends {
		name, weight := of(backend)
		for v, service := range services {
			if name == service {
				weights[v] += weight
			}
		}
	}
	if total := weights[Primary] + weights[Canary]; total > 0 {
		r.Split.Canary = int(weights[Canary]*100/total + 0.5)
	}
}

// quantityOr is numberOr for a value that may be a quantity.
func quantityOr(value any, fallback float64) float64 {
	if text, ok := value.(string); ok {
		if q, err := resource.ParseQuantity(text); err == nil {
			return q.AsApproximateFloat64()
		}
	}
	return numberOr(value, fallback)
}
