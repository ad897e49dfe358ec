package rehearsal

import (
	"maps"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
)

// gatewayController is the name under which the simulated gateway reports.
const gatewayController = "penstock.dev/rehearsal"

// routeMemory is when the gateway first saw a generation of a route.
type routeMemory struct {
	generation int64
	seen       time.Time
}

// syncRoutes lets the gateway take over changed routes, and say so.
func (c *Controllers) syncRoutes() {
	alive := map[types.UID]bool{}
	for _, gvr := range []schema.GroupVersionResource{routesResource(), routesV1beta1(), grpcRoutes()} {
		found, _ := c.api.snapshot(apiSelection{gvr: gvr})
		for _, route := range found {
			alive[route.GetUID()] = true
			if c.taken(route, c.routes) {
				c.reportRoute(route)
			}
		}
	}
	maps.DeleteFunc(c.routes, func(uid types.UID, _ routeMemory) bool { return !alive[uid] })
}

// taken reports whether a router has had the time to take up an object as it is, and asks to be woken when it has.
func (c *Controllers) taken(object *unstructured.Unstructured, memories map[types.UID]routeMemory) bool {
	memory := memories[object.GetUID()]
	if memory.generation != object.GetGeneration() {
		memory = routeMemory{generation: object.GetGeneration(), seen: c.clock.Now()}
		memories[object.GetUID()] = memory
	}
	when := memory.seen.Add(c.options.RouteAfter)
	if when.After(c.clock.Now()) {
		c.at(when)
		return false
	}
	return true
}

// reportRoute writes the status of a route for each of its parents, beside what other controllers have reported.
func (c *Controllers) reportRoute(route *unstructured.Unstructured) {
	refused := ""
	if c.options.RouteRefused != nil {
		refused = c.options.RouteRefused(types.NamespacedName{Namespace: route.GetNamespace(), Name: route.GetName()})
	}
	before := subObjects(subObject(route.Object, "status"), "parents")
	var parents []any
	for _, other := range before {
		if other["controllerName"] != gatewayController {
			parents = append(parents, runtime.DeepCopyJSON(other))
		}
	}
	for _, reference := range subObjects(subObject(route.Object, "spec"), "parentRefs") {
		parents = append(parents, map[string]any{
			"parentRef":      runtime.DeepCopyJSON(reference),
			"controllerName": gatewayController,
			"conditions": []any{
				c.routeCondition(route, before, routeVerdict{kind: "Accepted", reason: "Accepted", refused: refused}),
				c.routeCondition(route, before, routeVerdict{kind: "ResolvedRefs", reason: "ResolvedRefs"}),
			},
		})
	}
	next := route.DeepCopy()
	if parents == nil {
		parents = []any{}
	}
	next.Object["status"] = map[string]any{"parents": parents}
	// A lost race is repaired in the next round.
	_, _ = c.api.UpdateStatus(next, gatewayController)
}

// routeVerdict is one condition of a route. It holds unless refused says why not.
type routeVerdict struct{ kind, reason, refused string }

// routeCondition keeps the time of the last transition while the status stays.
func (c *Controllers) routeCondition(route *unstructured.Unstructured, before []map[string]any, v routeVerdict) map[string]any {
	status, reason, message := "True", v.reason, "Route is accepted"
	if v.kind == "ResolvedRefs" {
		message = "All references are resolved"
	}
	if v.refused != "" {
		status, reason, message = "False", v.refused, "Route is not accepted"
	}
	condition := map[string]any{
		"type": v.kind, "status": status, "reason": reason, "message": message,
		"observedGeneration": route.GetGeneration(),
		"lastTransitionTime": metav1.NewTime(c.clock.Now()).UTC().Format(time.RFC3339),
	}
	for _, parent := range before {
		if parent["controllerName"] != gatewayController {
			continue
		}
		for _, old := range subObjects(parent, "conditions") {
			if old["type"] == v.kind && old["status"] == status {
				condition["lastTransitionTime"] = old["lastTransitionTime"]
			}
		}
	}
	return condition
}
