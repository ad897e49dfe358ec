package server

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-chi/chi/v5"
)

// gatePipes is a listener whose connections have no socket, so that time can be synthetic.
type gatePipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newGatePipes() *gatePipes {
	return &gatePipes{conns: make(chan net.Conn), closed: make(chan struct{})}
}

func (p *gatePipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *gatePipes) Close() error   { p.once.Do(func() { close(p.closed) }); return nil }
func (p *gatePipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "pipe"} }

func (p *gatePipes) dial(context.Context, string, string) (net.Conn, error) {
	here, there := net.Pipe()
	p.conns <- there
	return here, nil
}

// slowly serves a handler under a time for reading and writing, as the server does.
func slowly(t *testing.T, h http.Handler) *gatePipes {
	t.Helper()
	p := newGatePipes()
	s := &http.Server{Handler: h, ReadTimeout: 15 * time.Second, WriteTimeout: 15 * time.Second}
	ended := make(chan struct{})
	go func() { defer close(ended); _ = s.Serve(p) }()
	t.Cleanup(func() { _ = s.Close(); <-ended })
	return p
}

// hour is a task that takes one, unless its caller is lost.
func hour(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	select {
	case <-r.Context().Done():
		w.WriteHeader(http.StatusInternalServerError)
	case <-time.After(time.Hour):
		_, _ = w.Write(body)
	}
}

func TestATaskMayTakeLongerThanARequest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := chi.NewRouter()
		(&Tasks{Handler: http.HandlerFunc(hour)}).Mount(r)
		transport := &http.Transport{DialContext: slowly(t, r).dial}
		defer transport.CloseIdleConnections()
		client := &http.Client{Transport: transport}
		response, err := client.Post("http://penstock/", "application/json", strings.NewReader("done"))
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		if body, err := io.ReadAll(response.Body); err != nil || string(body) != "done" || response.StatusCode != http.StatusOK {
			t.Errorf("%d %q %v", response.StatusCode, body, err)
		}
	})
}

func TestAPayloadThatNeverEndsIsGivenUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := chi.NewRouter()
		(&Tasks{Handler: http.HandlerFunc(hour)}).Mount(r)
		conn, err := slowly(t, r).dial(t.Context(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		begin := time.Now()
		if _, err := io.WriteString(conn, "POST / HTTP/1.1\r\nHost: penstock\r\nContent-Length: 10\r\n\r\n{"); err != nil {
			t.Fatal(err)
		}
		answer, err := io.ReadAll(conn) // until the server gives up
		if took := time.Since(begin); err != nil || took > time.Minute || strings.Contains(string(answer), "200 OK") {
			t.Errorf("after %s: %q, %v", took, answer, err)
		}
	})
}

func TestTasksWithATokenRunForNobodyElse(t *testing.T) {
	t.Parallel()
	ran := 0
	r := chi.NewRouter()
	(&Tasks{Tokens: GateTokens{"new-token"}, Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { ran++ })}).Mount(r)
	if code, _ := gateAsk(r, "POST", "/", "{}"); code != http.StatusUnauthorized || ran != 0 {
		t.Errorf("without: %d, %d tasks", code, ran)
	}
	if code, _ := gateAsk(r, "POST", "/", strings.Repeat("x", gateBody+1), "Authorization", "Bearer new-token"); code != http.StatusRequestEntityTooLarge || ran != 0 {
		t.Errorf("a long payload: %d, %d tasks", code, ran)
	}
	if code, _ := gateAsk(r, "POST", "/", "{}", "Authorization", "Bearer new-token"); code != http.StatusOK || ran != 1 {
		t.Errorf("with: %d, %d tasks", code, ran)
	}
}
