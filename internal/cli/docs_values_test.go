package cli

import (
	"strings"
	"testing"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/traffic"
)

// Every value that a field of a canary may have is in the page about it.
func TestThePagesNameEveryRouterProviderAlertAndHook(t *testing.T) {
	t.Parallel()
	var hooks []string
	for _, hook := range canary.HookTypes() {
		hooks = append(hooks, string(hook))
	}
	for name, values := range map[string][]string{
		"routers.md": traffic.List(), "metrics.md": canary.MetricProviders(), "alerts.md": canary.AlertProviders(), "hooks.md": hooks,
	} {
		text := page(t, name).text
		for _, value := range values {
			if !strings.Contains(text, "| `"+value+"`") && !strings.Contains(text, ", `"+value+"`") {
				t.Errorf("no table of %s has a row for %s", name, value)
			}
		}
	}
}
