package metric_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/prometheus/prometheus/promql/promqltest"
	"github.com/prometheus/prometheus/storage"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/metric"
	"github.com/penstock-dev/penstock/internal/rollout"
)

// ranged sends a query for a row of samples through the codec, Prometheus' engine, and the codec again.
func ranged(t *testing.T, db storage.Storage, c metric.Check, text string, at time.Time) metric.Answer {
	t.Helper()
	q := metric.Query{Text: text, Interval: c.Interval, Now: at, Every: c.Versus.Every}
	r, err := prometheus(t).Request(c.Source, q)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(r.URL)
	if err != nil || u.Path != "/api/v1/query_range" {
		t.Fatalf("%s: %v", r.URL, err)
	}
	seconds := func(name string) time.Duration {
		v, err := strconv.ParseFloat(u.Query().Get(name), 64)
		if err != nil {
			t.Fatal(err)
		}
		return time.Duration(v * float64(time.Second))
	}
	engine := promqltest.NewTestEngine(t, false, 0, 1e6)
	asked, err := engine.NewRangeQuery(context.Background(), db, nil, u.Query().Get("query"),
		time.Unix(0, 0).Add(seconds("start")), time.Unix(0, 0).Add(seconds("end")), seconds("step"))
	if err != nil {
		t.Fatal(err)
	}
	defer asked.Close()
	matrix, err := asked.Exec(context.Background()).Matrix()
	if err != nil {
		t.Fatal(err)
	}
	result, err := json.Marshal(matrix)
	if err != nil {
		t.Fatal(err)
	}
	return prometheus(t).Parse(q, 200, fmt.Appendf(nil, `{"status":"success","data":{"resultType":"matrix","result":%s}}`, result))
}

func comparison(name, what string) *canary.Comparison {
	least := 5
	return &canary.Comparison{
		ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: canary.ComparisonSpec{Metric: what, SampleInterval: "10s", MinSamples: &least},
	}
}

func TestBuiltinsTellThePrimaryFromTheCanary(t *testing.T) {
	t.Parallel()
	for _, provider := range metric.Builtins() {
		c := podinfo()
		c.Spec.Provider, c.Spec.Service.Name, c.Spec.Analysis.Interval = provider, "", "1m"
		checks, err := metric.PlanComparisons(c, []*canary.Comparison{comparison("rate", metric.SuccessRate), comparison("took", metric.Duration)}, inputs())
		if provider == "apisix" || provider == "knative" {
			if err == nil || !strings.Contains(err.Error(), "do not tell the primary from the canary") {
				t.Errorf("%s: got %v", provider, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, tr := range []struct {
			name    string
			traffic traffic
			verdict rollout.Verdict
		}{
			{"the canary fails", traffic{errorsOf100: 20, took: 2 * time.Second}, rollout.Fail},
			{"the primary fails", traffic{took: 20 * time.Millisecond, primaryFails: true}, rollout.Pass},
			{"both are well", traffic{took: 20 * time.Millisecond}, rollout.Pass},
		} {
			t.Run(provider+": "+tr.name, func(t *testing.T) {
				t.Parallel()
				tr.traffic.provider, tr.traffic.target, tr.traffic.canary = provider, "podinfo", true
				db, at := tr.traffic.stored(t)
				for _, check := range checks {
					if err := metric.Lint(check); err != nil {
						t.Fatal(err)
					}
					got := metric.Compare(check, ranged(t, db, check, check.Query, at), ranged(t, db, check, check.Versus.Query, at))
					if got.Verdict != tr.verdict || got.Comparison == nil || len(got.Comparison.Canary) != 6 || len(got.Comparison.Primary) != 6 {
						t.Errorf("%s %+v", got.Message, got.Comparison)
					}
					if fails := check.Name == "rate" && tr.traffic.primaryFails; got.Comparison != nil && fails && got.Comparison.Value != 0 {
						t.Errorf("the primary's rate is %v", got.Comparison.Value)
					}
				}
			})
		}
	}
}

func TestPlanOfAComparison(t *testing.T) {
	t.Parallel()
	c := podinfo()
	own := comparison("queue", "")
	own.Namespace = "shop"
	own.Spec.Provider = &canary.MetricProvider{Type: "prometheus", Address: "http://p:9090", SecretRef: &canary.SecretRef{Name: "p"}}
	own.Spec.Query, own.Spec.PrimaryQuery = `avg(q{app="{{ target }}"})`, `avg(q{app="{{ target }}-primary"})`
	own.Spec.Direction, own.Spec.Tolerance = canary.DirectionEither, &canary.Tolerance{Absolute: ptr(3)}
	in := inputs()
	in.MinRequests = 20
	got, err := metric.PlanComparisons(c, []*canary.Comparison{comparison("rate", metric.SuccessRate), own}, in)
	if err != nil {
		t.Fatal(err)
	}
	if v := got[0].Versus; !strings.Contains(v.Query, `kubernetes_pod_name=~"podinfo-primary-[0-9a-zA-Z]+(-[0-9a-zA-Z]+)"}[10s]`) ||
		!strings.Contains(v.Count, "podinfo-primary") || !strings.Contains(v.Count, "[1m]") || !strings.Contains(got[0].Count, "[1m]") || v.Absolute != 0.5 {
		t.Errorf("got %+v %+v", got[0], v)
	}
	want := metric.Check{
		Name: "queue", Provider: "prometheus", Source: metric.Source{Address: "http://p:9090"}, Secret: &metric.SecretRef{Namespace: "shop", Name: "p"},
		Query: `avg(q{app="podinfo"})`, Interval: time.Minute, Versus: &metric.Versus{
			Query: `avg(q{app="podinfo-primary"})`, Every: 10 * time.Second, Direction: "either", Absolute: 3, Confidence: 0.99, Effect: 0.33, MinSamples: 5,
		},
	}
	if diff := cmp.Diff(want, got[1]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got[0].Label() != "rate no worse than the primary by more than 0.5 percentage points (requests not answered by a 5xx)" {
		t.Errorf("got %s", got[0].Label())
	}
}

func TestAllProblemsOfComparisonsAreTold(t *testing.T) {
	t.Parallel()
	bad := comparison("own", "")
	bad.Spec.Provider = &canary.MetricProvider{Type: "graphite", Address: "http://g"}
	bad.Spec.Query, bad.Spec.PrimaryQuery = "{{ color }}", "{{ shape }}"
	c := podinfo()
	c.Spec.Provider = "apisix"
	_, err := metric.PlanComparisons(c, []*canary.Comparison{bad, comparison("rate", metric.SuccessRate)}, inputs())
	for _, want := range []string{
		`comparison "own".spec.provider.type (own): "graphite" cannot be asked for a row of samples`, `.spec.query (own): template line 1: function "color"`,
		`.spec.primaryQuery (own): template line 1: function "shape"`, `comparison "rate".spec.metric (rate): with the router "apisix"`,
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in %v", want, err)
		}
	}
}

func TestRowsAreRead(t *testing.T) {
	t.Parallel()
	q := metric.Query{Every: time.Second, Interval: time.Minute}
	matrix := func(series string) string {
		return `{"status":"success","data":{"resultType":"matrix","result":[` + series + `]}}`
	}
	for _, c := range []struct {
		name, body string
		want       metric.Outcome
		row        []float64
		message    string
	}{
		{"numbers", matrix(`{"metric":{},"values":[[1,"2"],[2,"3.5"]]}`), metric.Row, []float64{2, 3.5}, ""},
		{"what is NaN is left out", matrix(`{"metric":{},"values":[[1,"NaN"],[2,"3.5"]]}`), metric.Row, []float64{3.5}, ""},
		{"nothing but NaN", matrix(`{"metric":{},"values":[[1,"NaN"]]}`), metric.NoData, nil, "no data: the query answers NaN"},
		{"no series", matrix(``), metric.NoData, nil, "no data: the query answers no series"},
		{"an infinity", matrix(`{"metric":{},"values":[[1,"+Inf"]]}`), metric.Unreadable, nil, "cannot be judged"},
		{"several series", matrix(`{"metric":{"a":"1"},"values":[[1,"2"]]},{"metric":{"a":"2"},"values":[[1,"2"]]}`), metric.Several, nil, "2 series, one is expected"},
		{"a histogram", matrix(`{"metric":{},"histograms":[[1,{}]]}`), metric.Unreadable, nil, "a histogram"},
		{"a vector", `{"status":"success","data":{"resultType":"vector","result":[]}}`, metric.Unreadable, nil, "samples over time were asked for"},
		{"a value that is missing", matrix(`{"metric":{},"values":[[1]]}`), metric.Unreadable, nil, "cannot be read"},
		{"a refusal", `{"status":"error","errorType":"bad_data","error":"no"}`, metric.Unreadable, nil, "the server refused the query"},
	} {
		a := prometheus(t).Parse(q, 200, []byte(c.body))
		if a.Outcome != c.want || !cmp.Equal(a.Row, c.row) || !strings.Contains(a.Message, c.message) {
			t.Errorf("%s: got %+v", c.name, a)
		}
	}
}
