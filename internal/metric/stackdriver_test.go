package metric_test

import (
	"testing"

	"github.com/penstock-dev/penstock/internal/metric"
)

const mql = "fetch k8s_container\n| metric 'istio.io/service/server/request_count'\n| align delta(1m)\n| every 1m\n| within 1m\n| group_by [], [value: sum(value)]\n"

func TestStackdriverRequests(t *testing.T) {
	t.Parallel()
	run, account := metric.Credentials{"project": "shop\n"}, metric.Credentials{"project": "shop", "serviceAccountKey": "{}"}
	requests(t, "stackdriver", []question{
		{"service-account", metric.Source{Credentials: account}, minutes(1, mql)},
		{"account-of-the-run", metric.Source{Credentials: run}, minutes(1, mql)},
		{"address", metric.Source{Credentials: account, Address: "https://monitoring.example.com"}, minutes(1, mql)},
	})
	refuses(t, "stackdriver", map[string]refusal{
		"no Secret": {metric.Source{}, mql, "the Secret lacks project; it must have the keys project"},
		"the run's token to a stranger": {metric.Source{Credentials: run, Address: "https://monitoring.googleapis.com.example.com"}, mql,
			`address "https://monitoring.googleapis.com.example.com" is not one of Google's, and the run's own token is sent to no other; put a serviceAccountKey into the Secret`},
		"the run's token in the clear": {metric.Source{Credentials: run, Address: "http://monitoring.googleapis.com"}, mql,
			`address "http://monitoring.googleapis.com" is not one of Google's, and the run's own token is sent to no other; put a serviceAccountKey into the Secret`},
	})
	lints(t, "stackdriver", map[string]string{mql: "", "fetch a": "query: it has no window"})
}

func TestStackdriverAnswers(t *testing.T) {
	t.Parallel()
	one := minutes(1, mql)
	answers(t, "stackdriver", []reply{
		{"ok.json", 200, one, metric.Number, 2.5, "", false},
		{"integer.json", 200, one, metric.Number, 42, "", false},
		{"gauge.json", 200, one, metric.Number, 7, "", false},
		{"old.json", 200, one, metric.NoData, 0, "no data: none of the points lies wholly within", false},
		{"long.json", 200, one, metric.NoData, 0, "no data: none of the points lies wholly within the window from 15:59:10 to 16:00:10; the newest is of 15:55:10 to 16:00:10: with points of 5m0s", false},
		{"nan.json", 200, one, metric.NoData, 0, "no data: all points in the answer are empty", false},
		{"infinite.json", 200, one, metric.Unreadable, 0, "the query answers +Inf", false},
		{"empty.json", 200, one, metric.NoData, 0, "no data: the query answers no series", false},
		{"several.json", 200, one, metric.Several, 0, "the query answers 2 series, one is expected: use group_by", true},
		{"paged.json", 200, one, metric.Several, 0, "the query answers 2 series, one is expected: use group_by", true},
		{"partial.json", 200, one, metric.Unreadable, 0, "the answer is not complete: one zone did not answer", false},
		{"two-values.json", 200, one, metric.Unreadable, 0, "this is not an answer of Cloud Monitoring", false},
		{"error.json", 400, one, metric.Unreadable, 0, "the server refused the query (HTTP 400): Query contains errors", true},
		{"unauthorized.json", 401, one, metric.Unreadable, 0, "HTTP 401: the server wants other credentials; it said: Request had invalid authentication credentials.", false},
		{"throttled.json", 429, one, metric.Unreadable, 0, "HTTP 429: the server is asked too often; it said: Quota exceeded", false},
	})
}
