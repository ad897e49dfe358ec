package traffic

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/rollout"
)

// gatewayAPI routes with an HTTPRoute of the Gateway API that has the name of the apex Service. It waits until every
// gateway of spec.service.gatewayRefs has accepted the present generation of the route.
//
// In an HTTPRoute the rules, and in a rule the filters and the backends, are each one field to a server-side apply. So
// what others put there is rendered too, as it is: rules that name neither the primary's nor the canary's Service, and in
// Penstock's own rule the filters of a type, the timeouts and all other fields that spec.service does not set. The price
// is that a filter or a timeout that is taken out of spec.service stays in the route until it is taken out there too.
//
// spec.service.retries is left to the gateway, as in Flagger.
//
// A canary with the annotation penstock.dev/route: GRPCRoute has a GRPCRoute instead, which holds the same but for paths,
// which are the methods of gRPC Services there, and for what gRPC does not know.
//
// Both versions of the API hold the same rules; v1beta1 is for clusters that do not serve v1 yet.
//
// At the handover the route names the apex Service in the place of the primary's and the canary's. The filters and the
// timeouts of spec.service stay: the application needs them with or without a canary.
var gatewayAPI = Router{
	Can:    Can{Weights: true, Match: true, Mirror: true, MirrorWeight: true, SessionAffinity: true},
	Refs:   func(c *canary.Canary) []canary.Ref { return []canary.Ref{routeRef(c)} },
	Render: renderGatewayAPI,
	Read:   readGatewayAPI,
	Made:   nothingMade, // the route goes on serving the apex
	Exact:  gatewayExact,
	Lacks:  gatewayLacks,
	Limits: gatewayLimits,
}

const (
	gatewayGroup = "gateway.networking.k8s.io"
	gatewayKind  = "Gateway"
	gatewayNeeds = "the gatewayapi router needs the Gateway that the HTTPRoute is attached to"
)

func routeRef(c *canary.Canary) canary.Ref {
	gvr := schema.GroupVersionResource{Group: gatewayGroup, Version: "v1", Resource: "httproutes"}
	if grpcRoute(c) {
		gvr.Resource = "grpcroutes"
		return c.RefOf(gvr, "GRPCRoute", c.ServiceName())
	}
	if c.Spec.Provider == "gatewayapi:v1beta1" {
		gvr.Version = "v1beta1"
	}
	return c.RefOf(gvr, "HTTPRoute", c.ServiceName())
}

// gatewayExact has the rules: their list is one field to the API and is rendered from the live one, so that what a rule no
// longer has, such as a mirror, is a difference too.
func gatewayExact(ref canary.Ref) [][]string {
	if ref.Group != gatewayGroup {
		return nil
	}
	return [][]string{{"spec", "rules"}}
}

func renderGatewayAPI(c *canary.Canary, live canary.Objects, want rollout.Route) ([]*unstructured.Unstructured, error) {
	ref := routeRef(c)
	for what, weight := range map[string]rollout.Weight{"": want.Canary, "mirror: ": want.Mirror} {
		if err := percent("route "+ref.String()+": "+what+"weight", weight); err != nil {
			return nil, err
		}
	}
	if problems := append(gatewayLacks(c), gatewayLimits(c)...); len(problems) > 0 {
		return nil, fmt.Errorf("route %s: %s", ref, strings.Join(problems, "; "))
	}
	before := live[ref]
	if before == nil && want.Handover {
		return nil, nil // as there would be none without a canary
	}
	var rules []map[string]any
	if before != nil {
		rules = objects(object(before.Object, "spec"), "rules")
	}
	rules, err := newRuleCodec(c).render(rules, want)
	if err != nil {
		return nil, fmt.Errorf("route %s: %w", ref, err)
	}
	spec := map[string]any{"parentRefs": list(parentRefs(c)), "rules": list(rules)}
	if hosts := c.Spec.Service.Hosts; len(hosts) > 0 {
		names := make([]any, 0, len(hosts))
		for _, host := range hosts {
			names = append(names, host)
		}
		spec["hostnames"] = names
	}
	route := ref.New()
	route.Object["spec"] = spec
	if want.Handover {
		err = unmark(c, route, before, c.Spec.Service.Apex)
	} else {
		err = mark(c, route, before, c.Spec.Service.Apex)
	}
	if err != nil {
		return nil, err
	}
	if before != nil {
		route.SetResourceVersion(before.GetResourceVersion())
	}
	return []*unstructured.Unstructured{route}, nil
}

// parentRefs returns spec.service.gatewayRefs as the route has them.
func parentRefs(c *canary.Canary) []map[string]any {
	refs := make([]map[string]any, 0, len(c.Spec.Service.GatewayRefs))
	for _, gateway := range c.Spec.Service.GatewayRefs {
		ref := map[string]any{"group": gatewayGroup, "kind": gatewayKind, "name": gateway.Name}
		for name, value := range map[string]*string{
			"group": gateway.Group, "kind": gateway.Kind, "namespace": gateway.Namespace, "sectionName": gateway.SectionName,
		} {
			if value != nil {
				ref[name] = *value
			}
		}
		if gateway.Port != nil {
			ref["port"] = int64(*gateway.Port)
		}
		refs = append(refs, ref)
	}
	return refs
}

func readGatewayAPI(c *canary.Canary, live canary.Objects) rollout.RouteReport {
	ref := routeRef(c)
	route := live[ref]
	if route == nil {
		return rollout.RouteReport{Message: ref.String() + " does not exist yet"}
	}
	codec := newRuleCodec(c)
	rules := objects(object(route.Object, "spec"), "rules")
	report := rollout.RouteReport{Known: true, Route: codec.read(rules)}
	if !report.Managed {
		report.Message = fmt.Sprintf("no rule of %s sends requests to Service %q or %q", ref, codec.primary, codec.canary)
		if why := unsettled(c, route); report.Handover && why != "" {
			report.Message += "; " + why
		} else {
			report.Settled = report.Handover
		}
		return report
	}
	if a := c.Spec.Analysis; a != nil && a.MirrorWeight > 0 && a.MirrorWeight < 100 && report.Mirror == 100 {
		report.Message = fmt.Sprintf("%s: the cluster's HTTPRoute has no requestMirror.percent, so all requests are copied and not %d %%; "+
			"the CRDs of Gateway API 1.3 have it", ref, a.MirrorWeight)
		return report
	}
	report.Message = unsettled(c, route)
	report.Settled = report.Message == ""
	return report
}
