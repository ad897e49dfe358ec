package traffic_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/rollout"
)

// parent is what one controller says of a route for one parent.
func parent(ref map[string]any, conditions ...any) map[string]any {
	return map[string]any{"parentRef": ref, "controllerName": "example.com/gateway", "conditions": conditions}
}

func TestARouteIsSettledWhenEveryGatewayHasAcceptedThePresentGeneration(t *testing.T) {
	t.Parallel()
	public := map[string]any{"group": "gateway.networking.k8s.io", "kind": "Gateway", "namespace": "infra", "name": "public"}
	terse := map[string]any{"namespace": "infra", "name": "public"}
	private := map[string]any{"namespace": "shop", "name": "private", "sectionName": "https", "port": int64(443)}
	accepted, resolved := condition("Accepted", "True", generation), condition("ResolvedRefs", "True", generation)
	const waiting = `Gateway "infra/public" `
	port, section := int32(443), "https"
	second := canary.ParentReference{Name: "private", SectionName: &section, Port: &port}
	for name, c := range map[string]struct {
		also    []canary.ParentReference
		parents []any
		want    string // the message; empty when the route is settled
	}{
		"accepted and resolved":                       {parents: []any{parent(public, accepted, resolved)}},
		"accepted, references not mentioned":          {parents: []any{parent(public, accepted)}},
		"the status leaves out the defaults":          {parents: []any{parent(terse, accepted, resolved)}},
		"another parent, not in the spec, is ignored": {parents: []any{parent(map[string]any{"name": "else"}, condition("Accepted", "False", generation)), parent(public, accepted)}},
		"no status at all":                            {want: `no gateway has accepted HTTPRoute "shop/podinfo" yet; waiting for Gateway "infra/public"`},
		"only a gateway of the same name elsewhere": {
			parents: []any{parent(map[string]any{"name": "public"}, accepted)},
			want:    `no gateway has accepted HTTPRoute "shop/podinfo" yet; waiting for Gateway "infra/public"`,
		},
		"no condition Accepted": {
			parents: []any{parent(public, resolved)}, want: waiting + "has not accepted the route yet (example.com/gateway)",
		},
		"an older generation": {
			parents: []any{parent(public, condition("Accepted", "True", generation-1), resolved)},
			want:    waiting + "has not taken up the latest change of the route yet (example.com/gateway has seen generation 6 of 7)",
		},
		"a refusal of an older generation is not a refusal of this one": {
			parents: []any{parent(public, condition("Accepted", "False", generation-1))},
			want:    waiting + "has not taken up the latest change of the route yet (example.com/gateway has seen generation 6 of 7)",
		},
		"refused": {
			parents: []any{parent(public, condition("Accepted", "False", generation), resolved)},
			want:    waiting + "does not accept the route: BecauseAccepted: in words",
		},
		"neither accepted nor refused": {
			parents: []any{parent(public, condition("Accepted", "Unknown", generation))},
			want:    waiting + "does not accept the route: BecauseAccepted: in words",
		},
		"a Service is missing": {
			parents: []any{parent(public, accepted, condition("ResolvedRefs", "False", generation))},
			want:    waiting + "cannot follow a reference of the route: BecauseResolvedRefs: in words",
		},
		"a part of the route is left out": {
			parents: []any{parent(public, accepted, resolved, condition("PartiallyInvalid", "True", generation))},
			want:    waiting + "has taken up only a part of the route: BecausePartiallyInvalid: in words",
		},
		"two controllers, one refuses": {
			parents: []any{parent(public, accepted), parent(public, condition("Accepted", "False", generation))},
			want:    waiting + "does not accept the route: BecauseAccepted: in words",
		},
		"two gateways, both accept": {
			also: []canary.ParentReference{second}, parents: []any{parent(public, accepted), parent(private, accepted)},
		},
		"two gateways, one is silent": {
			also: []canary.ParentReference{second}, parents: []any{parent(public, accepted)},
			want: `Gateway "shop/private", listener https, port 443, has not accepted the route yet`,
		},
		"the right gateway, another port": {
			also: []canary.ParentReference{second}, parents: []any{parent(public, accepted), parent(map[string]any{"name": "private", "sectionName": "https", "port": int64(80)}, accepted)},
			want: `Gateway "shop/private", listener https, port 443, has not accepted the route yet`,
		},
		"the right gateway, another listener": {
			also: []canary.ParentReference{second}, parents: []any{parent(public, accepted), parent(map[string]any{"name": "private", "sectionName": "http", "port": int64(443)}, accepted)},
			want: `Gateway "shop/private", listener https, port 443, has not accepted the route yet`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := load(t, "gatewayapi:v1", "new")
			s.canary.Spec.Service.GatewayRefs = append(s.canary.Spec.Service.GatewayRefs, c.also...)
			route := rollout.Route{Managed: true, Canary: 20}
			s = s.take(t, s.render(t, route))
			o := s.live[s.written()]
			o.Object["status"] = map[string]any{"parents": c.parents}
			want := rollout.RouteReport{Known: true, Settled: c.want == "", Route: route, Message: c.want}
			if diff := cmp.Diff(want, s.router.Read(s.canary, s.live)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestWhatCannotBeReadSaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	set := func(o *unstructured.Unstructured, annotation, value string) *unstructured.Unstructured {
		o = o.DeepCopy()
		annotations := o.GetAnnotations()
		annotations[annotation] = value
		o.SetAnnotations(annotations)
		return o
	}
	for name, c := range map[string]struct {
		router, scenario string
		change           func(s scenario) scenario
		want             rollout.RouteReport
	}{
		"no route": {
			router: "gatewayapi:v1", scenario: "new", change: func(s scenario) scenario { return s.put(s.written(), nil) },
			want: rollout.RouteReport{Message: `HTTPRoute "shop/podinfo" does not exist yet`},
		},
		"a route for other Services": {
			router: "gatewayapi:v1", scenario: "mirror", change: func(s scenario) scenario {
				return s.put(s.written(), load(t, "gatewayapi:v1", "mirror").live[s.written()])
			},
			want: rollout.RouteReport{Known: true, Route: rollout.Route{Handover: true}, Message: `no rule of HTTPRoute "shop/podinfo" sends requests to Service "podinfo-primary" or "podinfo-canary"; ` +
				`no gateway has accepted HTTPRoute "shop/podinfo" yet; waiting for Gateway "shop/public"`},
		},
		"a cluster that does not know the percentage of a mirror": {
			router: "gatewayapi:v1", scenario: "mirror", change: func(s scenario) scenario {
				full := s
				full.canary = copied(t, s.canary)
				full.canary.Spec.Analysis.MirrorWeight = 0
				return scenario{router: s.router, canary: s.canary, live: full.take(t, full.render(t, rollout.Route{Managed: true, Mirror: 100})).live, dir: s.dir}
			},
			want: rollout.RouteReport{Known: true, Route: rollout.Route{Managed: true, Mirror: 100},
				Message: `HTTPRoute "shop/podinfo": the cluster's HTTPRoute has no requestMirror.percent, so all requests are copied and not 30 %; the CRDs of Gateway API 1.3 have it`},
		},
		"no Ingress of the user": {
			router: "nginx", scenario: "new", change: func(s scenario) scenario { return s.put(s.router.Refs(s.canary)[0], nil) },
			want: rollout.RouteReport{Message: `Ingress "shop/podinfo" does not exist; spec.ingressRef names it`},
		},
		"no canary Ingress": {
			router: "nginx", scenario: "new", change: func(s scenario) scenario { return s.put(s.written(), nil) },
			want: rollout.RouteReport{Message: `Ingress "shop/podinfo-canary" does not exist yet`},
		},
		"a weight that is no number": {
			router: "nginx", scenario: "new", change: func(s scenario) scenario {
				return s.put(s.written(), set(s.live[s.written()], "nginx.ingress.kubernetes.io/canary-weight", "a fifth"))
			},
			want: rollout.RouteReport{Message: `Ingress "shop/podinfo-canary": annotation nginx.ingress.kubernetes.io/canary-weight: "a fifth" is not a number`},
		},
		"a total that is no number": {
			router: "nginx", scenario: "new", change: func(s scenario) scenario {
				return s.put(s.written(), set(s.live[s.written()], "nginx.ingress.kubernetes.io/canary-weight-total", "all"))
			},
			want: rollout.RouteReport{Message: `Ingress "shop/podinfo-canary": annotation nginx.ingress.kubernetes.io/canary-weight-total: "all" is not a number`},
		},
		"a trickle of a total other than 100 is not nothing": {
			router: "nginx", scenario: "new", change: func(s scenario) scenario {
				o := set(s.live[s.written()], "nginx.ingress.kubernetes.io/canary-weight", "5")
				return s.put(s.written(), set(o, "nginx.ingress.kubernetes.io/canary-weight-total", "10000"))
			},
			want: rollout.RouteReport{Known: true, Settled: true, Route: rollout.Route{Managed: true, Canary: 1}},
		},
		"a canary Ingress as Flagger leaves it between rollouts": {
			router: "nginx", scenario: "new", change: func(s scenario) scenario {
				return s.put(s.written(), set(s.live[s.written()], "nginx.ingress.kubernetes.io/canary", "false"))
			},
			want: rollout.RouteReport{Known: true, Message: `Ingress "shop/podinfo-canary": annotation nginx.ingress.kubernetes.io/canary is "false", so it takes no traffic as a canary`},
		},
		"the rules of a test that Flagger has ended": {
			router: "gatewayapi:v1", scenario: "match", change: func(s scenario) scenario {
				o := load(t, "gatewayapi:v1", "match").live[s.written()].DeepCopy()
				accept(o)
				return s.put(s.written(), o)
			},
			want: rollout.RouteReport{Known: true, Settled: true, Route: rollout.Route{Managed: true}},
		},
		"no apex Service": {
			router: "kubernetes", scenario: "made", change: func(s scenario) scenario { return s.put(s.written(), nil) },
			want: rollout.RouteReport{Message: `Service "shop/podinfo" does not exist yet`},
		},
		"neither target nor primary": {
			router: "kubernetes", scenario: "made", change: func(s scenario) scenario { return s.put(s.router.Refs(s.canary)[1], nil) },
			want: rollout.RouteReport{Message: `Deployment "shop/podinfo" does not exist, so the label of its pods is not known`},
		},
		"a Service that selects other pods": {
			router: "kubernetes", scenario: "made", change: func(s scenario) scenario {
				o := s.live[s.written()].DeepCopy()
				o.Object["spec"] = map[string]any{"selector": map[string]any{"name": "info-primary", "zone": "a"}}
				return s.put(s.written(), o)
			},
			want: rollout.RouteReport{Known: true, Message: `Service "shop/podinfo" selects name=info-primary,zone=a; the primary's pods are name=info-primary and the canary's are name=info`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := load(t, c.router, c.scenario)
			s = c.change(s.take(t, s.render(t, rollout.Route{Managed: true})))
			if diff := cmp.Diff(c.want, s.router.Read(s.canary, s.live)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestTrafficIsMovedByThePrimarysLabelWhenTheTargetIsGone(t *testing.T) {
	t.Parallel()
	s := load(t, "kubernetes", "made")
	refs := s.router.Refs(s.canary)
	primary := s.live[refs[1]].DeepCopy()
	primary.SetName("podinfo-primary")
	primary.Object["spec"] = map[string]any{"selector": map[string]any{"matchLabels": map[string]any{"name": "info-primary"}}}
	s = s.put(refs[1], nil).put(refs[2], primary)
	for _, route := range journey(s) {
		s = s.take(t, s.render(t, route))
		if diff := cmp.Diff(s.settled(route), s.router.Read(s.canary, s.live)); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	}
}
