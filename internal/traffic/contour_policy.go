package traffic

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/penstock-dev/penstock/internal/canary"
)

// contourDuration is how an HTTPProxy writes durations.
var contourDuration = regexp.MustCompile(`^((\d+(\.\d*)?|\.\d+)(h|m|s|ms|us|µs|ns))+$`)

// contourRetries are the failures that an HTTPProxy can name, of Contour 1.33.
var contourRetries = []string{
	"5xx", "gateway-error", "reset", "reset-before-request", "connect-failure", "envoy-ratelimited", "retriable-4xx", "refused-stream",
	"retriable-status-codes", "retriable-headers", "http3-post-connect-failure", "cancelled", "deadline-exceeded", "internal",
	"resource-exhausted", "unavailable",
}

// contourPolicies returns the timeouts and the retries that spec.service asks for, by the field of a route.
func contourPolicies(c *canary.Canary) (map[string]map[string]any, []string) {
	policies := map[string]map[string]any{}
	var problems []string
	duration := func(path, value string) string {
		if !contourDuration.MatchString(value) {
			problems = append(problems, fmt.Sprintf("%s: %q is not a duration of an HTTPProxy, such as 1m30s", path, value))
		}
		return value
	}
	if value := c.Spec.Service.Timeout; value != "" {
		policies["timeoutPolicy"] = map[string]any{"response": duration("spec.service.timeout", value)}
	}
	retries := c.Spec.Service.Retries
	if retries == nil {
		return policies, problems
	}
	retry := map[string]any{"count": int64(retries.Attempts)}
	if retries.Attempts == 0 { // which Contour takes for 1
		retry["count"] = int64(-1)
	}
	if value := retries.PerTryTimeout; value != "" {
		retry["perTryTimeout"] = duration("spec.service.retries.perTryTimeout", value)
	}
	var on []string
	for _, name := range strings.Split(retries.RetryOn, ",") {
		switch name = strings.TrimSpace(name); {
		case name == "":
		case slices.Contains(contourRetries, name):
			on = append(on, name)
		default:
			problems = append(problems, fmt.Sprintf("spec.service.retries.retryOn: %q is unknown to an HTTPProxy; it knows %s", name, strings.Join(contourRetries, ", ")))
		}
	}
	if on != nil {
		retry["retryOn"] = texts(on)
	}
	policies["retryPolicy"] = retry
	return policies, problems
}
