package analysis_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-dev/penstock/internal/analysis"
	"github.com/penstock-dev/penstock/internal/metric"
	"github.com/penstock-dev/penstock/internal/rollout"
)

// shelf is a server that has what its keys say: it answers queries and requests for names that it knows, and no series
// otherwise.
type shelf struct {
	answers map[string]string // by the query, or by the path below /api/v1/
	mu      sync.Mutex
	asked   []string
}

func (s *shelf) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	what := strings.TrimPrefix(r.URL.Path, "/api/v1/")
	if what == "query" {
		what = r.FormValue("query")
	}
	s.mu.Lock()
	s.asked = append(s.asked, what)
	s.mu.Unlock()
	if body, ok := s.answers[what]; ok {
		status := http.StatusOK
		if strings.HasPrefix(body, "!") {
			status, body = http.StatusForbidden, body[1:]
		}
		answer(status, body)(w, r)
		return
	}
	if strings.HasPrefix(what, "label") {
		answer(404, "404 page not found")(w, r)
		return
	}
	if what == "query_range" {
		answer(200, `{"status":"success","data":{"resultType":"matrix","result":[]}}`)(w, r)
		return
	}
	answer(200, `{"status":"success","data":{"resultType":"vector","result":[]}}`)(w, r)
}

// asking is a check of one metric with one label.
func asking(address, query string) metric.Check {
	c := check(address)
	c.Query = query
	return c
}

const requests = `sum(rate(http_requests_total{namepsace="shop"}[1m]))`

func TestAProbeTellsATypoFromACanaryWithoutTraffic(t *testing.T) {
	t.Parallel()
	const (
		now, label = `count(http_requests_total)`, `count(http_requests_total{namepsace!=""})`
		past       = `count(last_over_time(http_requests_total[1d]))`
		pastLabel  = `count(last_over_time(http_requests_total{namepsace!=""}[1d]))`
		expected   = "success: no data yet, which is expected before there is traffic"
	)
	for _, c := range []struct {
		name    string
		has     map[string]string
		hooks   bool
		want    rollout.Verdict
		message string
	}{
		{"a value is enough", map[string]string{requests: one}, false, rollout.Pass, "success: can be asked; 99.50 % now"},
		{"no metric", nil, false, rollout.NoData, `success: Prometheus has no metric "http_requests_total"`},
		{
			"no metric, but another", map[string]string{"label/__name__/values": `{"status":"success","data":["http_request_total","up"]}`}, false,
			rollout.NoData, `success: Prometheus has no metric "http_requests_total"; did you mean "http_request_total"?`,
		},
		{
			"no label", map[string]string{now: one, "labels": `{"status":"success","data":["__name__","job","namespace"]}`}, false,
			rollout.NoData, `success: no series of "http_requests_total" has the label "namepsace"; did you mean "namespace"?`,
		},
		{"no label where names are not told", map[string]string{now: one}, false, rollout.NoData, `success: no series of "http_requests_total" has the label "namepsace"`},
		{"metric and label exist", map[string]string{now: one, label: one}, false, rollout.Pass, expected},
		{"both existed an hour ago", map[string]string{past: one, pastLabel: one}, false, rollout.Pass, expected},
		{"the label existed an hour ago", map[string]string{now: one, pastLabel: one}, false, rollout.Pass, expected},
		{"NaN of an existing metric", map[string]string{requests: recorded(t, "nan.json"), now: one, label: one}, false, rollout.Pass, expected},
		{"hooks will make the metric", nil, true, rollout.Pass, expected + ` (warning: Prometheus has no metric "http_requests_total")`},
		{
			"clues that may not be asked accuse nobody", map[string]string{now: "!no", label: "!no"}, false, rollout.Pass,
			expected + " (whether its metrics exist cannot be asked: HTTP 403: the server wants other credentials; it said: no)",
		},
		{"one clue that may not be asked hides no other", map[string]string{now: "!no"}, false, rollout.NoData, `success: no series of "http_requests_total" has the label "namepsace"`},
		{"a query that is refused", map[string]string{requests: "!no"}, false, rollout.Error, "success: HTTP 403: the server wants other credentials; it said: no"},
		{"several series", map[string]string{requests: recorded(t, "several.json")}, false, rollout.Error, "success: the query answers 4 series"},
		{"garbage", map[string]string{requests: "<html>"}, false, rollout.Error, "success: this is not an answer of Prometheus: <html>"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			address := serve(t, (&shelf{answers: c.has}).ServeHTTP)
			a := analyst(t, analysis.Config{Checks: []metric.Check{asking(address, requests)}, LoadHooks: c.hooks})
			got := a.Probe(t.Context(), time.Unix(1764000000, 0))[0]
			if got.Verdict != c.want || !strings.HasPrefix(got.Message, c.message) {
				t.Errorf("got %v %q\nwant %v %q", got.Verdict, got.Message, c.want, c.message)
			}
			if got.Query != requests || got.Name != "success" {
				t.Errorf("the question is lost: %+v", got)
			}
		})
	}
}

func TestAWorkingCheckIsProbedByOneRequest(t *testing.T) {
	t.Parallel()
	s := &shelf{answers: map[string]string{requests: one}}
	address := serve(t, s.ServeHTTP)
	k := asking(address, requests)
	k.Count, k.AtLeast = "sum(count)", 20 // nobody counts before there is traffic
	a := analyst(t, analysis.Config{Checks: []metric.Check{k}})
	if got := a.Probe(t.Context(), time.Time{})[0]; got.Verdict != rollout.Pass {
		t.Error(got.Message)
	}
	if diff := cmp.Diff([]string{requests}, s.asked); diff != "" {
		t.Error(diff)
	}
}

func TestProbesComeInTheOrderOfTheChecks(t *testing.T) {
	t.Parallel()
	address := serve(t, (&shelf{answers: map[string]string{"good": one, "count(idle)": one}}).ServeHTTP)
	a := analyst(t, analysis.Config{Checks: []metric.Check{asking(address, "bad"), asking(address, "good"), asking(address, "idle"), asking(address, "bad")}})
	var got []rollout.Verdict
	for _, r := range a.Probe(t.Context(), time.Time{}) {
		got = append(got, r.Verdict)
	}
	if diff := cmp.Diff([]rollout.Verdict{rollout.NoData, rollout.Pass, rollout.Pass, rollout.NoData}, got); diff != "" {
		t.Error(diff)
	}
}

func TestAProbeOfAServerThatHangsIsAnErrorAndEnds(t *testing.T) {
	t.Parallel()
	address := serve(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	a := analyst(t, analysis.Config{Checks: []metric.Check{check(address)}, Timeout: 50 * time.Millisecond})
	got := a.Probe(t.Context(), time.Time{})[0]
	if got.Verdict != rollout.Error || got.Message != "success: "+address+": no answer within 50ms" {
		t.Errorf("got %v %q", got.Verdict, got.Message)
	}
}

func TestAProbeThatIsStoppedNeverPasses(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	var asked atomic.Int32
	address := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1) > 1 { // the clues
			cancel()
			<-r.Context().Done()
			return
		}
		(&shelf{}).ServeHTTP(w, r)
	})
	a := analyst(t, analysis.Config{Checks: []metric.Check{asking(address, "x")}})
	if got := a.Probe(ctx, time.Time{})[0]; got.Verdict != rollout.Error {
		t.Errorf("got %v %q", got.Verdict, got.Message)
	}
}

func TestASecretInANameIsNotShown(t *testing.T) {
	t.Parallel()
	const secret = "hunter2-hunter2"
	address := serve(t, (&shelf{answers: map[string]string{
		"count(x)": one, "labels": `{"status":"success","data":["` + secret + `"]}`,
	}}).ServeHTTP)
	k := withSecret(address)
	k.Query = `x{a="1"}`
	a := analyst(t, analysis.Config{Checks: []metric.Check{k}, Credentials: holding(metric.Credentials{"token": secret})})
	got := a.Probe(t.Context(), time.Time{})[0]
	if want := `success: no series of "x" has the label "a"; its labels are ***`; got.Message != want {
		t.Errorf("got %q, want %q", got.Message, want)
	}
}
