package e2e

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func (s *scenario) wantWeight(want int) {
	s.t.Helper()
	weights := s.weights()
	if len(weights) == 0 || weights[len(weights)-1] != want {
		s.t.Errorf("the weights were %v, want %d at the end", weights, want)
	}
}

// weights returns the canary's weights in the router's objects, one after the other.
func (s *scenario) weights() []int {
	s.t.Helper()
	var weights []int
	s.record.Replay(func(m Moment) {
		if w, known := s.weight(m); known && (len(weights) == 0 || weights[len(weights)-1] != w) {
			weights = append(weights, w)
		}
	})
	return weights
}

func (s *scenario) wantWeights(want ...int) {
	s.t.Helper()
	if got := s.weights(); !slices.Equal(got, want) {
		s.t.Errorf("the canary's weights were %v, want %v", got, want)
	}
}

// weight reads the canary's share of the traffic from the router's objects, without penstock's help.
func (s *scenario) weight(m Moment) (weight int, known bool) {
	switch s.provider {
	case "gatewayapi:v1", "gatewayapi:v1beta1":
		return routeWeight(m.Object("HTTPRoute", "podinfo"))
	case "nginx":
		ingress := m.Object("Ingress", "podinfo-canary")
		if ingress == nil {
			return 0, false
		}
		a := ingress.GetAnnotations()
		w, err := strconv.Atoi(a["nginx.ingress.kubernetes.io/canary-weight"])
		return w, err == nil && a["nginx.ingress.kubernetes.io/canary"] == "true"
	case "kubernetes":
		if p := recordAt(m).Status.Phase; p == "" || p == "Initializing" || m.Object("Service", "podinfo") == nil {
			return 0, false // a Service of before the first run selects the target, which is no canary yet
		}
		app, _, _ := unstructured.NestedString(m.Object("Service", "podinfo").Object, "spec", "selector", "app")
		return map[string]int{"podinfo": 100, "podinfo-primary": 0}[app], true
	}
	if kind := ownKinds[s.provider].kind; kind != "" {
		return namedWeight(m.Object(kind, "podinfo"))
	}
	panic("no such provider: " + s.provider)
}

func routeWeight(route *unstructured.Unstructured) (int, bool) {
	if route == nil {
		return 0, false
	}
	share := map[string]int64{}
	rules, _, _ := unstructured.NestedSlice(route.Object, "spec", "rules")
	for _, rule := range rules {
		refs, _, _ := unstructured.NestedSlice(rule.(map[string]any), "backendRefs")
		for _, ref := range refs {
			name, _, _ := unstructured.NestedString(ref.(map[string]any), "name")
			share[name], _, _ = unstructured.NestedInt64(ref.(map[string]any), "weight")
		}
	}
	return int(share["podinfo-canary"]), share["podinfo-primary"]+share["podinfo-canary"] == 100
}

// awaitWeight waits until the router's objects give the canary this much or more.
func (s *scenario) awaitWeight(want int) {
	s.t.Helper()
	s.Await(fmt.Sprintf("the canary to have %d %% of the traffic", want), func(context.Context) error {
		weights := s.weights()
		return unless(len(weights) > 0 && weights[len(weights)-1] >= want, "the weights so far are %v", weights)
	})
}
