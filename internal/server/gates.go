package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/penstock-dev/penstock/internal/canary"
)

// gateBody is how long the body of a question about a gate may be.
const gateBody = 1 << 20

// GateStore keeps which gates are open, also when the process ends. It must be safe for concurrent use.
type GateStore interface {
	Get(ctx context.Context, g canary.Gate) (open bool, err error)
	Set(ctx context.Context, g canary.Gate, open bool) error
}

// Voters answer the gates that people open by comments. An error means that it is not known, and that nothing is open;
// why is for whoever asked.
type Voters interface {
	Ask(ctx context.Context, ask canary.GateAsk) (open bool, why string, err error)
}

// Gates is the gate API of Flagger's load tester: its paths, payloads and codes.
//
//	/gate/approve             200
//	/gate/halt                403
//	/gate/check               200 when the gate of the canary is open, else 403
//	/gate/open, /gate/close   202
//	/rollback/check, /rollback/open, /rollback/close   likewise, for the gate that asks for a rollback
//
// Beyond those: 400 for a bad payload, 401 without the token, 403 for a namespace that is not served, 413 for a payload
// that is too long, 500 when the gate cannot be read or set. Flagger takes every code above 202 for a closed gate, so that
// not knowing never lets a rollout go on. A payload whose metadata name a repository is answered by what people have said
// there, and by nothing else.
type Gates struct {
	Store  GateStore
	Tokens GateTokens                  // whoever knows one of them may ask, open and close; none lets everybody
	Serves func(namespace string) bool // nil is every namespace
	Log    *slog.Logger                // is told who opens and closes
	Voters Voters                      // nil when no people are asked
}

// Mount adds the routes. Like Flagger's they do not look at the method.
func (g *Gates) Mount(r chi.Router) {
	r.Group(func(r chi.Router) {
		r.Use(GateGuard(g.Tokens))
		r.HandleFunc("/gate/approve", gateSays(http.StatusOK, "OK"))
		r.HandleFunc("/gate/halt", gateSays(http.StatusForbidden, "Forbidden"))
		for prefix, rollback := range map[string]bool{"/gate": false, "/rollback": true} {
			r.HandleFunc(prefix+"/check", g.check(rollback))
			r.HandleFunc(prefix+"/open", g.set(rollback, true))
			r.HandleFunc(prefix+"/close", g.set(rollback, false))
		}
	})
}

func (g *Gates) check(rollback bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ask, ok := g.ask(w, r, rollback)
		if !ok {
			return
		}
		if ask.ByPeople() {
			g.people(w, r, ask)
			return
		}
		gate := ask.Gate
		open, err := g.Store.Get(r.Context(), gate)
		switch {
		case err != nil:
			g.Log.Error("the "+gate.String()+" cannot be read", "error", err)
			gateAnswer(w, http.StatusInternalServerError, "the gate cannot be read; the log of the server says why")
		case open:
			gateAnswer(w, http.StatusOK, "Approved")
		default:
			gateAnswer(w, http.StatusForbidden, "Forbidden")
		}
	}
}

// badAsk is an error that the sender of a payload can mend.
type badAsk interface{ BadAsk() bool }

// people answers by what people have said.
func (g *Gates) people(w http.ResponseWriter, r *http.Request, ask canary.GateAsk) {
	if g.Voters == nil {
		gateAnswer(w, http.StatusBadRequest, "the metadata name a repository, and this server asks nobody: it needs --approvers or --approval-policy")
		return
	}
	open, why, err := g.Voters.Ask(r.Context(), ask)
	bad := badAsk(nil)
	switch {
	case errors.As(err, &bad):
		gateAnswer(w, http.StatusBadRequest, err.Error())
	case err != nil:
		g.Log.Error("people cannot be asked about the "+ask.Gate.String(), "error", err.Error())
		gateAnswer(w, http.StatusInternalServerError, "people cannot be asked; the log of the server says why")
	case open:
		gateAnswer(w, http.StatusOK, why)
	default:
		gateAnswer(w, http.StatusForbidden, why)
	}
}

func (g *Gates) set(rollback, open bool) http.HandlerFunc {
	done := map[bool]string{true: "opened", false: "closed"}[open]
	return func(w http.ResponseWriter, r *http.Request) {
		ask, ok := g.ask(w, r, rollback)
		if !ok {
			return
		}
		gate := ask.Gate
		if err := g.Store.Set(r.Context(), gate, open); err != nil {
			g.Log.Error("the "+gate.String()+" cannot be set", "error", err)
			gateAnswer(w, http.StatusInternalServerError, "the gate cannot be set; the log of the server says why")
			return
		}
		g.Log.Info("the "+gate.String()+" was "+done, "from", r.RemoteAddr)
		gateAnswer(w, http.StatusAccepted, "")
	}
}

// ask reads which gate is meant. It has answered when it returns false.
func (g *Gates) ask(w http.ResponseWriter, r *http.Request, rollback bool) (canary.GateAsk, bool) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, gateBody))
	if err != nil {
		status := http.StatusBadRequest
		if _, long := errors.AsType[*http.MaxBytesError](err); long {
			status = http.StatusRequestEntityTooLarge
		}
		gateAnswer(w, status, fmt.Sprintf("read the payload: %s", err))
		return canary.GateAsk{}, false
	}
	var payload struct {
		Name, Namespace, Checksum string
		Metadata                  map[string]string
	}
	if err := json.Unmarshal(body, &payload); err != nil {
		gateAnswer(w, http.StatusBadRequest, fmt.Sprintf("read the payload: %s", err))
		return canary.GateAsk{}, false
	}
	gate := canary.Gate{Namespace: payload.Namespace, Name: payload.Name, Rollback: rollback}
	if err := gate.Check(); err != nil {
		gateAnswer(w, http.StatusBadRequest, err.Error())
		return canary.GateAsk{}, false
	}
	if g.Serves != nil && !g.Serves(gate.Namespace) {
		gateAnswer(w, http.StatusForbidden, fmt.Sprintf("Forbidden: the namespace %q is not served here", gate.Namespace))
		return canary.GateAsk{}, false
	}
	return canary.GateAsk{Gate: gate, Checksum: payload.Checksum, Metadata: payload.Metadata}, true
}

// gateAnswer writes text that no browser takes for anything else.
func gateAnswer(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text) // the caller has gone, and nobody else needs to know
}

func gateSays(status int, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { gateAnswer(w, status, text) }
}
