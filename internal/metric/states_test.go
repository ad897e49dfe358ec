package metric_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/penstock-dev/penstock/internal/metric"
)

// given is a recorded answer of a provider, and what it must come to.
type given struct {
	file   string
	status int     // 0: 200
	want   float64 // of a number
	says   string  // in the message
	asks   string  // in the request, for a provider that has the window cut out by the server: then there is no file
}

// state is what every provider can be found in.
type state struct {
	name    string
	outcome []metric.Outcome // any of these
}

var states = []state{
	{"ok", []metric.Outcome{metric.Number}},
	{"empty", []metric.Outcome{metric.NoData}},
	{"nan", []metric.Outcome{metric.NoData}},
	// Partial is the service's own sign that data is missing, which is no answer; or a newest point that is not over yet,
	// in place of which the newest whole one is read.
	{"partial", []metric.Outcome{metric.Unreadable, metric.Number}},
	{"error", []metric.Outcome{metric.Unreadable}},
	{"throttled", []metric.Outcome{metric.Unreadable}},
	{"before", []metric.Outcome{metric.NoData}}, // only points from before the canary had traffic
	{"newest", []metric.Outcome{metric.Number}}, // the newest whole point of several
}

// givens are the recorded answers by provider and state, and the question that they answer.
var givens = map[string]struct {
	query  metric.Query
	source metric.Source
	of     map[string]given
}{
	"prometheus": {query: minutes(1, "sum(increase(x[1m]))"), source: metric.Source{Address: "http://p"}, of: map[string]given{
		"ok": {file: "one.json", want: 99.25}, "empty": {file: "empty.json"}, "nan": {file: "nan.json"},
		"partial":   {file: "partial-thanos.json", says: "receive series"},
		"error":     {file: "bad-query.json", status: 400, says: "parse error"},
		"throttled": {file: "throttled.txt", status: 429},
		// The window is in the query, and ends at the server's own time, since none is sent.
		"before": {asks: "http://p/api/v1/query?query=sum(increase(x[1m]))\n"}, "newest": {asks: "http://p/api/v1/query?query=sum(increase(x[1m]))\n"},
	}},
	"datadog": {query: minutes(2, datadogQuery), of: map[string]given{
		"ok": {file: "gaps.json", want: 2.5}, "empty": {file: "empty.json"}, "nan": {file: "nan.json"},
		"partial":   {file: "ok.json", want: 1.25}, // the last one is still growing
		"error":     {file: "error.json", says: "Rule 'scope_expr' didn't match"},
		"throttled": {file: "throttled.json", status: 429}, "before": {file: "old.json"}, "newest": {file: "ok.json", want: 1.25},
	}},
	"cloudwatch": {query: minutes(2, cloudwatchQuery), of: map[string]given{
		"ok": {file: "ok.json", want: 0.5}, "empty": {file: "empty.json"}, "nan": {file: "nan.json"},
		"partial": {file: "partial.json", says: "PartialData"}, "error": {file: "error.json", status: 400, says: "Unmatched parentheses"},
		"throttled": {file: "throttled.json", status: 400}, "before": {file: "old.json"}, "newest": {file: "ok.json", want: 0.5},
	}},
	"newrelic": {
		query: minutes(1, nrql), source: metric.Source{Credentials: metric.Credentials{"newrelic_account_id": "1", "newrelic_query_key": "x"}},
		of: map[string]given{
			"ok": {file: "ok.json", want: 99.5}, "empty": {file: "empty.json"}, "nan": {file: "nan.json"},
			"partial": {file: "partial.json", says: "not an answer of New Relic"}, // it was cut off: the API has no sign of its own
			"error":   {file: "error.json", status: 400, says: "NRQL Syntax Error"}, "throttled": {file: "throttled.json", status: 429},
			"before": {file: "old.json"}, "newest": {asks: "SINCE 1763999950000 UNTIL 1764000010000"},
		},
	},
	"graphite": {query: minutes(1, graphiteQuery), of: map[string]given{
		"ok": {file: "gaps.json", want: 3}, "empty": {file: "empty.json"}, "nan": {file: "nan.json"},
		"partial": {file: "ok.json", want: 2.5}, "error": {file: "error.txt", status: 400, says: "Invalid target"},
		"throttled": {file: "throttled.txt", status: 429}, "before": {file: "old.json"}, "newest": {file: "ok.json", want: 2.5},
	}},
	"influxdb": {query: minutes(1, flux), of: map[string]given{
		"ok": {file: "ok.csv", want: 3}, "empty": {file: "empty.csv"}, "nan": {file: "nan.csv"},
		"partial": {file: "partial.csv", says: "memory limit exceeded"}, "error": {file: "error.json", status: 400, says: "compilation failed"},
		"throttled": {file: "throttled.json", status: 429}, "before": {file: "old.csv"}, "newest": {file: "windows.csv", want: 2.5},
	}},
	"stackdriver": {query: minutes(1, mql), of: map[string]given{
		"ok": {file: "integer.json", want: 42}, "empty": {file: "empty.json"}, "nan": {file: "nan.json"},
		"partial": {file: "partial.json", says: "one zone did not answer"}, "error": {file: "error.json", status: 400, says: "Query contains errors"},
		"throttled": {file: "throttled.json", status: 429}, "before": {file: "old.json"}, "newest": {file: "ok.json", want: 2.5},
	}},
	"dynatrace": {
		query: minutes(2, dynatraceQuery), source: metric.Source{Address: "https://d", Credentials: metric.Credentials{"dynatrace_token": "x"}},
		of: map[string]given{
			"ok": {file: "ok.json", want: 321.5}, "empty": {file: "empty.json"}, "nan": {file: "nan.json"},
			"partial": {file: "partial.json", says: "not an answer of Dynatrace"}, // times without values
			"error":   {file: "error.json", status: 400, says: "Constraints violated"}, "throttled": {file: "throttled.json", status: 429},
			"before": {file: "old.json"}, "newest": {asks: "from=1763999940000&metricSelector=" + dynatraceQuery + "&resolution=Inf&to=1764000000000"},
		},
	},
	"splunk": {query: minutes(1, signalFlow), of: map[string]given{
		"ok": {file: "ok.txt", want: 98.5}, "empty": {file: "empty.txt"}, "nan": {file: "nan.txt"},
		"partial": {file: "limited.txt", says: "more series match"}, "error": {file: "failed.txt", says: "Unable to compile"},
		"throttled": {file: "throttled.json", status: 429}, "before": {file: "old.txt"}, "newest": {file: "ok.txt", want: 98.5},
	}},
	"keptn": {query: minutes(1, keptnQuery), of: map[string]given{
		"ok": {file: "ok.json", want: 0.25}, "empty": {file: "empty.json"}, "nan": {file: "nan.json"},
		"partial": {file: "failing.json", says: "client error: 503"}, "error": {file: "error.json", status: 404, says: "not found"},
		"throttled": {file: "throttled.json", status: 429}, "before": {file: "old.json"}, "newest": {file: "ok.json", want: 0.25}, // there is only one
	}},
	"externalmetrics": {query: minutes(1, externalQuery), of: map[string]given{
		"ok": {file: "ok.json", want: 99.5}, "empty": {file: "empty.json"}, "nan": {file: "nan.json"},
		"partial": {file: "partial.json", says: "not an answer of the external metrics API"}, // no time of the value
		"error":   {file: "error.json", status: 404, says: "could not find the requested resource"}, "throttled": {file: "throttled.json", status: 429},
		"before": {file: "old.json"}, "newest": {file: "windowed.json", want: 0.25},
	}},
}

func TestEveryProviderHasAnAnswerForEveryState(t *testing.T) {
	t.Parallel()
	for _, kind := range metric.Providers() {
		if provider(t, kind).Needs.Run {
			continue // the run answers itself
		}
		for _, s := range states {
			t.Run(kind+" "+s.name, func(t *testing.T) {
				t.Parallel()
				g, ok := givens[kind].of[s.name]
				if !ok {
					t.Fatal("there is no such answer in the table")
				}
				if g.asks != "" {
					asksFor(t, kind, g.asks)
					return
				}
				finds(t, kind, s, g)
			})
		}
	}
}

// finds holds an answer to its state.
func finds(t *testing.T, kind string, s state, g given) {
	t.Helper()
	if g.status == 0 {
		g.status = 200
	}
	a := provider(t, kind).Parse(givens[kind].query, g.status, read(t, kind+"/answers/"+g.file))
	known := false
	for _, one := range s.outcome {
		known = known || a.Outcome == one
	}
	number := a.Outcome == metric.Number
	if !known || a.Value != g.want || number != (a.Message == "") || number && g.want == 0 || !strings.Contains(a.Message, g.says) {
		t.Errorf("got %v %v %q, want one of %v, %v and %q", a.Outcome, a.Value, a.Message, s.outcome, g.want, g.says)
	}
	switch {
	case s.name == "throttled" && (a.Lasting || !strings.Contains(a.Message, "asked too often")):
		t.Errorf("got %q (lasting: %t)", a.Message, a.Lasting)
	case s.name == "partial" && !number && (a.Lasting || g.says == ""):
		t.Errorf("got %q (lasting: %t): what is missing may come", a.Message, a.Lasting)
	case s.name == "error" && g.says == "":
		t.Error("the table does not tell the service's own words")
	}
}

// asksFor holds a request to the window that it asks for.
func asksFor(t *testing.T, kind, want string) {
	t.Helper()
	r, err := provider(t, kind).Request(givens[kind].source, givens[kind].query)
	if err != nil {
		t.Fatal(err)
	}
	text, err := url.QueryUnescape(r.URL)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(text+"\n", want) {
		t.Errorf("it asks %q, without %q", text, want)
	}
}
