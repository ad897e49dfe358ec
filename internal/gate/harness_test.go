package gate_test

import (
	"encoding/json"
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"k8s.io/utils/clock"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/gate"
)

var update = flag.Bool("update", false, "rewrite the golden files")

var (
	noon  = time.Date(2026, 5, 4, 12, 0, 0, 123_000_000, time.UTC)
	about = gate.About{Phase: "Progressing", Checksum: "85d557f47b"}
)

// request is what a receiver got.
type request struct {
	Path        string
	ContentType string
	Agent       string
	Body        string
}

// receiver is a server of webhooks that keeps what it got.
type receiver struct {
	*httptest.Server
	mu  sync.Mutex
	got []request
}

// receive starts a receiver that answers as answer does; nil answers 200.
func receive(t *testing.T, answer http.HandlerFunc) *receiver {
	t.Helper()
	r := &receiver{}
	r.Server = httptest.NewServer(r.keep(answer))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) keep(answer http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		body, _ := io.ReadAll(q.Body)
		r.mu.Lock()
		r.got = append(r.got, request{q.Method + " " + q.URL.Path, q.Header.Get("Content-Type"), q.UserAgent(), string(body)})
		r.mu.Unlock()
		if answer != nil {
			answer(w, q)
		}
	})
}

func (r *receiver) requests() []request {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.got)
}

// paths are those of the requests, in their order.
func (r *receiver) paths() []string {
	paths := []string{}
	for _, q := range r.requests() {
		paths = append(paths, q.Path)
	}
	return paths
}

// metadata is that of a request's payload.
func (q request) metadata(t *testing.T) map[string]string {
	t.Helper()
	var p struct{ Metadata map[string]string }
	if err := json.Unmarshal([]byte(q.Body), &p); err != nil {
		t.Fatal(err)
	}
	return p.Metadata
}

// answering answers with a status and a body.
func answering(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// inTurn answers with one handler after the other, and then always with the last.
func inTurn(answers ...http.HandlerFunc) http.HandlerFunc {
	var mu sync.Mutex
	return func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		answer := answers[0]
		if len(answers) > 1 {
			answers = answers[1:]
		}
		mu.Unlock()
		answer(w, r)
	}
}

// pauses is a clock whose timers fire at once, and are written down.
type pauses struct {
	clock.Clock
	mu   sync.Mutex
	list []time.Duration
}

func (p *pauses) NewTimer(d time.Duration) clock.Timer {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.list = append(p.list, d)
	return clock.RealClock{}.NewTimer(0)
}

func (p *pauses) taken() []time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.list)
}

func newPauses() *pauses { return &pauses{Clock: clocktesting.NewFakeClock(noon)} }

// caller makes a Caller for webhooks of the canary test/podinfo.
func caller(t *testing.T, c gate.Config, hooks ...canary.Webhook) *gate.Caller {
	t.Helper()
	c.Canary = &canary.Canary{}
	c.Canary.Name, c.Canary.Namespace = "podinfo", "test"
	c.Canary.Spec.Analysis = &canary.Analysis{Webhooks: hooks}
	if c.Clock == nil {
		c.Clock = newPauses()
	}
	made, err := gate.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(made.Close)
	return made
}
