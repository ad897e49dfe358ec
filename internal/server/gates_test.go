package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"

	"github.com/penstock-dev/penstock/internal/canary"
)

// gatePayload is what Flagger sends to a webhook of a canary.
const gatePayload = `{"name": "podinfo", "namespace": "test", "phase": "Progressing", "checksum": "85d557f47b", "metadata": {"a": "b"}}`

func gateFile(t *testing.T, path string) *File {
	t.Helper()
	f, err := OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

func gateRoutes(g *Gates) http.Handler {
	if g.Log == nil {
		g.Log = slog.New(slog.DiscardHandler)
	}
	r := chi.NewRouter()
	g.Mount(r)
	return r
}

// gateAsk sends a request, with headers as pairs, and returns the status and the body.
func gateAsk(h http.Handler, method, path, body string, headers ...string) (int, string) {
	w := httptest.NewRecorder()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	h.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

func TestGatesAreThoseOfFlagger(t *testing.T) {
	t.Parallel()
	serves := func(namespace string) bool { return namespace == "test" }
	h := gateRoutes(&Gates{Store: gateFile(t, filepath.Join(t.TempDir(), "gates")), Serves: serves})
	const other = `{"name": "other", "namespace": "test"}`
	const lookalike = `{"name": "rollback.podinfo", "namespace": "test"}` // in Flagger it shares a gate with podinfo's rollback
	for i, step := range []struct {
		method, path, body string
		code               int
		text               string
	}{
		{"POST", "/gate/approve", "", 200, "OK"},
		{"GET", "/gate/approve", "", 200, "OK"},
		{"POST", "/gate/halt", gatePayload, 403, "Forbidden"},
		{"POST", "/gate/check", gatePayload, 403, "Forbidden"},
		{"POST", "/gate/open", gatePayload, 202, ""},
		{"POST", "/gate/open", gatePayload, 202, ""},
		{"POST", "/gate/check", gatePayload, 200, "Approved"},
		{"POST", "/gate/check", other, 403, "Forbidden"},
		{"POST", "/rollback/check", gatePayload, 403, "Forbidden"},
		{"POST", "/gate/open", lookalike, 202, ""},
		{"POST", "/rollback/check", gatePayload, 403, "Forbidden"},
		{"POST", "/rollback/open", gatePayload, 202, ""},
		{"PUT", "/gate/close", gatePayload, 202, ""},
		{"POST", "/gate/check", gatePayload, 403, "Forbidden"},
		{"POST", "/rollback/check", gatePayload, 200, "Approved"},
		{"POST", "/rollback/close", gatePayload, 202, ""},
		{"POST", "/rollback/check", gatePayload, 403, "Forbidden"},
		{"POST", "/gate/open", `{"name": "podinfo", "namespace": "prod"}`, 403, `Forbidden: the namespace "prod" is not served here`},
		{"POST", "/gate/open", `{"name": "podinfo"`, 400, "read the payload: unexpected end of JSON input"},
		{"GET", "/gate/open", "", 400, "read the payload: unexpected end of JSON input"},
		{"POST", "/gate/nothing", gatePayload, 404, "404 page not found\n"},
	} {
		if code, text := gateAsk(h, step.method, step.path, step.body); code != step.code || text != step.text {
			t.Errorf("step %d, %s %s %s: %d %q", i, step.method, step.path, step.body, code, text)
		}
	}
	code, text := gateAsk(h, "POST", "/gate/open", `{"name": "../a"}`)
	if code != 400 || !strings.Contains(text, `name is "../a"`) || !strings.Contains(text, `namespace is ""`) {
		t.Errorf("%d %q", code, text)
	}
	if code, _ := gateAsk(h, "POST", "/gate/open", `{"name": "`+strings.Repeat("x", gateBody)+`"}`); code != 413 {
		t.Errorf("a long payload: %d", code)
	}
}

// brokenGates can find out nothing.
type brokenGates struct{}

func (brokenGates) Get(context.Context, canary.Gate) (bool, error) {
	return true, errors.New("disk: secret path")
}
func (brokenGates) Set(context.Context, canary.Gate, bool) error {
	return errors.New("disk: secret path")
}

func TestAGateThatNobodyKnowsIsClosed(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	h := gateRoutes(&Gates{Store: brokenGates{}, Log: slog.New(slog.NewTextHandler(&log, nil))})
	for _, path := range []string{"/gate/check", "/rollback/check", "/gate/open", "/gate/close"} {
		code, text := gateAsk(h, "POST", path, gatePayload)
		if code != http.StatusInternalServerError || strings.Contains(text, "secret") {
			t.Errorf("%s: %d %q", path, code, text)
		}
	}
	if got := strings.Count(log.String(), "secret path"); got != 4 || strings.Count(log.String(), "rollback gate of test/podinfo") != 1 {
		t.Errorf("the log has %d reasons:\n%s", got, &log)
	}
}

func TestWhoOpensAGateIsInTheLog(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	h := gateRoutes(&Gates{Store: gateFile(t, filepath.Join(t.TempDir(), "gates")), Log: slog.New(slog.NewTextHandler(&log, nil))})
	gateAsk(h, "POST", "/gate/open", gatePayload)
	gateAsk(h, "POST", "/gate/check", gatePayload)
	gateAsk(h, "POST", "/rollback/close", gatePayload)
	want := []string{`msg="the gate of test/podinfo was opened" from=192.0.2.1:1234`, `msg="the rollback gate of test/podinfo was closed"`}
	lines := strings.Split(strings.TrimSpace(log.String()), "\n")
	if len(lines) != len(want) {
		t.Fatalf("the log has %d lines:\n%s", len(lines), &log)
	}
	for i, part := range want {
		if !strings.Contains(lines[i], part) {
			t.Errorf("%q lacks %q", lines[i], part)
		}
	}
}

func TestGatesWithATokenAnswerNobodyElse(t *testing.T) {
	t.Parallel()
	h := gateRoutes(&Gates{Store: gateFile(t, filepath.Join(t.TempDir(), "gates")), Tokens: GateTokens{"old-token", "new-token"}})
	basic := func(password string) string {
		r := httptest.NewRequest(http.MethodPost, "/", nil)
		r.SetBasicAuth("flagger", password) // as the URL http://flagger:TOKEN@host/ has it
		return r.Header.Get("Authorization")
	}
	if code, text := gateAsk(h, "POST", "/gate/open", gatePayload, "Authorization", "Bearer new-token"); code != http.StatusAccepted {
		t.Fatalf("%d %q", code, text)
	}
	for authorization, known := range map[string]bool{
		"Bearer old-token": true, "bearer new-token": true, "Bearer  new-token": true, basic("new-token"): true, basic("old-token"): true,
		"": false, "Bearer": false, "Bearer ": false, "Bearer new-toke": false, "Bearer new-tokens": false, "new-token": false,
		"Basic new-token": false, basic(""): false, basic("x"): false, "Token new-token": false, "Bearer old-tokennew-token": false,
	} {
		for path, code := range map[string]int{"/gate/approve": 200, "/gate/open": 202, "/gate/check": 200, "/gate/halt": 403, "/rollback/check": 403} {
			if !known {
				code = http.StatusUnauthorized
			}
			if got, text := gateAsk(h, "POST", path, gatePayload, "Authorization", authorization); got != code || strings.Contains(text, "new-t") {
				t.Errorf("%s with %q: %d %q, want %d", path, authorization, got, text, code)
			}
		}
	}
}

func TestPagesOfOtherSitesOpenNoGate(t *testing.T) {
	t.Parallel()
	h := gateRoutes(&Gates{Store: gateFile(t, filepath.Join(t.TempDir(), "gates"))})
	for _, site := range [][]string{{"Sec-Fetch-Site", "cross-site"}, {"Origin", "https://evil.example"}} {
		if code, _ := gateAsk(h, "POST", "/gate/open", gatePayload, site...); code != http.StatusForbidden {
			t.Errorf("%v: %d", site, code)
		}
	}
	if code, _ := gateAsk(h, "POST", "/gate/check", gatePayload); code != http.StatusForbidden {
		t.Errorf("the gate was opened: %d", code)
	}
}

func TestTokensPrintAsNothing(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	tokens := GateTokens{"hush-hush"}
	slog.New(slog.NewJSONHandler(&log, nil)).Info("tokens", "tokens", tokens)
	slog.New(slog.NewTextHandler(&log, nil)).Info("tokens", "tokens", tokens)
	for _, format := range []string{"%v", "%s", "%q", "%+v", "%#v", "%x"} {
		fmt.Fprintf(&log, format, tokens)
	}
	if text := log.String(); strings.Contains(text, "hush") || strings.Count(text, "***") != 8 {
		t.Errorf("%s", text)
	}
}

// voters say what a test wants.
type voters struct {
	open bool
	err  error
	got  []canary.GateAsk
}

func (v *voters) Ask(_ context.Context, ask canary.GateAsk) (bool, string, error) {
	v.got = append(v.got, ask)
	return v.open, "why", v.err
}

type mendable struct{ error }

func (mendable) BadAsk() bool { return true }

func TestAGateWhoseMetadataNameARepositoryIsAnsweredByPeopleAlone(t *testing.T) {
	t.Parallel()
	const asked = `{"name": "podinfo", "namespace": "test", "phase": "Progressing", "checksum": "85d557f47b", "metadata": {"repository": "github:a/b"}}`
	const secret = "the address of the forge"
	v, store := &voters{}, gateFile(t, filepath.Join(t.TempDir(), "gates"))
	h := gateRoutes(&Gates{Store: store, Voters: v})
	gateAsk(h, http.MethodPost, "/gate/open", gatePayload)
	gateAsk(h, http.MethodPost, "/rollback/open", gatePayload)
	for name, c := range map[string]struct {
		open   bool
		err    error
		status int
	}{
		"open": {true, nil, 200}, "closed": {false, nil, 403}, "not known": {false, errors.New(secret), 500}, "not known, and open": {true, errors.New(secret), 500},
		"metadata that say too little": {false, mendable{errors.New("metadata change")}, 400},
	} {
		for _, path := range []string{"/gate/check", "/rollback/check"} {
			v.open, v.err, v.got = c.open, c.err, nil
			status, text := gateAsk(h, http.MethodPost, path, asked)
			if status != c.status || strings.Contains(text, secret) || len(v.got) != 1 || v.got[0].Rollback != (path == "/rollback/check") || v.got[0].Checksum != "85d557f47b" {
				t.Errorf("%s: %s answers %d %q; asked %+v", name, path, status, text, v.got)
			}
		}
	}
	v.got = nil
	if status, _ := gateAsk(h, http.MethodPost, "/gate/check", gatePayload); status != 200 || len(v.got) != 0 {
		t.Errorf("a gate without people: %d, asked %v", status, v.got)
	}
	if status, text := gateAsk(gateRoutes(&Gates{Store: store}), http.MethodPost, "/gate/check", asked); status != 400 || !strings.Contains(text, "--approvers") {
		t.Errorf("a server that asks nobody: %d %q", status, text)
	}
}
