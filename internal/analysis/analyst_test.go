package analysis_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/utils/clock"

	"github.com/penstock-dev/penstock/internal/analysis"
	"github.com/penstock-dev/penstock/internal/metric"
	"github.com/penstock-dev/penstock/internal/rollout"
)

// impatient is a clock whose waits are over at once.
type impatient struct {
	clock.RealClock
	waits atomic.Int32
}

func (c *impatient) After(time.Duration) <-chan time.Time {
	c.waits.Add(1)
	over := make(chan time.Time, 1)
	over <- time.Time{}
	return over
}

// frozen is a clock whose waits never end.
type frozen struct{ clock.RealClock }

func (frozen) After(time.Duration) <-chan time.Time { return nil }

const one = `{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1764000000,"99.5"]}]}}`

func answer(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func recorded(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile("../../testdata/metric/prometheus/answers/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func quiet() *log.Logger { return log.New(io.Discard, "", 0) }

func serve(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.Config.ErrorLog = quiet()
	s.Start()
	t.Cleanup(s.Close)
	return s.URL
}

func check(address string) metric.Check {
	limit := 99.0
	return metric.Check{
		Name: "success", Provider: "prometheus", Source: metric.Source{Address: address},
		Query: "sum(x)", Interval: time.Minute, Min: &limit, Unit: "%",
	}
}

func analyst(t *testing.T, c analysis.Config) *analysis.Analyst {
	t.Helper()
	if c.Clock == nil {
		c.Clock = &impatient{}
	}
	a, err := analysis.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Close)
	return a
}

func ask(t *testing.T, h http.HandlerFunc) (rollout.CheckResult, string) {
	t.Helper()
	address := serve(t, h)
	a := analyst(t, analysis.Config{Checks: []metric.Check{check(address)}})
	return a.Check(t.Context(), time.Unix(1764000000, 0))[0], address
}

func TestEveryAnswerHasItsVerdict(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		handler http.HandlerFunc
		want    rollout.Verdict
		message string
	}{
		{"one number", answer(200, one), rollout.Pass, "success: 99.50 % is at least 99 %"},
		{"no series", answer(200, recorded(t, "empty.json")), rollout.NoData, "success: no data: the query answers no series; at least 99 % is asked for"},
		{"NaN", answer(200, recorded(t, "nan.json")), rollout.NoData, "success: no data: the query answers NaN"},
		{"several series", answer(200, recorded(t, "several.json")), rollout.Error, "success: the query answers 4 series"},
		{"garbage", answer(200, "<html>"), rollout.Error, "success: this is not an answer of Prometheus: <html>"},
		{"401", answer(401, "Unauthorized"), rollout.Error, "success: HTTP 401: the server wants other credentials; it said: Unauthorized"},
		{"404", answer(404, "404 page not found\n"), rollout.Error, "success: HTTP 404: 404 page not found"},
		{"400 with Prometheus' reason", answer(400, recorded(t, "bad-query.json")), rollout.Error, "success: the server refused the query (bad_data, HTTP 400)"},
		{"500", answer(500, "oops"), rollout.Error, "success: HTTP 500: oops"},
		{"too much", answer(200, strings.Repeat(" ", 2<<20)), rollout.Error, "success: ADDRESS: the answer is larger than 1 MiB"},
		{"a redirect without end", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/", http.StatusFound) }, rollout.Error, "success: ADDRESS: more than 5 redirects"},
		{"a connection that breaks off", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, rollout.Error, "success: ADDRESS: the connection was closed before the answer was complete"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, address := ask(t, c.handler)
			if want := strings.ReplaceAll(c.message, "ADDRESS", address); got.Verdict != c.want || !strings.HasPrefix(got.Message, want) {
				t.Errorf("got %v %q, want %v %q", got.Verdict, got.Message, c.want, want)
			}
			if got.Query != "sum(x)" {
				t.Errorf("the query is lost: %q", got.Query)
			}
		})
	}
}

func TestAServerThatIsNotThere(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(nil)
	address := s.URL
	s.Close()
	waits := &impatient{}
	a := analyst(t, analysis.Config{Checks: []metric.Check{check(address + "/prefix?token=s3cret")}, Clock: waits})
	got := a.Check(t.Context(), time.Time{})[0]
	if want := "success: cannot reach " + address + ": connection refused"; got.Verdict != rollout.Error || got.Message != want {
		t.Errorf("got %v %q, want %q", got.Verdict, got.Message, want)
	}
	if waits.waits.Load() != 2 {
		t.Errorf("%d retries, want 2", waits.waits.Load())
	}
}

func TestASlowProviderCostsTheOthersNothing(t *testing.T) {
	t.Parallel()
	stop := make(chan struct{})
	slow := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-stop:
		}
	})
	t.Cleanup(func() { close(stop) })
	trickle := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, `{"status":`)
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	fast := serve(t, answer(200, one))
	a := analyst(t, analysis.Config{Checks: []metric.Check{check(slow), check(fast), check(trickle)}, Timeout: 100 * time.Millisecond})
	got := a.Check(t.Context(), time.Time{})
	if got[1].Verdict != rollout.Pass {
		t.Errorf("the fast one: %v", got[1].Message)
	}
	for i, address := range map[int]string{0: slow, 2: trickle} {
		if want := "success: " + address + ": no answer within 100ms"; got[i].Verdict != rollout.Error || got[i].Message != want {
			t.Errorf("got %v %q, want %q", got[i].Verdict, got[i].Message, want)
		}
	}
}

func TestATransientFailureIsRetriedAndAPermanentOneIsNot(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]int32{200: 1, 400: 1, 401: 1, 404: 1, 500: 3, 502: 3, 503: 3, 429: 3} {
		var asked atomic.Int32
		_, _ = ask(t, func(w http.ResponseWriter, _ *http.Request) {
			asked.Add(1)
			w.WriteHeader(status)
		})
		if asked.Load() != want {
			t.Errorf("HTTP %d: asked %d times, want %d", status, asked.Load(), want)
		}
	}
	var asked atomic.Int32
	got, _ := ask(t, func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1) < 3 {
			answer(503, "starting")(w, r)
			return
		}
		answer(200, one)(w, r)
	})
	if got.Verdict != rollout.Pass {
		t.Errorf("after two failures: %s", got.Message)
	}
}

func TestRetriesEndWithTheTimeAndKeepTheFirstAnswer(t *testing.T) {
	t.Parallel()
	address := serve(t, answer(503, "starting"))
	a := analyst(t, analysis.Config{Checks: []metric.Check{check(address)}, Clock: frozen{}, Timeout: 100 * time.Millisecond})
	got := a.Check(t.Context(), time.Time{})[0]
	if got.Verdict != rollout.Error || got.Message != "success: HTTP 503: starting" {
		t.Errorf("got %v %q", got.Verdict, got.Message)
	}
}

func TestAStoppedRunGetsAResultForEveryCheck(t *testing.T) {
	t.Parallel()
	address := serve(t, answer(200, one))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	a := analyst(t, analysis.Config{Checks: []metric.Check{check(address), check(address)}})
	for _, got := range a.Check(ctx, time.Time{}) {
		if got.Verdict != rollout.Error || got.Message != "success: "+address+": stopped before there was an answer" {
			t.Errorf("got %v %q", got.Verdict, got.Message)
		}
	}
}

func TestResultsComeInTheOrderOfTheChecks(t *testing.T) {
	t.Parallel()
	address := serve(t, answer(200, one))
	var checks []metric.Check
	for i := range 20 {
		c := check(address)
		c.Name = fmt.Sprint(i)
		checks = append(checks, c)
	}
	a := analyst(t, analysis.Config{Checks: checks})
	for i, got := range a.Check(t.Context(), time.Time{}) {
		if got.Name != fmt.Sprint(i) || got.Verdict != rollout.Pass {
			t.Errorf("%d: got %q %v", i, got.Name, got.Message)
		}
	}
}

func TestACheckThatCannotBeAskedIsFoundBefore(t *testing.T) {
	t.Parallel()
	unknown, secret := check("http://p"), check("http://p")
	unknown.Provider = "statsd"
	secret.Secret = &metric.SecretRef{Namespace: "test", Name: "login"}
	odd := check("http://user:hunter2@[::1")
	for want, c := range map[string]metric.Check{
		`check "success": metrics provider "statsd" is not supported; supported are ` + strings.Join(metric.Providers(), ", "): unknown,
		`check "success": nobody can read the Secret "test/login"`:                                                             secret,
		`check "success": the provider's address is not a URL`:                                                                 odd,
	} {
		if _, err := analysis.New(analysis.Config{Checks: []metric.Check{c}}); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

var errForbidden = errors.New("secrets is forbidden")
