package metric_test

import (
	"testing"

	"github.com/penstock-dev/penstock/internal/metric"
)

func TestLoadRequests(t *testing.T) {
	t.Parallel()
	requests(t, "load", []question{{"figures", metric.Source{}, minutes(1, "p99")}})
	refuses(t, "load", map[string]refusal{
		"an address": {metric.Source{Address: "http://prometheus:9090"}, "p99", "address is set; the run itself is asked, so there is none"},
	})
	lints(t, "load", map[string]string{
		"p99": "", "success-rate": "", "rps checkout load": "",
		"p98": `query: "p98" is no figure of a load; it is one of error-rate, fastest, mean, p10, p25, p50, p75, p90, p95, p99, requests, rps, ` +
			`slowest, success-rate, unanswered, and after it the name of a webhook where several make load`,
	})
}

func TestLoadAnswers(t *testing.T) {
	t.Parallel()
	of := func(text string) metric.Query { return minutes(1, text) }
	answers(t, "load", []reply{
		{"ok.json", 200, of("success-rate"), metric.Number, 89.1, "", false},
		{"ok.json", 200, of("requests"), metric.Number, 1000, "", false},
		{"ok.json", 200, of("unanswered"), metric.Number, 10, "", false},
		{"ok.json", 200, of("rps"), metric.Number, 99.5, "", false},
		{"ok.json", 200, of("p99"), metric.Number, 48, "", false},
		{"ok.json", 200, of("mean load"), metric.Number, 12.5, "", false},
		{"ok.json", 200, of("p10"), metric.NoData, 0, "no data: no request of the load was answered, or too few to tell", false},
		{"ok.json", 200, of("mean other"), metric.NoData, 0, `no data: the webhook "other" made no load in this window`, false},
		{"unanswered.json", 200, of("success-rate"), metric.Number, 0, "", false},
		{"unanswered.json", 200, of("error-rate"), metric.Number, 100, "", false},
		{"unanswered.json", 200, of("p99"), metric.NoData, 0, "no data: no request of the load was answered, or too few to tell", false},
		{"calls.json", 200, of("success-rate"), metric.Number, 94, "", false},
		{"calls.json", 200, of("unanswered"), metric.Number, 2, "", false},
		{"empty.json", 200, of("rps"), metric.NoData, 0, "no data: no load ended in this window", false},
		{"several.json", 200, of("rps"), metric.Several, 0, `2 webhooks made load; name one, such as "rps browse"`, true},
		{"several.json", 200, of("rps buy"), metric.Number, 7, "", false},
		{"garbled.txt", 200, of("rps"), metric.Unreadable, 0, "these are not the figures of a load", false},
	})
}
