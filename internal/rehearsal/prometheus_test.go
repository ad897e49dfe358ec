package rehearsal

import (
	"context"
	"fmt"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/api"
	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
	testclock "k8s.io/utils/clock/testing"

	"github.com/penstock-dev/penstock/internal/metric"
)

// server is a metrics server whose time the test turns, and a client as other programs use it.
type server struct {
	*Prometheus
	clock *testclock.FakeClock
	api   promv1.API
}

func newServer(t testing.TB) *server {
	t.Helper()
	c := testclock.NewFakeClock(time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC))
	p, err := StartPrometheus(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	client, err := api.NewClient(api.Config{Address: p.URL(), RoundTripper: newClient(t).Transport})
	if err != nil {
		t.Fatal(err)
	}
	return &server{Prometheus: p, clock: c, api: promv1.NewAPI(client)}
}

// scrape moves the time on and scrapes.
func (s *server) scrape(t testing.TB, after time.Duration) {
	t.Helper()
	s.clock.Step(after)
	if err := s.Scrape(); err != nil {
		t.Fatal(err)
	}
}

// number asks a query that answers one number; the present is the server's.
func (s *server) number(t testing.TB, query string) float64 {
	t.Helper()
	value, _, _, err := s.api.Query(t.Context(), query, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	vector, ok := value.(model.Vector)
	if !ok || len(vector) != 1 {
		t.Fatalf("%s answers %v", query, value)
	}
	return float64(vector[0].Value)
}

func near(a, b float64) bool { return math.Abs(a-b) <= 1e-9*math.Max(math.Abs(a), math.Abs(b)) }

func counter(name string, value float64, labels ...string) []metric.Sample {
	return []metric.Sample{{Name: name, Value: value, Labels: labelled(labels...)}}
}

func labelled(pairs ...string) map[string]string {
	labels := map[string]string{}
	for i := 0; i+1 < len(pairs); i += 2 {
		labels[pairs[i]] = pairs[i+1]
	}
	return labels
}

func TestPrometheusSuccessRateIsExactWheneverTheErrorsBegan(t *testing.T) {
	t.Parallel()
	const query = `100 * sum(rate(requests_total{status!~"5.*"}[1m])) / sum(rate(requests_total[1m]))`
	for _, speed := range []int{1, 60, 600} {
		for first := range 20 { // the scrape before which the first error happens
			t.Run(fmt.Sprintf("speed %d, first error before scrape %d", speed, first), func(t *testing.T) {
				t.Parallel()
				s := newServer(t)
				step := time.Duration(speed) * 50 * time.Millisecond
				for range 40 {
					s.scrape(t, step)
				}
				for n := range 20 {
					s.Record(counter("requests_total", 18, "status", "200"))
					if n >= first {
						s.Record(counter("requests_total", 2, "status", "500"))
					}
					s.scrape(t, step)
				}
				seen := min(20, int(time.Minute/step)) // increases within the window
				errors := min(seen, 20-first)
				want := 100 * float64(18*seen) / float64(18*seen+2*errors)
				if got := s.number(t, query); !near(got, want) {
					t.Errorf("success rate %v, want %v", got, want)
				}
			})
		}
	}
}

func TestPrometheusCountsTheVeryFirstRequests(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.Record(counter("requests_total", 7, "status", "200"))
	s.scrape(t, time.Second)
	s.scrape(t, time.Second)
	if got := s.number(t, `sum(increase(requests_total[3s]))`); got < 7 {
		t.Errorf("an increase of %v, want 7: the first requests are lost", got)
	}
}

func TestPrometheusQuantilesFallIntoTheRightBucket(t *testing.T) {
	t.Parallel()
	buckets := []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5}
	tests := map[string]struct {
		slow     float64 // seconds that 2 % of the requests take
		min, max float64 // bounds of the bucket
	}{
		"of fast requests":           {.004, 0, .005},
		"on the bound of a bucket":   {.25, .1, .25},
		"of slow requests":           {.8, .5, 1},
		"above the last bound":       {60, 2.5, 2.5},
		"just above an upper bound":  {.0101, .01, .025},
		"a second is in its own one": {1, .5, 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			for range 10 {
				for n := range 100 {
					took := .001
					if n < 2 {
						took = tt.slow
					}
					s.Record([]metric.Sample{{Name: "took_seconds", Kind: metric.Histogram, Value: took, Buckets: buckets}})
				}
				s.scrape(t, 5*time.Second)
			}
			got := s.number(t, `histogram_quantile(0.99, sum by (le) (rate(took_seconds_bucket[1m])))`)
			if got < tt.min || got > tt.max {
				t.Errorf("the 99th percentile is %v, want between %v and %v", got, tt.min, tt.max)
			}
			if got := s.number(t, `took_seconds_count`); got != 1000 {
				t.Errorf("counted %v, want 1000", got)
			}
			if got, want := s.number(t, `took_seconds_sum`), 980*.001+20*tt.slow; !near(got, want) {
				t.Errorf("the sum is %v, want %v", got, want)
			}
			if got := s.number(t, `took_seconds_bucket{le="1.0"}`); got < 980 {
				t.Errorf("bucket 1.0 holds %v", got)
			}
		})
	}
}

func TestPrometheusEndsTheSeriesOfAPodThatIsGone(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.Record(counter("requests_total", 5, "pod", "old", "app", "a"))
	s.Record(counter("requests_total", 7, "pod", "new", "app", "a"))
	s.scrape(t, time.Second)
	s.Retire(map[string]string{"pod": "old", "app": "a"})
	for range 3 {
		s.scrape(t, time.Second)
	}
	if got := s.number(t, "requests_total"); got != 7 {
		t.Errorf("what is left answers %v, want 7", got)
	}
	s.Record(counter("requests_total", 1, "pod", "old", "app", "a"))
	s.scrape(t, time.Second)
	if got := s.number(t, `requests_total{pod="old"}`); got != 6 {
		t.Errorf("back again, it is %v, want 6", got)
	}
}

func TestPrometheusStampsNeverCollide(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	for range 50 { // the clock stands still
		s.Record(counter("requests_total", 1))
		s.scrape(t, 0)
	}
	s.clock.Step(time.Second)
	if got := s.number(t, "count_over_time(requests_total[1m])"); got != 51 { // and the zero before the first
		t.Errorf("%v samples, want 51", got)
	}
}

func TestPrometheusRunsForHours(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	for n := range 2000 {
		s.Record(counter("requests_total", 1))
		if n == 1500 { // a series that is born late is written into the past as far as the storage allows
			s.Record(counter("requests_total", 0, "status", "500"))
		}
		s.scrape(t, 30*time.Second)
	}
	if got := s.number(t, `sum(increase(requests_total[10m]))`); math.Abs(got-20) > 1 {
		t.Errorf("an increase of %v in the last ten minutes, want 20", got)
	}
}

func TestPrometheusRecordsConcurrently(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx, time.Millisecond) }()
	var group sync.WaitGroup
	for worker := range 8 {
		group.Go(func() {
			for range 500 {
				s.Record(counter("requests_total", 1, "worker", fmt.Sprint(worker%4)))
			}
		})
	}
	group.Wait()
	cancel()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	s.clock.Step(time.Minute)
	if got := s.number(t, "sum(requests_total)"); got != 4000 {
		t.Errorf("counted %v, want 4000", got)
	}
}

func TestPrometheusRefusesSeriesWithoutEnd(t *testing.T) {
	t.Parallel()
	r := NewRecorder(testclock.NewFakeClock(time.Now()), nil)
	for n := range maxSeries + 10 {
		r.Record(counter("requests_total", 1, "n", fmt.Sprint(n)))
	}
	if got := r.collect(); got != 10 {
		t.Errorf("%d samples had no place, want 10", got)
	}
}

func TestPrometheusForgetsWhatIsOlderThanTheRetention(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.Record(counter("requests_total", 1))
	const step = time.Minute
	scrapes := 4 * int(metricsRetention/step)
	for range scrapes {
		s.scrape(t, step)
	}
	kept := int(s.number(t, "count_over_time(requests_total[7d])"))
	if least, most := int(metricsRetention/step), 2*int(metricsRetention/step)+2; kept < least || kept > most {
		t.Errorf("%d samples of %d are kept, want %d to %d", kept, scrapes, least, most)
	}
	if got := s.number(t, "count_over_time(requests_total[1h])"); got != 60 {
		t.Errorf("the last hour has %v samples, want 60", got)
	}
}

func TestPrometheusAnswersWhileItScrapes(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.Record(append(counter("requests_total", 1, "status", "200"), counter("requests_total", 1, "status", "500")...))
	s.scrape(t, time.Second)
	var scrapes sync.WaitGroup
	scrapes.Go(func() {
		for range 500 {
			s.Record(append(counter("requests_total", 1, "status", "200"), counter("requests_total", 1, "status", "500")...))
			if err := s.Scrape(); err != nil {
				t.Error(err)
			}
		}
	})
	for range 50 {
		if got := s.number(t, `sum(requests_total{status="200"}) - sum(requests_total{status="500"})`); got != 0 {
			t.Errorf("a query saw half of a scrape: the two differ by %v", got)
		}
	}
	scrapes.Wait()
}

// TestPrometheusServesTheBuiltinQueries runs what the routers' own queries ask over what their requests record.
func TestPrometheusServesTheBuiltinQueries(t *testing.T) {
	t.Parallel()
	for _, provider := range metric.Builtins() {
		t.Run(provider, func(t *testing.T) {
			t.Parallel()
			builtin, err := metric.BuiltinFor(provider)
			if err != nil {
				t.Fatal(err)
			}
			s := newServer(t)
			for n := range 200 {
				served := metric.Served{
					Namespace: "test", Target: "podinfo", Workload: "podinfo", Pod: "podinfo-7b9c4-x2x9z", Service: "podinfo", Port: 80,
					Ingress: "podinfo", Route: "podinfo", Host: "app.example.com", Method: "GET", Path: "/", Status: 200,
					Duration: 80 * time.Millisecond, Canary: true,
				}
				if n%10 == 0 {
					served.Status = 500
				}
				s.Record(builtin.Request(served))
				if n%10 == 9 {
					s.scrape(t, 3*time.Second)
				}
			}
			if got := s.number(t, render(builtin.SuccessRate)); !near(got, 90) {
				t.Errorf("success rate %v, want 90", got)
			}
			if got := s.number(t, render(builtin.Duration)); got < 50 || got > 100 {
				t.Errorf("99th percentile %v ms, want between 50 and 100", got)
			}
		})
	}
}

func TestScrapeEveryGivesAWindowEnoughSamples(t *testing.T) {
	t.Parallel()
	tests := []struct {
		window time.Duration
		speed  float64
		want   time.Duration
	}{
		{time.Minute, 60, 50 * time.Millisecond},
		{time.Minute, 1, 100 * time.Millisecond},
		{10 * time.Second, 60, 8333333 * time.Nanosecond},
		{time.Second, 1000, 5 * time.Millisecond},
	}
	for _, tt := range tests {
		if got := ScrapeEvery(tt.window, tt.speed); got != tt.want {
			t.Errorf("%v at speed %v: every %v, want %v", tt.window, tt.speed, got, tt.want)
		}
	}
}

func BenchmarkRecord(b *testing.B) {
	s := newServer(b)
	builtin, err := metric.BuiltinFor("nginx")
	if err != nil {
		b.Fatal(err)
	}
	served := metric.Served{Namespace: "test", Workload: "podinfo", Pod: "podinfo-1", Service: "podinfo", Ingress: "podinfo", Status: 200}
	b.ReportAllocs()
	for b.Loop() {
		s.Record(builtin.Request(served))
	}
}

func BenchmarkScrape(b *testing.B) {
	s := newServer(b)
	for n := range 30 {
		s.Record([]metric.Sample{{Name: "took_seconds", Kind: metric.Histogram, Value: 1, Buckets: make([]float64, 11), Labels: labelled("n", fmt.Sprint(n))}})
	}
	b.ReportAllocs()
	for b.Loop() {
		s.scrape(b, time.Second)
	}
}
