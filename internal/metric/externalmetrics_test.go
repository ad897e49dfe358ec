package metric_test

import (
	"testing"

	"github.com/penstock-dev/penstock/internal/metric"
)

const externalQuery = "webapp/job-success-rate?labelSelector=env%3Dproduction\n"

func TestExternalMetricsRequests(t *testing.T) {
	t.Parallel()
	requests(t, "externalmetrics", []question{
		{"cluster", metric.Source{}, minutes(1, externalQuery)},
		{"address-and-token", metric.Source{Address: "https://metrics.test:8443/", Credentials: metric.Credentials{"token": "hunter2\n"}}, minutes(1, externalQuery)},
		{"default-namespace", metric.Source{}, minutes(1, "/queue length")},
	})
	refuses(t, "externalmetrics", map[string]refusal{
		"another Secret": {metric.Source{Credentials: metric.Credentials{"password": "x"}}, "a/b", "the Secret lacks token; it must have the keys token"},
		"no URL":         {metric.Source{Address: "metrics"}, "a/b", `address "metrics" is not an http or https URL such as https://external-metrics.monitoring:8443`},
	})
	lints(t, "externalmetrics", map[string]string{
		externalQuery: "", "queue": "", "/queue": "",
		"a/b/c":                          `query: "a/b/c" has more than a namespace and a metric`,
		"a/":                             "query: the name of a metric is missing",
		"a/..":                           "query: the name of a metric is missing",
		"../b":                           `query: the namespace ".." is not a name`,
		"a/b?labelSelector=app%3D%3D%3D": "query: labelSelector: ",
		"a/b?selector=app":               `query: the parameter "selector" is not labelSelector`,
		"a/b?%":                          "query: what follows the ? is not the query of a URL",
	})
}

func TestExternalMetricsAnswers(t *testing.T) {
	t.Parallel()
	one := minutes(1, externalQuery)
	answers(t, "externalmetrics", []reply{
		{"ok.json", 200, one, metric.Number, 99.5, "", false},
		{"windowed.json", 200, one, metric.Number, 0.25, "", false},
		{"windowed-long.json", 200, one, metric.NoData, 0, "no data: none of the points lies wholly within the window from 15:59:10 to 16:00:10; the newest is of 15:55:00 to 16:00:00", false},
		{"old.json", 200, one, metric.NoData, 0, "no data: none of the points lies wholly within", false},
		{"empty.json", 200, one, metric.NoData, 0, "no data: there is no such metric", false},
		{"several.json", 200, one, metric.Several, 0, "the query answers 2 series, one is expected: use a labelSelector", true},
		{"nan.json", 200, one, metric.NoData, 0, "no data: the value is NaN", false},
		{"partial.json", 200, one, metric.Unreadable, 0, "this is not an answer of the external metrics API", false},
		{"error.json", 404, one, metric.Unreadable, 0, "HTTP 404: the server could not find the requested resource", false},
		{"forbidden.json", 403, one, metric.Unreadable, 0, "HTTP 403: the server wants other credentials; it said: job-success-rate.external.metrics.k8s.io is forbidden", false},
		{"throttled.json", 429, one, metric.Unreadable, 0, "HTTP 429: the server is asked too often; it said: too many requests", false},
	})
}
