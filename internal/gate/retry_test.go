package gate_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/gate"
	"github.com/penstock-dev/penstock/internal/rollout"
)

func breakOff(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

func retryAfter(status int, after string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", after)
		w.WriteHeader(status)
	}
}

func TestRetriesGoOnUntilThereIsAnAnswerThatStays(t *testing.T) {
	t.Parallel()
	const s = time.Second
	for _, c := range []struct {
		name    string
		retries int
		answers []http.HandlerFunc
		want    rollout.Verdict
		says    string
		pauses  []time.Duration
	}{
		{"none are asked for", 0, []http.HandlerFunc{answering(500, "busy")}, rollout.Fail, "answered 500: busy", nil},
		{"a server error passes", 3, []http.HandlerFunc{answering(500, ""), answering(502, ""), answering(200, "")}, rollout.Pass, "", []time.Duration{s, 2 * s}},
		{"all are used up", 6, []http.HandlerFunc{answering(503, "starting")}, rollout.Fail, "answered 503: starting", []time.Duration{s, 2 * s, 4 * s, 8 * s, 16 * s, 30 * s}},
		{"a connection that breaks off", 1, []http.HandlerFunc{breakOff, answering(204, "")}, rollout.Pass, "", []time.Duration{s}},
		{"too many requests", 1, []http.HandlerFunc{retryAfter(429, "7"), answering(200, "")}, rollout.Pass, "", []time.Duration{7 * s}},
		{"less than the usual pause", 1, []http.HandlerFunc{retryAfter(429, "0"), answering(200, "")}, rollout.Pass, "", []time.Duration{s}},
		{"longer than anybody waits", 1, []http.HandlerFunc{retryAfter(503, "86400"), answering(200, "")}, rollout.Pass, "", []time.Duration{30 * s}},
		{"no time at all", 1, []http.HandlerFunc{retryAfter(503, "Fri, 31 Dec 1999 23:59:59 GMT"), answering(200, "")}, rollout.Pass, "", []time.Duration{s}},
		{"less than nothing", 1, []http.HandlerFunc{retryAfter(503, "-99999999999999999999"), answering(200, "")}, rollout.Pass, "", []time.Duration{s}},
		{"a closed gate is an answer", 5, []http.HandlerFunc{answering(403, "")}, rollout.Fail, "answered 403", nil},
		{"what is not implemented stays so", 5, []http.HandlerFunc{answering(501, "")}, rollout.Fail, "answered 501", nil},
		{"then a closed gate", 5, []http.HandlerFunc{answering(500, ""), answering(403, "closed")}, rollout.Fail, "answered 403: closed", []time.Duration{s}},
		{"a redirect stays so", 5, []http.HandlerFunc{http.RedirectHandler("/x", http.StatusFound).ServeHTTP}, rollout.Fail,
			"answered 302: it redirects to another place of the same server, and redirects are not followed: only the URL of the webhook itself can answer", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			clock := newPauses()
			r := receive(t, inTurn(c.answers...))
			hook := canary.Webhook{Name: "x", URL: r.URL, Retries: c.retries, Metadata: map[string]string{"a": "b"}}
			got := caller(t, gate.Config{Clock: clock}, hook).Call(t.Context(), canary.HookRollout, about)
			says := c.says
			if says != "" {
				says = `hook "x": ` + says
			}
			if diff := cmp.Diff(rollout.HookAnswer{Hook: canary.HookRollout, Verdict: c.want, Message: says}, got); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(c.pauses, clock.taken()); diff != "" {
				t.Errorf("pauses: %s", diff)
			}
			sent := r.requests()
			if len(sent) != len(c.pauses)+1 {
				t.Errorf("%d requests, %d pauses", len(sent), len(c.pauses))
			}
			for _, q := range sent {
				if q != sent[0] {
					t.Errorf("a retry sends %v after %v", q, sent[0])
				}
			}
		})
	}
}

func TestAnUnreachableWebhookIsAnError(t *testing.T) {
	t.Parallel()
	r := receive(t, nil)
	r.Close()
	clock := newPauses()
	got := caller(t, gate.Config{Clock: clock}, canary.Webhook{Name: "x", URL: r.URL, Retries: 1}).Call(t.Context(), canary.HookRollout, about)
	want := rollout.HookAnswer{Hook: canary.HookRollout, Verdict: rollout.Error, Message: `hook "x": cannot reach ` + r.URL + ": connection refused"}
	if diff := cmp.Diff(want, got); diff != "" || len(clock.taken()) != 1 {
		t.Errorf("%d pauses, %s", len(clock.taken()), diff)
	}
}

func TestEachTryHasTheTimeoutOfTheWebhook(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	slow := func(_ http.ResponseWriter, q *http.Request) {
		select {
		case <-release:
		case <-q.Context().Done():
		}
	}
	slowBody := func(w http.ResponseWriter, q *http.Request) {
		_, _ = io.WriteString(w, "half of it")
		w.(http.Flusher).Flush()
		slow(w, q)
	}
	t.Cleanup(func() { close(release) })
	for name, answer := range map[string]http.HandlerFunc{"no answer": slow, "half an answer": slowBody} {
		r := receive(t, answer)
		hook := canary.Webhook{Name: "x", URL: r.URL, Timeout: "500ms", Retries: 2} // long enough for a busy machine to take up the request
		got := caller(t, gate.Config{}, hook).Call(t.Context(), canary.HookRollout, about)
		want := rollout.HookAnswer{Hook: canary.HookRollout, Verdict: rollout.Error, Message: `hook "x": ` + r.URL + ": no answer within 500ms"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if n := len(r.requests()); n != 3 {
			t.Errorf("%s: %d requests", name, n)
		}
	}
}

func TestALargeAnswerCountsByItsStatus(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]rollout.Verdict{200: rollout.Pass, 500: rollout.Fail} {
		r := receive(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = io.Copy(w, bytes.NewReader(bytes.Repeat([]byte("é"), 4<<20)))
		})
		got := caller(t, gate.Config{}, canary.Webhook{Name: "x", URL: r.URL}).Call(t.Context(), canary.HookRollout, about)
		if got.Verdict != want || len(got.Message) > 600 {
			t.Errorf("%d: got %v with a message of %d bytes", status, got.Verdict, len(got.Message))
		}
		if want == rollout.Fail && got.Message != `hook "x": answered 500: `+strings.Repeat("é", 256)+"…" {
			t.Errorf("got %s", got.Message)
		}
	}
}

func TestACancelledCallEndsAtOnce(t *testing.T) {
	t.Parallel()
	t.Run("while it waits for the answer", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		r := receive(t, func(_ http.ResponseWriter, q *http.Request) { cancel(); <-q.Context().Done() })
		hook := canary.Webhook{Name: "x", URL: r.URL, Timeout: "1h", Retries: 9}
		got := caller(t, gate.Config{}, hook).Call(ctx, canary.HookRollout, about)
		if got.Verdict != rollout.Error || got.Message != `hook "x": `+r.URL+": stopped before there was an answer" || len(r.requests()) != 1 {
			t.Errorf("got %v, %s", got.Verdict, got.Message)
		}
	})
	t.Run("while it pauses before a retry", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		// The clock stands still: only the cancellation ends the pause.
		r := receive(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500); cancel() })
		hook := canary.Webhook{Name: "x", Type: canary.HookRollback, URL: r.URL, Retries: 9}
		c := caller(t, gate.Config{Clock: clocktesting.NewFakeClock(noon)}, hook, hook)
		got := c.Call(ctx, canary.HookRollback, about)
		if got.Verdict == rollout.Pass || len(r.requests()) != 1 {
			t.Errorf("got %v, %s after %d requests", got.Verdict, got.Message, len(r.requests()))
		}
	})
}

func TestDisableTLSSkipsTheVerificationOfTheCertificate(t *testing.T) {
	t.Parallel()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	s.Config.ErrorLog = discard()
	s.StartTLS()
	t.Cleanup(s.Close)
	hook := canary.Webhook{Name: "x", URL: s.URL, Retries: 3}
	clock := newPauses()
	got := caller(t, gate.Config{Clock: clock}, hook).Call(t.Context(), canary.HookRollout, about)
	if got.Verdict != rollout.Error || !strings.Contains(got.Message, "authority that is not trusted") || clock.taken() != nil {
		t.Errorf("got %v, %s", got.Verdict, got.Message)
	}
	hook.DisableTLS = true
	if got := caller(t, gate.Config{}, hook).Call(t.Context(), canary.HookRollout, about); got.Verdict != rollout.Pass {
		t.Errorf("got %v, %s", got.Verdict, got.Message)
	}
}

// Servers close connections that nobody has used for a while, and the next request may be on its way already.
func TestAConnectionThatTheServerHasClosedCostsNothing(t *testing.T) {
	t.Parallel()
	for _, kind := range canary.HookTypes() {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			var mu sync.Mutex
			seen := map[string]bool{}
			r := receive(t, func(w http.ResponseWriter, q *http.Request) {
				mu.Lock()
				used := seen[q.RemoteAddr]
				seen[q.RemoteAddr] = true
				mu.Unlock()
				if used {
					breakOff(w, q)
				}
				if values, sent := q.Header["Idempotency-Key"]; sent {
					t.Errorf("sends the header %q", values)
				}
			})
			c := caller(t, gate.Config{}, canary.Webhook{Name: "x", Type: kind, URL: r.URL})
			for range 3 {
				if got := c.Call(t.Context(), kind, about); got.Verdict != rollout.Pass {
					t.Fatalf("got %v, %s", got.Verdict, got.Message)
				}
			}
			isGate := strings.HasPrefix(string(kind), "confirm-") || kind == canary.HookRollback
			if n := len(r.requests()); !isGate && n != 3 {
				t.Errorf("%d requests for 3 calls: a hook must not be called twice", n)
			}
		})
	}
}
