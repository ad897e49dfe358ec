package analysis_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/utils/clock"

	"github.com/penstock-dev/penstock/internal/analysis"
	"github.com/penstock-dev/penstock/internal/metric"
	"github.com/penstock-dev/penstock/internal/rollout"
)

// hasty is a clock on which every wait is over at once, and has taken its time.
type hasty struct {
	clock.RealClock
	mu  sync.Mutex
	now time.Time
}

func (c *hasty) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *hasty) Since(t time.Time) time.Duration { return c.Now().Sub(t) }

func (c *hasty) After(d time.Duration) <-chan time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	over := make(chan time.Time, 1)
	over <- c.now
	return over
}

func TestACheckInErrorIsTriedForHalfOfTheInterval(t *testing.T) {
	t.Parallel()
	bad := `{"status":"error","errorType":"bad_data","error":"parse error"}`
	for _, c := range []struct {
		name     string
		interval time.Duration
		handler  http.HandlerFunc
		took     time.Duration
		want     rollout.Verdict
		message  string
	}{
		{"no interval, one try with its quick retries", 0, answer(503, "x"), 500 * time.Millisecond, rollout.Error, "success: HTTP 503: x"},
		{"an interval of a second has no time", time.Second, answer(503, "x"), 500 * time.Millisecond, rollout.Error, "success: HTTP 503: x"},
		{"ten seconds", 10 * time.Second, answer(404, "x"), 3 * time.Second, rollout.Error, "success: HTTP 404: x; tried 3 times within 3s"},
		{"a minute", time.Minute, answer(404, "x"), 23 * time.Second, rollout.Error, "success: HTTP 404: x; tried 6 times within 23s"},
		{"an hour is no longer than a minute", time.Hour, answer(404, "x"), 23 * time.Second, rollout.Error, "success: HTTP 404: x; tried 6 times within 23s"},
		{"garbage of a proxy may pass", 10 * time.Second, answer(200, "<html>"), 3 * time.Second, rollout.Error, "success: this is not an answer of Prometheus: <html>; tried 3 times within 3s"},
		{"a failure stands", time.Minute, answer(200, strings.Replace(one, "99.5", "50", 1)), 0, rollout.Fail, "success: 50.00 % is below"},
		{"no data stands", time.Minute, answer(200, recorded(t, "empty.json")), 0, rollout.NoData, "success: no data"},
		{"a query that is wrong stays wrong", time.Minute, answer(400, bad), 0, rollout.Error, "success: the server refused the query (bad_data"},
		{"so do several series", time.Minute, answer(200, recorded(t, "several.json")), 0, rollout.Error, "success: the query answers 4 series"},
	} {
		for name, ask := range map[string]func(*analysis.Analyst, context.Context, time.Time) []rollout.CheckResult{
			"check": (*analysis.Analyst).Check, "probe": (*analysis.Analyst).Probe,
		} {
			if name == "probe" && c.want != rollout.Error {
				continue
			}
			t.Run(name+": "+c.name, func(t *testing.T) {
				t.Parallel()
				began := time.Unix(1764000000, 0)
				watch := &hasty{now: began}
				a := analyst(t, analysis.Config{Checks: []metric.Check{check(serve(t, c.handler))}, Clock: watch, Interval: c.interval})
				got := ask(a, t.Context(), began)[0]
				if got.Verdict != c.want || !strings.HasPrefix(got.Message, c.message) {
					t.Errorf("got %v %q, want %v %q", got.Verdict, got.Message, c.want, c.message)
				}
				if took := watch.Since(began); took != c.took {
					t.Errorf("it took %s, want %s", took, c.took)
				}
			})
		}
	}
}

func TestAProviderThatComesBackHasItsSay(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	address := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1) < 10 { // three tries of three attempts
			answer(502, "bad gateway")(w, r)
			return
		}
		answer(200, one)(w, r)
	})
	watch := &hasty{now: time.Unix(1764000000, 0)}
	a := analyst(t, analysis.Config{Checks: []metric.Check{check(address)}, Clock: watch, Interval: time.Minute})
	if got := a.Check(t.Context(), watch.Now())[0]; got.Verdict != rollout.Pass || got.Message != "success: 99.50 % is at least 99 %" {
		t.Errorf("got %v %q", got.Verdict, got.Message)
	}
}

// A hanging provider costs each try its timeout, in real time, and the next try gets its own.
func TestAProviderThatHangsOnceIsAskedAgain(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	address := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1) == 1 {
			<-r.Context().Done()
			return
		}
		answer(200, one)(w, r)
	})
	watch := &hasty{now: time.Unix(1764000000, 0)}
	a := analyst(t, analysis.Config{Checks: []metric.Check{check(address)}, Clock: watch, Interval: time.Minute, Timeout: time.Second})
	if got := a.Check(t.Context(), watch.Now())[0]; got.Verdict != rollout.Pass {
		t.Errorf("got %v %q", got.Verdict, got.Message)
	}
}

func TestASecretIsReadAgainForEachTry(t *testing.T) {
	t.Parallel()
	address := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer new" {
			answer(401, "expired")(w, r)
			return
		}
		answer(200, one)(w, r)
	})
	var read atomic.Int32
	login := func(context.Context, metric.SecretRef) (metric.Credentials, error) {
		switch read.Add(1) {
		case 1:
			return nil, errForbidden
		case 2:
			return metric.Credentials{"token": "old"}, nil
		}
		return metric.Credentials{"token": "new"}, nil
	}
	watch := &hasty{now: time.Unix(1764000000, 0)}
	a := analyst(t, analysis.Config{Checks: []metric.Check{withSecret(address)}, Credentials: login, Clock: watch, Interval: time.Minute})
	if got := a.Check(t.Context(), watch.Now())[0]; got.Verdict != rollout.Pass {
		t.Errorf("got %v %q", got.Verdict, got.Message)
	}
}

// stopper is a clock whose first wait of a second or more is when the run is cancelled. That wait never ends.
type stopper struct {
	hasty
	cancel context.CancelFunc
}

func (c *stopper) After(d time.Duration) <-chan time.Time {
	if d < time.Second {
		return c.hasty.After(d)
	}
	c.cancel()
	return nil
}

func TestACancelledRunDoesNotWaitForAProvider(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	watch := &stopper{hasty: hasty{now: time.Unix(1764000000, 0)}, cancel: cancel}
	a := analyst(t, analysis.Config{Checks: []metric.Check{check(serve(t, answer(503, "x")))}, Clock: watch, Interval: time.Minute})
	if got := a.Check(ctx, watch.Now())[0]; got.Verdict != rollout.Error || got.Message != "success: HTTP 503: x" {
		t.Errorf("got %v %q", got.Verdict, got.Message)
	}
}

func TestTooFewRequestsAreNoData(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, count string
		want        rollout.Verdict
		message     string
	}{
		{"enough", strings.Replace(one, "99.5", "20", 1), rollout.Pass, "success: 99.50 % is at least 99 %"},
		{"too few", strings.Replace(one, "99.5", "3", 1), rollout.NoData, "success: 3 requests in the last 1m, at least 20 are asked for"},
		{"an unknown number", "<html>", rollout.Error, "success: the number of requests is unknown: this is not an answer of Prometheus: <html>"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			k := check(serve(t, (&shelf{answers: map[string]string{"sum(x)": one, "sum(count)": c.count}}).ServeHTTP))
			k.Count, k.AtLeast = "sum(count)", 20
			a := analyst(t, analysis.Config{Checks: []metric.Check{k}})
			if got := a.Check(t.Context(), time.Time{})[0]; got.Verdict != c.want || got.Message != c.message {
				t.Errorf("got %v %q, want %v %q", got.Verdict, got.Message, c.want, c.message)
			}
		})
	}
}
