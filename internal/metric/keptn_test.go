package metric_test

import (
	"testing"

	"github.com/penstock-dev/penstock/internal/metric"
)

const keptnQuery = "keptnmetric/my-namespace/response-time/2m/reporter=destination\n"

func TestKeptnRequests(t *testing.T) {
	t.Parallel()
	requests(t, "keptn", []question{
		{"cluster", metric.Source{}, minutes(1, keptnQuery)},
		{"address-and-token", metric.Source{Address: "https://kubernetes.example.com:6443", Credentials: metric.Credentials{"token": "hunter2"}}, minutes(1, "KeptnMetrics/a/b")},
	})
	lints(t, "keptn", map[string]string{
		keptnQuery:              "",
		"analysis/test/x/1m":    "query: an Analysis is not supported",
		"keptnmetric/test":      "query: it must name a KeptnMetric with its namespace",
		"metric/test/x":         "query: it must name a KeptnMetric with its namespace",
		"keptnmetric/../x":      `query: the namespace ".." is not a name`,
		"keptnmetric/test/A b":  `query: the KeptnMetric "A b" is not a name`,
		"keptnmetric/test//x/1": `query: the KeptnMetric "" is not a name`,
	})
}

func TestKeptnAnswers(t *testing.T) {
	t.Parallel()
	one := minutes(1, keptnQuery)
	answers(t, "keptn", []reply{
		{"ok.json", 200, one, metric.Number, 0.25, "", false},
		{"old.json", 200, one, metric.NoData, 0, "no data: none of the points lies wholly within the window from 15:59:10 to 16:00:10; the newest is of 15:50:00", false},
		{"nan.json", 200, one, metric.NoData, 0, "no data: all points in the answer are empty", false},
		{"empty.json", 200, one, metric.NoData, 0, "no data: Keptn has not read the metric yet", false},
		{"failing.json", 200, one, metric.Unreadable, 0, "Keptn could not read the metric: client error: 503", false},
		{"partial.json", 200, one, metric.Unreadable, 0, "this is not an answer of Keptn", false},
		{"text.json", 200, one, metric.Unreadable, 0, "this is not an answer of Keptn", false},
		{"another-kind.json", 200, one, metric.Unreadable, 0, "this is not an answer of Keptn", false},
		{"error.json", 404, one, metric.Unreadable, 0, `HTTP 404: keptnmetrics.metrics.keptn.sh "response-time" not found`, false},
		{"throttled.json", 429, one, metric.Unreadable, 0, "HTTP 429: the server is asked too often; it said: too many requests", false},
	})
}
