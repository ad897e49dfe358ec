package rehearsal

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"sync/atomic"
	"time"
)

// Instance says which pods an App stands for.
type Instance struct {
	Workload string // name of the Deployment
	Revision string // hash of its pod template
	Version  string // what the app says of itself, such as the tag of its image
	Pod      string // name of the pod
}

// App is a real HTTP application on the loopback interface, in the manner of podinfo: it says who it is, and does badly
// what it is told to do badly. It is safe for concurrent use.
type App struct {
	instance  Instance
	server    *loopbackServer
	behaviour atomic.Pointer[appBehaviour]
	answered  atomic.Uint64 // counts on from the seed
	good, bad []byte        // the two answers
}

// appBehaviour is a Behaviour as a request needs it.
type appBehaviour struct {
	Behaviour
	errors uint64 // the requests whose place in the sequence is below this are answered by an error
}

// StartApp starts an app on a free port. seed decides which of the requests fail when some are to.
func StartApp(ctx context.Context, instance Instance, seed uint64) (*App, error) {
	a := newApp(instance, seed)
	server, err := startLoopback(ctx, a)
	if err != nil {
		return nil, fmt.Errorf("start the app of %s: %w", instance.Workload, err)
	}
	a.server = server
	return a, nil
}

func newApp(instance Instance, seed uint64) *App {
	a := &App{instance: instance}
	a.good, a.bad = instance.answer("greetings from "), instance.answer("something went wrong in ")
	a.answered.Store(seed)
	a.set(Behaviour{})
	return a
}

// Endpoint returns where the app listens.
func (a *App) Endpoint() Endpoint {
	return Endpoint{Address: a.server.Addr().String(), Workload: a.instance.Workload, Pod: a.instance.Pod}
}

// Behave changes what the app does badly, from the next request on. A crash resets all its connections.
func (a *App) Behave(b Behaviour) {
	a.set(b)
	a.server.Down(b.Crash)
}

func (a *App) set(b Behaviour) {
	a.behaviour.Store(&appBehaviour{Behaviour: b, errors: errorBound(b.ErrorPercent)})
}

// errorBound returns the part of the numbers below 2^64 that the percentage is.
func errorBound(percent float64) uint64 {
	if percent >= 100 {
		return math.MaxUint64
	}
	return uint64(max(percent, 0) / 100 * (1 << 64))
}

// golden is 2^64 divided by the golden ratio. Its multiples, modulo 2^64, fill the range more evenly than random numbers
// do (they are Weyl's sequence with the lowest discrepancy): 5 % of a few requests is 5 %, and not a matter of luck, but
// there is no rhythm in them that the users or the router could fall in with.
const golden = 0x9E3779B97F4A7C15

// ServeHTTP answers a request.
func (a *App) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/healthz" || r.URL.Path == "/readyz" {
		writeAppAnswer(w, http.StatusOK, []byte(`{"status":"OK"}`))
		return
	}
	b := a.behaviour.Load()
	if !pause(r.Context(), b.Latency) {
		return
	}
	place := a.answered.Add(1) * golden
	failed := b.ErrorPercent >= 100 || place < b.errors
	switch {
	case isGRPC(r):
		writeGRPCAnswer(w, failed)
	case failed:
		writeAppAnswer(w, http.StatusInternalServerError, a.bad)
	default:
		writeAppAnswer(w, http.StatusOK, a.good)
	}
}

// answer returns what the app says of itself, as JSON.
func (i Instance) answer(message string) []byte {
	body, err := json.Marshal(map[string]string{
		"hostname": i.Pod, "version": i.Version, "revision": i.Revision, "message": message + i.Workload,
	})
	if err != nil { // cannot be: it is a map of texts
		return []byte("{}")
	}
	return body
}

// pause waits, and reports whether the client has waited too.
func pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func writeAppAnswer(w http.ResponseWriter, code int, body []byte) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(code)
	_, _ = w.Write(body) // a client that has gone away needs no answer
}

// Shutdown lets the requests that are under way finish until the context ends, as a pod that is terminated does.
func (a *App) Shutdown(ctx context.Context) error { return a.server.Shutdown(ctx) }

// Close ends the app at once.
func (a *App) Close() error { return a.server.Close() }
