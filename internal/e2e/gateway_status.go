package e2e

import (
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

type condition struct {
	kind, status, reason, message string
}

// A routeVerdict is what the simulated controller has to say about a route, the same for each of its parents.
type routeVerdict struct {
	accepted, resolved condition
}

// parents returns the status.parents of the Gateway API.
func (v routeVerdict) parents(route *unstructured.Unstructured) []any {
	refs, _, _ := unstructured.NestedSlice(route.Object, "spec", "parentRefs")
	var parents []any
	for _, ref := range refs {
		parents = append(parents, map[string]any{
			"parentRef": ref, "controllerName": GatewayController,
			"conditions": []any{v.accepted.object(route), v.resolved.object(route)},
		})
	}
	return parents
}

func (c condition) object(route *unstructured.Unstructured) map[string]any {
	return map[string]any{
		"type": c.kind, "status": c.status, "reason": c.reason, "message": c.message,
		"observedGeneration": route.GetGeneration(), "lastTransitionTime": time.Now().UTC().Format(time.RFC3339),
	}
}

// standsIn tells whether the route's status says all this already, of the current generation.
func (v routeVerdict) standsIn(route *unstructured.Unstructured) bool {
	refs, _, _ := unstructured.NestedSlice(route.Object, "spec", "parentRefs")
	parents, _, _ := unstructured.NestedSlice(route.Object, "status", "parents")
	if len(refs) != len(parents) {
		return false
	}
	for _, parent := range parents {
		parent, _ := parent.(map[string]any)
		conditions, _, _ := unstructured.NestedSlice(parent, "conditions")
		if len(conditions) != 2 || !v.accepted.is(conditions[0], route) || !v.resolved.is(conditions[1], route) {
			return false
		}
	}
	return true
}

func (c condition) is(object any, route *unstructured.Unstructured) bool {
	got, _ := object.(map[string]any)
	return got["type"] == c.kind && got["status"] == c.status && got["reason"] == c.reason &&
		got["message"] == c.message && got["observedGeneration"] == route.GetGeneration()
}

// backends returns the names of the Services that a route sends requests to.
func backends(route *unstructured.Unstructured) []string {
	var names []string
	rules, _, _ := unstructured.NestedSlice(route.Object, "spec", "rules")
	for _, rule := range rules {
		rule, _ := rule.(map[string]any)
		refs, _, _ := unstructured.NestedSlice(rule, "backendRefs")
		for _, ref := range refs {
			ref, _ := ref.(map[string]any)
			if name, ok := ref["name"].(string); ok {
				names = append(names, name)
			}
		}
	}
	return names
}
