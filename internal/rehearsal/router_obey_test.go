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
