package traffic_test

import (
	"regexp"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/penstock-dev/penstock/internal/rollout"
	"github.com/penstock-dev/penstock/internal/traffic"
)

func router(t *testing.T, name string) traffic.Router {
	t.Helper()
	r, err := traffic.For(name)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// rulesOf renders a new route, and returns its rules.
func rulesOf(t *testing.T, s scenario, route rollout.Route) []map[string]any {
	t.Helper()
	list, _, _ := unstructured.NestedSlice(s.render(t, route)[0].Object, "spec", "rules")
	var rules []map[string]any
	for _, rule := range list {
		rules = append(rules, rule.(map[string]any))
	}
	return rules
}

func TestASessionIsFoundByItsOwnCookieOnly(t *testing.T) {
	t.Parallel()
	s := load(t, "gatewayapi:v1", "affinity")
	rules := rulesOf(t, s, rollout.Route{Managed: true, Canary: 20, Session: session})
	if len(rules) != 2 {
		t.Fatalf("%d rules, want that of the cookie and the split", len(rules))
	}
	expression, _, _ := unstructured.NestedString(rules[0]["matches"].([]any)[0].(map[string]any)["headers"].([]any)[0].(map[string]any), "value")
	pattern := regexp.MustCompile(expression)
	for header, want := range map[string]bool{
		"podinfo.session=" + session:                     true,
		"a=b; podinfo.session=" + session:                true,
		"a=b;podinfo.session=" + session + "; c=d":       true,
		"podinfo.session=" + session + ";c=d":            true,
		"podinfo.session=" + session + "x":               false,
		"podinfo.session=x" + session:                    false,
		"old-podinfo.session=" + session:                 false,
		"podinfoxsession=" + session:                     false,
		"a=podinfo.session=" + session:                   false,
		"podinfo.session=" + previous:                    false,
		"podinfo.session=; b=" + session:                 false,
		"podinfo.session=" + previous + "; a=" + session: false,
	} {
		if got := pattern.MatchString(header); got != want {
			t.Errorf("%q matches %q: %t, want %t", expression, header, got, want)
		}
		// A gateway that holds an expression against the whole value says the same as one that looks for it anywhere.
		if whole := regexp.MustCompile("^(?:" + expression + ")$").MatchString(header); whole != want {
			t.Errorf("%q is the whole of %q: %t, want %t", expression, header, whole, want)
		}
	}
}

func TestACanaryWithoutTrafficKeepsNobody(t *testing.T) {
	t.Parallel()
	s := load(t, "gatewayapi:v1", "affinity")
	for name, route := range map[string]rollout.Route{
		"before the first step":          {Managed: true, Session: session},
		"while requests are copied":      {Managed: true, Mirror: 20, Session: session},
		"without a session":              {Managed: true, Canary: 20},
		"the session before is this one": {Managed: true, Previous: session, Session: session},
	} {
		if rules := rulesOf(t, s, route); len(rules) != 1 {
			t.Errorf("%s: %d rules, want only the split: %v", name, len(rules), rules)
		}
	}
}

func TestARouteWhoseCookieRuleIsMissingKeepsNobody(t *testing.T) {
	t.Parallel()
	s := load(t, "gatewayapi:v1", "affinity")
	s = s.take(t, s.render(t, rollout.Route{Managed: true, Canary: 20, Session: session}))
	o := s.live[s.written()].DeepCopy()
	spec := object(t, o, "spec")
	spec["rules"] = spec["rules"].([]any)[1:]
	s = s.put(s.written(), o)
	if report := s.router.Read(s.canary, s.live); report.Session != "" || report.Canary != 20 || report.Match {
		t.Errorf("reported %+v", report)
	}
}

func TestABackendWithACookieOfItsOwnIsSaid(t *testing.T) {
	t.Parallel()
	s := load(t, "gatewayapi:v1", "affinity")
	s = s.take(t, s.render(t, rollout.Route{Managed: true}))
	o := s.live[s.written()].DeepCopy()
	backends := object(t, o, "spec")["rules"].([]any)[0].(map[string]any)["backendRefs"].([]any)
	backends[1].(map[string]any)["filters"] = []any{map[string]any{
		"type": "ResponseHeaderModifier", "responseHeaderModifier": map[string]any{
			"add": []any{map[string]any{"name": "set-cookie", "value": "mine=1"}},
		},
	}}
	s = s.put(s.written(), o)
	_, err := s.router.Render(s.canary, s.live, rollout.Route{Managed: true, Canary: 20, Session: session})
	const want = `route HTTPRoute "shop/podinfo": the backend "podinfo-canary" of the canary's rule sets a cookie of its own, ` +
		"beside which spec.analysis.sessionAffinity has no place"
	if err == nil || err.Error() != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
	if len(s.render(t, rollout.Route{Managed: true})) != 1 {
		t.Error("without a session it cannot be rendered")
	}
}
