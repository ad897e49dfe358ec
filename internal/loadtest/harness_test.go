package loadtest

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/penstock-dev/penstock/internal/httpx"
)

// inMemory answers requests by a handler, without a socket, so that time can be synthetic.
type inMemory struct{ http.Handler }

func (m inMemory) Do(ctx context.Context, req *http.Request) (*httpx.Response, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	w := httptest.NewRecorder()
	m.ServeHTTP(w, req.WithContext(ctx))
	return &httpx.Response{Status: w.Code, Header: w.Header(), Body: w.Body.Bytes()}, nil
}

// payload returns one of the canary podinfo.test; pairs are keys and values of its metadata.
func payload(pairs ...string) Payload {
	p := Payload{Name: "podinfo", Namespace: "test", Phase: "Progressing", Checksum: "1", Metadata: map[string]string{}}
	for i := 0; i < len(pairs); i += 2 {
		p.Metadata[pairs[i]] = pairs[i+1]
	}
	return p
}

func newTester(t *testing.T, o Options) *Tester {
	t.Helper()
	tester, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return tester
}

// mustRun runs a task that somebody will know the end of.
func mustRun(t *testing.T, tester *Tester, p Payload) Result {
	t.Helper()
	result, err := tester.Run(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// mustContain fails unless text has every one of the parts.
func mustContain(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%q does not contain %q", text, part)
		}
	}
}

// parsed returns the load test of a command line, or what is wrong with it.
func parsed[T job](t *testing.T, line string) (T, error) {
	t.Helper()
	var none T
	o, err := Options{}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	task, err := o.parse(payload("cmd", line))
	if err != nil {
		return none, err
	}
	return task.job.(T), nil
}
