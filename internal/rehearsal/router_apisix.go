package rehearsal

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/penstock-dev/penstock/internal/canary"
)

var apisixGVK = schema.GroupVersionKind{Group: "apisix.apache.org", Version: "v2", Kind: "ApisixRoute"}

// apisixRouter is Apache APISIX, as far as the weights and the priorities of its routes go.
var apisixRouter = router{
	kinds: []Kind{{
		GroupVersionKind: apisixGVK, Resource: "apisixroutes", ShortNames: []string{"ar"}, Namespaced: true, Status: true, Generation: true,
		Taken: func(route *unstructured.Unstructured) map[string]any {
			return map[string]any{"conditions": []any{map[string]any{
				"type": "ResourcesAvailable", "status": "True", "reason": "ResourcesSynced", "message": "Sync Successfully",
				"observedGeneration": route.GetGeneration(),
			}}}
		},
	}},
	standIn: standInApisix,
	obey: func(r *Routing, seen routed) {
		var rules []map[string]any
		for ref, object := range seen.objects {
			if ref.Kind == apisixGVK.Kind && object != nil {
				rules = append(rules, subObjects(subObject(object.Object, "spec"), "http")...)
			}
		}
		r.obeyPriority(rules, seen)
	},
}

// obeyPriority makes the proxy obey the rule of the highest priority that names one of the three Services. One that names
// only the apex leaves the proxy as it is.
func (r *Routing) obeyPriority(rules []map[string]any, seen routed) {
	var first []map[string]any
	highest := -1.0
	for _, rule := range rules {
		backends := subObjects(rule, "backends")
		ours := false
		for _, backend := range backends {
			name := backend["serviceName"]
			ours = ours || name == seen.services[Primary] || name == seen.services[Canary] || name == seen.canary.ServiceName()
		}
		if priority := numberOr(rule["priority"], 0); ours && priority > highest {
			first, highest = backends, priority
		}
	}
	r.weigh(first, func(backend map[string]any) (string, float64) {
		name, _ := backend["serviceName"].(string)
		return name, numberOr(backend["weight"], 100)
	}, seen.services)
}

func standInApisix(s *Stage, c *canary.Canary) error {
	if c.Spec.RouteRef == nil {
		c.Spec.RouteRef = &canary.ObjectRef{APIVersion: apisixGVK.GroupVersion().String(), Kind: apisixGVK.Kind, Name: c.ServiceName()}
		s.say("spec.routeRef is not given: ApisixRoute %q", c.ServiceName())
	}
	if s.find(apisixGVK.Kind, c.Spec.RouteRef.Name) != nil {
		return nil
	}
	s.say("ApisixRoute %q: one that sends everything to Service %q", c.Spec.RouteRef.Name, c.ServiceName())
	route := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{"http": []any{map[string]any{
		"name": "app", "match": map[string]any{"hosts": []any{"app.example.com"}, "paths": []any{"/*"}},
		"backends": []any{map[string]any{"serviceName": c.ServiceName(), "servicePort": int64(c.Spec.Service.Port)}},
	}}}}}
	route.SetGroupVersionKind(apisixGVK)
	route.SetNamespace(c.Namespace)
	route.SetName(c.Spec.RouteRef.Name)
	return s.add(route, apisixGVK)
}
