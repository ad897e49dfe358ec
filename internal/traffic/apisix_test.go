package traffic_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-dev/penstock/internal/rollout"
)

func TestAnApisixRouteIsSettledWhenItsControllerSaysSo(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		conditions []any
		want       string
	}{
		"reports nothing":       {},
		"synchronised":          {conditions: []any{condition("ResourcesAvailable", "True", generation)}},
		"accepted":              {conditions: []any{condition("Accepted", "True", generation)}},
		"another condition":     {conditions: []any{condition("Ready", "False", generation)}},
		"no generation, but OK": {conditions: []any{condition("ResourcesAvailable", "True", 0)}},
		"an older generation": {conditions: []any{condition("ResourcesAvailable", "True", generation-1)},
			want: `APISIX has not taken up the latest change of ApisixRoute "shop/shop-podinfo-canary" yet (it has seen generation 6 of 7)`},
		"refused": {conditions: []any{condition("Accepted", "False", generation)},
			want: `APISIX does not accept ApisixRoute "shop/shop-podinfo-canary": BecauseAccepted: in words`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := load(t, "apisix", "new")
			route := rollout.Route{Managed: true, Canary: 20}
			s = s.take(t, s.render(t, route))
			s.live[s.written()].Object["status"] = map[string]any{"conditions": c.conditions}
			want := rollout.RouteReport{Known: true, Settled: c.want == "", Route: route, Message: c.want}
			if diff := cmp.Diff(want, s.router.Read(s.canary, s.live)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestAnApisixRouteThatWouldNotSplitAsAskedIsNotTakenForOneThatDoes(t *testing.T) {
	t.Parallel()
	const head = "apiVersion: apisix.apache.org/v2\nkind: ApisixRoute\nmetadata: {name: shop, namespace: shop}\nspec: {http: "
	for name, c := range map[string]struct{ rules, refused, unsettled string }{
		"another Service has a weight": {rules: "[{name: app, backends: [{serviceName: podinfo}, {serviceName: old}]}]",
			refused: `spec.http[0] (app) sends requests to Service "old" too`},
		"an upstream has a weight": {rules: "[{name: app, backends: [{serviceName: podinfo}], upstreams: [{name: far, weight: 1}]}]",
			refused: `spec.http[0] (app) sends requests to ApisixUpstream "far" too`},
		"nothing points at the apex": {rules: "[{name: app, backends: [{serviceName: old}]}]",
			refused: `no rule points at Service "podinfo", of which the canary takes a share`},
		"the user's rule has a higher priority now": {rules: "[{name: app, priority: 10000, backends: [{serviceName: podinfo}]}]",
			unsettled: `has a rule "app" that does not come before the user's`},
		"the user has a rule more now": {rules: "[{name: app, backends: [{serviceName: podinfo}]}, {name: api, backends: [{serviceName: podinfo}]}]",
			unsettled: `has no rule "api", which the user's route has`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := load(t, "apisix", "new")
			s = s.take(t, s.render(t, rollout.Route{Managed: true, Canary: 20}))
			s = s.put(s.router.Refs(s.canary)[0], parse(t, head+c.rules+"}"))
			_, err := s.router.Render(s.canary, s.live, rollout.Route{Canary: 30})
			if (err == nil) != (c.refused == "") || err != nil && !strings.Contains(err.Error(), c.refused) {
				t.Errorf("got %v, want %q", err, c.refused)
			}
			if report := s.router.Read(s.canary, s.live); c.unsettled != "" && (report.Settled || !strings.HasSuffix(report.Message, c.unsettled)) {
				t.Errorf("got %+v, want %q", report, c.unsettled)
			}
		})
	}
}

func TestAnApisixRouteIsHandedOverWithoutTheUsersOwn(t *testing.T) {
	t.Parallel()
	s := load(t, "apisix", "foreign")
	s = s.take(t, s.render(t, rollout.Route{Managed: true, Canary: 20}))
	s = s.put(s.router.Refs(s.canary)[0], nil)
	s = s.take(t, s.render(t, handover))
	if report := s.router.Read(s.canary, s.live); !report.Handover || !report.Settled {
		t.Errorf("not handed over: %+v", report)
	}
}
