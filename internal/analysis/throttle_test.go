package analysis_test

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/penstock-dev/penstock/internal/analysis"
	"github.com/penstock-dev/penstock/internal/metric"
	"github.com/penstock-dev/penstock/internal/rollout"
)

const pointOfDatadog = `{"status":"ok","series":[{"interval":10,"pointlist":[[1764000000000,99.5]]}]}`

func TestAServerThatSaysWhenIsNotAskedBefore(t *testing.T) {
	t.Parallel()
	began := time.Unix(1764000010, 0).UTC()
	datadog := func(address string) metric.Check {
		c := withSecret(address)
		c.Provider = "datadog"
		return c
	}
	for _, c := range []struct {
		name    string
		check   func(address string) metric.Check
		status  int
		header  http.Header
		took    time.Duration
		asked   int32
		verdict rollout.Verdict
		message string
	}{
		{"seconds", datadog, 429, http.Header{"Retry-After": {"7"}}, 7 * time.Second, 2, rollout.Pass, "success: 99.50 %"},
		{"a date", datadog, 503, http.Header{"Retry-After": {began.Add(9 * time.Second).Format(http.TimeFormat)}}, 9 * time.Second, 2, rollout.Pass, "success: 99.50 %"},
		{"Datadog's own header", datadog, 429, http.Header{"X-Ratelimit-Reset": {"12"}}, 12 * time.Second, 2, rollout.Pass, "success: 99.50 %"},
		{"Datadog's own header with nonsense", datadog, 429, http.Header{"X-Ratelimit-Reset": {"-1"}}, 100 * time.Millisecond, 2, rollout.Pass, "success: 99.50 %"},
		{"another one's header", check, 429, http.Header{"X-Ratelimit-Reset": {"12"}}, 100 * time.Millisecond, 2, rollout.Pass, "success: 99.50 %"},
		{"nothing", datadog, 429, nil, 100 * time.Millisecond, 2, rollout.Pass, "success: 99.50 %"},
		{"longer than the check has", datadog, 429, http.Header{"Retry-After": {"300"}}, 0, 1, rollout.Error,
			"success: HTTP 429: the server is asked too often; it said: wait; it may be asked again in 5m0s, and the check has 30s in all"},
		{"an answer that is no refusal", datadog, 404, http.Header{"Retry-After": {"300"}}, time.Second, 2, rollout.Pass, "success: 99.50 %"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var asked atomic.Int32
			k := c.check(serve(t, func(w http.ResponseWriter, r *http.Request) {
				if asked.Add(1) == 1 {
					for name, values := range c.header {
						w.Header()[name] = values
					}
					answer(c.status, `{"errors":["wait"]}`)(w, r)
					return
				}
				if strings.HasPrefix(r.URL.Path, "/api/v1/query") && r.URL.Query().Has("from") {
					answer(200, pointOfDatadog)(w, r)
					return
				}
				answer(200, one)(w, r)
			}))
			watch := &hasty{now: began}
			a := analyst(t, analysis.Config{
				Checks: []metric.Check{k}, Clock: watch, Interval: time.Minute,
				Credentials: holding(metric.Credentials{"datadog_api_key": "a", "datadog_application_key": "b"}),
			})
			got := a.Check(t.Context(), began)[0]
			if got.Verdict != c.verdict || !strings.HasPrefix(got.Message, c.message) {
				t.Errorf("got %v %q, want %v %q", got.Verdict, got.Message, c.verdict, c.message)
			}
			if took := watch.Since(began); took != c.took || asked.Load() != c.asked {
				t.Errorf("asked %d times within %s, want %d within %s", asked.Load(), took, c.asked, c.took)
			}
		})
	}
}
