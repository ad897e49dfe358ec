package metric_test

import (
	"testing"

	"github.com/penstock-dev/penstock/internal/metric"
)

const datadogQuery = `sum:trace.http.request.errors{service:podinfo,env:a&b}.as_count()`

var datadogKeys = metric.Credentials{"datadog_api_key": "hunter1\n", "datadog_application_key": "hunter2"}

func TestDatadogRequests(t *testing.T) {
	t.Parallel()
	requests(t, "datadog", []question{
		{"default-address", metric.Source{Credentials: datadogKeys}, minutes(2, datadogQuery)},
		{"address", metric.Source{Address: "https://api.datadoghq.eu/", Headers: map[string][]string{"x-team": {"shop"}}, Credentials: datadogKeys}, minutes(1, datadogQuery)},
	})
	refuses(t, "datadog", map[string]refusal{
		"no Secret":         {metric.Source{}, "x", "the Secret lacks datadog_api_key, datadog_application_key; it must have the keys datadog_api_key, datadog_application_key"},
		"half a Secret":     {metric.Source{Credentials: metric.Credentials{"datadog_api_key": "x", "datadog_application_key": "\n"}}, "x", "the Secret lacks datadog_application_key; it must have the keys datadog_api_key, datadog_application_key"},
		"no URL":            {metric.Source{Address: "datadog", Credentials: datadogKeys}, "x", `address "datadog" is not an http or https URL such as https://api.datadoghq.eu`},
		"a user in the URL": {metric.Source{Address: "https://u:hunter3@dd", Credentials: datadogKeys}, "x", `address "https://u:xxxxx@dd" holds a user; credentials belong into the Secret of secretRef`},
	})
}

func TestDatadogAnswers(t *testing.T) {
	t.Parallel()
	two := minutes(2, datadogQuery)
	answers(t, "datadog", []reply{
		{"ok.json", 200, two, metric.Number, 1.25, "", false},
		{"gaps.json", 200, two, metric.Number, 2.5, "", false},
		{"coarse.json", 200, two, metric.Number, 8, "", false},
		{"coarse.json", 200, minutes(1, ""), metric.NoData, 0, "no data: none of the points lies wholly within the window from 15:59:10 to 16:00:10; the newest is of 16:00:00 to 16:01:00: with points of 1m0s, the metric's interval must be at least 2m0s", false},
		{"old.json", 200, two, metric.NoData, 0, "no data: none of the points lies wholly within the window from 15:58:10 to 16:00:10; the newest is of 15:50:20 to 15:50:40", false},
		{"nan.json", 200, two, metric.NoData, 0, "no data: all points in the answer are empty", false},
		{"no-points.json", 200, two, metric.NoData, 0, "no data: the query answers no points", false},
		{"empty.json", 200, two, metric.NoData, 0, "no data: the query answers no series", false},
		{"several.json", 200, two, metric.Several, 0, `the query answers 2 series, one is expected: leave out "by", or sum() them`, true},
		{"short.json", 200, two, metric.Unreadable, 0, "this is not an answer of Datadog: {", false},
		{"no-interval.json", 200, two, metric.Unreadable, 0, "this is not an answer of Datadog: {", false},
		{"error.json", 200, two, metric.Unreadable, 0, "the server refused the query: Rule 'scope_expr' didn't match", true},
		{"bad-query.json", 400, two, metric.Unreadable, 0, "the server refused the query (HTTP 400): Error parsing query: unable to parse foo{", true},
		{"forbidden.json", 403, two, metric.Unreadable, 0, "HTTP 403: the server wants other credentials; it said: Forbidden", false},
		{"throttled.json", 429, two, metric.Unreadable, 0, "HTTP 429: the server is asked too often; it said: Rate limit of 300 requests", false},
		{"ok.json", 500, two, metric.Unreadable, 0, "HTTP 500: {", false},
	})
}
