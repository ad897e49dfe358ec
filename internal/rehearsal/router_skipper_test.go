package rehearsal

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

func TestSkipperSplitsOnlyWhatHasPrecedence(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		weights, predicate string
		want               int
	}{
		{`{"app-primary": 3, "app-canary": 1}`, "Weight(100)", 25},
		{`{"app-primary": 0, "app-canary": 1}`, `Method("GET") && Weight(5)`, 100},
		{`{"app-primary": 1, "app-canary": 0}`, "Weight(100)", 0},
		{`{}`, "Weight(100)", 50},
		{`half`, "Weight(100)", 50},
		{`{"app-primary": 3, "app-canary": 1}`, "False() && Weight(100)", -1},
		{`{"app-primary": 3, "app-canary": 1}`, "Weight(0)", -1},
		{`{"app-primary": 3, "app-canary": 1}`, "", -1},
	} {
		ingress := new(unstructured.Unstructured)
		if err := yaml.Unmarshal([]byte(`
apiVersion: networking.k8s.io/v1
kind: Ingress
spec:
  rules:
  - host: app.example.com
    http:
      paths:
      - {path: /, backend: {service: {name: app-primary}}}
      - {path: /, backend: {service: {name: app-canary}}}
      - {path: /more, backend: {service: {name: app-primary}}}
      - {path: /more, backend: {service: {name: app-canary}}}
`), &ingress.Object); err != nil {
			t.Fatal(err)
		}
		ingress.SetAnnotations(map[string]string{"zalando.org/backend-weights": c.weights, "zalando.org/skipper-predicate": c.predicate})
		routing := Routing{Split: Split{Canary: -1}} // as it was
		routing.obeyBackendWeights(ingress, [2]string{Primary: "app-primary", Canary: "app-canary"})
		if routing.Split.Canary != c.want {
			t.Errorf("%s with %q: %d %%, want %d", c.weights, c.predicate, routing.Split.Canary, c.want)
		}
	}
}
