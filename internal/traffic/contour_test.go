package traffic_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-dev/penstock/internal/rollout"
)

func TestAnHTTPProxyIsSettledWhenContourSaysThatItIsValid(t *testing.T) {
	t.Parallel()
	valid := func(status string, seen int64, errors ...any) map[string]any {
		c := condition("Valid", status, seen)
		c["errors"] = errors
		return c
	}
	for name, c := range map[string]struct {
		status map[string]any
		want   string
	}{
		"valid":                    {status: map[string]any{"conditions": []any{valid("True", generation)}}},
		"no status":                {want: `Contour has not taken up HTTPProxy "shop/podinfo" yet`},
		"only what Flagger writes": {status: map[string]any{"currentStatus": "valid"}, want: `Contour has not taken up HTTPProxy "shop/podinfo" yet`},
		"an older generation": {
			status: map[string]any{"conditions": []any{valid("True", generation-1)}},
			want:   `Contour has not taken up the latest change of HTTPProxy "shop/podinfo" yet (it has seen generation 6 of 7)`,
		},
		"invalid": {
			status: map[string]any{"currentStatus": "invalid", "conditions": []any{valid("False", generation, condition("ServiceError", "True", generation))}},
			want:   `Contour says that HTTPProxy "shop/podinfo" is invalid: BecauseValid: in words; BecauseServiceError: in words`,
		},
		"orphaned": {
			status: map[string]any{"currentStatus": "orphaned", "conditions": []any{valid("False", generation)}},
			want: `Contour says that HTTPProxy "shop/podinfo" is orphaned, so that it gets no requests until a root HTTPProxy includes it: ` +
				"BecauseValid: in words",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := load(t, "contour", "new")
			route := rollout.Route{Managed: true, Canary: 20}
			s = s.take(t, s.render(t, route))
			s.live[s.written()].Object["status"] = c.status
			want := rollout.RouteReport{Known: true, Settled: c.want == "", Route: route, Message: c.want}
			if diff := cmp.Diff(want, s.router.Read(s.canary, s.live)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestAnHTTPProxyThatWouldNotSplitAsAskedIsRefused(t *testing.T) {
	t.Parallel()
	const head = "apiVersion: projectcontour.io/v1\nkind: HTTPProxy\nmetadata: {name: podinfo, namespace: shop}\nspec: {routes: "
	for name, c := range map[string]struct {
		routes, want string
		route        rollout.Route
	}{
		"another Service has a weight": {routes: "[{services: [{name: podinfo, weight: 9}, {name: old, weight: 1}]}]",
			want: `it sends requests to Service "old" too`},
		"no Service has a weight, so that all have the same": {routes: "[{services: [{name: podinfo}, {name: old}]}]",
			want: `it sends requests to Service "old" too`},
		"the apex has a path of its own": {routes: "[{conditions: [{prefix: /a}], services: [{name: podinfo}]}]",
			want: `spec.routes[0] sends requests to Service "podinfo" itself, past the canary`},
		"another route takes the same requests": {routes: "[{services: [{name: old}]}]",
			want: "spec.routes[0] takes the same requests as the canary"},
		"a mirror is there already": {routes: "[{services: [{name: podinfo}, {name: spy, mirror: true}]}]", route: rollout.Route{Mirror: 10},
			want: `it copies requests to Service "spy" already`},
		"no percentage": {routes: "[]", route: rollout.Route{Canary: 101}, want: "101 is not between 0 and 100"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := load(t, "contour", "new")
			s.live[s.written()] = parse(t, head+c.routes+"}")
			_, err := s.router.Render(s.canary, s.live, c.route)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestRoutesWithDifferentSharesAreNotSettled(t *testing.T) {
	t.Parallel()
	s := load(t, "contour", "foreign")
	s = s.take(t, s.render(t, rollout.Route{Managed: true, Canary: 20}))
	proxy := s.live[s.written()]
	for _, service := range proxy.Object["spec"].(map[string]any)["routes"].([]any)[3].(map[string]any)["services"].([]any) {
		service.(map[string]any)["weight"] = int64(50)
	}
	report := s.router.Read(s.canary, s.live)
	want := `HTTPProxy "shop/podinfo" has routes with different shares for the canary`
	if report.Settled || report.Canary != 33 || report.Message != want {
		t.Errorf("got %+v, want 33 %% and %q", report, want)
	}
}
