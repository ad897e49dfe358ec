package rehearsal

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/penstock-dev/penstock/internal/canary"
)

// rendered are the objects of a golden file of a router.
func rendered(t *testing.T, path string) canary.Objects {
	t.Helper()
	text, err := os.ReadFile("../../testdata/traffic/" + path)
	if err != nil {
		t.Fatal(err)
	}
	objects := canary.Objects{}
	for _, document := range bytes.Split(text, []byte("\n---\n")) {
		body, err := yaml.YAMLToJSON(document)
		if err != nil {
			t.Fatal(err)
		}
		o := new(unstructured.Unstructured)
		if err := o.UnmarshalJSON(body); err != nil {
			t.Fatal(err)
		}
		objects[canary.Ref{Kind: o.GetKind(), Namespace: o.GetNamespace(), Name: o.GetName()}] = o
	}
	return objects
}

// canaryOf is the canary of the golden files.
func canaryOf(provider string) *canary.Canary {
	c := new(canary.Canary)
	c.Name, c.Namespace = "podinfo", "shop"
	c.Spec.Provider, c.Spec.TargetRef.Name, c.Spec.Service.Port = provider, "podinfo", 80
	c.Spec.IngressRef, c.Spec.RouteRef = &canary.ObjectRef{Name: "public"}, &canary.ObjectRef{Name: "public"}
	return c
}

// TestRoutersSendTheRequestsOfATestToTheCanary goes by what the codecs render: a request that one of the alternatives
// selects is the canary's, and one that has only a part of it is not.
func TestRoutersSendTheRequestsOfATestToTheCanary(t *testing.T) {
	t.Parallel()
	type ask struct {
		method, target string
		header         map[string]string
		canary         int
	}
	meshAsks := []ask{
		{"GET", "/", nil, 0},
		{"GET", "/", map[string]string{"X-Canary": "insider", "User-Agent": "Mozilla/5.0 (X11; Linux)"}, 100},
		{"GET", "/", map[string]string{"X-Canary": "insider", "User-Agent": "Mozilla/5x0 (X11"}, 0},
		{"POST", "/", map[string]string{"X-Canary": "insider", "User-Agent": "Mozilla/5.0 (X11"}, 0},
		{"PUT", "/api/a", map[string]string{"Cookie": "a=b;canary=always", "X-Version": "7.beta"}, 100},
		{"PUT", "/api/a", map[string]string{"Cookie": "a=b;canary=always", "X-Version": "7.betas"}, 0},
		{"PUT", "/", map[string]string{"Cookie": "a=b;canary=always", "X-Version": "7.beta"}, 0},
	}
	for path, c := range map[string]struct {
		provider string
		asks     []ask
	}{
		"gloo/match/canary-match.golden.yaml": {"gloo", []ask{
			{"GET", "/a", nil, 0},
			{"GET", "/a", map[string]string{"X-Canary": "insider", "User-Agent": "Mozilla/5.0 (X11; Linux)"}, 100},
			{"POST", "/a", map[string]string{"X-Canary": "insider", "User-Agent": "Mozilla/5.0 (X11; Linux)"}, 0},
			{"GET", "/a", map[string]string{"X-Canary": "insider", "User-Agent": "Mozilla/5x0 (X11"}, 0},
			{"GET", "/b", map[string]string{"X-Canary": "insider", "User-Agent": "Mozilla/5.0 (X11"}, 0},
			{"GET", "/b", map[string]string{"X-Shop": "1", "X-Canary": "insider", "User-Agent": "Mozilla/5.0 (X11"}, 100},
			{"PUT", "/a?version=7.beta&debug=", map[string]string{"Cookie": "a=b;canary=always"}, 100},
			{"PUT", "/a?version=7.beta&debug=1", map[string]string{"Cookie": "a=b;canary=always"}, 0},
			{"PUT", "/a?version=7.beta", map[string]string{"Cookie": "a=b;canary=always"}, 0},
		}},
		"istio/match/canary-match.golden.yaml": {"istio", []ask{
			{"GET", "/shop", map[string]string{"X-Tenant": "blue"}, 0},
			{"GET", "/shop", map[string]string{"X-Tenant": "blue", "Cookie": "a=b;type=insider"}, 100},
			{"GET", "/shop", map[string]string{"X-Tenant": "red", "Cookie": "type=insider"}, 0},
			{"GET", "/shop", map[string]string{"X-Tenant": "blue", "User-Agent": "Mozilla/5.0"}, 100},
			{"GET", "/", map[string]string{"X-Tenant": "blue", "User-Agent": "Mozilla/5.0"}, 0},
		}},
		"istio/affinity/canary-kept.golden.yaml": {"istio", []ask{
			{"GET", "/shop", nil, 20},
			{"GET", "/shop", map[string]string{"Cookie": "x=1; podinfo=sessionone"}, 100},
			{"GET", "/shop", map[string]string{"Cookie": "podinfo-primary=sessionone"}, 0},
			{"GET", "/shop", map[string]string{"Cookie": "podinfo=sessionnil"}, 20},
			{"GET", "/shop", map[string]string{"Cookie": "notpodinfo=sessionone"}, 20},
		}},
		"istio/new/canary-20.golden.yaml":          {"istio", []ask{{"GET", "/", nil, 20}}},
		"istio/foreign/canary-20.golden.yaml":      {"istio", []ask{{"GET", "/", nil, 20}}},
		"istio/tcp/canary-20.golden.yaml":          {"istio", []ask{{"GET", "/", nil, 20}}},
		"istio/flagger/handover.golden.yaml":       {"istio", []ask{{"GET", "/", nil, 0}}},
		"linkerd/new/canary-20.golden.yaml":        {"linkerd", []ask{{"GET", "/", nil, 20}}},
		"linkerd/route/canary-20.golden.yaml":      {"linkerd", []ask{{"GET", "/", nil, 20}}},
		"gatewayapi-v1/grpc/canary-20.golden.yaml": {"gatewayapi:v1", []ask{{"POST", "/echo.Echo/Say", nil, 20}}},
		"gatewayapi-v1/grpc-match/canary-match.golden.yaml": {"gatewayapi:v1", []ask{
			{"POST", "/echo.Echo/Say", nil, 100},
			{"POST", "/echo.Echo/Other", nil, 0},
			{"POST", "/token.Token/Issue", map[string]string{"X-Canary": "insider"}, 100},
			{"POST", "/token.Token/Issue", nil, 0},
		}},
		"contour/new/canary-20.golden.yaml":              {"contour", []ask{{"GET", "/", nil, 20}}},
		"skipper/new/canary-20.golden.yaml":              {"skipper", []ask{{"GET", "/", nil, 20}}},
		"apisix/new/canary-20.golden.yaml":               {"apisix", []ask{{"GET", "/", nil, 20}}},
		"traefik/new/canary-20.golden.yaml":              {"traefik", []ask{{"GET", "/", nil, 20}}},
		"gloo/new/canary-20.golden.yaml":                 {"gloo", []ask{{"GET", "/", nil, 20}}},
		"gloo/foreign/canary-20.golden.yaml":             {"gloo", []ask{{"GET", "/", nil, 20}}},
		"appmesh/match/canary-match.golden.yaml":         {"appmesh", meshAsks},
		"appmesh-v1beta2/match/canary-match.golden.yaml": {"appmesh:v1beta2", meshAsks},
		"appmesh/new/canary-20.golden.yaml":              {"appmesh", []ask{{"GET", "/", nil, 20}}},
		"appmesh-v1beta2/foreign/canary-20.golden.yaml":  {"appmesh:v1beta2", []ask{{"GET", "/", nil, 20}}},
		"kuma/new/canary-20.golden.yaml":                 {"kuma", []ask{{"GET", "/", nil, 20}}},
		"kuma/foreign/canary-20.golden.yaml":             {"kuma", []ask{{"GET", "/", nil, 20}}},
	} {
		var r Routing
		routers[c.provider].obey(&r, routed{canary: canaryOf(c.provider), objects: rendered(t, path), services: [2]string{Primary: "podinfo-primary", Canary: "podinfo-canary"}})
		l := lane{Routing: r}
		for _, a := range c.asks {
			request := httptest.NewRequest(a.method, a.target, http.NoBody)
			for name, value := range a.header {
				request.Header.Set(name, value)
			}
			if got := l.split(request).Canary; got != a.canary {
				t.Errorf("%s: %s %s %v: %d %% to the canary, want %d", path, a.method, a.target, a.header, got, a.canary)
			}
		}
	}
}

// TestIstioCopiesRequestsAndHandsOutCookies goes by what the codec renders, too.
func TestIstioCopiesRequestsAndHandsOutCookies(t *testing.T) {
	t.Parallel()
	services := [2]string{Primary: "podinfo-primary", Canary: "podinfo-canary"}
	var mirrored, kept Routing
	istioRouter.obey(&mirrored, routed{canary: canaryOf("istio"), objects: rendered(t, "istio/mirror/canary-mirror.golden.yaml"), services: services})
	if mirrored.Split.Mirror != 30 || mirrored.Split.Canary != 0 {
		t.Errorf("mirrored: %+v", mirrored.Split)
	}
	istioRouter.obey(&kept, routed{canary: canaryOf("istio"), objects: rendered(t, "istio/affinity/canary-kept.golden.yaml"), services: services})
	want := [2]string{Primary: "podinfo-primary=sessionone; Max-Age=30; Secure", Canary: "podinfo=sessionone; Max-Age=3600; Secure"}
	if kept.Split.Cookies != want || len(kept.Rules) != 3 {
		t.Errorf("kept: %+v and %d rules", kept.Split, len(kept.Rules))
	}
}
