package rehearsal

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"k8s.io/utils/clock"
)

// bench is a proxy in front of two apps, with what it observed.
type bench struct {
	*Proxy
	client          *http.Client
	primary, canary *App

	mu       sync.Mutex
	observed []Request
}

func newBench(t testing.TB, users int) *bench {
	t.Helper()
	b := &bench{client: newClient(t), primary: startApp(t, "podinfo-primary"), canary: startApp(t, "podinfo")}
	proxy, err := StartProxy(t.Context(), ProxyOptions{Clock: clock.RealClock{}, Users: users, Observe: func(r Request) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.observed = append(b.observed, r)
	}})
	if err != nil {
		t.Fatal(err)
	}
	b.Proxy = proxy
	t.Cleanup(func() {
		if err := proxy.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// routing is a split between the two apps, both ready.
func (b *bench) routing(s Split) Routing {
	return Routing{
		Split:   s,
		Primary: Backend{Endpoints: []Endpoint{b.primary.Endpoint()}},
		Canary:  Backend{Endpoints: []Endpoint{b.canary.Endpoint()}},
	}
}

// get sends a request of a user and returns the code, 0 when there was no answer.
func (b *bench) get(t testing.TB, user int, header ...string) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.URL()+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set(UserHeader, strconv.Itoa(user))
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	response, err := b.client.Do(r)
	if err != nil {
		return 0
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return 0
	}
	return response.StatusCode
}

// settled closes the proxy, which waits for its requests and copies, and returns what came of them.
func (b *bench) settled(t testing.TB) Traffic {
	t.Helper()
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Traffic()
}

func TestShareIsExactForEveryWeightAndEveryNumberOfRequests(t *testing.T) {
	t.Parallel()
	for weight := range 101 {
		canary := 0
		for n := range uint64(1000) {
			if share(n, weight) {
				canary++
			}
			if want := (int(n+1)*weight + 50) / 100; canary != want {
				t.Fatalf("at weight %d, %d of %d requests go to the canary, want %d", weight, canary, n+1, want)
			}
		}
	}
	if share(0, -5) || !share(0, 500) {
		t.Error("a weight out of range is not taken for the nearest one within")
	}
}

func TestProxySplitsExactlyUnderConcurrency(t *testing.T) {
	t.Parallel()
	b := newBench(t, 50)
	for _, weight := range []int{0, 10, 33, 50, 100} {
		b.Route(b.routing(Split{Canary: weight}))
		var group sync.WaitGroup
		for worker := range 8 {
			group.Go(func() {
				for n := range 25 {
					if code := b.get(t, worker*25+n); code != http.StatusOK {
						t.Errorf("HTTP %d", code)
					}
				}
			})
		}
		group.Wait()
	}
	got := b.settled(t)
	want := []Period{
		{Weight: 0, Primary: Counts{Requests: 200}},
		{Weight: 10, Primary: Counts{Requests: 180}, Canary: Counts{Requests: 20}},
		{Weight: 33, Primary: Counts{Requests: 134}, Canary: Counts{Requests: 66}},
		{Weight: 50, Primary: Counts{Requests: 100}, Canary: Counts{Requests: 100}},
		{Weight: 100, Canary: Counts{Requests: 200}},
	}
	if diff := cmp.Diff(want, got.Periods, cmpopts.IgnoreFields(Period{}, "Since")); diff != "" {
		t.Error(diff)
	}
	if got.Users != 50 { // the numbers from 50 on are nobody's
		t.Errorf("%d users, want 50", got.Users)
	}
	if len(b.observed) != 1000 {
		t.Errorf("observed %d requests, want 1000", len(b.observed))
	}
}

func TestProxyKeepsItsRowWhileOnlyEndpointsChange(t *testing.T) {
	t.Parallel()
	b := newBench(t, 0)
	for range 40 {
		b.Route(b.routing(Split{Canary: 25}))
		b.get(t, 0)
	}
	got := b.settled(t)
	if got.Canary.Requests != 10 || got.Primary.Requests != 30 || len(got.Periods) != 2 {
		t.Errorf("primary %d, canary %d in %d periods; want 30, 10 in 2", got.Primary.Requests, got.Canary.Requests, len(got.Periods))
	}
}

func TestProxyCountsErrorsAndTheUsersWhoSawThem(t *testing.T) {
	t.Parallel()
	b := newBench(t, 10)
	b.canary.Behave(Behaviour{ErrorPercent: 100})
	routing := b.routing(Split{})
	routing.Rules = []Rule{{Split: Split{Canary: 100}, Match: func(r *http.Request) bool { return r.Header.Get("X-Canary") == "yes" }}}
	b.Route(routing)
	for user := range 10 {
		b.get(t, user)
		if user < 3 {
			for range 2 {
				if code := b.get(t, user, "X-Canary", "yes"); code != http.StatusInternalServerError {
					t.Errorf("HTTP %d, want 500", code)
				}
			}
		}
	}
	b.primary.Behave(Behaviour{ErrorPercent: 100})
	b.get(t, 9)
	got := b.settled(t)
	want := Traffic{
		Primary: Counts{Requests: 11, Errors: 1}, Canary: Counts{Requests: 6, Errors: 6},
		Users: 10, Failed: 4, FailedByCanary: 3, OnCanary: 3,
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(Traffic{}, "Periods")); diff != "" {
		t.Error(diff)
	}
}

func TestProxyAnswersForVersionsThatDoNot(t *testing.T) {
	t.Parallel()
	broken := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, "only this")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}))
	t.Cleanup(broken.Close)
	u, err := url.Parse(broken.URL)
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		canary   func(b *bench) Backend
		want     int // seen by the client; 0 is none
		observed int
	}{
		"no ready endpoint is 503": {func(*bench) Backend { return Backend{} }, 503, 503},
		"a crash is 502": {func(b *bench) Backend {
			b.canary.Behave(Behaviour{Crash: true})
			return Backend{Endpoints: []Endpoint{b.canary.Endpoint()}}
		}, 502, 502},
		"an answer that breaks off is an error": {func(*bench) Backend { return Backend{Endpoints: []Endpoint{{Address: u.Host}}} }, 0, 502},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, 1)
			b.Route(Routing{Split: Split{Canary: 100}, Canary: tt.canary(b)})
			if got := b.get(t, 0); got != tt.want {
				t.Errorf("HTTP %d, want %d", got, tt.want)
			}
			got := b.settled(t)
			if got.Canary.Requests != 1 || got.Canary.Errors != 1 || got.FailedByCanary != 1 {
				t.Errorf("counted as %+v", got)
			}
			if len(b.observed) != 1 || b.observed[0].Code != tt.observed {
				t.Errorf("observed %+v, want code %d", b.observed, tt.observed)
			}
		})
	}
}

func TestProxyTakesNobodyWhoHangsUpForAnError(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1)
	arrived := make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-r.Context().Done()
	}))
	t.Cleanup(slow.Close)
	b.Route(Routing{Primary: Backend{Endpoints: []Endpoint{{Address: strings.TrimPrefix(slow.URL, "http://")}}}})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, b.URL(), nil)
	if err != nil {
		t.Fatal(err)
	}
	go func() { <-arrived; cancel() }()
	if response, err := b.client.Do(r); err == nil {
		response.Body.Close()
		t.Fatal("the request was answered")
	}
	got := b.settled(t)
	if diff := cmp.Diff(Counts{Cancelled: 1}, got.Primary); diff != "" || got.Failed != 0 || len(b.observed) != 0 {
		t.Errorf("%d users failed, %d observed, %s", got.Failed, len(b.observed), diff)
	}
}

func TestProxyMirrorsAShareWhoseAnswersNobodySees(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1)
	b.canary.Behave(Behaviour{ErrorPercent: 100})
	b.Route(b.routing(Split{Mirror: 25}))
	for range 40 {
		if code := b.get(t, 0); code != http.StatusOK {
			t.Errorf("HTTP %d", code)
		}
	}
	b.mirroring.Wait()
	got := b.settled(t)
	want := Traffic{Primary: Counts{Requests: 40}, Mirrored: Counts{Requests: 10, Errors: 10}, Users: 1}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(Traffic{}, "Periods")); diff != "" {
		t.Error(diff)
	}
	copies := 0
	for _, r := range b.observed {
		if r.Mirrored && r.Version == Canary && r.Code == 500 {
			copies++
		}
	}
	if copies != 10 {
		t.Errorf("observed %d copies, want 10", copies)
	}
}

func TestProxySendsNoTrafficToAVersionThatGetsNone(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1)
	routing := b.routing(Split{Canary: 50, Mirror: 100})
	routing.Canary.NoTraffic = true
	b.Route(routing)
	for range 10 {
		b.get(t, 0)
	}
	if code := b.get(t, 0, ServiceHeader, "canary"); code != http.StatusServiceUnavailable {
		t.Errorf("HTTP %d to a request straight to it, want 503", code)
	}
	got := b.settled(t)
	want := Traffic{Primary: Counts{Requests: 10}, Users: 1}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(Traffic{}, "Periods")); diff != "" {
		t.Error(diff)
	}
}

func TestProxyKeepsDirectRequestsApart(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1)
	b.canary.Behave(Behaviour{ErrorPercent: 100})
	b.Route(b.routing(Split{}))
	b.get(t, 0, ServiceHeader, "canary")
	b.get(t, 0, ServiceHeader, "primary")
	got := b.settled(t)
	want := Traffic{Direct: Counts{Requests: 2, Errors: 1}}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(Traffic{}, "Periods")); diff != "" {
		t.Error(diff)
	}
	if len(b.observed) != 2 || !b.observed[0].Direct || b.observed[0].Version != Canary {
		t.Errorf("observed %+v", b.observed)
	}
}

func TestProxyTakesTurnsAmongEndpoints(t *testing.T) {
	t.Parallel()
	b := newBench(t, 0)
	other := b.primary.Endpoint()
	other.Pod = "podinfo-primary-abc-2"
	b.Route(Routing{Primary: Backend{Endpoints: []Endpoint{b.primary.Endpoint(), other}}})
	for range 10 {
		b.get(t, 0)
	}
	b.settled(t)
	pods := map[string]int{}
	for _, r := range b.observed {
		pods[r.Endpoint.Pod]++
	}
	if diff := cmp.Diff(map[string]int{"podinfo-primary-abc-1": 5, "podinfo-primary-abc-2": 5}, pods); diff != "" {
		t.Error(diff)
	}
}

func BenchmarkProxy(b *testing.B) {
	var observed atomic.Uint64
	primary, canary := startApp(b, "podinfo-primary"), startApp(b, "podinfo")
	p, err := StartProxy(b.Context(), ProxyOptions{Clock: clock.RealClock{}, Users: 1000, Observe: func(Request) { observed.Add(1) }})
	if err != nil {
		b.Fatal(err)
	}
	defer p.Close()
	p.Route(Routing{
		Split:   Split{Canary: 10},
		Primary: Backend{Endpoints: []Endpoint{primary.Endpoint()}}, Canary: Backend{Endpoints: []Endpoint{canary.Endpoint()}},
	})
	client := newClient(b)
	b.ReportAllocs()
	start := time.Now()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			response, err := client.Get(p.URL())
			if err != nil {
				b.Error(err)
				return
			}
			_, _ = io.Copy(io.Discard, response.Body)
			_ = response.Body.Close()
		}
	})
	b.ReportMetric(float64(b.N)/time.Since(start).Seconds(), "requests/s")
}

func BenchmarkRouting(b *testing.B) {
	var l lane
	l.epoch, l.turn = &epoch{}, [2]*atomic.Uint64{{}, {}}
	l.Split.Canary, l.Primary.Endpoints, l.Canary.Endpoints = 10, make([]Endpoint, 3), make([]Endpoint, 3)
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			l.endpoint(l.version(l.split(r)))
		}
	})
}
