package metric_test

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/promqltest"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/util/teststorage"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/metric"
	"github.com/penstock-dev/penstock/internal/rollout"
)

const scrape = 5 * time.Second

// scraped keeps what the samples of requests add up to, and stores it as a scrape does.
type scraped struct {
	totals map[string]float64
	series map[string]labels.Labels
	old    map[string]bool
}

func (s *scraped) add(name string, set map[string]string, value float64) {
	l := labels.NewBuilder(labels.FromMap(set)).Set("__name__", name).Labels()
	s.series[l.String()] = l
	s.totals[l.String()] += value
}

func (s *scraped) observe(m metric.Sample, times float64) {
	if m.Kind == metric.Counter {
		s.add(m.Name, m.Labels, m.Value*times)
		return
	}
	s.add(m.Name+"_sum", m.Labels, m.Value*times)
	s.add(m.Name+"_count", m.Labels, times)
	bounds := map[string]bool{"+Inf": true}
	for _, b := range m.Buckets {
		bounds[strconv.FormatFloat(b, 'g', -1, 64)] = m.Value <= b
	}
	for bound, within := range bounds {
		le := map[string]string{"le": bound}
		for name, value := range m.Labels {
			le[name] = value
		}
		value := 0.0
		if within {
			value = times
		}
		s.add(m.Name+"_bucket", le, value)
	}
}

func (s *scraped) store(t *testing.T, to storage.Storage, at time.Time) {
	t.Helper()
	app := to.Appender(context.Background())
	for key, l := range s.series {
		if !s.old[key] {
			s.old[key] = true
			if _, err := app.Append(0, l, at.Add(-scrape).UnixMilli(), 0); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := app.Append(0, l, at.UnixMilli(), s.totals[key]); err != nil {
			t.Fatal(err)
		}
	}
	if err := app.Commit(); err != nil {
		t.Fatal(err)
	}
}

// traffic is what happens between two scrapes: 100 requests to the canary and 10 to the primary.
type traffic struct {
	provider     string
	target       string
	errorsOf100  int
	took         time.Duration
	slowOf100    int // answered in 2 s instead
	canary       bool
	primaryFails bool
	atLeast      int // requests that are asked for
}

func (tr traffic) served(i int, toCanary bool) metric.Served {
	s := metric.Served{
		Namespace: "test", Target: tr.target, Workload: tr.target + "-primary", Pod: tr.target + "-primary-7d8f9c-x2x4z", Service: tr.target, Port: 80,
		Ingress: tr.target, Route: tr.target, Host: "app.example.com", Method: "GET", Path: "/", Status: 200, Duration: 20 * time.Millisecond,
	}
	if !toCanary {
		if tr.primaryFails {
			s.Status, s.Duration = 500, 3*time.Second
		}
		return s
	}
	s.Canary, s.Workload, s.Pod, s.Duration = true, tr.target, tr.target+"-5c6b7d-k9l8m", tr.took
	if i%100 < tr.errorsOf100 {
		s.Status = 503
	}
	if i%100 < tr.slowOf100 {
		s.Duration = 2 * time.Second
	}
	return s
}

// stored runs the traffic through a router's own metrics, and returns what was scraped and when that ended.
func (tr traffic) stored(t *testing.T) (storage.Storage, time.Time) {
	t.Helper()
	b, err := metric.BuiltinFor(tr.provider)
	if err != nil {
		t.Fatal(err)
	}
	db := teststorage.New(t, small)
	t.Cleanup(func() { _ = db.Close() })
	s := &scraped{totals: map[string]float64{}, series: map[string]labels.Labels{}, old: map[string]bool{}}
	requests := map[metric.Served]float64{}
	for i := range 110 {
		if toCanary := i < 100; toCanary && tr.canary || !toCanary && (!together[tr.provider] || tr.primaryFails) {
			requests[tr.served(i, toCanary)]++
		}
	}
	at := time.Unix(1764000000, 0)
	for range 80 * time.Second / scrape {
		at = at.Add(scrape)
		for served, times := range requests {
			for _, m := range b.Request(served) {
				s.observe(m, times)
			}
		}
		s.store(t, db, at)
	}
	return db, at
}

// judged judges the traffic by the real builtin queries, with Prometheus' own engine.
func (tr traffic) judged(t *testing.T) map[string]rollout.CheckResult {
	t.Helper()
	db, at := tr.stored(t)
	c := podinfo(
		canary.Metric{Name: metric.SuccessRate, Interval: "1m", ThresholdRange: atLeast(99)},
		canary.Metric{Name: metric.Duration, Interval: "1m", Threshold: ptr(500)},
	)
	c.Spec.Provider, c.Spec.TargetRef.Name, c.Spec.Service.Name = tr.provider, tr.target, ""
	in := inputs()
	in.MinRequests = tr.atLeast
	checks, err := metric.Plan(c, in)
	if err != nil {
		t.Fatal(err)
	}
	results := map[string]rollout.CheckResult{}
	for _, check := range checks {
		if err := metric.Lint(check); err != nil {
			t.Fatal(err)
		}
		result := metric.Judge(check, evaluated(t, db, check.Query, at))
		if check.Count != "" {
			result = metric.Enough(check, result, evaluated(t, db, check.Count, at))
		}
		results[check.Name] = result
	}
	return results
}

// evaluated asks Prometheus' engine, and sends what it says through the codec as the server's API would.
func evaluated(t *testing.T, db storage.Storage, query string, at time.Time) metric.Answer {
	t.Helper()
	return evaluatedBy(t, promqltest.NewTestEngine(t, false, 0, 1e6), db, query, at)
}

func evaluatedBy(t *testing.T, engine *promql.Engine, db storage.Storage, query string, at time.Time) metric.Answer {
	t.Helper()
	q, err := engine.NewInstantQuery(context.Background(), db, nil, query, at)
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	v, err := q.Exec(context.Background()).Vector()
	if err != nil {
		t.Fatal(err)
	}
	return prometheus(t).Parse(metric.Query{}, 200, []byte(body(v)))
}

func body(v promql.Vector) string {
	series := make([]string, 0, len(v))
	for _, s := range v {
		series = append(series, fmt.Sprintf(`{"metric":{},"value":[%d,"%v"]}`, s.T/1000, s.F))
	}
	return `{"status":"success","data":{"resultType":"vector","result":[` + strings.Join(series, ",") + `]}}`
}

// together are the routers whose metrics do not tell the primary's requests from the canary's.
var together = map[string]bool{"apisix": true}

func TestARouterThatCannotTellThePrimaryFromTheCanaryCountsBoth(t *testing.T) {
	t.Parallel()
	for provider := range together {
		got := traffic{provider: provider, target: "podinfo", canary: true, took: 20 * time.Millisecond, primaryFails: true}.judged(t)
		if rate := got[metric.SuccessRate].Value; rate == nil || *rate < 90 || *rate > 91 { // 100 of 110
			t.Errorf("%s: %+v", provider, got[metric.SuccessRate])
		}
	}
}

func TestBuiltinsJudgeTheCanaryByItsOwnRequests(t *testing.T) {
	t.Parallel()
	for _, provider := range metric.Builtins() {
		healthy := traffic{provider: provider, target: "podinfo", canary: true, took: 20 * time.Millisecond}
		with := func(change func(*traffic)) traffic {
			tr := healthy
			change(&tr)
			return tr
		}
		for _, c := range []struct {
			name              string
			traffic           traffic
			success, duration rollout.Verdict
			rate              float64 // wanted, in percent; checked when success is not NoData
			from, to          float64 // wanted duration
		}{
			{"a healthy canary passes", healthy, rollout.Pass, rollout.Pass, 100, 10, 25},
			{"a healthy canary beside a failing primary passes", with(func(tr *traffic) { tr.primaryFails = true }), rollout.Pass, rollout.Pass, 100, 10, 25},
			{"one request in ten fails", with(func(tr *traffic) { tr.errorsOf100 = 10 }), rollout.Fail, rollout.Pass, 90, 10, 25},
			{"every request fails, which is 0 % and not no data", with(func(tr *traffic) { tr.errorsOf100 = 100 }), rollout.Fail, rollout.Pass, 0, 10, 25},
			{"every request is slow", with(func(tr *traffic) { tr.took = 800 * time.Millisecond }), rollout.Pass, rollout.Fail, 100, 500, 1000},
			{"a slow tail is seen, which a mean would hide", with(func(tr *traffic) { tr.slowOf100 = 5 }), rollout.Pass, rollout.Fail, 100, 1000, 2500},
			{"without requests there is no data", with(func(tr *traffic) { tr.canary = false }), rollout.NoData, rollout.NoData, 0, 0, 0},
			{"as many requests as are asked for", with(func(tr *traffic) { tr.atLeast = 1200 }), rollout.Pass, rollout.Pass, 100, 10, 25},
			{"one request less than is asked for", with(func(tr *traffic) { tr.atLeast = 1201 }), rollout.NoData, rollout.NoData, 0, 0, 0},
			{"too few requests of which some fail", with(func(tr *traffic) { tr.atLeast, tr.errorsOf100 = 5000, 50 }), rollout.NoData, rollout.NoData, 0, 0, 0},
			{"no requests where some are asked for", with(func(tr *traffic) { tr.atLeast, tr.canary = 1, false }), rollout.NoData, rollout.NoData, 0, 0, 0},
			{"a target with a dot in its name", with(func(tr *traffic) { tr.target = "pod.info" }), rollout.Pass, rollout.Pass, 100, 10, 25},
		} {
			if together[provider] && c.traffic.primaryFails {
				continue
			}
			t.Run(provider+": "+c.name, func(t *testing.T) {
				t.Parallel()
				got := c.traffic.judged(t)
				success, duration := got[metric.SuccessRate], got[metric.Duration]
				if success.Verdict != c.success || duration.Verdict != c.duration {
					t.Fatalf("got %s; %s", success.Message, duration.Message)
				}
				if success.Value != nil && (*success.Value < c.rate-1e-9 || *success.Value > c.rate+1e-9) {
					t.Errorf("got %v %%, want %v %%", *success.Value, c.rate)
				}
				if duration.Value != nil && (*duration.Value < c.from || *duration.Value > c.to) {
					t.Errorf("got %v ms, want %v to %v ms", *duration.Value, c.from, c.to)
				}
			})
		}
	}
}

func TestEveryBuiltinIsWhole(t *testing.T) {
	t.Parallel()
	for _, provider := range metric.Builtins() {
		file, _, _ := strings.Cut(provider, ":")
		if _, err := os.Stat(file + ".go"); err != nil {
			t.Errorf("provider %q: %v", provider, err)
		}
		b, err := metric.BuiltinFor(provider)
		if err != nil || b.SuccessRate == "" || b.Duration == "" || b.Count == "" || b.DurationMeans == "" || b.Request == nil {
			t.Errorf("provider %q: %+v, %v", provider, b, err)
		}
	}
	_, err := metric.BuiltinFor("sluice")
	if want := `provider "sluice" has no builtin metrics; ` + strings.Join(metric.Builtins(), ", ") + " have"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestSamplesAreLabelledAsRoutersLabelThem(t *testing.T) {
	t.Parallel()
	for _, provider := range metric.Builtins() {
		b, err := metric.BuiltinFor(provider)
		if err != nil {
			t.Fatal(err)
		}
		var text strings.Builder
		for _, toCanary := range []bool{true, false} {
			tr := traffic{target: "podinfo", took: 20 * time.Millisecond, canary: true}
			for _, s := range b.Request(tr.served(0, toCanary)) {
				kind := map[metric.Kind]string{metric.Counter: "counter", metric.Histogram: "histogram"}[s.Kind]
				fmt.Fprintf(&text, "%s %s%s %v\n", kind, s.Name, labels.FromMap(s.Labels), s.Value)
			}
		}
		golden(t, "builtin/"+strings.ReplaceAll(provider, ":", "-")+"-samples.golden", text.String())
	}
}
