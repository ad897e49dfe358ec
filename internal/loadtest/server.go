package loadtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// mostPayload is how long the body of a webhook may be.
const mostPayload = 1 << 20

// handler answers webhooks. Its tasks live in ctx, not in that of the request: a caller that gives up and asks again is
// told the result of the task that it has begun, instead of beginning another.
type handler struct {
	tester *Tester
	ctx    func() context.Context
}

// Handler returns the task API of Flagger's load tester. ctx is what its tasks live in: cancel it and Wait for them before
// the process ends. The gates of Flagger's load tester are not here but in package server.
//
//	POST /   a task: 202 when it goes on in the background, else 200 when it has passed and 500 when not;
//	         400 for a bad payload, 403 for a namespace that is not allowed, 503 when the queue is full
func (t *Tester) Handler(ctx context.Context) http.Handler {
	h := &handler{tester: t, ctx: func() context.Context { return ctx }}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /{$}", h.task)
	return mux
}

// answer writes text that no browser takes for anything else: output of tasks comes from outside.
func answer(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text) // the caller has gone, and nobody else needs to know
}

// payload reads the body. It has answered when it returns false.
func (h *handler) payload(w http.ResponseWriter, r *http.Request) (Payload, bool) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, mostPayload))
	if err != nil {
		status := http.StatusBadRequest
		if _, long := errors.AsType[*http.MaxBytesError](err); long {
			status = http.StatusRequestEntityTooLarge
		}
		answer(w, status, fmt.Sprintf("read the payload: %s", err))
		return Payload{}, false
	}
	p, err := ParsePayload(body)
	if err != nil {
		answer(w, http.StatusBadRequest, err.Error())
		return Payload{}, false
	}
	if allowed := h.tester.options.Namespaces; allowed != nil && !allowed.MatchString(p.Namespace) {
		answer(w, http.StatusForbidden, "Forbidden")
		return Payload{}, false
	}
	return p, true
}

func (h *handler) task(w http.ResponseWriter, r *http.Request) {
	p, ok := h.payload(w, r)
	if !ok {
		return
	}
	taken, err := h.tester.take(h.ctx(), p)
	switch {
	case errors.Is(err, ErrBusy):
		answer(w, http.StatusServiceUnavailable, err.Error())
		return
	case err != nil:
		answer(w, http.StatusBadRequest, err.Error())
		return
	case p.Background():
		answer(w, http.StatusAccepted, "")
		return
	}
	result, err := taken.wait(r.Context())
	switch {
	case err != nil:
		answer(w, http.StatusInternalServerError, err.Error())
	case !result.Passed:
		answer(w, http.StatusInternalServerError, result.Task+": "+result.Message+"\n"+result.Output)
	case p.ReturnsOutput():
		answer(w, http.StatusOK, result.Output)
	default:
		answer(w, http.StatusOK, "")
	}
}
