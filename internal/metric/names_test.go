package metric_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-dev/penstock/internal/metric"
)

func TestPrometheusIsAskedForNames(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]metric.Clue{
		"names-of-metrics": {Metric: "http_requests"}, "names-of-labels": {Metric: "http_requests", Label: "namepsace"},
		"names-of-labels-in-utf8": {Metric: `my."metric"`, Label: "a"},
	} {
		s := metric.Source{Address: "https://mimir/prometheus/", Credentials: metric.Credentials{"token": "ey1234"}}
		r, err := prometheus(t).Names(s, c, time.Unix(1764000000, 0))
		if err != nil {
			t.Fatal(err)
		}
		golden(t, "prometheus/requests/"+name+".golden", written(r))
	}
	if _, err := prometheus(t).Names(metric.Source{Address: "ftp://x"}, metric.Clue{}, time.Time{}); err == nil {
		t.Error("an address that is no HTTP URL is accepted")
	}
}

func TestNamesAreReadFromAnAnswer(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		status int
		body   string
		want   []string
	}{
		{"names", 200, `{"status":"success","data":["__name__","a","","b"]}`, []string{"a", "b"}},
		{"none", 200, `{"status":"success","data":[]}`, []string{}},
		{"a server without this API", 404, `404 page not found`, nil},
		{"an error", 200, `{"status":"error","data":["a"]}`, nil},
		{"an error with a status", 500, `{"status":"success","data":["a"]}`, nil},
		{"something else", 200, `{"status":"success","data":{"result":[]}}`, nil},
		{"a page", 200, `<html>`, nil},
	} {
		if diff := cmp.Diff(c.want, prometheus(t).ParseNames(c.status, []byte(c.body))); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
}

func TestAMissingNameIsExplained(t *testing.T) {
	t.Parallel()
	many := make([]string, 30)
	for i := range many {
		many[i] = fmt.Sprintf("label%02d", i)
	}
	for _, c := range []struct {
		name  string
		query string
		clue  int
		names []string
		want  string
	}{
		{"a metric whose name is not known otherwise", `http_requests`, 0, nil, `Prometheus has no metric "http_requests"`},
		{"a metric with another ending", `http_requests`, 0, []string{"up", "http_requests_total"}, `Prometheus has no metric "http_requests"; did you mean "http_requests_total"?`},
		{"a metric with a typo", `http_reqeusts_total`, 0, []string{"http_requests_total", "http_request_total"}, `Prometheus has no metric "http_reqeusts_total"; did you mean "http_requests_total"?`},
		{"a metric unlike the others", `http_requests`, 0, []string{"up", "go_goroutines"}, `Prometheus has no metric "http_requests"`},
		{"a label with a typo", `x{namepsace="a"}`, 1, []string{"pod", "namespace"}, `no series of "x" has the label "namepsace"; did you mean "namespace"?`},
		{"a label unlike the others", `x{kubernetes_namespace="a"}`, 1, []string{"pod", "job", "ns"}, `no series of "x" has the label "kubernetes_namespace"; its labels are job, ns, pod`},
		{"a label that others begin with", `x{pod_name="a"}`, 1, []string{"pod", "job"}, `no series of "x" has the label "pod_name"; did you mean "pod"?`},
		{"many labels", `x{team="a"}`, 1, many, `no series of "x" has the label "team"; its labels are label00, label01, label02, label03, label04, label05, label06, label07, label08, label09, label10, label11, …`},
		{"a hostile label", `x{team="a"}`, 1, []string{"a\nb"}, `no series of "x" has the label "team"; its labels are a b`},
	} {
		if diff := cmp.Diff(c.want, prometheus(t).Clues(c.query)[c.clue].Explain(c.names)); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
	if got := (metric.Clue{Metric: strings.Repeat("a", 300), Says: "gone"}).Explain([]string{strings.Repeat("a", 299)}); got != "gone" {
		t.Error(got)
	}
}
