package traffic_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-dev/penstock/internal/rollout"
	"github.com/penstock-dev/penstock/internal/traffic"
)

func TestWhatAVirtualServiceHasNoWordsForIsRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		service, analysis string
		want              []string
	}{
		"everything": {service: "{hosts: [a.example.com], timeout: 5s}",
			analysis: "{stepWeight: 10, mirror: true, mirrorWeight: 20, sessionAffinity: {cookieName: c}}"},
		"delegation with hosts": {service: "{delegation: true, hosts: [a.example.com]}", analysis: "{stepWeight: 10}", want: []string{
			"spec.service.delegation: a VirtualService that another one delegates to has neither hosts nor gateways; " +
				"remove spec.service.hosts and spec.service.gateways, or delegation"}},
		"requests in a TCP connection": {service: "{appProtocol: TCP, match: [{port: 1}, {uri: {exact: /a}}]}",
			analysis: "{stepWeight: 10, mirror: true, sessionAffinity: {cookieName: c}}", want: []string{
				"spec.service.match[1].uri: spec.service.appProtocol is tcp, and a TCP connection has no uri; " +
					"it can be matched by port, sourceLabels, sourceNamespace and gateways",
				"spec.analysis.mirror: spec.service.appProtocol is tcp, and Istio sees no requests in a TCP connection; remove one of them",
				"spec.analysis.sessionAffinity: spec.service.appProtocol is tcp, and Istio sees no requests in a TCP connection; remove one of them"}},
		"two values of one header": {service: "{match: [{headers: {a: {exact: b}}}]}", analysis: "{iterations: 2, match: [{headers: {a: {exact: c}}}]}", want: []string{
			"spec.analysis.match: condition 0 and spec.service.match[0] both set headers.a, and differently; a VirtualService has one condition for it"}},
		"two paths": {service: "{match: [{uri: {prefix: /b}}]}", analysis: "{iterations: 2, match: [{uri: {exact: /b/c}}]}", want: []string{
			"spec.analysis.match: condition 0 and spec.service.match[0] both set uri, and differently; a VirtualService has one condition for it"}},
		"the cookie of a route that matches cookies itself": {service: "{match: [{headers: {cookie: {regex: a=b}}}]}",
			analysis: "{stepWeight: 10, sessionAffinity: {cookieName: c, path: /a;b}}", want: []string{
				"spec.analysis.sessionAffinity: condition 0 and spec.service.match[0] both set headers.cookie, and differently; a VirtualService has one condition for it",
				`spec.analysis.sessionAffinity.path: "/a;b" cannot be in a cookie; a semicolon and what is not printable ASCII are not allowed`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			router, err := traffic.For("istio")
			if err != nil {
				t.Fatal(err)
			}
			can := strategy(t, "istio", c.service, c.analysis)
			if diff := cmp.Diff(c.want, router.Refuse(can)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if _, err := router.Render(can, nil, rollout.Route{Managed: true}); (err != nil) != (c.want != nil) {
				t.Errorf("Render: %v", err)
			}
		})
	}
}

// A route of somebody else that leaves nothing for the canary's is not written around.
func TestARouteThatTakesEveryRequestBeforeTheCanaryIsRefused(t *testing.T) {
	t.Parallel()
	s := load(t, "istio", "foreign")
	vs := s.live[s.written()]
	routes := vs.Object["spec"].(map[string]any)["http"].([]any)
	delete(routes[0].(map[string]any), "match")
	_, err := s.router.Render(s.canary, s.live, rollout.Route{Managed: true})
	if err == nil || !strings.Contains(err.Error(), "spec.http[0] takes every request and comes before the canary's route") {
		t.Errorf("got %v", err)
	}
	routes[1].(map[string]any)["route"] = []any{
		map[string]any{"destination": map[string]any{"host": "podinfo"}, "weight": int64(90)},
		map[string]any{"destination": map[string]any{"host": "legacy"}, "weight": int64(10)},
	}
	_, err = s.router.Render(s.canary, s.live, rollout.Route{Managed: true})
	if err == nil || !strings.Contains(err.Error(), `spec.http[1] sends requests to "legacy" too`) {
		t.Errorf("got %v", err)
	}
}

func TestLinkerdSelectsRequestsByAnHTTPRouteOnly(t *testing.T) {
	t.Parallel()
	router, err := traffic.For("linkerd")
	if err != nil {
		t.Fatal(err)
	}
	c := strategy(t, "linkerd", "{}", "{iterations: 2, match: [{headers: {a: {exact: b}}}]}")
	if problems := router.Refuse(c); len(problems) > 0 {
		t.Errorf("with an HTTPRoute: %q", problems)
	}
	c.Spec.Service.GatewayRefs = nil
	want := []string{`spec.analysis.match: a TrafficSplit does not look at requests; set spec.service.gatewayRefs to ` +
		`[{group: "", kind: Service, name: podinfo, port: …}], so that Linkerd is told by an HTTPRoute`}
	if diff := cmp.Diff(want, router.Refuse(c)); diff != "" {
		t.Errorf("with a TrafficSplit (-want +got):\n%s", diff)
	}
}
