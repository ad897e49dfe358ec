package e2e

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// hook changes a field of every webhook of a canary.
func hook(field string, value any) func(map[string]any) {
	return func(spec map[string]any) {
		for _, w := range spec["analysis"].(map[string]any)["webhooks"].([]any) {
			w.(map[string]any)[field] = value
		}
	}
}

// A webhook that stumbles is asked again as often as it says, and that costs no failed check.
func TestAWebhookIsTriedAsOftenAsItSays(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		retries, code int
	}{"often enough": {2, 0}, "not often enough": {1, 1}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHookServer(t)
			h.answer("pre-rollout", 503, hang, 200)
			s := newScenario(t, "nginx", h.hooks("pre-rollout"), hook("retries", c.retries), analysis("threshold", 1), analysis("stepWeight", 50))
			s.initialise()
			run := s.rollOut(v2)
			s.end(run, c.code)
			s.wantSafe()
			if calls := h.of("pre-rollout"); len(calls) != c.retries+1 {
				t.Errorf("the hook was called %d times, want %d", len(calls), c.retries+1)
			}
			if c.code == 0 {
				s.wantPromoted(v2)
				return
			}
			s.wantLine(run, "no answer within 1s")
			s.wantRolledBack(v1)
			s.wantWeights(0)
		})
	}
}

// disableTLS is for a server whose certificate nobody has signed. Without it such a server opens nothing.
func TestAWebhookBehindACertificateOfItsOwnIsCalledWhenAsked(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		disable bool
		code    int
	}{"when it is trusted as it is": {true, 0}, "and not otherwise": {false, 1}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := &hookServer{end: make(chan struct{}), answers: map[string][]int{}}
			server := httptest.NewTLSServer(h)
			server.Config.ErrorLog = nil
			h.URL = server.URL
			t.Cleanup(func() {
				close(h.end)
				server.Close()
			})
			s := newScenario(t, "gatewayapi:v1", h.hooks("confirm-promotion"), hook("disableTLS", c.disable), analysis("stepWeight", 50))
			s.initialise()
			run := s.rollOut(v2, "--gate-timeout", "3s")
			s.end(run, c.code)
			s.wantSafe()
			if c.disable {
				s.wantPromoted(v2)
				return
			}
			s.wantLine(run, "certificate")
			s.wantRolledBack(v1)
			if calls := h.of("confirm-promotion"); len(calls) > 0 {
				t.Errorf("the server was told of the rollout %d times", len(calls))
			}
		})
	}
}

// chat keeps the alerts that it gets.
type chat struct {
	mu    sync.Mutex
	texts []string
}

func (c *chat) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.texts = append(c.texts, string(body))
	w.WriteHeader(http.StatusOK)
}

func (c *chat) count(part string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for _, text := range c.texts {
		if strings.Contains(text, part) {
			n++
		}
	}
	return n
}

// A closed gate is an alert, unless its webhook wants none or it opens when it is first asked. All others are sent as ever.
func TestAClosedGateIsAnAlertUnlessItIsMuted(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		muted  bool
		answer []int
		waits  int // alerts that say so
	}{
		"muted":        {true, []int{403, 403, 200}, 0},
		"not muted":    {false, []int{403, 403, 200}, 1},
		"open at once": {false, []int{200}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			room := &chat{}
			server := httptest.NewServer(room)
			t.Cleanup(server.Close)
			h := newHookServer(t)
			h.answer("confirm-promotion", c.answer...)
			s := newScenario(t, "gatewayapi:v1", h.hooks("confirm-promotion"), hook("muteAlert", c.muted), analysis("stepWeight", 50),
				analysis("alerts", []any{map[string]any{"name": "room", "severity": "info", "providerRef": map[string]any{"name": "room"}}}))
			s.write("canary.yaml", s.canary, map[string]any{
				"apiVersion": "flagger.app/v1beta1", "kind": "AlertProvider", "metadata": map[string]any{"name": "room"},
				"spec": map[string]any{"type": "slack", "channel": "general", "address": server.URL},
			})
			s.initialise()
			s.end(s.rollOut(v2), 0)
			s.wantPromoted(v2)
			want := map[string]int{"waiting for approval": c.waits, "progressing canary analysis": 1, "promotion finished": 1}
			for part, n := range want {
				if got := room.count(part); got != n {
					text, _ := json.Marshal(room.texts)
					t.Errorf("%d alerts say %q, want %d: %s", got, part, n, text)
				}
			}
		})
	}
}
