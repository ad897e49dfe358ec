package loadtest

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// due schedules load that somebody takes at once, and returns when each request was due, since the start.
func due(ctx context.Context, s *steady) (times []time.Duration, missed int64) {
	taken := make(chan time.Time, 100_000)
	started := time.Now()
	missed = s.schedule(ctx, started, taken)
	close(taken)
	for at := range taken {
		times = append(times, at.Sub(started))
	}
	return times, missed
}

func TestEveryRequestOfSteadyLoadHasItsTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		started := time.Now()
		times, missed := due(t.Context(), &steady{rate: 5000, duration: 3 * time.Second})
		if len(times) != 15_000 || missed != 0 {
			t.Fatalf("%d requests and %d missed, want 15000 and none", len(times), missed)
		}
		for i, at := range times {
			if want := time.Duration(i) * 200 * time.Microsecond; at != want {
				t.Fatalf("request %d is due after %s, want %s", i, at, want)
			}
		}
		if took := time.Since(started); took > 3*time.Second {
			t.Errorf("it took %s, want no more than 3s", took)
		}
	})
}

func TestWhatNobodyTakesIsMissed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		missed := (&steady{rate: 100, duration: time.Second}).schedule(t.Context(), time.Now(), make(chan time.Time, 30))
		if missed != 70 {
			t.Errorf("%d are missed, want the 70 that found no place", missed)
		}
	})
}

func TestSteadyLoadEndsWithItsWindowAndKeepsItsFigures(t *testing.T) {
	t.Parallel()
	var got atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.Method != http.MethodPut || string(body) != "hello" || r.Host != "shop.example.com" || r.Header.Get("X-Canary") != "always" {
			t.Errorf("request %s %q to %s", r.Method, body, r.Host)
		}
		if n := got.Add(1); n%10 == 0 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer server.Close()
	tester := newTester(t, Options{})
	windows := NewWindows(tester)
	windows.At(3)
	p := payload("type", "rate", "url", server.URL, "rate", "2000", "method", "put", "body", "hello", "headers", "Host: shop.example.com\nX-Canary: always")
	if err := windows.Begin(t.Context(), "load", p); err != nil {
		t.Fatal(err)
	}
	for got.Load() < 200 {
		time.Sleep(time.Millisecond) // a real server answers in real time
	}
	all, err := windows.End(t.Context())
	if err != nil || len(all) != 1 {
		t.Fatalf("%d loads, %v; want one", len(all), err)
	}
	m := all[0]
	if !m.Passed || m.Step != 3 || m.Webhook != "load" || m.Load.Requests < 200 || m.Load.Failed() != 0 {
		t.Errorf("%+v %+v, want a pass of at least 200 requests, all answered", m, m.Load)
	}
	if m.Load.Status[200]+m.Load.Status[503] != m.Load.Requests || m.Load.Status[503] < 20 {
		t.Errorf("answers %v of %d requests, want every tenth a 503", m.Load.Status, m.Load.Requests)
	}
	if p99, known := m.Load.Percentile(99); !known || p99 < m.Load.Fastest || p99 > m.Load.Slowest {
		t.Errorf("p99 is %s (%v), want it between %s and %s", p99, known, m.Load.Fastest, m.Load.Slowest)
	}
	if again, err := windows.End(t.Context()); err != nil || len(again) != 1 || again[0].ID != m.ID {
		t.Errorf("asked again: %v, %v; want the same", again, err)
	}
}

func TestTheNextWindowPutsItsLoadInThePlaceOfTheLast(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, "OK") }))
	defer server.Close()
	windows := NewWindows(newTester(t, Options{}))
	for step := range 3 {
		windows.At(step + 1)
		if err := windows.Begin(t.Context(), "load", payload("cmd", "hey -n 10 -c 1 "+server.URL)); err != nil {
			t.Fatal(err)
		}
		windows.tester.Wait()
	}
	windows.Close(time.Minute)
	var steps []int
	for _, m := range windows.Measured() {
		steps = append(steps, m.Step)
		if m.Load.Requests != 10 {
			t.Errorf("step %d: %d requests, want 10", m.Step, m.Load.Requests)
		}
	}
	if len(steps) != 3 || steps[0] != 1 || steps[2] != 3 {
		t.Errorf("load of the steps %v, want 1 to 3", steps)
	}
	if err := windows.Begin(t.Context(), "load", payload("cmd", "hey "+server.URL)); err == nil {
		t.Error("load begins after Close")
	}
}

func TestHeyThatIsStoppedWithItsWindowHasNoFailures(t *testing.T) {
	t.Parallel()
	var got atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { got.Add(1) }))
	defer server.Close()
	windows := NewWindows(newTester(t, Options{}))
	if err := windows.Begin(t.Context(), "load", payload("cmd", "hey -z 1h -c 8 "+server.URL)); err != nil {
		t.Fatal(err)
	}
	for got.Load() < 100 {
		time.Sleep(time.Millisecond) // a real server answers in real time
	}
	all, err := windows.End(t.Context())
	if err != nil || len(all) != 1 || !all[0].Passed || all[0].Load.Failed() != 0 || all[0].Load.Requests < 100 {
		t.Errorf("%+v, %v; want a pass without a failure", all, err)
	}
}

func TestSteadyLoadIsReadStrictly(t *testing.T) {
	t.Parallel()
	tester := newTester(t, Options{})
	err := tester.Check(payload("type", "rate", "rate", "0", "connections", "many", "duration", "-1s", "method", "G T", "color", "blue"))
	if err == nil {
		t.Fatal("no error")
	}
	mustContain(t, err.Error(), "metadata.url", `metadata.rate is "0"`, `metadata.connections is "many"`, `metadata.duration is "-1s"`, `metadata.method is "G T"`, "color")
	info, err := tester.Inspect(payload("type", "rate", "url", "http://podinfo.test/", "rate", "5", "duration", "1m"))
	if err != nil || info.Length != time.Minute || len(info.Targets) != 1 || info.Targets[0] != "http://podinfo.test/" {
		t.Errorf("%+v, %v", info, err)
	}
}

func TestPercentilesAreAsPreciseAsTheyClaim(t *testing.T) {
	t.Parallel()
	h := newHistogram()
	for i := 1; i <= 10_000; i++ {
		h.add(time.Duration(i) * 100 * time.Microsecond)
	}
	for _, percent := range []int{10, 50, 90, 99} {
		want := time.Duration(percent) * 10 * time.Millisecond
		if got := h.percentile(percent); float64(got) < float64(want)/precision || float64(got) > float64(want)*precision {
			t.Errorf("p%d is %s, want %s to one percent", percent, got, want)
		}
	}
	if h.mean() != 500_050*time.Microsecond {
		t.Errorf("mean %s", h.mean())
	}
	one := newHistogram()
	one.add(7 * time.Millisecond)
	if got := one.percentile(99); got != 7*time.Millisecond {
		t.Errorf("of one latency p99 is %s, want it", got)
	}
}
