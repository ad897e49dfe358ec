package metric_test

import (
	"testing"

	"github.com/penstock-dev/penstock/internal/metric"
)

const nrql = "SELECT filter(count(*), WHERE httpResponseCode LIKE '5%') / count(*) * 100\nFROM Transaction WHERE appName = 'podinfo'\n"

func TestNewRelicRequests(t *testing.T) {
	t.Parallel()
	keys := metric.Credentials{"newrelic_account_id": "51312", "newrelic_query_key": "hunter2\n"}
	requests(t, "newrelic", []question{
		{"default-address", metric.Source{Credentials: keys}, minutes(1, nrql)},
		{"address", metric.Source{Address: "https://insights-api.eu.newrelic.com", Credentials: keys}, minutes(5, nrql)},
		{"odd-account", metric.Source{Credentials: metric.Credentials{"newrelic_account_id": "../1?x", "newrelic_query_key": "k"}}, minutes(1, nrql)},
	})
	refuses(t, "newrelic", map[string]refusal{
		"no Secret": {metric.Source{}, nrql, "the Secret lacks newrelic_account_id, newrelic_query_key; it must have the keys newrelic_account_id, newrelic_query_key"},
	})
}

func TestNewRelicQueriesLeaveTheWindowOut(t *testing.T) {
	t.Parallel()
	lints(t, "newrelic", map[string]string{
		nrql: "",
		"SELECT average(duration) FROM Transaction WHERE name = 'since until facet'": "",
		"SELECT average(`since`) FROM Transaction":                                   "",
		"SELECT average(duration) FROM Transaction since 5 minutes ago":              "query: leave out since: the window",
		"SELECT average(duration) FROM Transaction UNTIL now":                        "query: leave out UNTIL: the window",
		"SELECT average(duration) FROM Transaction FACET host":                       "query: leave out FACET: it makes several numbers",
		"SELECT average(duration) FROM Transaction Timeseries":                       "query: leave out Timeseries: it makes several numbers",
	})
}

func TestNewRelicAnswers(t *testing.T) {
	t.Parallel()
	one := minutes(1, nrql)
	answers(t, "newrelic", []reply{
		{"ok.json", 200, one, metric.Number, 99.5, "", false},
		{"percentile.json", 200, one, metric.Number, 0.25, "", false},
		{"old.json", 200, one, metric.NoData, 0, "no data: the answer is of 15:00:10 to 16:00:10, and the window begins at 15:59:10", false},
		{"nan.json", 200, one, metric.NoData, 0, "no data: the query answers null", false},
		{"empty.json", 200, one, metric.NoData, 0, "no data: the query answers no results", false},
		{"several.json", 200, one, metric.Several, 0, "the query answers 2 series, one is expected: select one value", true},
		{"percentiles.json", 200, one, metric.Several, 0, "the query answers 2 series, one is expected: select one value, such as one percentile", true},
		{"text.json", 200, one, metric.Unreadable, 0, "this is not an answer of New Relic: {", false},
		{"partial.json", 200, one, metric.Unreadable, 0, "this is not an answer of New Relic: {", false},
		{"error.json", 200, one, metric.Unreadable, 0, "the server refused the query: NRQL Syntax Error", true},
		{"error.json", 400, one, metric.Unreadable, 0, "the server refused the query (HTTP 400): NRQL Syntax Error", true},
		{"error.json", 403, one, metric.Unreadable, 0, "HTTP 403: the server wants other credentials", false},
		{"throttled.json", 429, one, metric.Unreadable, 0, "HTTP 429: the server is asked too often; it said: Query limit reached", false},
	})
}
