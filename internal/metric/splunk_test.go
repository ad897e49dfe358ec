package metric_test

import (
	"testing"

	"github.com/penstock-dev/penstock/internal/metric"
)

const signalFlow = "total = data('http.server.duration_count', filter=filter('service.name', 'podinfo')).sum().publish(enable=False)\n(total / total * 100).publish()\n"

func TestSplunkRequests(t *testing.T) {
	t.Parallel()
	keys := metric.Credentials{"sf_token_key": "hunter2\n"}
	requests(t, "splunk", []question{
		{"api", metric.Source{Address: "https://api.us1.signalfx.com", Credentials: keys}, minutes(1, signalFlow)},
		{"stream", metric.Source{Address: "wss://stream.us1.signalfx.com", Credentials: keys}, minutes(1, signalFlow)},
	})
	refuses(t, "splunk", map[string]refusal{
		"no address": {metric.Source{Credentials: keys}, signalFlow, "address is empty; it must be a URL such as https://api.us1.signalfx.com"},
		"no Secret":  {metric.Source{Address: "https://api.us1.signalfx.com"}, signalFlow, "the Secret lacks sf_token_key; it must have the keys sf_token_key"},
	})
	lints(t, "splunk", map[string]string{signalFlow: "", "data('a').sum()": "query: it publishes nothing"})
}

func TestSplunkAnswers(t *testing.T) {
	t.Parallel()
	one := minutes(1, signalFlow)
	answers(t, "splunk", []reply{
		{"ok.txt", 200, one, metric.Number, 98.5, "", false},
		{"coarse.txt", 200, one, metric.NoData, 0, "no data: none of the points lies wholly within", false},
		{"old.txt", 200, one, metric.NoData, 0, "no data: none of the points lies wholly within", false},
		{"nan.txt", 200, one, metric.NoData, 0, "no data: all points in the answer are empty", false},
		{"empty.txt", 200, one, metric.NoData, 0, "no data: the program publishes no values", false},
		{"several.txt", 200, one, metric.Several, 0, "the query answers 2 series, one is expected: use sum()", true},
		{"partial.txt", 200, one, metric.Unreadable, 0, "the answer is cut off", false},
		{"limited.txt", 200, one, metric.Unreadable, 0, "the answer is not complete: more series match than", false},
		{"garbled.txt", 200, one, metric.Unreadable, 0, "this is not an answer of Splunk", false},
		{"no-time.txt", 200, one, metric.Unreadable, 0, "this is not an answer of Splunk", false},
		{"no-resolution.txt", 200, one, metric.Unreadable, 0, "the answer does not tell its resolution", false},
		{"failed.txt", 200, one, metric.Unreadable, 0, "the program failed: Unable to compile: no such function", false},
		{"aborted.txt", 200, one, metric.Unreadable, 0, "the program failed: the channel was aborted", false},
		{"error.json", 400, one, metric.Unreadable, 0, "the server refused the query (HTTP 400): Unexpected token", true},
		{"unauthorized.json", 401, one, metric.Unreadable, 0, "HTTP 401: the server wants other credentials; it said: Unauthorized", false},
		{"throttled.json", 429, one, metric.Unreadable, 0, "HTTP 429: the server is asked too often; it said: Too many jobs", false},
	})
}
