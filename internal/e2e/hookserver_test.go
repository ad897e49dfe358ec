package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// A hookCall is a webhook that penstock called.
type hookCall struct {
	At        time.Time // when it was answered
	Hook      string    // the last part of its URL
	Status    int       // as answered
	Name      string
	Namespace string
	Phase     string
	Checksum  string
	Metadata  map[string]string
}

// A hookServer is behind the webhooks of a canary. Each is at the path of its type.
type hookServer struct {
	URL string

	end     chan struct{}
	mu      sync.Mutex
	answers map[string][]int // by path: one after the other, the last one for ever; none is 200
	calls   []hookCall
}

// hang is the status of an answer that never comes.
const hang = 0

func newHookServer(t testing.TB) *hookServer {
	h := &hookServer{end: make(chan struct{}), answers: map[string][]int{}}
	server := httptest.NewServer(h)
	h.URL = server.URL
	t.Cleanup(func() {
		close(h.end)
		server.Close()
	})
	return h
}

func (h *hookServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	call := hookCall{Hook: strings.TrimPrefix(r.URL.Path, "/")}
	if err := json.NewDecoder(r.Body).Decode(&call); err != nil || r.Method != http.MethodPost {
		http.Error(w, "not a webhook", http.StatusBadRequest)
		return
	}
	h.mu.Lock()
	call.Status = http.StatusOK
	if answers := h.answers[call.Hook]; len(answers) > 0 {
		call.Status = answers[0]
		if len(answers) > 1 {
			h.answers[call.Hook] = answers[1:]
		}
	}
	call.At = time.Now()
	h.calls = append(h.calls, call)
	h.mu.Unlock()
	switch {
	case call.Status == hang:
		select {
		case <-r.Context().Done():
		case <-h.end:
		}
		return
	case call.Status == http.StatusFound:
		w.Header().Set("Location", "/login")
	}
	w.WriteHeader(call.Status)
	if call.Status >= 400 {
		_, _ = fmt.Fprintf(w, "%s says no", call.Hook)
	}
}

// answer sets what a webhook answers from now on: one status after the other, the last one for ever.
func (h *hookServer) answer(hook string, statuses ...int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.answers[hook] = statuses
}

// of returns the calls of a webhook so far.
func (h *hookServer) of(hook string) []hookCall {
	h.mu.Lock()
	defer h.mu.Unlock()
	var calls []hookCall
	for _, c := range h.calls {
		if c.Hook == hook {
			calls = append(calls, c)
		}
	}
	return calls
}

// awaitCalls waits until a webhook has been called so many times.
func (s *scenario) awaitCalls(h *hookServer, hook string, count int) {
	s.t.Helper()
	s.Await(fmt.Sprintf("%d calls of %s", count, hook), func(context.Context) error {
		got := len(h.of(hook))
		return unless(got >= count, "there are %d", got)
	})
}

// hooks gives a canary webhooks of these types, each under the name of its type.
func (h *hookServer) hooks(types ...string) func(map[string]any) {
	return func(spec map[string]any) {
		webhooks, _ := spec["analysis"].(map[string]any)["webhooks"].([]any)
		for _, kind := range types {
			webhooks = append(webhooks, map[string]any{
				"name": kind, "type": kind, "url": h.URL + "/" + kind, "timeout": "1s", "metadata": map[string]any{"team": "shop"},
			})
		}
		spec["analysis"].(map[string]any)["webhooks"] = webhooks
	}
}

// opened returns when a gate first said yes.
func (s *scenario) opened(h *hookServer, gate string) time.Time {
	s.t.Helper()
	closed := false
	for _, c := range h.of(gate) {
		if c.Status == http.StatusOK && closed {
			return c.At
		}
		closed = closed || c.Status != http.StatusOK
	}
	s.t.Fatalf("%s never opened after it was closed: %v", gate, h.of(gate))
	return time.Time{}
}

// when returns when a claim about the namespace first held.
func (s *scenario) when(what string, claim func(Moment) bool) time.Time {
	s.t.Helper()
	var at time.Time
	s.record.Replay(func(m Moment) {
		if at.IsZero() && claim(m) {
			at = m.Version.At
		}
	})
	if at.IsZero() {
		s.t.Errorf("it never came to %s", what)
	}
	return at
}

// prompt is how long it may take to act on an answer, even when the machine is busy with many rollouts. Whoever would not
// be woken by the answer takes far longer.
const prompt = 5 * time.Second

// wantPrompt checks that an answer was acted on at once.
func (s *scenario) wantPrompt(what string, answered, done time.Time) {
	s.t.Helper()
	took := done.Sub(answered)
	s.t.Logf("%s %s after the answer", what, took.Round(time.Millisecond))
	if took > prompt {
		s.t.Errorf("%s only %s after the answer", what, took)
	}
}
