package loadtest

import (
	"context"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// ask sends a request to a handler and returns the status and the body.
func ask(h http.Handler, method, path, body string) (int, string) {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, path, strings.NewReader(body)))
	return w.Code, w.Body.String()
}

const identity = `{"name": "podinfo", "namespace": "test"}`

func TestTheTaskAPIIsThatOfFlagger(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tester := newTester(t, Options{HTTP: inMemory{http.HandlerFunc(podinfo)}, Namespaces: regexp.MustCompile("^test$")})
		h := tester.Handler(t.Context())
		with := func(metadata string) string {
			return `{"name": "podinfo", "namespace": "test", "phase": "Progressing", "checksum": "1", "metadata": {` + metadata + `}}`
		}
		for body, want := range map[string]struct {
			code int
			text string
		}{
			with(`"type": "http", "url": "http://a.b.c/text"`):                                                    {200, ""},
			with(`"type": "http", "url": "http://a.b.c/text", "returnCmdOutput": "true"`):                         {200, "not JSON"},
			with(`"type": "http", "url": "http://a.b.c/text", "expectStatus": "404"`):                             {500, "status is 200, expected 404"},
			with(`"type": "ngrinder", "server": "http://n", "clone": "1", "username": "a", "passwd": "YWRtaW4="`): {202, ""},
			with(`"type": "nothing"`): {400, `metadata.type is "nothing"`},
			with(`"cmd": "rm -rf /"`): {400, "switched off"},
			with(``):                  {400, "metadata is empty"},
			with(`"cmd": 5`):          {400, "read the payload"},
			identity:                  {400, "metadata is empty"},
			`{}`:                      {400, "name is empty: it must be that of a canary; namespace is empty: it must be that of the canary"},
			`{"name": "podinfo"`:      {400, "read the payload: unexpected end of JSON input"},
			strings.Replace(identity, "test", "prod", 1):                                {403, "Forbidden"},
			`{"name": "` + strings.Repeat("x", mostPayload) + `", "namespace": "test"}`: {413, "read the payload"},
		} {
			code, text := ask(h, "POST", "/", body)
			if code != want.code || !strings.Contains(text, want.text) || (want.text == "" && text != "") {
				t.Errorf("%.200s: %d %q", body, code, text)
			}
		}
		for _, other := range []struct {
			method, path string
			code         int
		}{{"GET", "/", 405}, {"POST", "/gate/approve", 404}} {
			if code, text := ask(h, other.method, other.path, identity); code != other.code {
				t.Errorf("%s %s: %d %q", other.method, other.path, code, text)
			}
		}
		tester.Wait()
	})
}

func TestACallerThatAsksAgainGetsTheResultOfWhatItBegan(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &slow{}
		tester := newTester(t, Options{HTTP: inMemory{server}})
		h := tester.Handler(t.Context())
		const body = `{"name": "podinfo", "namespace": "test", "metadata": {"type": "http", "url": "http://a.b.c", "timeout": "1h"}}`
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodPost, "/", strings.NewReader(body)))
		if w.Code != http.StatusInternalServerError {
			t.Errorf("%d %s", w.Code, w.Body)
		}
		if code, text := ask(h, "POST", "/", body); code != http.StatusOK || server.asked.Load() != 1 {
			t.Errorf("%d %q, asked %d", code, text, server.asked.Load())
		}
	})
}

func TestAFullQueueIsUnavailable(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tester := newTester(t, Options{HTTP: inMemory{&slow{}}, Queue: 1})
		if _, err := tester.Start(t.Context(), smokePayload(1)); err != nil {
			t.Fatal(err)
		}
		const body = `{"name": "podinfo", "namespace": "test", "metadata": {"type": "http", "url": "http://a.b.c"}}`
		if code, _ := ask(tester.Handler(t.Context()), "POST", "/", body); code != http.StatusServiceUnavailable {
			t.Errorf("%d", code)
		}
		tester.Wait()
	})
}
