package metric_test

import (
	"testing"

	"github.com/penstock-dev/penstock/internal/metric"
)

const graphiteQuery = `
target=asPercent(
  sumSeries(stats.podinfo.*.5xx),
  sumSeries(stats.podinfo.*.total)
)&cacheTimeout=0&from=-1h
`

func TestGraphiteRequests(t *testing.T) {
	t.Parallel()
	requests(t, "graphite", []question{
		{"plain", metric.Source{Address: "http://graphite:8080"}, minutes(1, graphiteQuery)},
		{"prefix-and-password", metric.Source{Address: "https://example.com/graphite/?tenant=a", Credentials: metric.Credentials{"username": "u", "password": "hunter2\n"}}, minutes(2, "target=a.b")},
		{"password-in-address", metric.Source{Address: "http://u:hunter2@graphite"}, minutes(1, "target=a.b")},
	})
	refuses(t, "graphite", map[string]refusal{
		"no address":    {metric.Source{}, "target=a", "address is empty; it must be a URL such as http://graphite:8080"},
		"half a Secret": {metric.Source{Address: "http://g", Credentials: metric.Credentials{"username": "u"}}, "target=a", "the Secret lacks password; it must have the keys username, password"},
		"no target":     {metric.Source{Address: "http://g"}, "a.b", "query: it has 0 targets; one is expected, such as target=sumSeries(a.*)"},
	})
	lints(t, "graphite", map[string]string{
		graphiteQuery:           "",
		"target=":               "query: its target is empty",
		"target=a&target=b":     "query: it has 2 targets",
		"target=alias(a,'50%')": "query: it is not the query of a URL",
	})
}

func TestGraphiteAnswers(t *testing.T) {
	t.Parallel()
	one := minutes(1, graphiteQuery)
	answers(t, "graphite", []reply{
		{"ok.json", 200, one, metric.Number, 2.5, "", false},
		{"gaps.json", 200, one, metric.Number, 3, "", false},
		{"coarse.json", 200, minutes(2, ""), metric.Number, 4, "", false},
		{"coarse.json", 200, one, metric.NoData, 0, "no data: none of the points lies wholly within the window from 15:59:10 to 16:00:10; the newest is of 16:00:00 to 16:01:00: with points of 1m0s", false},
		{"old.json", 200, one, metric.NoData, 0, "no data: none of the points lies wholly within", false},
		{"nan.json", 200, one, metric.NoData, 0, "no data: all points in the answer are empty", false},
		{"single.json", 200, one, metric.NoData, 0, "no data: there is one point within twice the interval", false},
		{"empty.json", 200, one, metric.NoData, 0, "no data: the query answers no series", false},
		{"no-points.json", 200, one, metric.NoData, 0, "no data: the query answers no points", false},
		{"several.json", 200, one, metric.Several, 0, "the query answers 2 series, one is expected: use sumSeries()", true},
		{"infinite.json", 200, one, metric.Unreadable, 0, "this is not an answer of Graphite", false},
		{"partial.json", 200, one, metric.Unreadable, 0, "this is not an answer of Graphite", false},
		{"short.json", 200, one, metric.Unreadable, 0, "this is not an answer of Graphite", false},
		{"error.txt", 400, one, metric.Unreadable, 0, "the server refused the query (HTTP 400): Invalid target", true},
		{"error.txt", 500, one, metric.Unreadable, 0, "HTTP 500: Invalid target", false},
		{"throttled.txt", 429, one, metric.Unreadable, 0, "HTTP 429: the server is asked too often; it said: too many requests", false},
	})
}
