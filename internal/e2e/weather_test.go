package e2e

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// moods make a Prometheus fail at random, in every way in which one can, as a seed says.
func moods(seed uint64) func(Answer) Answer {
	random := rand.New(rand.NewPCG(seed, 1))
	faults := []Answer{
		Empty(), NaN(), Series(100, 100), Fail(http.StatusInternalServerError, "out of memory"),
		Fail(http.StatusServiceUnavailable, ""), Garbage(), Refuse("too many samples"), Hang(),
	}
	return func(answer Answer) Answer {
		if random.IntN(10) >= 3 {
			return answer
		}
		return faults[random.IntN(len(faults))]
	}
}

// known tells whether an answer says what a check asks: that there is one series, and its value.
func (a Answer) known() bool {
	return a.status == 0 && !a.hang && len(a.values) == 1 && a.values[0] == a.values[0]
}

// A Prometheus that fails at random costs time: no step is taken on an answer that is not known, and a canary that is bad
// whenever somebody knows is never promoted.
func TestARolloutWhilePrometheusFailsAtRandom(t *testing.T) {
	t.Parallel()
	book := newLedger("Prometheus fails at random", "canary", "exit code", "the end")
	t.Run("seed", func(t *testing.T) {
		for seed := range uint64(5) {
			for canary, value := range map[string]float64{"good": 100, "bad": 10} {
				t.Run(fmt.Sprintf("%d %s", seed, canary), func(t *testing.T) {
					t.Parallel()
					s := newScenario(t, "gatewayapi:v1", append(steps(30, 60), analysis("threshold", map[string]int{"good": 40, "bad": 3}[canary]))...)
					s.administer()
					s.initialise()
					s.prometheus.Script("", Value(value))
					s.prometheus.Script("histogram_quantile", Value(50))
					s.prometheus.Mood(moods(seed))
					run := s.tapped(nil, "run", "-f", "canary.yaml", "--image", "podinfo="+v2)
					code, ends := 0, []string{promoted}
					if canary == "bad" {
						code, ends = 1, []string{gaveUp}
					}
					s.endLater(run.run, code)
					end := s.endState()
					if !slices.Contains(ends, end) {
						t.Errorf("the end is %q, want one of %q", end, ends)
					}
					s.wantKnown(value)
					book.enter(canary, fmt.Sprint(code), end)
					book.count(s.wantSafe(), s.wantOneWriter())
				})
			}
		}
	})
	book.print(t)
}

// wantKnown checks that whenever the rollout took a step beyond its first, the last answers to both of its checks were known,
// and those of a good canary.
func (s *scenario) wantKnown(value float64) {
	s.t.Helper()
	before := saved{}
	s.record.Replay(func(m Moment) {
		now := recordAt(m)
		if now.Status.Phase == "Promoting" && before.Status.Phase != now.Status.Phase || before.Status.Step > 0 && now.Status.Step > before.Status.Step {
			last := map[bool]Answer{} // by whether it is the quantile that was asked for
			for _, q := range s.prometheus.Queries() {
				if q.At.Before(m.Version.At) && !strings.Contains(q.Text, "vector(1)") {
					last[strings.Contains(q.Text, "histogram_quantile")] = q.Answer
				}
			}
			if !last[true].known() || !last[false].known() || value < 99 {
				s.t.Errorf("%s at step %d began after the answers %+v", now.Status.Phase, now.Status.Step, last)
			}
		}
		before = now
	})
}

// A fickleForge is a GitHub that answers at random, or takes what it is given.
type fickleForge struct {
	mu      sync.Mutex
	random  *rand.Rand
	asked   int
	refused int
}

func (f *fickleForge) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body) // only then does the server notice that the client has gone
	f.mu.Lock()
	f.asked++
	mood, id := f.random.IntN(10), f.asked
	if mood < 5 {
		f.refused++
	}
	f.mu.Unlock()
	switch {
	case mood == 0:
		panic(http.ErrAbortHandler)
	case mood == 1:
		w.WriteHeader(http.StatusInternalServerError)
	case mood == 2:
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusTooManyRequests)
	case mood == 3:
		fmt.Fprint(w, "<html>unicorn</html>")
	case mood == 4:
		<-r.Context().Done() // when the client has lost its patience
	case r.Method == http.MethodPost:
		w.WriteHeader(http.StatusCreated)
		fmt.Fprintf(w, `{"id":%d,"html_url":"https://github.com/acme/shop/runs/%d"}`, id, id)
	case r.Method == http.MethodPatch:
		fmt.Fprintf(w, `{"id":%d}`, id)
	case strings.HasSuffix(r.URL.Path, "/check-runs"):
		fmt.Fprint(w, `{"total_count":0,"check_runs":[]}`)
	default:
		fmt.Fprint(w, `[]`)
	}
}

func (f *fickleForge) job(url, dir string) []string {
	return []string{
		"GITHUB_ACTIONS=true", "GITHUB_API_URL=" + url, "GITHUB_SERVER_URL=" + url, "GITHUB_REPOSITORY=acme/shop",
		"GITHUB_REPOSITORY_ID=7", "GITHUB_SHA=0123456789012345678901234567890123456789", "GITHUB_REF=refs/heads/main",
		"GITHUB_EVENT_NAME=push", "GITHUB_ACTOR=ann", "GITHUB_RUN_ID=99", "GITHUB_RUN_ATTEMPT=1", "GITHUB_JOB=deploy",
		"GITHUB_TOKEN=ghs_secret", "GITHUB_EVENT_PATH=" + dir + "/event.json",
		"GITHUB_OUTPUT=" + dir + "/output", "GITHUB_STEP_SUMMARY=" + dir + "/summary.md",
	}
}

// A forge that fails at random shows less, and changes nothing: neither the verdict nor the end.
func TestARolloutWhileTheForgeFailsAtRandom(t *testing.T) {
	t.Parallel()
	book := newLedger("the forge fails at random", "canary", "exit code", "the end")
	var asked, refused atomic.Int64 // of all: a single run may be lucky, or unlucky
	t.Run("seed", func(t *testing.T) {
		for seed := range uint64(4) {
			for canary, value := range map[string]float64{"good": 100, "bad": 10} {
				t.Run(fmt.Sprintf("%d %s", seed, canary), func(t *testing.T) {
					t.Parallel()
					s := newScenario(t, "gatewayapi:v1", steps(30, 60)...)
					s.administer()
					s.initialise()
					s.prometheus.Script("", Value(value))
					s.prometheus.Script("histogram_quantile", Value(50))
					forge := &fickleForge{random: rand.New(rand.NewPCG(seed, 2))}
					server := httptest.NewServer(forge)
					t.Cleanup(func() {
						server.CloseClientConnections()
						server.Close()
					})
					run := s.tap()
					writeText(t, filepath.Join(s.home, "event.json"), "{}")
					run.env = forge.job(server.URL, s.home)
					run.start(s, "run", "-f", "canary.yaml", "--image", "podinfo="+v2)
					code, want := 0, promoted
					if canary == "bad" {
						code, want = 1, gaveUp
					}
					s.end(run.run, code)
					end := s.endState()
					if end != want {
						t.Errorf("the end is %q, want %q", end, want)
					}
					forge.mu.Lock()
					defer forge.mu.Unlock()
					asked.Add(int64(forge.asked))
					refused.Add(int64(forge.refused))
					book.enter(canary, fmt.Sprint(code), end)
					book.count(s.wantSafe(), s.wantOneWriter())
				})
			}
		}
	})
	if n, all := refused.Load(), asked.Load(); n == 0 || n == all {
		t.Errorf("of %d requests %d were refused, so that it was not at random", all, n)
	}
	book.print(t)
}
