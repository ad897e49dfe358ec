package traffic

import (
	"fmt"
	"regexp"
	"time"

	"github.com/penstock-dev/penstock/internal/canary"
)

// routeTimeouts returns the timeouts that spec.service asks for.
func routeTimeouts(c *canary.Canary) (map[string]any, []string) {
	timeouts := map[string]any{}
	var problems []string
	for _, t := range []struct{ path, field, value string }{
		{"spec.service.timeout", "request", c.Spec.Service.Timeout},
		{"spec.service.backendTimeout", "backendRequest", c.Spec.Service.BackendTimeout},
	} {
		if t.value == "" {
			continue
		}
		value, ok := routeDuration(t.value)
		if !ok {
			problems = append(problems, fmt.Sprintf("%s: %q cannot be said in an HTTPRoute, which takes whole h, m, s and ms", t.path, t.value))
			continue
		}
		timeouts[t.field] = value
	}
	return timeouts, problems
}

// gatewayDuration is how the Gateway API writes durations (GEP-2257).
var gatewayDuration = regexp.MustCompile(`^([0-9]{1,5}(h|m|s|ms)){1,4}$`)

// routeDuration returns a duration as an HTTPRoute takes it: 1.5s is 1s500ms.
func routeDuration(value string) (string, bool) {
	if gatewayDuration.MatchString(value) {
		return value, true
	}
	d, err := time.ParseDuration(value)
	if err != nil || d < 0 || d%time.Millisecond != 0 {
		return "", false
	}
	written := ""
	for _, unit := range []struct {
		name string
		size time.Duration
	}{{"h", time.Hour}, {"m", time.Minute}, {"s", time.Second}, {"ms", time.Millisecond}} {
		if n := d / unit.size; n > 0 {
			written += fmt.Sprintf("%d%s", n, unit.name)
			d %= unit.size
		}
	}
	written = or(written, "0s")
	return written, gatewayDuration.MatchString(written)
}
