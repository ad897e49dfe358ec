package metric_test

import (
	"testing"
	"time"

	"github.com/penstock-dev/penstock/internal/metric"
)

const dynatraceQuery = `builtin:service.response.time:filter(eq(dt.entity.service,SERVICE-A)):percentile(95)`

func TestDynatraceRequests(t *testing.T) {
	t.Parallel()
	source := metric.Source{Address: "https://abc.live.dynatrace.com", Credentials: metric.Credentials{"dynatrace_token": "dt0c01.hunter2\n"}}
	managed := source
	managed.Address = "https://dt.example.com/e/env/"
	full := minutes(2, dynatraceQuery)
	full.Now = full.Now.Truncate(time.Minute)
	requests(t, "dynatrace", []question{
		{"two-minutes", source, minutes(2, dynatraceQuery)},
		{"five-minutes-managed", managed, minutes(5, dynatraceQuery)},
		{"on-the-minute", source, full},
	})
	source.Credentials = nil
	refuses(t, "dynatrace", map[string]refusal{
		"no address": {metric.Source{}, "x", "address is empty; it must be a URL such as https://abc12345.live.dynatrace.com"},
		"no Secret":  {source, "x", "the Secret lacks dynatrace_token; it must have the keys dynatrace_token"},
	})
	_, err := provider(t, "dynatrace").Request(managed, minutes(1, "x"))
	if want := "the window from 15:59:10 to 16:00:10 holds no whole minute; the metric's interval must be at least 2m0s"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestDynatraceAnswers(t *testing.T) {
	t.Parallel()
	two := minutes(2, dynatraceQuery)
	answers(t, "dynatrace", []reply{
		{"ok.json", 200, two, metric.Number, 321.5, "", false},
		{"old.json", 200, two, metric.NoData, 0, "no data: none of the points lies wholly within the window from 15:58:10 to 16:00:10; the newest is of 15:50:10", false},
		{"nan.json", 200, two, metric.NoData, 0, "no data: all points in the answer are empty", false},
		{"empty.json", 200, two, metric.NoData, 0, "no data: the query answers no series", false},
		{"no-points.json", 200, two, metric.NoData, 0, "no data: the query answers no points", false},
		{"several.json", 200, two, metric.Several, 0, "the query answers 2 series, one is expected: use :splitBy()", true},
		{"paged.json", 200, two, metric.Several, 0, "the query answers 2 series, one is expected: use :splitBy()", true},
		{"partial.json", 200, two, metric.Unreadable, 0, "this is not an answer of Dynatrace", false},
		{"error.json", 400, two, metric.Unreadable, 0, "the server refused the query (HTTP 400): Constraints violated.", true},
		{"unauthorized.json", 401, two, metric.Unreadable, 0, "HTTP 401: the server wants other credentials; it said: Token Authentication failed", false},
		{"throttled.json", 429, two, metric.Unreadable, 0, "HTTP 429: the server is asked too often; it said: Rate limit exceeded", false},
	})
}
