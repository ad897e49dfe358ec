package traffic_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/rollout"
)

var handover = rollout.Route{Managed: true, Canary: 100, Handover: true}

func TestWhatPenstockHasMadeIsListedForTheUninstall(t *testing.T) {
	t.Parallel()
	for name, want := range map[string][]string{
		"gatewayapi:v1": nil, "kubernetes": nil, "nginx": {`Ingress "shop/podinfo-canary"`}, "skipper": {`Ingress "shop/podinfo-canary"`},
		"apisix": {`ApisixRoute "shop/podinfo-podinfo-canary"`}, "contour": nil,
	} {
		c := strategy(t, name, "", "iterations: 2")
		var got []string
		for _, ref := range router(t, name).Made(c) {
			got = append(got, ref.String())
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestTheRulesOfARouteAreComparedToTheLetter(t *testing.T) {
	t.Parallel()
	for name, want := range map[string][][]string{"apisix": {{"spec", "http"}}, "contour": {{"spec", "routes"}}, "gatewayapi:v1": {{"spec", "rules"}}, "kubernetes": nil, "nginx": nil} {
		r, c := router(t, name), strategy(t, name, "", "iterations: 2")
		if diff := cmp.Diff(want, r.Exact(r.Refs(c)[0])); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if got := router(t, "gatewayapi:v1").Exact(canary.Ref{Kind: "Service"}); got != nil {
		t.Errorf("a Service that the gateway's route does not own is compared to the letter at %v", got)
	}
}

// A handover that was cut off is taken up again, when some of it is gone already.
func TestAHandoverMakesNothingAnew(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"apisix", "contour", "gatewayapi:v1", "nginx", "skipper"} {
		s := load(t, name, "new")
		if objects := s.render(t, handover); len(objects) > 0 {
			t.Errorf("%s: rendered %v", name, objects)
		}
	}
}

func TestAHandedOverRouteOutlivesTheCanary(t *testing.T) {
	t.Parallel()
	s := load(t, "gatewayapi:v1", "new")
	s = s.take(t, s.render(t, rollout.Route{Managed: true, Canary: 100}))
	if owners := s.live[s.written()].GetOwnerReferences(); len(owners) != 1 {
		t.Fatalf("the route has %d owners, want the Canary", len(owners))
	}
	s = s.take(t, s.render(t, handover))
	route := s.live[s.written()]
	if len(route.GetOwnerReferences()) > 0 || len(route.GetAnnotations()) > 0 {
		t.Errorf("owners %v and annotations %v are left, so the route would go with the canary", route.GetOwnerReferences(), route.GetAnnotations())
	}
	rules, _, _ := unstructured.NestedSlice(route.Object, "spec", "rules")
	want := []any{map[string]any{
		"matches":     []any{map[string]any{"path": map[string]any{"type": "PathPrefix", "value": "/"}}},
		"backendRefs": []any{map[string]any{"group": "", "kind": "Service", "name": "podinfo", "port": int64(80)}},
	}}
	if diff := cmp.Diff(want, rules); diff != "" {
		t.Errorf("rules (-want +got):\n%s", diff)
	}
}

// A handover that was refused or not seen yet must not count as one: the canary's Services are deleted after it.
func TestARouteThatStillNamesTheCanaryIsNotHandedOver(t *testing.T) {
	t.Parallel()
	for name, folder := range map[string]string{"apisix": "new", "contour": "new", "gatewayapi:v1": "new", "nginx": "new", "skipper": "new"} {
		s := load(t, name, folder)
		s = s.take(t, s.render(t, rollout.Route{Managed: true, Canary: 100}))
		if report := s.router.Read(s.canary, s.live); report.Handover {
			t.Errorf("%s: handed over: %+v", name, report)
		}
	}
	s := load(t, "gatewayapi:v1", "mirror") // a route of before the first rollout
	route := s.live[s.written()].DeepCopy()
	if report := s.router.Read(s.canary, s.live); !report.Handover || report.Managed || report.Settled {
		t.Errorf("a route that no gateway has accepted: %+v", report)
	}
	accept(route)
	if report := s.put(s.written(), route).router.Read(s.canary, s.put(s.written(), route).live); !report.Handover || report.Managed || !report.Settled {
		t.Errorf("a route that every gateway has accepted: %+v", report)
	}
}
