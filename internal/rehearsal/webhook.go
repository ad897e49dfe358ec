package rehearsal

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/penstock-dev/penstock/internal/canary"
)

const (
	maxWebhookBody  = 1 << 20
	maxWebhookCalls = 1000 // the newest are kept
)

// Webhooks answers in place of the webhooks of a canary, which a rehearsal has no business to call: they may load a real
// system, or ask a real person. Gates are open, hooks succeed, and nobody asks for a rollback, unless told otherwise. It
// is safe for concurrent use.
type Webhooks struct {
	server *loopbackServer

	mu       sync.Mutex
	statuses map[canary.HookType]int // other than the default
	calls    []WebhookCall
}

// WebhookCall is one request that was answered.
type WebhookCall struct {
	Hook     canary.HookType   `json:"-"`
	Webhook  string            `json:"-"` // its name in the canary
	Status   int               `json:"-"` // as answered
	Name     string            `json:"name"`
	Phase    string            `json:"phase"`
	Checksum string            `json:"checksum"`
	Metadata map[string]string `json:"metadata"`
}

// StartWebhooks starts a server on a free port of the loopback interface.
func StartWebhooks(ctx context.Context) (*Webhooks, error) {
	w := &Webhooks{statuses: map[canary.HookType]int{}}
	routes := http.NewServeMux()
	routes.HandleFunc("POST /{hook}/{name}", w.answer)
	var err error
	if w.server, err = startLoopback(ctx, routes); err != nil {
		return nil, fmt.Errorf("start the server of webhooks: %w", err)
	}
	return w, nil
}

// URL returns the address at which a webhook is answered.
func (w *Webhooks) URL(hook canary.HookType, name string) string {
	return "http://" + w.server.Addr().String() + "/" + string(hook) + "/" + url.PathEscape(name)
}

// StandIn makes the server answer for every webhook of a canary, which is modified. It says so, a sentence for each.
func (w *Webhooks) StandIn(c *canary.Canary) []string {
	if c.Spec.Analysis == nil {
		return nil
	}
	hooks := slices.Clone(c.Spec.Analysis.Webhooks)
	said := make([]string, 0, len(hooks))
	for i := range hooks {
		h := &hooks[i]
		if h.InProcess() {
			continue // the run does it itself, and it reaches nothing but the embedded cluster
		}
		h.URL, h.DisableTLS = w.URL(h.EffectiveType(), h.Name), false
		does := "succeeds"
		switch kind := h.EffectiveType(); {
		case kind == canary.HookRollback:
			does = "asks for no rollback"
		case strings.HasPrefix(string(kind), "confirm-"):
			does = "is open at once"
		}
		said = append(said, fmt.Sprintf("webhook %q (%s) is answered by the rehearsal: it %s", h.Name, h.EffectiveType(), does))
	}
	c.Spec.Analysis.Webhooks = hooks
	return said
}

// Answer returns the HTTP status with which webhooks of a type are answered.
func (w *Webhooks) Answer(hook canary.HookType) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.status(hook)
}

func (w *Webhooks) status(hook canary.HookType) int {
	if status, told := w.statuses[hook]; told {
		return status
	}
	if hook == canary.HookRollback {
		return http.StatusForbidden
	}
	return http.StatusOK
}

// SetAnswer makes webhooks of a type be answered with an HTTP status from now on: 403 closes a gate.
func (w *Webhooks) SetAnswer(hook canary.HookType, status int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.statuses[hook] = status
}

// Calls returns the newest calls, oldest first.
func (w *Webhooks) Calls() []WebhookCall {
	w.mu.Lock()
	defer w.mu.Unlock()
	calls := slices.Clone(w.calls)
	for i := range calls {
		calls[i].Metadata = maps.Clone(calls[i].Metadata)
	}
	return calls
}

func (w *Webhooks) answer(rw http.ResponseWriter, r *http.Request) {
	call := WebhookCall{}
	body, err := io.ReadAll(http.MaxBytesReader(rw, r.Body, maxWebhookBody))
	if err == nil {
		err = json.Unmarshal(body, &call)
	}
	if err != nil {
		http.Error(rw, "this is not the payload of a webhook", http.StatusBadRequest)
		return
	}
	call.Hook, call.Webhook = canary.HookType(r.PathValue("hook")), r.PathValue("name")
	w.mu.Lock()
	call.Status = w.status(call.Hook)
	w.calls = append(w.calls, call)
	if len(w.calls) > maxWebhookCalls {
		w.calls = slices.Delete(w.calls, 0, len(w.calls)-maxWebhookCalls)
	}
	w.mu.Unlock()
	rw.WriteHeader(call.Status)
}

// Close ends the server.
func (w *Webhooks) Close() error {
	if err := w.server.Close(); err != nil {
		return fmt.Errorf("close the server of webhooks: %w", err)
	}
	return nil
}
