package e2e

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func text(kind, value string) map[string]any { return map[string]any{kind: value} }

func TestWhoIsSelectedTestsTheCanary(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "gatewayapi:v1", iterations(2), analysis("match", []any{
		map[string]any{"headers": map[string]any{"x-canary": text("exact", "insider"), "user-agent": text("prefix", "Mozilla/5.0 (X11")}},
		map[string]any{"headers": map[string]any{"cookie": text("regex", "^(.*?;)?(type=insider)(;.*)?$")}},
		map[string]any{"headers": map[string]any{"x-mail": text("suffix", "@example.com")}, "queryParams": map[string]any{"beta": text("exact", "yes")}},
	}))
	s.initialise()
	s.end(s.rollOut(v2), 0)
	s.wantPromoted(v2)
	s.wantWeights(0)
	s.wantSafe()
	test := `header user-agent RegularExpression ^Mozilla/5\.0 \(X11.* and header x-canary Exact insider or ` +
		`header cookie RegularExpression ^(.*?;)?(type=insider)(;.*)?$ or ` +
		`header x-mail RegularExpression .*@example\.com$ and queryParam beta Exact yes, primary 0, canary 100`
	if diff := cmp.Diff([][]string{{whole}, {test, whole}, {whole}}, s.rules()); diff != "" {
		t.Errorf("the rules (-want +got):\n%s", diff)
	}
}

func TestNobodyTestsACanaryThatFailed(t *testing.T) {
	t.Parallel()
	match := analysis("match", []any{map[string]any{"headers": map[string]any{"x-canary": text("exact", "insider")}}})
	for _, provider := range []string{"gatewayapi:v1", "nginx"} {
		t.Run(provider, func(t *testing.T) {
			t.Parallel()
			s := newScenario(t, provider, iterations(5), match, analysis("threshold", 1))
			s.initialise()
			run := s.rollOut(v2)
			s.awaitStep(2)
			s.prometheus.Script("", Value(1))
			s.end(run, 1)
			s.wantRolledBack(v1)
			s.wantSafe()
			if provider == "nginx" {
				if got := s.conditions(); got[len(got)-1] != "" {
					t.Errorf("the conditions were %q", got)
				}
				return
			}
			if rules := s.rules(); len(rules[len(rules)-1]) != 1 {
				t.Errorf("the rules were %q", rules)
			}
		})
	}
}

func TestWhoIsSelectedTestsTheCanaryBehindNginx(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		match []any
		want  string
	}{
		"a header or a cookie": {
			[]any{
				map[string]any{"headers": map[string]any{"x-canary": text("exact", "insider")}},
				map[string]any{"headers": map[string]any{"cookie": text("exact", "canary")}},
			},
			"by-cookie=canary by-header=x-canary by-header-value=insider",
		},
		"a header by an expression": {
			[]any{map[string]any{"headers": map[string]any{"user-agent": text("regex", "Chrome")}}},
			"by-header=user-agent by-header-pattern=Chrome",
		},
		"the beginning of a header": {
			[]any{map[string]any{"headers": map[string]any{"x-canary": text("prefix", "in.")}}},
			`by-header=x-canary by-header-pattern=^in\.`,
		},
		"the end of a header": {
			[]any{map[string]any{"headers": map[string]any{"x-canary": text("suffix", ".er")}}},
			`by-header=x-canary by-header-pattern=\.er$`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScenario(t, "nginx", iterations(2), analysis("match", c.match))
			s.initialise()
			s.end(s.rollOut(v2), 0)
			s.wantPromoted(v2)
			s.wantWeights(0)
			s.wantSafe()
			if diff := cmp.Diff([]string{"", c.want, ""}, s.conditions()); diff != "" {
				t.Errorf("the conditions (-want +got):\n%s", diff)
			}
		})
	}
}

// conditions returns what the canary Ingress asked of requests, one after the other.
func (s *scenario) conditions() []string {
	s.t.Helper()
	const prefix = "nginx.ingress.kubernetes.io/canary-by-"
	var all []string
	s.record.Replay(func(m Moment) {
		ingress := m.Object("Ingress", "podinfo-canary")
		if ingress == nil {
			return
		}
		annotations := ingress.GetAnnotations()
		var words []string
		for _, key := range slices.Sorted(maps.Keys(annotations)) {
			if strings.HasPrefix(key, prefix) && annotations[key] != "" {
				words = append(words, fmt.Sprintf("by-%s=%s", strings.TrimPrefix(key, prefix), annotations[key]))
			}
		}
		if said := strings.Join(words, " "); len(all) == 0 || all[len(all)-1] != said {
			all = append(all, said)
		}
	})
	return all
}

func TestATestByWhatARouterCannotSeeIsRefused(t *testing.T) {
	t.Parallel()
	for _, provider := range []string{"gatewayapi:v1", "nginx"} {
		t.Run(provider, func(t *testing.T) {
			t.Parallel()
			s := newScenario(t, provider, iterations(2), analysis("match", []any{map[string]any{"sourceLabels": text("app", "shop")}}))
			run := s.run()
			s.end(run, 2)
			s.wantLine(run, "spec.analysis.match[0].sourceLabels: only a service mesh knows the labels of the pod that sends a request")
			s.wantUntouched()
		})
	}
}
