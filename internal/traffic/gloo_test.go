package traffic_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/rollout"
)

func TestGloosVerdictOnATableIsHeardWhenItIsOfTheCanary(t *testing.T) {
	t.Parallel()
	s := load(t, "gloo", "new")
	s = s.take(t, s.render(t, rollout.Route{Managed: true, Canary: 20}))
	for name, c := range map[string]struct{ status, want string }{
		"accepted":                         {"{statuses: {gloo-system: {state: Accepted}}}", ""},
		"accepted, by number":              {"{state: 1}", ""},
		"rejected":                         {"{statuses: {gloo-system: {state: Rejected, reason: bad}}}", `Gloo has rejected RouteTable "shop/podinfo": bad`},
		"rejected, by number, of no cause": {"{state: 2}", `Gloo has rejected RouteTable "shop/podinfo": no reason is given`},
		"a warning of something else":      {"{state: Warning, reason: no docs}", ""},
		"a warning of the canary": {
			"{state: 3, reason: no shop-podinfo-canaryupstream-80}", `Gloo warns of RouteTable "shop/podinfo": no shop-podinfo-canaryupstream-80`,
		},
	} {
		o := s.live[s.written()].DeepCopy()
		o.Object["status"] = parse(t, "{apiVersion: v1, kind: Status, status: "+c.status+"}").Object["status"]
		report := s.router.Read(s.canary, s.put(s.written(), o).live)
		if report.Settled != (c.want == "") || report.Message != c.want || report.Canary != 20 {
			t.Errorf("%s: %+v, want %q", name, report, c.want)
		}
	}
}

func TestATableIsNotSettledBeforeItsUpstreamsAreThere(t *testing.T) {
	t.Parallel()
	s := load(t, "gloo", "new")
	s = s.take(t, s.render(t, rollout.Route{Managed: true}))
	for _, ref := range s.router.Made(s.canary) {
		report := s.router.Read(s.canary, s.put(ref, nil).live)
		want := ref.String() + ` does not exist yet, and RouteTable "shop/podinfo" sends requests to it`
		if report.Settled || report.Message != want {
			t.Errorf("without %s: %+v", ref, report)
		}
	}
}

// What is made for the canary is deleted after the handover, so that nothing that stays may name it.
func TestATableThatWasHandedOverNeedsNothingOfTheCanary(t *testing.T) {
	t.Parallel()
	s := load(t, "gloo", "foreign")
	for _, route := range []rollout.Route{{Managed: true}, handover} {
		s = s.take(t, s.render(t, route))
	}
	for _, ref := range s.router.Made(s.canary) {
		if owners := s.live[ref].GetOwnerReferences(); len(owners) != 1 {
			t.Errorf("%s has the owners %v, so that it cannot be known for the canary's", ref, owners)
		}
		s = s.put(ref, nil)
	}
	if report := s.router.Read(s.canary, s.live); !report.Handover || !report.Settled {
		t.Errorf("without the canary's Upstreams: %+v", report)
	}
	if again := s.render(t, handover); len(again) != 2 || again[0].GetName() != "shop-podinfo-80" {
		t.Errorf("written again: %v", again)
	}
}

func TestATableThatCannotBeWrittenIsAnErrorThatSaysWhy(t *testing.T) {
	t.Parallel()
	const mine = "{inheritablePathMatchers: true, routeAction: {single: {kube: {ref: {name: podinfo, namespace: shop}, port: 80}}}}"
	routes := func(t *testing.T, s scenario, list string) scenario {
		o := s.written().New()
		o.Object["spec"] = parse(t, "{apiVersion: v1, kind: Spec, spec: {routes: ["+list+"]}}").Object["spec"]
		return s.put(s.written(), o)
	}
	for name, c := range map[string]struct {
		routes string
		change func(*canary.Canary)
		route  rollout.Route
		want   string
	}{
		"a route for everything before the canary's": {
			routes: "{routeAction: {single: {upstream: {name: docs}}}}, " + mine,
			want:   "spec.routes[0] takes every request and comes before the canary's",
		},
		"a second route to the apex": {
			routes: "{matchers: [{prefix: /a}], routeAction: {single: {upstream: {name: shop-podinfo-80, namespace: gloo-system}}}}, " + mine,
			want:   `spec.routes[0] sends requests to Service "podinfo" itself, past the canary`,
		},
		"a third destination": {
			routes: "{routeAction: {multi: {destinations: [{destination: {upstream: {name: shop-podinfo-80}}, weight: 1}, {destination: {kube: {ref: {name: old}}}, weight: 1}]}}}",
			want:   `the canary's route sends requests to Service "old" too, so that weights are no percentages`,
		},
		"a test of other methods than the route's": {
			routes: `{matchers: [{methods: [POST]}], routeAction: {single: {upstream: {name: shop-podinfo-80}}}}`, route: rollout.Route{Match: true},
			change: func(cn *canary.Canary) {
				get := "GET"
				cn.Spec.Analysis.Match = []canary.HTTPMatchRequest{{Method: &canary.StringMatch{Exact: &get}}}
			},
			want: "spec.analysis.match: the canary's route has methods of its own",
		},
		"settings that are not there": {
			change: func(cn *canary.Canary) { cn.Spec.UpstreamRef = &canary.ObjectRef{Name: "settings"} },
			want:   `read Upstream "shop/settings": it does not exist; spec.upstreamRef names it`,
		},
		"a mirror":                 {route: rollout.Route{Mirror: 10}, want: "the gloo router cannot copy requests to the canary"},
		"a weight above 100":       {route: rollout.Route{Canary: 101}, want: "101 is not between 0 and 100"},
		"a test without condition": {route: rollout.Route{Match: true}, want: "spec.analysis.match: there is no condition"},
	} {
		s := load(t, "gloo", "new")
		s.canary = copied(t, s.canary)
		if c.change != nil {
			c.change(s.canary)
		}
		objects, err := s.router.Render(s.canary, routes(t, s, c.routes).live, c.route)
		if err == nil || !strings.Contains(err.Error(), c.want) || objects != nil {
			t.Errorf("%s: got %v, %v\nwant %s", name, objects, err, c.want)
		}
	}
}

func TestAnUpstreamThatStandsForSomethingElseIsLeftAlone(t *testing.T) {
	t.Parallel()
	s := load(t, "gloo", "new")
	ref := s.router.Made(s.canary)[0]
	o := ref.New()
	o.Object["spec"] = map[string]any{"kube": map[string]any{"serviceName": "other"}}
	_, err := s.router.Render(s.canary, s.put(ref, o).live, rollout.Route{})
	want := `route RouteTable "shop/podinfo": ` + ref.String() + ` is there and stands for Service "other", not for "podinfo-primary"; give it another name`
	if err == nil || err.Error() != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
}

func TestAnABTestThatGlooHasNoWordsForIsRefused(t *testing.T) {
	t.Parallel()
	got := router(t, "gloo").Refuse(strategy(t, "gloo", "", "{iterations: 2, match: [{uri: {prefix: /a}, sourceLabels: {a: b}}, "+
		"{method: {prefix: G}}, {withoutHeaders: {a: {exact: b}}}]}"))
	if diff := cmp.Diff([]string{
		"spec.analysis.match[0].uri: the paths of a RouteTable are those of the VirtualService that delegates to it; match a header, a method or a query parameter",
		"spec.analysis.match[0].sourceLabels: only a service mesh knows the labels of the pod that sends a request; match a header or a cookie instead",
		"spec.analysis.match[1].method: the gloo router matches exact: only",
		"spec.analysis.match[2].withoutHeaders: the gloo router has no such condition; it has method, headers and queryParams",
	}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
