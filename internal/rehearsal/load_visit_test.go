package rehearsal

import (
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/penstock-dev/penstock/internal/canary"
)

func TestATextIsMadeUpForARegularExpression(t *testing.T) {
	t.Parallel()
	for expression, want := range map[string]string{
		`.*Chrome.*`: "Chrome", `^(.*?;)?(type=insider)(;.*)?$`: "type=insider", `[0-9]{3}`: "000", `a|b`: "a", `(x|y)+z`: "xz",
		`[^a-z]`: "0", `\w+@example\.com`: "a@example.com", ``: "", `(?i)beta`: "BETA", `[[:punct:]]`: "!", `.`: "a",
	} {
		if got, ok := sampleRegex(expression); got != want || !ok {
			t.Errorf("%s: got %q, %t; want %q", expression, got, ok, want)
		}
	}
	for _, expression := range []string{`(`, `a\bb`, `[^\x00-\x{10FFFF}]`} {
		if got, ok := sampleRegex(expression); ok {
			t.Errorf("%s: got %q, want none", expression, got)
		}
	}
}

func TestVisitsAreForTheRouteAndOneInTenForTheTest(t *testing.T) {
	t.Parallel()
	c := &canary.Canary{}
	const text = `{spec: {service: {match: [{uri: {prefix: /shop}, headers: {x-tenant: {exact: acme}}}, {uri: {prefix: /new}}]},
		analysis: {match: [{uri: {exact: /new/cart}}, {headers: {x-canary: {regex: in.*}}}, {headers: {a: {regex: 'a\bb'}}}]}}}`
	if err := yaml.UnmarshalStrict([]byte(text), c); err != nil {
		t.Fatal(err)
	}
	visit, problems := visits(c)
	if diff := cmp.Diff([]string{"spec.analysis.match[2]"}, problems); diff != "" {
		t.Error(diff)
	}
	for user, want := range map[int]Visit{
		1:  {Path: "/shop", Header: map[string]string{"x-tenant": "acme"}},
		0:  {Path: "/new/cart"},
		10: {Path: "/shop", Header: map[string]string{"x-tenant": "acme", "x-canary": "in"}},
		20: {Path: "/new/cart"},
	} {
		got := visit(user)
		if got.Path != want.Path || len(got.Header) != len(want.Header) || got.Header["x-canary"] != want.Header["x-canary"] {
			t.Errorf("user %d: %+v, want %+v", user, got, want)
		}
	}
}

func TestAJarKeepsCookiesAsLongAsTheyLive(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	j := jar{users: map[int]map[string]heldCookie{}}
	j.keep(1, []*http.Cookie{{Name: "b", Value: "2", MaxAge: 10}, {Name: "a", Value: "1"}}, now)
	for _, step := range []struct {
		user  int
		after time.Duration
		want  string
	}{{1, 0, "a=1; b=2"}, {1, 9 * time.Second, "a=1; b=2"}, {1, 10 * time.Second, "a=1"}, {2, 0, ""}} {
		if got := j.header(step.user, now.Add(step.after)); got != step.want {
			t.Errorf("user %d after %s: %q, want %q", step.user, step.after, got, step.want)
		}
	}
	j.keep(1, []*http.Cookie{{Name: "a", MaxAge: -1}}, now)
	if got := j.header(1, now); got != "" {
		t.Errorf("%q is left", got)
	}
}
