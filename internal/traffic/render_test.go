package traffic_test

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/penstock-dev/penstock/internal/rollout"
)

func TestARouteThatCannotBeWrittenIsAnErrorThatSaysWhy(t *testing.T) {
	t.Parallel()
	rules := func(t *testing.T, text string) func(scenario) scenario {
		return func(s scenario) scenario {
			o := load(t, "gatewayapi:v1", "mirror").live[s.written()].DeepCopy()
			object(t, o, "spec")["rules"] = parse(t, "{apiVersion: v1, kind: Rules, rules: "+text+"}").Object["rules"]
			return s.put(s.written(), o)
		}
	}
	owned := func(kind, name, uid string) func(scenario) scenario {
		return func(s scenario) scenario {
			o := s.take(t, s.render(t, rollout.Route{Managed: true})).live[s.written()]
			object(t, o, "metadata")["ownerReferences"] = []any{map[string]any{
				"apiVersion": "example.com/v1", "kind": kind, "name": name, "uid": uid, "controller": true,
			}}
			return s.put(s.written(), o)
		}
	}
	for name, c := range map[string]struct {
		router, scenario string
		change           func(scenario) scenario
		route            rollout.Route
		want             string
	}{
		"a share by selectors": {
			router: "kubernetes", scenario: "made", route: rollout.Route{Canary: 20},
			want: `route Service "shop/podinfo": the kubernetes router cannot send 20 % to the canary; possible are 0 and 100`,
		},
		"a test by selectors": {
			router: "kubernetes", scenario: "made", route: rollout.Route{Match: true},
			want: `route Service "shop/podinfo": the kubernetes router cannot send only matching requests to the canary`,
		},
		"a mirror by selectors": {
			router: "kubernetes", scenario: "made", route: rollout.Route{Mirror: 100},
			want: `route Service "shop/podinfo": the kubernetes router cannot copy requests to the canary`,
		},
		"a mirror by Ingress": {
			router: "nginx", scenario: "new", route: rollout.Route{Mirror: 100},
			want: `route Ingress "shop/podinfo-canary": the nginx router cannot copy requests to the canary`,
		},
		"a weight above 100": {
			router: "nginx", scenario: "new", route: rollout.Route{Canary: 101},
			want: `route Ingress "shop/podinfo-canary": 101 is not between 0 and 100`,
		},
		"a test without conditions": {
			router: "nginx", scenario: "new", route: rollout.Route{Match: true},
			want: `route Ingress "shop/podinfo-canary": spec.analysis.match: the nginx router needs a header or a cookie to match`,
		},
		"no Ingress of the user": {
			router: "nginx", scenario: "new", change: func(s scenario) scenario { return s.put(s.router.Refs(s.canary)[0], nil) },
			want: `read Ingress "shop/podinfo": it does not exist; spec.ingressRef names it`,
		},
		"an Ingress that points elsewhere": {
			router: "nginx", scenario: "new", change: func(s scenario) scenario {
				s.canary = copied(t, s.canary)
				s.canary.Spec.Service.Name = "web"
				return s
			},
			want: `ingress "shop/podinfo": no path points at Service "web", of which the canary takes a share; it points at podinfo, docs`,
		},
		"an Ingress that points nowhere": {
			router: "nginx", scenario: "new", change: func(s scenario) scenario {
				ref := s.router.Refs(s.canary)[0]
				o := s.live[ref].DeepCopy()
				o.Object["spec"] = map[string]any{"rules": []any{map[string]any{"host": "app.example.com"}}}
				return s.put(ref, o)
			},
			want: `ingress "shop/podinfo": no path points at Service "podinfo", of which the canary takes a share; it points at no Service at all`,
		},
		"a canary Ingress of something else": {
			router: "nginx", scenario: "new", change: owned("Tenant", "shop", "1"),
			want: `Ingress "shop/podinfo-canary" belongs to Tenant "shop", not to Canary "podinfo"`,
		},
		"a canary Ingress of an earlier canary": {
			router: "nginx", scenario: "new", change: owned("Canary", "podinfo", "1"),
			want: `Ingress "shop/podinfo-canary" belongs to an earlier Canary "podinfo" (uid 1, now 6e2f1b0c-6d0a-4f0e-9f5e-0c9d5d1f7a11), ` +
				"and Kubernetes removes it with that one; run again when it is gone",
		},
		"a canary Ingress of another canary": {
			router: "nginx", scenario: "foreign", change: func(s scenario) scenario {
				o := s.live[s.written()].DeepCopy()
				o.SetAnnotations(map[string]string{"penstock.dev/canary": "other"})
				return s.put(s.written(), o)
			},
			want: `Ingress "shop/podinfo-canary" was made for Canary "other", not for "podinfo"; two canaries cannot share it`,
		},
		"a rule for the same requests comes first": {
			router: "gatewayapi:v1", scenario: "mirror", change: rules(t, "[{backendRefs: [{name: old, port: 80}]}]"),
			want: `route HTTPRoute "shop/podinfo": spec.rules[0] takes the same requests as the canary and comes before it, so the canary would get none; ` +
				"remove it, or set spec.service.match",
		},
		"a rule past the canary that is for other requests": {
			router: "gatewayapi:v1", scenario: "mirror", change: rules(t, "[{matches: [{path: {value: /a}}], backendRefs: [{name: podinfo, port: 80}]}]"),
			want: `route HTTPRoute "shop/podinfo": spec.rules[0] sends requests to Service "podinfo" itself, past the canary; ` +
				"a rule that Penstock can take over is the only one that does so and has the matches of spec.service.match, which are PathPrefix /",
		},
		"two rules past the canary": {
			router: "gatewayapi:v1", scenario: "mirror", change: rules(t, "[{backendRefs: [{name: podinfo, port: 80}]}, {backendRefs: [{name: podinfo, port: 80}]}]"),
			want: `route HTTPRoute "shop/podinfo": spec.rules[1] sends requests to Service "podinfo" itself, past the canary; ` +
				"a rule that Penstock can take over is the only one that does so and has the matches of spec.service.match, which are PathPrefix /",
		},
		"a third backend with a weight": {
			router: "gatewayapi:v1", scenario: "mirror", change: rules(t, "[{backendRefs: [{name: podinfo-primary, port: 80, weight: 9}, {name: other, port: 80}]}]"),
			want: `route HTTPRoute "shop/podinfo": the rule of the canary sends requests to Service "other" too, so that weights are no percentages; give it a rule of its own`,
		},
		"a gateway's weight above 100": {
			router: "gatewayapi:v1", scenario: "new", route: rollout.Route{Canary: -1},
			want: `route HTTPRoute "shop/podinfo": weight: -1 is not between 0 and 100`,
		},
		"a gateway's test without conditions": {
			router: "gatewayapi:v1", scenario: "new", route: rollout.Route{Match: true},
			want: `route HTTPRoute "shop/podinfo": spec.analysis.match: there is no condition to select requests by`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := load(t, c.router, c.scenario)
			if c.change != nil {
				s = c.change(s)
			}
			objects, err := s.router.Render(s.canary, s.live, c.route)
			if err == nil || err.Error() != c.want || objects != nil {
				t.Errorf("got %v, %v\nwant %s", objects, err, c.want)
			}
		})
	}
}

// object returns a field that must be an object.
func object(t *testing.T, o *unstructured.Unstructured, name string) map[string]any {
	t.Helper()
	field, ok := o.Object[name].(map[string]any)
	if !ok {
		t.Fatalf("%s has no %s", o.GetName(), name)
	}
	return field
}

func TestServicesOfTheSameNameInOtherNamespacesAreForeign(t *testing.T) {
	t.Parallel()
	s := load(t, "gatewayapi:v1", "mirror")
	o := s.live[s.written()].DeepCopy()
	text := "{apiVersion: v1, kind: Rules, rules: [{matches: [{path: {value: /other}}], backendRefs: [{name: podinfo-canary, namespace: other, port: 80}]}]}"
	object(t, o, "spec")["rules"] = parse(t, text).Object["rules"]
	s = s.put(s.written(), o)
	rules, _, _ := unstructured.NestedSlice(s.render(t, rollout.Route{Managed: true, Canary: 20})[0].Object, "spec", "rules")
	if len(rules) != 2 {
		t.Errorf("got %d rules, want the foreign one and the canary's: %v", len(rules), rules)
	}
	if report := s.router.Read(s.canary, s.live); report.Managed {
		t.Errorf("a foreign rule is taken for the canary's: %+v", report)
	}
}
