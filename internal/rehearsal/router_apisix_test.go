package rehearsal

import (
	"testing"

	"github.com/penstock-dev/penstock/internal/canary"
)

func TestApisixObeysTheRuleOfTheHighestPriority(t *testing.T) {
	t.Parallel()
	backend := func(name string, weight any) any {
		b := map[string]any{"serviceName": name}
		if weight != nil {
			b["weight"] = weight
		}
		return b
	}
	rule := func(priority int64, backends ...any) map[string]any {
		return map[string]any{"priority": priority, "backends": backends}
	}
	split := rule(10, backend("app-primary", int64(30)), backend("app-canary", int64(10)))
	seen := routed{canary: &canary.Canary{}, services: [2]string{Primary: "app-primary", Canary: "app-canary"}}
	seen.canary.Spec.Service.Name = "app"
	for name, c := range map[string]struct {
		rules []map[string]any
		want  int
	}{
		"above the user's":         {[]map[string]any{rule(9, backend("app", nil)), split}, 25},
		"below the user's":         {[]map[string]any{rule(11, backend("app", nil)), split}, -1},
		"others have no say":       {[]map[string]any{rule(11, backend("other", nil)), split}, 25},
		"a weight that is missing": {[]map[string]any{rule(0, backend("app-primary", nil), backend("app-canary", int64(300)))}, 75},
		"no rule":                  {nil, -1},
	} {
		routing := Routing{Split: Split{Canary: -1}} // as it was
		routing.obeyPriority(c.rules, seen)
		if routing.Split.Canary != c.want {
			t.Errorf("%s: %d %%, want %d", name, routing.Split.Canary, c.want)
		}
	}
}
