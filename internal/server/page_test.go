package server

import (
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/penstock-dev/penstock/internal/report"
	"github.com/penstock-dev/penstock/internal/rollout"
)

const pageToken = "a-token-to-look-with"

// rolling is what is kept about a canary that runs.
func rolling(name string, weight rollout.Weight) report.Standing {
	now := time.Now()
	return report.Standing{
		Canary: name, Namespace: "shop", Run: report.Attended, Holder: "run 7", HeldUntil: now.Add(time.Minute),
		Record: rollout.Record{
			ID: "r-1", Started: now.Add(-time.Minute), Updated: now, Status: rollout.Status{Phase: rollout.Progressing, Step: 1, Weight: weight},
		},
	}
}

func newPage(c PageConfig) *Page {
	c.Log = slog.New(slog.DiscardHandler)
	if c.Namespaces == nil && c.Nowhere == "" {
		c.Namespaces = []string{"shop"}
	}
	return NewPage(c)
}

func pageRoutes(p *Page) http.Handler {
	r := chi.NewRouter()
	(&Tasks{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { gateAnswer(w, http.StatusAccepted, "a task") })}).Mount(r)
	p.Mount(r)
	return r
}

func TestPageShowsWhatItWasTold(t *testing.T) {
	t.Parallel()
	p := newPage(PageConfig{Open: true})
	h := pageRoutes(p)
	shows := func(path string, code int, parts ...string) {
		t.Helper()
		got, text := gateAsk(h, "GET", path, "")
		if got != code {
			t.Errorf("%s answers %d, want %d", path, got, code)
		}
		for _, part := range parts {
			if !strings.Contains(text, part) {
				t.Errorf("%s lacks %q:\n%s", path, part, text[strings.Index(text, "<main"):])
			}
		}
	}
	shows("/", 200, "are not read yet")
	p.See("shop", nil)
	shows("/", 200, "No rollout is known yet")
	p.See("shop", []report.Standing{rolling("podinfo", 30)})
	shows("/", 200, "shop/podinfo", "30%", "at work", `data-events="events?"`)
	shows("/?find=nothing", 200, "0 of 1 rollout found", `data-events="events?find=nothing"`)
	shows("/rollouts/shop/podinfo", 200, "shop/podinfo", `data-events="../../events?canary=podinfo&amp;namespace=shop"`)
	shows("/rollouts/shop/other", 404, "Nothing is kept of this rollout")
	p.Trouble("shop", errors.New("connection refused"))
	shows("/", 200, "shop/podinfo", "may be old: connection refused")
	p.Trouble("shop", nil)
	if _, text := gateAsk(h, "GET", "/", ""); strings.Contains(text, "may be old") {
		t.Error("it still says that it may be old")
	}
	unknown := rolling("podinfo", 30)
	unknown.Run = report.AttendanceUnknown
	p.See("shop", []report.Standing{unknown})
	shows("/", 200, "the leases may not be read")
	refused := newPage(PageConfig{Open: true})
	refused.Trouble("shop", errors.New("no permission to list"))
	h = pageRoutes(refused)
	shows("/", 200, "The rollouts of the namespace shop cannot be read: no permission to list")
	h = pageRoutes(newPage(PageConfig{Open: true, Nowhere: "There is no cluster."}))
	shows("/", 200, "There is no cluster.", "No rollout is known")
}

func TestPageOnlyReads(t *testing.T) {
	t.Parallel()
	h := pageRoutes(newPage(PageConfig{Open: true}))
	for _, method := range []string{"POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"} {
		for _, path := range []string{"/rollouts/shop/podinfo", "/events"} {
			if code, _ := gateAsk(h, method, path, ""); code != http.StatusMethodNotAllowed {
				t.Errorf("%s %s answers %d, want 405", method, path, code)
			}
		}
	}
	if code, text := gateAsk(h, "POST", "/", "{}"); code != http.StatusAccepted || text != "a task" {
		t.Errorf("POST / answers %d %q: the load tester has it", code, text)
	}
	for _, path := range []string{"/", "/rollouts/shop/podinfo"} {
		get, _ := gateAsk(h, "GET", path, "")
		if head, _ := gateAsk(h, "HEAD", path, ""); head != get {
			t.Errorf("HEAD %s answers %d, GET %d", path, head, get)
		}
	}
}

func TestPageAsksForAToken(t *testing.T) {
	t.Parallel()
	p := newPage(PageConfig{Tokens: GateTokens{pageToken, "another-of-its-kind"}})
	p.See("shop", []report.Standing{rolling("podinfo", 30)})
	h := pageRoutes(p)
	for _, path := range []string{"/", "/rollouts/shop/podinfo", "/rollouts/shop/none", "/events"} {
		for _, header := range []string{"", "Bearer wrong", "Bearer", "Basic d3Jvbmc6d3Jvbmc="} {
			w := httptest.NewRecorder()
			r := httptest.NewRequest("GET", path, nil)
			r.Header.Set("Authorization", header)
			h.ServeHTTP(w, r)
			if w.Code != 401 || strings.Contains(w.Body.String(), "podinfo") || !strings.HasPrefix(w.Header().Get("WWW-Authenticate"), "Basic ") {
				t.Errorf("%s with %q answers %d %q %q", path, header, w.Code, w.Header(), w.Body)
			}
		}
	}
	if code, _ := gateAsk(h, "GET", "/?token="+pageToken, ""); code != 401 {
		t.Errorf("a token in the address is taken (%d); it would be in every log", code)
	}
	for _, token := range p.config.Tokens {
		if code, text := gateAsk(h, "GET", "/", "", "Authorization", "Bearer "+token); code != 200 || !strings.Contains(text, "podinfo") {
			t.Errorf("a right token as Bearer: %d", code)
		}
		r := httptest.NewRequest("GET", "/", nil)
		r.SetBasicAuth("anybody", token)
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, r); w.Code != 200 {
			t.Errorf("a right token as a password: %d", w.Code)
		}
	}
}

func TestPageWithoutATokenIsForNobody(t *testing.T) {
	t.Parallel()
	p := newPage(PageConfig{})
	p.See("shop", []report.Standing{rolling("podinfo", 30)})
	for _, header := range []string{"", "Bearer ", "Basic Og=="} {
		code, text := gateAsk(pageRoutes(p), "GET", "/", "", "Authorization", header)
		if code != 403 || strings.Contains(text, "podinfo") || !strings.Contains(text, "--page-token") {
			t.Errorf("with %q: %d %q", header, code, text)
		}
	}
}

func TestPageHeadersLetABrowserDoLittle(t *testing.T) {
	t.Parallel()
	open := pageRoutes(newPage(PageConfig{Open: true}))
	for name, h := range map[string]http.Handler{"open": open, "guarded": pageRoutes(newPage(PageConfig{Tokens: GateTokens{pageToken}}))} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		for header, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store",
			"Content-Security-Policy": report.BoardPolicy(), "Access-Control-Allow-Origin": "",
		} {
			if got := w.Header().Get(header); got != want {
				t.Errorf("%s: %s is %q, want %q", name, header, got, want)
			}
		}
	}
	policy := report.BoardPolicy()
	for _, part := range []string{"default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "script-src 'sha256-", "style-src 'sha256-"} {
		if !strings.Contains(policy, part) {
			t.Errorf("the policy lacks %s", part)
		}
	}
	if strings.Contains(policy, "unsafe") {
		t.Errorf("the policy is open: %s", policy)
	}
}

// What is renewed every few seconds and shown nowhere wakes nobody.
func TestPageIsNotWokenByARenewedLease(t *testing.T) {
	t.Parallel()
	p := newPage(PageConfig{Open: true})
	all := []report.Standing{rolling("podinfo", 30)}
	p.See("shop", all)
	_, changed := p.board()
	all[0].HeldUntil = all[0].HeldUntil.Add(time.Minute)
	p.See("shop", all)
	select {
	case <-changed:
		t.Error("it was")
	default:
	}
	all[0].Record.Status.Weight = 40
	p.See("shop", all)
	<-changed
}
