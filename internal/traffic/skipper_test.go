package traffic_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/penstock-dev/penstock/internal/rollout"
)

// annotated returns a copy of an object with an annotation.
func annotated(o *unstructured.Unstructured, key, value string) *unstructured.Unstructured {
	o = o.DeepCopy()
	annotations := o.GetAnnotations()
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[key] = value
	o.SetAnnotations(annotations)
	return o
}

func TestWhatSkipperWouldDoIsRead(t *testing.T) {
	t.Parallel()
	const weights, predicate = "zalando.org/backend-weights", "zalando.org/skipper-predicate"
	const named = `Ingress "shop/podinfo-canary": annotation `
	on := rollout.Route{Managed: true, Canary: 20}
	for name, c := range map[string]struct {
		key, value string
		want       rollout.RouteReport
	}{
		"weights that are no percentages": {weights, `{"podinfo-primary": 3, "podinfo-canary": 1}`,
			rollout.RouteReport{Known: true, Settled: true, Route: rollout.Route{Managed: true, Canary: 25}}},
		"no weight for the canary": {weights, `{"podinfo-primary": 1}`,
			rollout.RouteReport{Known: true, Settled: true, Route: rollout.Route{Managed: true}}},
		"never matched": {predicate, " False()&& Path(\"/\")",
			rollout.RouteReport{Known: true, Settled: true, Route: rollout.Route{Managed: true, Handover: true}}},
		"blanks in the predicate": {predicate, "Weight(100)&&Method(\"GET\")", rollout.RouteReport{Known: true, Settled: true, Route: on}},
		"no precedence": {predicate, `Method("GET")`,
			rollout.RouteReport{Known: true, Message: named + `zalando.org/skipper-predicate is "Method(\"GET\")" and does not begin with Weight(100), ` +
				"so that it may not come before the user's Ingress"}},
		"weights of others": {weights, `{"podinfo": 1}`,
			rollout.RouteReport{Known: true, Message: named + `zalando.org/backend-weights is "{\"podinfo\": 1}", without a weight for Service "podinfo-primary" or "podinfo-canary"`}},
		"no JSON": {weights, "half", rollout.RouteReport{Message: named + `zalando.org/backend-weights: "half" is no JSON object of Services and weights`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := load(t, "skipper", "new")
			s = s.take(t, s.render(t, on))
			s = s.put(s.written(), annotated(s.live[s.written()], c.key, c.value))
			if diff := cmp.Diff(c.want, s.router.Read(s.canary, s.live)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestAnIngressThatSharesTheApexPathIsRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ weights, service, want string }{
		"with a weight":         {`{"podinfo": 50, "old": 50}`, "podinfo", `ingress "shop/podinfo": a path of Service "podinfo" sends requests to Service "old" too`},
		"without any weight":    {"", "podinfo", `ingress "shop/podinfo": a path of Service "podinfo" sends requests to Service "old" too`},
		"not to the apex":       {"", "new", `no path points at Service "podinfo", of which the canary takes a share; its paths point at new, old`},
		"not at all, by weight": {`{"podinfo": 50, "old": 0}`, "podinfo", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := load(t, "skipper", "new")
			user := s.router.Refs(s.canary)[0]
			o := s.live[user].DeepCopy()
			rule := o.Object["spec"].(map[string]any)["rules"].([]any)[0].(map[string]any)["http"].(map[string]any)
			path := func(service string) any {
				port := map[string]any{"number": int64(80)}
				return map[string]any{"path": "/", "pathType": "Prefix", "backend": map[string]any{"service": map[string]any{"name": service, "port": port}}}
			}
			rule["paths"] = []any{path(c.service), path("old")}
			s = s.put(user, annotated(o, "zalando.org/backend-weights", c.weights))
			_, err := s.router.Render(s.canary, s.live, rollout.Route{Canary: 10})
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}
