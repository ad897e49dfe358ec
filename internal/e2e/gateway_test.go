package e2e

import (
	"context"
	"fmt"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// parentCondition returns the status and the reason of a condition of the route's first parent, of this generation.
func parentCondition(route *unstructured.Unstructured, kind string) string {
	parents, _, _ := unstructured.NestedSlice(route.Object, "status", "parents")
	if len(parents) == 0 {
		return "none"
	}
	conditions, _, _ := unstructured.NestedSlice(parents[0].(map[string]any), "conditions")
	for _, c := range conditions {
		c := c.(map[string]any)
		if c["type"] == kind && c["observedGeneration"] == route.GetGeneration() {
			return fmt.Sprint(c["status"], " ", c["reason"])
		}
	}
	return "none of this generation"
}

func (n *Namespace) awaitRoute(name, kind, want string) {
	n.t.Helper()
	n.Await("route "+name+" to have "+kind+" "+want, func(ctx context.Context) error {
		got := parentCondition(n.Get(HTTPRoutes(), name), kind)
		return unless(got == want, "%s is %s", kind, got)
	})
}

func route(name, service string) map[string]any {
	return map[string]any{
		"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": map[string]any{"name": name},
		"spec": map[string]any{
			"parentRefs": []any{map[string]any{"name": "public"}},
			"rules": []any{map[string]any{"backendRefs": []any{
				map[string]any{"name": service, "port": int64(80), "weight": int64(100)},
			}}},
		},
	}
}

func TestTheGatewayReportsOnRoutes(t *testing.T) {
	t.Parallel()
	ns := cluster.Namespace(t)
	ns.Gateway("public")
	ns.Create(HTTPRoutes(), route("podinfo", "podinfo"))
	ns.awaitRoute("podinfo", "Accepted", "True Accepted")
	ns.awaitRoute("podinfo", "ResolvedRefs", "False BackendNotFound")
	ns.service("podinfo", "podinfo")
	ns.awaitRoute("podinfo", "ResolvedRefs", "True ResolvedRefs")

	cluster.Gateway.Set(ns.Name, Withhold)
	updated := ns.Get(HTTPRoutes(), "podinfo")
	if err := unstructured.SetNestedStringSlice(updated.Object, []string{"app.example.com"}, "spec", "hostnames"); err != nil {
		t.Fatal(err)
	}
	_, err := cluster.Dynamic.Resource(HTTPRoutes()).Namespace(ns.Name).Update(t.Context(), updated, metav1.UpdateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	// A route of another namespace proves that the controller has had its chance at this one.
	witness := cluster.Namespace(t)
	witness.Create(HTTPRoutes(), route("witness", "none"))
	witness.awaitRoute("witness", "Accepted", "True Accepted")
	ns.awaitRoute("podinfo", "Accepted", "none of this generation")

	cluster.Gateway.Set(ns.Name, Reject)
	ns.awaitRoute("podinfo", "Accepted", "False NotAllowedByListeners")
	cluster.Gateway.Set(ns.Name, Accept)
	ns.awaitRoute("podinfo", "Accepted", "True Accepted")
}
