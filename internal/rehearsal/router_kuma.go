package rehearsal

import (
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// kumaRouter is Kuma, as far as its TrafficRoutes go, which belong to the whole cluster.
var kumaRouter = router{
	kinds: []Kind{{
		GroupVersionKind: schema.GroupVersionKind{Group: "kuma.io", Version: "v1alpha1", Kind: "TrafficRoute"},
		Resource:         "trafficroutes", Generation: true,
	}},
	obey: obeyKuma,
}

func obeyKuma(r *Routing, seen routed) {
	for ref, object := range seen.objects {
		if ref.Kind != "TrafficRoute" {
			continue
		}
		spec := subObject(object.Object, "spec")
		for _, destination := range subObjects(spec, "destinations") {
			if kumaName(subObject(destination, "match"), seen.canary.Namespace) == seen.canary.ServiceName() {
				r.weigh(subObjects(subObject(spec, "conf"), "split"), func(part map[string]any) (string, float64) {
					return kumaName(subObject(part, "destination"), seen.canary.Namespace), numberOr(part["weight"], 0)
				}, seen.services)
			}
		}
	}
}

// kumaName returns the name of the Service in a namespace that tags stand for: Kuma calls it <name>_<namespace>_svc_<port>.
func kumaName(tags map[string]any, namespace string) string {
	service, _ := tags["kuma.io/service"].(string)
	name, rest, _ := strings.Cut(service, "_")
	if !strings.HasPrefix(rest, namespace+"_svc_") {
		return ""
	}
	return name
}
