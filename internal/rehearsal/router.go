package rehearsal

import (
	"slices"
	"strings"

	"github.com/penstock-dev/penstock/internal/canary"
)

// router is what the embedded cluster knows of a traffic router, beside its metrics. Nothing of it may ask internal/traffic
// what an object means: a rehearsal shows what the router would do, not what Penstock thinks that it does.
type router struct {
	// kinds are the custom resources of the router, with their defaults and the status that its controller reports.
	kinds []Kind

	// standIn puts on the stage what the canary refers to and the files do not contain, and says so. Nil when nothing is
	// needed.
	standIn func(s *Stage, c *canary.Canary) error

	// obey makes the proxy do what the router's objects say: the share of the requests, and which single requests go
	// where, are copied, or get a cookie. It changes nothing when the objects say nothing of the two Services. Nil for a
	// router that knows only all or nothing.
	obey func(r *Routing, seen routed)
}

// routed is what a router looks at.
type routed struct {
	canary   *canary.Canary
	objects  canary.Objects // those of the router, and the target and its primary
	services [2]string      // the names of the versions' own Services, by version
}

// routers maps spec.provider to its part in a rehearsal. Each entry has a file, which versions of one API share.
var routers = map[string]router{
	"apisix":             apisixRouter,
	"appmesh":            meshRouter("v1beta1"),
	"appmesh:v1beta2":    meshRouter("v1beta2"),
	"contour":            contourRouter,
	"gatewayapi:v1":      gatewayRouter,
	"gatewayapi:v1beta1": gatewayRouterV1beta1,
	"gloo":               glooRouter,
	"istio":              istioRouter,
	"knative":            knativeRouter,
	"kubernetes":         {},
	"kuma":               kumaRouter,
	"linkerd":            linkerdRouter,
	"nginx":              nginxRouter,
	"osm":                splitRouter("v1alpha2"),
	"skipper":            skipperRouter,
	"smi:v1alpha1":       splitRouter("v1alpha1"),
	"smi:v1alpha2":       splitRouter("v1alpha2"),
	"smi:v1alpha3":       splitRouter("v1alpha3"),
	"traefik":            traefikRouter,
}

// kindsOf are the kinds of a cluster that has the router of a provider, without those of other routers.
func kindsOf(provider string) []Kind {
	kinds := DefaultKinds()
	for _, k := range routers[provider].kinds {
		if !slices.ContainsFunc(kinds, func(other Kind) bool { return other.GVR() == k.GVR() }) {
			kinds = append(kinds, k)
		}
	}
	return kinds
}

// RouterKinds are the custom resources of all routers, once each.
func RouterKinds() []Kind {
	var kinds []Kind
	for _, r := range routers {
		for _, k := range r.kinds {
			if !slices.ContainsFunc(kinds, func(other Kind) bool { return other.GVR() == k.GVR() }) {
				kinds = append(kinds, k)
			}
		}
	}
	slices.SortFunc(kinds, func(a, b Kind) int { return strings.Compare(a.GVR().String(), b.GVR().String()) })
	return kinds
}
