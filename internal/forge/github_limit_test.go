package forge

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/penstock-dev/penstock/internal/httpx"
)

func TestEveryFormOfALimitIsObeyed(t *testing.T) {
	t.Parallel()
	const secondary = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."
	for name, tt := range map[string]struct {
		status  int
		header  map[string]string
		message string
		wait    time.Duration // with reset, the header's value, after the beginning
		reset   time.Duration
	}{
		"403 with Retry-After":                     {status: 403, header: map[string]string{"Retry-After": "40"}, message: secondary, wait: 40 * time.Second},
		"429 with Retry-After":                     {status: 429, header: map[string]string{"Retry-After": "40"}, message: secondary, wait: 40 * time.Second},
		"403 that only says so":                    {status: 403, message: secondary, wait: time.Minute},
		"429 that says nothing":                    {status: 429, wait: time.Minute},
		"403 at the end of the hour's requests":    {status: 403, header: map[string]string{"X-RateLimit-Remaining": "0"}, message: "API rate limit exceeded", reset: 20 * time.Minute, wait: 20 * time.Minute},
		"429 at the end of the hour's requests":    {status: 429, header: map[string]string{"X-RateLimit-Remaining": "0"}, message: "API rate limit exceeded", reset: 20 * time.Minute, wait: 20 * time.Minute},
		"429 with a reset that has just passed":    {status: 429, header: map[string]string{"X-RateLimit-Remaining": "0"}, reset: -time.Minute, wait: 2 * time.Second},
		"403 in the words of an older server":      {status: 403, message: "You have triggered an abuse detection mechanism.", wait: time.Minute},
		"403 in the middle of the hour's requests": {status: 403, header: map[string]string{"X-RateLimit-Remaining": "700"}, message: secondary, reset: 20 * time.Minute, wait: time.Minute},
		"429 with a Retry-After that is no number": {status: 429, header: map[string]string{"Retry-After": "soon"}, wait: time.Minute},
	} {
		for _, docs := range []string{"https://docs.github.com/rest", "https://docs.github.com/rest/overview#about-secondary-rate-limits"} {
			t.Run(name+" "+docs, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					f := newFakeGitHub(t)
					start := time.Now()
					limited := false
					var again time.Duration
					f.trouble = func(w http.ResponseWriter, _ *http.Request) bool {
						if limited {
							if again == 0 {
								again = time.Since(start)
							}
							return false
						}
						limited = true
						for k, v := range tt.header {
							w.Header().Set(k, v)
						}
						if tt.reset != 0 {
							w.Header().Set("X-RateLimit-Reset", strconv.FormatInt(start.Add(tt.reset).Unix(), 10))
						}
						// The library looks at the end of this address, on 403 only.
						answer(w, tt.status, map[string]string{"message": tt.message, "documentation_url": docs})
						return true
					}
					p := NewPublisher(t.Context(), f.start(f.config()).Surfaces(web())[0])
					p.Publish(body("a"))
					time.Sleep(time.Second)
					p.Publish(body("b"))
					time.Sleep(time.Hour)
					noWarnings(t, p.Close(within(t, time.Second)))
					if again < tt.wait || again > tt.wait+time.Second {
						t.Errorf("asked again after %v, want %v", again, tt.wait)
					}
					if len(f.checks) != 1 || f.checks[0].Output.Summary != "b" {
						t.Errorf("check runs: %+v", f.checks)
					}
				})
			})
		}
	}
}

func TestALimitHoldsForAllSurfaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeGitHub(t)
		f.trouble = func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Retry-After", "60")
			refuse(w, http.StatusTooManyRequests, "")
			return true
		}
		surfaces := f.start(f.config()).Surfaces(web())
		for _, s := range surfaces {
			for range 3 {
				if err := s.Show(t.Context(), body("a")); err == nil || !httpx.IsTransient(err) {
					t.Errorf("%s: %v", s.Name(), err)
				}
			}
		}
		if n := f.count(""); n != 1 {
			t.Errorf("%d requests during the limit, want the one that told of it", n)
		}
		time.Sleep(time.Minute)
		f.trouble = nil
		mustShow(t, surfaces, body("b"))
	})
}

// This is the one test with sockets: a connection that breaks after the work was done, and a redirect.
func TestOverTheNetwork(t *testing.T) {
	t.Parallel()
	f := newFakeGitHub(t)
	var breaks atomic.Bool
	breaks.Store(true)
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			t.Error("another host got the token")
		}
		http.NotFound(w, r)
	}))
	defer elsewhere.Close()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasPrefix(r.URL.Path, "/repos/o/r/issues/"):
			http.Redirect(w, r, elsewhere.URL+r.URL.Path, http.StatusFound)
		case r.Method == http.MethodPost && breaks.Swap(false):
			f.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		default:
			f.ServeHTTP(w, r)
		}
	}))
	defer server.Close()
	cfg := f.config()
	cfg.Client = httpx.New(httpx.Options{MaxBody: MaxBody, Version: "1.2.3"})
	cfg.CI.API = server.URL
	check := f.start(cfg).Surfaces(web())[0]
	if err := check.Show(t.Context(), body("a")); err == nil || !httpx.IsTransient(err) {
		t.Fatalf("a broken connection: %v", err)
	}
	if err := check.Show(t.Context(), body("b")); err != nil {
		t.Fatal(err)
	}
	if len(f.checks) != 1 || f.checks[0].Output.Summary != "b" {
		t.Errorf("check runs: %+v", f.checks)
	}
	if err := f.start(cfg).Surfaces(web())[1].Show(t.Context(), body("a")); err == nil {
		t.Error("a redirect to another host was followed to an answer")
	}
}
