package e2e

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// ownKinds are the objects by which routers that bring their own definitions are told the weights.
var ownKinds = map[string]struct {
	kind     string
	resource schema.GroupVersionResource
}{
	"contour": {"HTTPProxy", schema.GroupVersionResource{Group: "projectcontour.io", Version: "v1", Resource: "httpproxies"}},
	"istio":   {"VirtualService", schema.GroupVersionResource{Group: "networking.istio.io", Version: "v1beta1", Resource: "virtualservices"}},
	"traefik": {"TraefikService", schema.GroupVersionResource{Group: "traefik.io", Version: "v1alpha1", Resource: "traefikservices"}},
}

// routeKinds installs the definitions of a router and returns what is to be recorded of it.
func routeKinds(t testing.TB, provider string) []schema.GroupVersionResource {
	own, there := ownKinds[provider]
	if !there {
		return nil
	}
	installRouter(t, own.resource.Group)
	return []schema.GroupVersionResource{own.resource}
}

// namedWeight finds the entries of an object that have a weight and name the primary's or the canary's Service, wherever
// they are. It knows nothing of the router, and of several entries for one Service the last counts.
func namedWeight(o *unstructured.Unstructured) (weight int, known bool) {
	if o == nil {
		return 0, false
	}
	share := map[string]int64{}
	var walk func(any)
	walk = func(value any) {
		switch v := value.(type) {
		case []any:
			for _, element := range v {
				walk(element)
			}
		case map[string]any:
			if w, found := v["weight"].(int64); found {
				for _, name := range []string{"podinfo-primary", "podinfo-canary"} {
					if mentions(v, name) {
						share[name] = w
					}
				}
			}
			for _, field := range v {
				walk(field)
			}
		}
	}
	walk(o.Object["spec"])
	return int(share["podinfo-canary"]), share["podinfo-primary"]+share["podinfo-canary"] == 100
}

// mentions reports whether a text in an object is the name of a Service, alone or with its domain.
func mentions(value any, name string) bool {
	switch v := value.(type) {
	case string:
		first, _, _ := strings.Cut(v, ".")
		return first == name
	case map[string]any:
		for _, field := range v {
			if mentions(field, name) {
				return true
			}
		}
	}
	return false
}

// A whole life under the router's own definitions: made, promoted, rolled back, uninstalled.
func TestARouterWithDefinitionsOfItsOwnRollsOut(t *testing.T) {
	t.Parallel()
	for _, provider := range []string{"gatewayapi:v1beta1", "istio", "traefik"} {
		t.Run(provider, func(t *testing.T) {
			t.Parallel()
			s := newScenario(t, provider, analysis("maxWeight", 30))
			s.initialise()
			s.end(s.rollOut(v2), 0)
			s.wantPromoted(v2)
			s.wantWeights(0, 10, 20, 30, 0)
			s.prometheus.Script("", Value(12))
			s.end(s.rollOut(v3), 1)
			s.wantRolledBack(v2)
			s.wantWeight(0)
			s.wantSafe()
			s.end(s.run("--uninstall"), 0)
			s.wantServedThroughout("podinfo")
		})
	}
}
