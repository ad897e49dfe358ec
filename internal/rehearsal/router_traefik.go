package rehearsal

import "k8s.io/apimachinery/pkg/runtime/schema"

// traefikRouter is Traefik, as far as its weighted services go. The IngressRoute that names one is the user's.
var traefikRouter = router{
	kinds: []Kind{{
		GroupVersionKind: schema.GroupVersionKind{Group: "traefik.io", Version: "v1alpha1", Kind: "TraefikService"},
		Resource:         "traefikservices", Namespaced: true, Generation: true,
	}},
	obey: func(r *Routing, seen routed) {
		for ref, object := range seen.objects {
			if ref.Kind == "TraefikService" {
				r.weigh(subObjects(subObject(subObject(object.Object, "spec"), "weighted"), "services"), namedWeight, seen.services)
			}
		}
	},
}

// namedWeight reads a backend with a name and a weight, which is 1 when it is not given.
func namedWeight(backend map[string]any) (string, float64) {
	name, _ := backend["name"].(string)
	return name, numberOr(backend["weight"], 1)
}
