package metric_test

import (
	"testing"

	"github.com/penstock-dev/penstock/internal/metric"
)

const flux = `from(bucket: "default")
|> range(start: -1m)
|> filter(fn: (r) => r["destination_workload"] == "podinfo")
|> count()
`

func TestInfluxRequests(t *testing.T) {
	t.Parallel()
	requests(t, "influxdb", []question{
		{"secret", metric.Source{Address: "http://influxdb:8086/", Credentials: metric.Credentials{"org": "shop & co", "token": "hunter2==\n"}}, minutes(1, flux)},
		{"no-secret", metric.Source{Address: "http://influxdb:8086/flux?tenant=a"}, minutes(1, flux)},
	})
	refuses(t, "influxdb", map[string]refusal{
		"no address":    {metric.Source{}, flux, "address is empty; it must be a URL such as http://influxdb:8086"},
		"half a Secret": {metric.Source{Address: "http://i", Credentials: metric.Credentials{"token": "x"}}, flux, "the Secret lacks org; it must have the keys org, token"},
	})
	lints(t, "influxdb", map[string]string{flux: "", `from(bucket: "default")`: "query: it has no range()"})
}

func TestInfluxAnswers(t *testing.T) {
	t.Parallel()
	one := minutes(1, flux)
	answers(t, "influxdb", []reply{
		{"ok.csv", 200, one, metric.Number, 3, "", false},
		{"ok-long-range.csv", 200, one, metric.NoData, 0, "no data: the value is of 14:00:10 to 16:00:10, and the window begins at 15:59:10; use range(start: -{{ interval }})", false},
		{"windows.csv", 200, one, metric.Number, 2.5, "", false},
		{"windows-whole.csv", 200, one, metric.Number, 0.5, "", false},
		{"raw.csv", 200, one, metric.Number, 7, "", false},
		{"old.csv", 200, one, metric.NoData, 0, "no data: none of the points lies wholly within", false},
		{"nan.csv", 200, one, metric.NoData, 0, "no data: all points in the answer are empty", false},
		{"empty.csv", 200, one, metric.NoData, 0, "no data: the query answers no series", false},
		{"several.csv", 200, one, metric.Several, 0, "the query answers 2 series, one is expected: use group()", true},
		{"several-yields.csv", 200, one, metric.Several, 0, "the query answers 2 series, one is expected: use group()", true},
		{"infinite.csv", 200, one, metric.Unreadable, 0, "the query answers +Inf", false},
		{"text.csv", 200, one, metric.Unreadable, 0, "this is not an answer of InfluxDB", false},
		{"no-time.csv", 200, one, metric.Unreadable, 0, "this is not an answer of InfluxDB", false},
		{"partial.csv", 200, one, metric.Unreadable, 0, "the query failed: runtime error: memory limit exceeded", false},
		{"error.json", 400, one, metric.Unreadable, 0, "the server refused the query (HTTP 400): compilation failed: error at @1:6", true},
		{"unauthorized.json", 401, one, metric.Unreadable, 0, "HTTP 401: the server wants other credentials; it said: unauthorized access", false},
		{"throttled.json", 429, one, metric.Unreadable, 0, "HTTP 429: the server is asked too often; it said: org is over its read limit", false},
	})
}
