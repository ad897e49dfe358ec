package rehearsal

import (
	"context"
	"errors"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// tripper answers requests without a network.
type tripper func(r *http.Request) (int, error)

// RoundTrip answers a request.
func (f tripper) RoundTrip(r *http.Request) (*http.Response, error) {
	code, err := f(r)
	if err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: code, Body: io.NopCloser(strings.NewReader("{}"))}, nil
}

func mustGenerator(t *testing.T, load Load) *Generator {
	t.Helper()
	load.URL = "http://proxy.test/"
	g, err := NewGenerator(load)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// runFor runs a generator for a time.
func runFor(t *testing.T, g *Generator, d time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	g.Run(ctx)
}

func TestGeneratorRefusesWhatIsOutOfRange(t *testing.T) {
	t.Parallel()
	tests := map[string]Load{
		"rps: -1 is not between 0 and 10000":    {RPS: -1},
		"rps: 20000 is not between":             {RPS: 20_000},
		"rps: NaN is not between":               {RPS: math.NaN()},
		"users: -1 is not between 0 and 100000": {Users: -1},
		"users: 200000 is not between":          {Users: 200_000},
		"in flight: -1 is below 0":              {InFlight: -1},
		"parse the URL of the load":             {URL: "http://[::1"},
	}
	for want, load := range tests {
		if _, err := NewGenerator(load); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: error %v, want %q", load, err, want)
		}
	}
}

func TestGeneratorSendsAtAConstantRate(t *testing.T) {
	t.Parallel()
	for _, rps := range []float64{0, 0.5, 7, 50, 3000} {
		synctest.Test(t, func(t *testing.T) {
			g := mustGenerator(t, Load{RPS: rps, Transport: tripper(func(*http.Request) (int, error) { return 200, nil })})
			runFor(t, g, 10*time.Second-time.Nanosecond)
			want := LoadCounts{Sent: uint64(10 * rps), OK: uint64(10 * rps)}
			if diff := cmp.Diff(want, g.Counts()); diff != "" {
				t.Errorf("%v requests per second: %s", rps, diff)
			}
		})
	}
}

func TestGeneratorIsNotHeldBackBySlowAnswersAndDoesNotPileUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var now, most atomic.Int64
		g := mustGenerator(t, Load{RPS: 50, InFlight: 20, Transport: tripper(func(*http.Request) (int, error) {
			most.Store(max(most.Load(), now.Add(1)))
			defer now.Add(-1)
			time.Sleep(time.Second - time.Millisecond)
			return 200, nil
		})})
		runFor(t, g, 10*time.Second-time.Nanosecond)
		got := g.Counts()
		// Twenty at a time, a second each: the first twenty of each second are sent.
		if diff := cmp.Diff(LoadCounts{Sent: 200, OK: 200, Missed: 300}, got, cmpopts.IgnoreFields(LoadCounts{}, "OK", "Cancelled")); diff != "" {
			t.Error(diff)
		}
		if got.OK+got.Cancelled+got.Failed != got.Sent {
			t.Errorf("what came of the requests does not add up: %+v", got)
		}
		if most.Load() != 20 {
			t.Errorf("%d requests were under way at a time, want 20", most.Load())
		}
	})
}

func TestGeneratorTellsFailuresFromRequestsThatItCutShort(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var n atomic.Int64
		g := mustGenerator(t, Load{RPS: 10, Transport: tripper(func(r *http.Request) (int, error) {
			switch n.Add(1) % 5 {
			case 0:
				return 500, nil
			case 1:
				return 0, errors.New("connection refused")
			case 2:
				<-r.Context().Done() // until the end
				return 0, r.Context().Err()
			}
			return 404, nil // the client's own mistake is no failure of the app
		})})
		runFor(t, g, 10*time.Second-time.Nanosecond) // Run returns: none is left behind, or the bubble would not end
		if diff := cmp.Diff(LoadCounts{Sent: 100, OK: 40, Failed: 40, Cancelled: 20}, g.Counts()); diff != "" {
			t.Error(diff)
		}
	})
}

func TestGeneratorGivesUpOnAnswersThatNeverCome(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := mustGenerator(t, Load{RPS: 1, Transport: tripper(func(r *http.Request) (int, error) {
			<-r.Context().Done()
			return 0, r.Context().Err()
		})})
		runFor(t, g, 40*time.Second-time.Nanosecond)
		if diff := cmp.Diff(LoadCounts{Sent: 40, Failed: 10, Cancelled: 30}, g.Counts()); diff != "" {
			t.Error(diff)
		}
	})
}

func TestGeneratorSpreadsUsersOverBothVersions(t *testing.T) {
	t.Parallel()
	const users = 100
	var row atomic.Uint64
	var seen, canary [users]atomic.Bool
	synctest.Test(t, func(t *testing.T) {
		g := mustGenerator(t, Load{RPS: 100, Users: users, Seed: 7, Transport: tripper(func(r *http.Request) (int, error) {
			user, err := strconv.Atoi(r.Header.Get(UserHeader))
			if err != nil || user < 0 || user >= users {
				t.Errorf("user %q", r.Header.Get(UserHeader))
				return 400, nil
			}
			seen[user].Store(true)
			if share(row.Add(1)-1, 10) {
				canary[user].Store(true)
			}
			return 200, nil
		})})
		runFor(t, g, 60*time.Second)
	})
	all, some := 0, 0
	for user := range users {
		if seen[user].Load() {
			all++
		}
		if canary[user].Load() {
			some++
		}
	}
	if all != users || some < 95 { // 600 requests to the canary miss a user with a chance of 0.2 %
		t.Errorf("%d users sent requests, %d of them to the canary", all, some)
	}
}
