package traffic

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/rollout"
)

// linkerd routes with a TrafficSplit of SMI, as Flagger does, which needs the extension linkerd-smi. A canary with
// spec.service.gatewayRefs, such as the apex Service itself as `kind: Service`, gets an HTTPRoute of the Gateway API
// instead, which Linkerd obeys without an extension since version 2.14 and which can also select requests.
//
// Linkerd has no filters for a copy of a request, and none for the answers of one backend, as session affinity needs.
var linkerd = Router{
	Can:    Can{Weights: true, Match: true},
	Refs:   linkerdRefs,
	Render: renderLinkerd,
	Read:   readLinkerd,
	Made:   linkerdMade,
	Exact:  linkerdExact,
	Lacks:  nothingLacks,
	Limits: linkerdLimits,
}

var linkerdSplit = splitCodec{"v1alpha1"}

// linkerdRoute reports whether the canary is routed by an HTTPRoute.
func linkerdRoute(c *canary.Canary) bool { return len(c.Spec.Service.GatewayRefs) > 0 }

func linkerdRefs(c *canary.Canary) []canary.Ref {
	if linkerdRoute(c) {
		return []canary.Ref{routeRef(c)}
	}
	return linkerdSplit.refs(c)
}

func linkerdMade(c *canary.Canary) []canary.Ref {
	if linkerdRoute(c) {
		return nil
	}
	return linkerdSplit.refs(c)
}

func linkerdExact(ref canary.Ref) [][]string { return append(splitExact(ref), gatewayExact(ref)...) }

func renderLinkerd(c *canary.Canary, live canary.Objects, want rollout.Route) ([]*unstructured.Unstructured, error) {
	if !linkerdRoute(c) {
		return linkerdSplit.render(c, live, want)
	}
	if want.Mirror > 0 {
		want.Match = false
		return nil, onlyWeights(c, routeRef(c), want)
	}
	return renderGatewayAPI(c, live, want)
}

func readLinkerd(c *canary.Canary, live canary.Objects) rollout.RouteReport {
	if linkerdRoute(c) {
		return readGatewayAPI(c, live)
	}
	return linkerdSplit.read(c, live)
}

func linkerdLimits(c *canary.Canary) []string {
	if linkerdRoute(c) {
		return gatewayLimits(c)
	}
	if a := c.Spec.Analysis; a != nil && len(a.Match) > 0 {
		return []string{analysisMatch + ": a TrafficSplit does not look at requests; set spec.service.gatewayRefs to " +
			"[{group: \"\", kind: Service, name: " + c.ServiceName() + ", port: …}], so that Linkerd is told by an HTTPRoute"}
	}
	return nil
}
