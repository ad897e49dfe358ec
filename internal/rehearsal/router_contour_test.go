package rehearsal

import (
	"net/http/httptest"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

func TestAnHTTPProxyIsObeyedByTheMostSpecificRoute(t *testing.T) {
	t.Parallel()
	proxy := new(unstructured.Unstructured)
	if err := yaml.Unmarshal([]byte(`
apiVersion: projectcontour.io/v1
kind: HTTPProxy
spec:
  routes:
  - services: [{name: app-primary, weight: 70}, {name: app-canary, weight: 30}, {name: app-canary, mirror: true, weight: 15}]
  - conditions: [{prefix: /}, {header: {name: x-user, regex: "ins.*"}}, {queryParameter: {name: a, prefix: b}}]
    services: [{name: app-primary, weight: 0}, {name: app-canary, weight: 100}]
  - conditions: [{prefix: /even}]
    services: [{name: app-primary}, {name: app-canary}]
  - conditions: [{prefix: /else}]
    services: [{name: other}]
`), &proxy.Object); err != nil {
		t.Fatal(err)
	}
	var routing Routing
	routing.obeyProxy(proxy, [2]string{Primary: "app-primary", Canary: "app-canary"})
	l := lane{Routing: routing}
	for _, c := range []struct {
		target, user string
		want         Split
	}{
		{"/", "", Split{Canary: 30, Mirror: 15}},
		{"/else", "", Split{Canary: 30, Mirror: 15}},
		{"/?a=bc", "insider", Split{Canary: 100}},
		{"/?a=c", "insider", Split{Canary: 30, Mirror: 15}},
		{"/?a=bc", "an insider", Split{Canary: 30, Mirror: 15}},
		{"/even?a=bc", "insider", Split{Canary: 50}},
	} {
		request := httptest.NewRequest("GET", c.target, nil)
		request.Header.Set("x-user", c.user)
		if got := *l.split(request); got != c.want {
			t.Errorf("%s of %q: %+v, want %+v", c.target, c.user, got, c.want)
		}
	}
}
