package traffic_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/traffic"
)

// strategy returns a canary of a provider that has all that the provider needs, with further YAML for service and analysis.
func strategy(t *testing.T, provider, service, analysis string) *canary.Canary {
	t.Helper()
	c := new(canary.Canary)
	c.Name, c.Namespace = "podinfo", "shop"
	for _, part := range []struct {
		text string
		into any
	}{{service, &c.Spec.Service}, {analysis, &c.Spec.Analysis}} {
		if err := yaml.UnmarshalStrict([]byte(part.text), part.into); err != nil {
			t.Fatalf("%v in\n%s", err, part.text)
		}
	}
	c.Spec.Provider, c.Spec.Service.Port = provider, 80
	c.Spec.TargetRef = canary.ObjectRef{APIVersion: "apps/v1", Kind: "Deployment", Name: "podinfo"}
	c.Spec.IngressRef = &canary.ObjectRef{APIVersion: "networking.k8s.io/v1", Kind: "Ingress", Name: "podinfo"}
	c.Spec.RouteRef = &canary.ObjectRef{APIVersion: "apisix.apache.org/v2", Kind: "ApisixRoute", Name: "podinfo"}
	c.Spec.Service.GatewayRefs = []canary.ParentReference{{Name: "public"}}
	return c
}

func TestAStrategyThatARouterCannotDoIsRefused(t *testing.T) {
	t.Parallel()
	const split = "; use spec.analysis.iterations instead; routers that can: …"
	for name, c := range map[string]struct {
		provider, service, analysis string
		want                        []string
	}{
		"blue/green by selectors":          {provider: "kubernetes", analysis: "iterations: 3"},
		"all at once by selectors":         {provider: "kubernetes", analysis: "stepWeights: [100]"},
		"no analysis at all":               {provider: "kubernetes"},
		"weights by Ingress":               {provider: "nginx", analysis: "{stepWeight: 10, maxWeight: 50}"},
		"everything with the Gateway API":  {provider: "gatewayapi:v1", analysis: "{iterations: 3, mirror: true, mirrorWeight: 10, match: [{headers: {a: {suffix: b}}}]}"},
		"routes of others' service blocks": {provider: "nginx", service: "{retries: {attempts: 3}, match: [{uri: {suffix: x}}]}", analysis: "stepWeight: 10"},
		"steps by selectors": {provider: "kubernetes", analysis: "{stepWeight: 10, maxWeight: 50}", want: []string{
			"spec.analysis.stepWeight: the kubernetes router sends all or nothing to the canary, never 10 %" + split}},
		"a list of steps by selectors": {provider: "kubernetes", analysis: "stepWeights: [100, 30]", want: []string{
			"spec.analysis.stepWeights: the kubernetes router sends all or nothing to the canary, never 30 %" + split}},
		"a stepped promotion by selectors": {provider: "kubernetes", analysis: "{iterations: 2, stepWeightPromotion: 40}", want: []string{
			"spec.analysis.stepWeightPromotion: the kubernetes router sends all or nothing to the canary, never 60 %" + split}},
		"an A/B test by selectors": {provider: "kubernetes", analysis: "{iterations: 2, match: [{headers: {a: {exact: b}}}]}", want: []string{
			"spec.analysis.match: the kubernetes router does not look at requests; routers that can: …"}},
		"a mirror by selectors": {provider: "kubernetes", analysis: "{iterations: 2, mirror: true}", want: []string{
			"spec.analysis.mirror: the kubernetes router does not copy requests; routers that can: …"}},
		"a mirror by Ingress": {provider: "nginx", analysis: "{iterations: 2, mirror: true, mirrorWeight: 5}", want: []string{
			"spec.analysis.mirror: the nginx router does not copy requests; routers that can: …",
			"spec.analysis.mirrorWeight: the nginx router cannot copy only 5 % of the requests; routers that can: …"}},
		"a mirror before the weights": {provider: "gatewayapi:v1", analysis: "{stepWeight: 10, mirror: true, mirrorWeight: 20}"},
		"a mirror before the weights by Ingress": {provider: "nginx", analysis: "{stepWeight: 10, mirror: true}", want: []string{
			"spec.analysis.mirror: the nginx router does not copy requests; routers that can: …"}},
		"session affinity": {provider: "gatewayapi:v1", analysis: "{stepWeight: 10, sessionAffinity: {cookieName: c, primaryCookieName: p}}"},
		"session affinity by Ingress": {provider: "nginx", analysis: "{stepWeight: 10, sessionAffinity: {cookieName: c}}", want: []string{
			"spec.analysis.sessionAffinity: the nginx router does not keep users on one side; routers that can: …"}},
		"session affinity of a route that matches cookies itself": {provider: "gatewayapi:v1", service: "{match: [{headers: {cookie: {regex: a=b}}}]}",
			analysis: "{stepWeight: 10, sessionAffinity: {cookieName: c}}", want: []string{
				"spec.analysis.sessionAffinity: together with spec.service.match[0] it cannot be said in an HTTPRoute: header cookie can be matched once, " +
					`not by both "^(.*; *)?c=x(;.*)?$" and "a=b"`}},
		"session affinity with attributes that would end the cookie": {provider: "gatewayapi:v1",
			analysis: "{stepWeight: 10, sessionAffinity: {cookieName: c, path: /a;b, domain: \"a\\nb\"}}", want: []string{
				`spec.analysis.sessionAffinity.domain: "a\nb" cannot be in a cookie; a semicolon and what is not printable ASCII are not allowed`,
				`spec.analysis.sessionAffinity.path: "/a;b" cannot be in a cookie; a semicolon and what is not printable ASCII are not allowed`}},
		"more matches than a rule holds": {provider: "gatewayapi:v1", service: "{match: [" + strings.Repeat("{uri: {prefix: /a}},", 33) + "]}",
			analysis: "{stepWeight: 10, sessionAffinity: {cookieName: c, primaryCookieName: p}}", want: []string{
				"spec.service.match: with spec.analysis it makes 132 matches in the HTTPRoute, up to 33 in one rule; 128 and 64 are possible"}},
		"an A/B test by the labels of the sender": {provider: "gatewayapi:v1", analysis: "{iterations: 2, match: [{sourceLabels: {app: a}}]}", want: []string{
			"spec.analysis.match[0].sourceLabels: only a service mesh knows the labels of the pod that sends a request; match a header or a cookie instead"}},
		"an A/B test by the labels of the sender with nginx": {provider: "nginx", analysis: "{iterations: 2, match: [{sourceLabels: {app: a}}]}", want: []string{
			"spec.analysis.match[0].sourceLabels: only a service mesh knows the labels of the pod that sends a request; match a header or a cookie instead"}},
		"conditions that nginx does not know": {provider: "nginx", analysis: "{iterations: 2, match: [{uri: {prefix: /a}, queryParams: {b: {exact: c}}}]}", want: []string{
			"spec.analysis.match[0].uri: the nginx router matches headers and cookies only",
			"spec.analysis.match[0].queryParams: the nginx router matches headers and cookies only"}},
		"two headers at once with nginx": {provider: "nginx", analysis: "{iterations: 2, match: [{headers: {a: {exact: b}, cookie: {exact: c}}}]}", want: []string{
			"spec.analysis.match[0].headers: the nginx router cannot ask for several headers at once; " +
				"a header and a cookie, one of which is enough, are two elements of spec.analysis.match"}},
		"one header or another with nginx": {provider: "nginx", analysis: "{iterations: 2, match: [{headers: {a: {exact: b}}}, {headers: {c: {exact: d}}}]}", want: []string{
			`spec.analysis.match[1].headers["c"]: the nginx router can match one header, and spec.analysis.match[0].headers["a"] is one already`}},
		"two cookies, and one by its value, with nginx": {provider: "nginx", analysis: "{iterations: 2, match: [{headers: {cookie: {exact: b}}}, {headers: {cookie: {exact: c}}}]}", want: []string{
			`spec.analysis.match[1].headers["cookie"]: the nginx router can match one cookie, and spec.analysis.match[0].headers["cookie"] is one already`}},
		"a cookie by its value with nginx": {provider: "nginx", analysis: "{iterations: 2, match: [{headers: {cookie: {regex: a=b}}}]}", want: []string{
			`spec.analysis.match[0].headers["cookie"]: the nginx router matches a cookie by its name only; write exact: and the name, and give the cookie the value "always"`}},
		"an empty header with nginx": {provider: "nginx", analysis: `{iterations: 2, match: [{headers: {a: {exact: ""}}}]}`, want: []string{
			`spec.analysis.match[0].headers["a"]: the nginx router cannot match an empty value; it would take it for "always"`}},
		"conditions that an HTTPRoute does not know": {provider: "gatewayapi:v1", analysis: "iterations: 2",
			service: "{match: [{scheme: {exact: https}, authority: {exact: a.b}, method: {prefix: G}, uri: {exact: a}}]}", want: []string{
				"spec.service.match[0].scheme: an HTTPRoute has no such condition; it has uri, method, headers and queryParams",
				"spec.service.match[0].authority: an HTTPRoute matches hosts for all of its rules at once; use spec.service.hosts",
				`spec.service.match[0].uri: "a" does not begin with /`,
				"spec.service.match[0].method: an HTTPRoute matches exact: and one of GET, HEAD, POST, PUT, DELETE, CONNECT, OPTIONS, TRACE, PATCH"}},
		"a test of requests that the route is not for": {provider: "gatewayapi:v1", service: "{match: [{uri: {prefix: /a}}]}",
			analysis: "{iterations: 2, match: [{uri: {prefix: /b}}]}", want: []string{
				"spec.analysis.match: no request can match it and spec.service.match too"}},
		"a test whose header the route matches otherwise": {provider: "gatewayapi:v1", service: "{match: [{headers: {a: {exact: b}}}]}",
			analysis: "{iterations: 2, match: [{headers: {a: {regex: c}}}]}", want: []string{
				`spec.analysis.match[0]: together with spec.service.match[0] it cannot be said in an HTTPRoute: header a can be matched once, not by both "c" and "b"`}},
		"a test whose path the route matches otherwise": {provider: "gatewayapi:v1", service: "{match: [{uri: {regex: /a.*}}]}",
			analysis: "{iterations: 2, match: [{uri: {prefix: /a}}]}", want: []string{
				"spec.analysis.match[0]: together with spec.service.match[0] it cannot be said in an HTTPRoute: a rule has one path, not both /a and /a.*"}},
		"service settings that an HTTPRoute does not know": {provider: "gatewayapi:v1", analysis: "stepWeight: 10",
			service: "{timeout: 100us, mirror: [{backendRef: {name: podinfo-canary, port: 80}}], corsPolicy: {allowOrigins: [{prefix: https}]}, " +
				"rewrite: {uri: /, type: ReplacePrefixMatch}, match: [{uri: {prefix: /a}}, {uri: {prefix: /b}}]}", want: []string{
				"spec.service.rewrite.type: ReplacePrefixMatch needs exactly one match in spec.service.match, by uri.prefix, and at most one in spec.analysis.match; several are possible with ReplaceFullPath",
				"spec.service.corsPolicy.allowOrigins[0]: an HTTPRoute takes exact origins only, such as exact: https://example.com",
				`spec.service.mirror[0].backendRef.name: "podinfo-canary" is the canary itself; use spec.analysis.mirror`,
				`spec.service.timeout: "100us" cannot be said in an HTTPRoute, which takes whole h, m, s and ms`}},
		"everything with Contour": {provider: "contour", service: "{timeout: 1m30s, retries: {attempts: 2, retryOn: 5xx}}",
			analysis: "{iterations: 3, mirror: true, mirrorWeight: 10, match: [{headers: {a: {suffix: b}}}]}"},
		"what an HTTPProxy does not know": {provider: "contour", service: "{timeout: soon, retries: {retryOn: \"5xx,never\", perTryTimeout: 1y}}",
			analysis: "{iterations: 2, match: [{method: {exact: GET}}, {sourceLabels: {app: a}}, {uri: {regex: a}}]}", want: []string{
				"spec.analysis.match[0].method: an HTTPProxy has no such condition; it has uri, headers and queryParams",
				"spec.analysis.match[1].sourceLabels: only a service mesh knows the labels of the pod that sends a request; match a header or a cookie instead",
				`spec.analysis.match[2].uri: "a" does not begin with /`,
				`spec.service.timeout: "soon" is not a duration of an HTTPProxy, such as 1m30s`,
				`spec.service.retries.perTryTimeout: "1y" is not a duration of an HTTPProxy, such as 1m30s`,
				`spec.service.retries.retryOn: "never" is unknown to an HTTPProxy; it knows 5xx, gateway-error, reset, reset-before-request, ` +
					"connect-failure, envoy-ratelimited, retriable-4xx, refused-stream, retriable-status-codes, retriable-headers, " +
					"http3-post-connect-failure, cancelled, deadline-exceeded, internal, resource-exhausted, unavailable"}},
		"an A/B test of what the HTTPProxy matches otherwise": {provider: "contour", service: "{match: [{uri: {prefix: /a}, headers: {A: {exact: b}}}]}",
			analysis: "{iterations: 2, match: [{uri: {prefix: /b}}, {headers: {a: {exact: c}}}]}", want: []string{
				"spec.analysis.match[0]: together with spec.service.match[0] it cannot be said in an HTTPProxy: a route has one path",
				"spec.analysis.match[1]: together with spec.service.match[0] it cannot be said in an HTTPProxy: header a can be matched once"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			router, err := traffic.For(c.provider)
			if err != nil {
				t.Fatal(err)
			}
			got := router.Refuse(strategy(t, c.provider, c.service, c.analysis))
			for i := range got { // which they are is another test's
				got[i] = able.ReplaceAllString(got[i], "routers that can: …")
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

var able = regexp.MustCompile(`routers that can: .*`)

func TestTheRoutersThatCanDoWhatAnotherCannotAreNamed(t *testing.T) {
	t.Parallel()
	var weights, matches []string
	for _, name := range traffic.List() {
		r, err := traffic.For(name)
		if err != nil {
			t.Fatal(err)
		}
		if r.Can.Weights {
			weights = append(weights, name)
		}
		if r.Can.Match {
			matches = append(matches, name)
		}
	}
	kubernetes, err := traffic.For("kubernetes")
	if err != nil {
		t.Fatal(err)
	}
	for analysis, want := range map[string][]string{
		"{stepWeight: 10, maxWeight: 50}":                      weights,
		"{iterations: 2, match: [{headers: {a: {exact: b}}}]}": matches,
	} {
		got := kubernetes.Refuse(strategy(t, "kubernetes", "", analysis))
		if len(got) != 1 || !strings.HasSuffix(got[0], "routers that can: "+strings.Join(want, ", ")) {
			t.Errorf("got %q, want %v", got, want)
		}
	}
}

func TestARouterSaysWhatItNeeds(t *testing.T) {
	t.Parallel()
	for provider, want := range map[string][]string{
		"kubernetes":    nil,
		"skipper":       {"spec.ingressRef: the skipper router needs the name of the Ingress that points at the Service"},
		"apisix":        {"spec.routeRef: the apisix router needs the name of the ApisixRoute that points at the Service"},
		"nginx":         {"spec.ingressRef: the nginx router needs the name of the Ingress that points at the Service"},
		"gatewayapi:v1": {"spec.service.gatewayRefs: the gatewayapi router needs the Gateway that the HTTPRoute is attached to"},
	} {
		router, err := traffic.For(provider)
		if err != nil {
			t.Fatal(err)
		}
		c := strategy(t, provider, "", "iterations: 2")
		c.Spec.IngressRef, c.Spec.RouteRef, c.Spec.Service.GatewayRefs = nil, nil, nil
		if diff := cmp.Diff(want, router.Refuse(c)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", provider, diff)
		}
	}
}

func TestAnUnknownProviderIsAnErrorThatListsTheKnownOnes(t *testing.T) {
	t.Parallel()
	_, err := traffic.For("istoi")
	want := `provider "istoi" is not supported; supported are ` + strings.Join(traffic.List(), ", ")
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
