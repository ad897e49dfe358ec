package traffic_test

import (
	"fmt"

	"github.com/penstock-dev/penstock/internal/rollout"
)

// settledBy says where Read answers something else of a route that was taken up than the route itself. Whether all
// requests reach the apex as if there were no canary is seen even when nobody asked for it.
var settledBy = map[string]func(s scenario, route rollout.Route, report *rollout.RouteReport){
	"kubernetes": func(_ scenario, route rollout.Route, report *rollout.RouteReport) {
		report.Handover = route.Canary == 100
	},
	"gatewayapi:v1":      handedOver,
	"gatewayapi:v1beta1": handedOver,
	"linkerd": func(s scenario, route rollout.Route, report *rollout.RouteReport) {
		if s.written().Kind == "HTTPRoute" {
			handedOver(s, route, report)
			return
		}
		unmanaged(s, route, report)
	},
	"knative": func(s scenario, route rollout.Route, report *rollout.RouteReport) {
		if route.Handover {
			report.Managed, report.Canary = false, 0
			report.Message = fmt.Sprintf("%s sends all requests to its newest Revision", s.written())
		}
	},
	"nginx":   besides,
	"skipper": besides,
}

// besides is what Read says of a second Ingress beside the user's, which has the traffic when the second takes none.
func besides(_ scenario, route rollout.Route, report *rollout.RouteReport) {
	if route.Handover {
		report.Canary = 0
		return
	}
	report.Handover = route.Canary == 0 && !route.Match
}

// unmanaged is what Read says of an object that was handed over and names the apex Service alone.
func unmanaged(s scenario, route rollout.Route, report *rollout.RouteReport) {
	if route.Handover {
		report.Managed, report.Canary = false, 0
		service := s.canary.ServiceName()
		report.Message = fmt.Sprintf("%s sends no requests to Service %q or %q", s.written(), service+"-primary", service+"-canary")
	}
}

// handedOver is what Read says of a route whose rules name neither the primary nor the canary any more.
func handedOver(s scenario, route rollout.Route, report *rollout.RouteReport) {
	if route.Handover {
		report.Managed, report.Canary = false, 0
		service := s.canary.ServiceName()
		report.Message = fmt.Sprintf("no rule of %s sends requests to Service %q or %q", s.written(), service+"-primary", service+"-canary")
	}
}

// settled is what Read must say of a route that has been taken up.
func (s scenario) settled(route rollout.Route) rollout.RouteReport {
	report := rollout.RouteReport{Route: route, Known: true, Settled: true}
	differs := settledBy[s.canary.Spec.Provider]
	if differs == nil {
		differs = unmanaged
	}
	differs(s, route, &report)
	return report
}
