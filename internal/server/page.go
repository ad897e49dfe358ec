package server

import (
	"log/slog"
	"net/http"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/go-chi/chi/v5"
	"k8s.io/utils/clock"

	"github.com/penstock-dev/penstock/internal/report"
)

// PageConfig says what a page shows, and to whom.
type PageConfig struct {
	Open       bool       // shows it to everybody; else a token is needed
	Tokens     GateTokens // any of them shows it; without one, and not open, the page only says how to open it
	Namespaces []string   // whose rollouts it shows; one that is empty stands for all
	Nowhere    string     // why there are none to show; empty when there is a cluster
	Clock      clock.WithTicker
	Log        *slog.Logger
}

// Page shows people the rollouts of the namespaces that are served, in a browser. It only reads, and only what it was told:
//
//	/                              gates that wait, running rollouts, history
//	/rollouts/{namespace}/{name}   one rollout
//	/events                        changes of either, as server-sent events
//
// Beyond 200: 401 without the token, 403 while nobody can have one, 404 for a rollout of which nothing is kept, 405 for
// anything but GET and HEAD, and 503 for changes while too many listen or the server ends.
type Page struct {
	config PageConfig
	policy string // of the content

	mu        sync.Mutex
	seen      map[string][]report.Standing // by namespace as watched; none before it was listed
	troubles  map[string]trouble
	changed   chan struct{} // closed, and made anew, when there is something new
	listeners int

	closed chan struct{}
	close  sync.Once
}

// trouble is since when a namespace cannot be read, and why.
type trouble struct {
	since time.Time
	why   string
}

// NewPage returns a page that knows nothing yet.
func NewPage(c PageConfig) *Page {
	if c.Clock == nil {
		c.Clock = clock.RealClock{}
	}
	return &Page{
		config: c, policy: report.BoardPolicy(), seen: map[string][]report.Standing{}, troubles: map[string]trouble{},
		changed: make(chan struct{}), closed: make(chan struct{}),
	}
}

// Shown reports whether anybody can see it, so that it is worth to be told.
func (p *Page) Shown() bool { return p.config.Open || len(p.config.Tokens) > 0 }

// See tells what is kept about the canaries of a namespace. The page keeps the list.
func (p *Page) See(namespace string, all []report.Standing) {
	all = slices.Clone(all)
	for i := range all {
		if all[i].Run == report.Attended {
			all[i].HeldUntil = time.Time{} // renewed every few seconds, and shown only when no run is at work
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	before, known := p.seen[namespace]
	if known && reflect.DeepEqual(before, all) {
		return
	}
	p.seen[namespace] = all
	p.tell()
}

// Trouble tells why a namespace cannot be read now; nil when it can be again. What was seen of it before stays, and the page
// says that it may be old.
func (p *Page) Trouble(namespace string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	before, was := p.troubles[namespace]
	switch {
	case err == nil && was:
		delete(p.troubles, namespace)
	case err != nil && (!was || before.why != err.Error()):
		since := before.since
		if !was {
			since = p.config.Clock.Now()
		}
		p.troubles[namespace] = trouble{since, err.Error()}
	default:
		return
	}
	p.tell()
}

// tell wakes who listens. The lock is held.
func (p *Page) tell() {
	close(p.changed)
	p.changed = make(chan struct{})
}

// Close ends the connections of those who listen, and takes no new ones. The pages themselves stay.
func (p *Page) Close() { p.close.Do(func() { close(p.closed) }) }

// board is what is known now, and what is closed when there is more.
func (p *Page) board() (report.Board, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	b := report.Board{Now: p.config.Clock.Now()}
	if p.config.Nowhere != "" {
		b.Problems = append(b.Problems, p.config.Nowhere)
	}
	for _, namespace := range p.config.Namespaces {
		where := "all namespaces"
		if namespace != "" {
			where = "the namespace " + namespace
		}
		all, known := p.seen[namespace]
		b.Standings = append(b.Standings, all...)
		switch t, trouble := p.troubles[namespace]; {
		case trouble && known:
			b.Problems = append(b.Problems, "The cluster does not say what is new in "+where+" since "+
				t.since.UTC().Format("2006-01-02 15:04:05 MST")+"; what is shown of it may be old: "+t.why)
		case trouble:
			b.Problems = append(b.Problems, "The rollouts of "+where+" cannot be read: "+t.why)
		case !known:
			b.Problems = append(b.Problems, "The rollouts of "+where+" are not read yet.")
		}
	}
	if slices.ContainsFunc(b.Standings, func(s report.Standing) bool { return s.Run == report.AttendanceUnknown }) {
		b.Problems = append(b.Problems, "Whether a run is at work is not known: the leases may not be read.")
	}
	return b, p.changed
}

// Mount adds the routes. It comes after those that take every method at /.
func (p *Page) Mount(r chi.Router) {
	r.Group(func(r chi.Router) {
		r.Use(p.guard)
		for path, handle := range map[string]http.HandlerFunc{"/": p.index, "/rollouts/{namespace}/{canary}": p.rollout} {
			r.Get(path, handle)
			r.Head(path, handle)
		}
		r.Get("/events", p.events)
	})
}

// guard keeps out who may not see the page, and sets the headers that every answer has.
func (p *Page) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for name, value := range map[string]string{
			"Content-Security-Policy": p.policy, "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY",
			"Referrer-Policy": "no-referrer", "Cross-Origin-Resource-Policy": "same-origin", "Cross-Origin-Opener-Policy": "same-origin",
			"Cache-Control": "no-store", // it says how long ago things were, and who asked for it had to prove something
		} {
			w.Header().Set(name, value)
		}
		switch {
		case !p.Shown():
			gateAnswer(w, http.StatusForbidden, "this page shows rollouts to those who know a token, and there is none: "+
				"start the server with --page-token, or with --page on for everybody, or with --page off for nobody\n")
		case !p.config.Open && !p.config.Tokens.known(gateToken(r)):
			// Basic is what a browser asks its user for. It sends the answer with the events, too.
			w.Header().Set("WWW-Authenticate", `Basic realm="penstock", charset="UTF-8"`)
			gateAnswer(w, http.StatusUnauthorized, "the token is missing or wrong: give it as the password, with any user name, or as Authorization: Bearer\n")
		default:
			next.ServeHTTP(w, r)
		}
	})
}

func (p *Page) index(w http.ResponseWriter, r *http.Request) {
	b, _ := p.board()
	page, err := b.HTML(report.ParseBoardView(r.URL.Query()))
	p.answer(w, page, http.StatusOK, err)
}

func (p *Page) rollout(w http.ResponseWriter, r *http.Request) {
	b, _ := p.board()
	page, found, err := b.RolloutHTML(chi.URLParam(r, "namespace"), chi.URLParam(r, "canary"))
	status := http.StatusOK
	if !found {
		status = http.StatusNotFound
	}
	p.answer(w, page, status, err)
}

func (p *Page) answer(w http.ResponseWriter, page []byte, status int, err error) {
	if err != nil {
		p.config.Log.Error("the page cannot be written", "error", err)
		gateAnswer(w, http.StatusInternalServerError, "the page cannot be written; the log of the server says why\n")
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(page) // the caller has gone, and nobody else needs to know
}
