package server

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"
)

// Tasks is the task API of Flagger's load tester, at /, as Flagger's webhooks call it.
type Tasks struct {
	Handler http.Handler // that of a loadtest.Tester
	Tokens  GateTokens   // whoever knows one of them may run tasks; none lets everybody
}

// Mount adds the route.
func (t *Tasks) Mount(r chi.Router) {
	r.With(GateGuard(t.Tokens), patient).Handle("/", t.Handler)
}

// patient reads the whole request within the time that the server gives it, and then lets the answer take as long as it
// takes. Otherwise the connection would count as lost when that time is over, and with it the answer to a task that takes
// longer.
func patient(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, gateBody))
		if err != nil {
			status := http.StatusBadRequest
			if _, long := errors.AsType[*http.MaxBytesError](err); long {
				status = http.StatusRequestEntityTooLarge
			}
			gateAnswer(w, status, "read the payload: "+err.Error())
			return
		}
		control := http.NewResponseController(w)
		err = errors.Join(control.SetReadDeadline(time.Time{}), control.SetWriteDeadline(time.Time{}))
		if err != nil && !errors.Is(err, http.ErrNotSupported) {
			return // the connection is gone
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		next.ServeHTTP(w, r)
	})
}
