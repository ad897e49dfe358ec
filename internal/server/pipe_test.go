package server

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
)

// pipes is a listener whose connections are in memory, so that it works in a bubble.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), closed: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.once.Do(func() { close(p.closed) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8080} }

// dial returns the client's end of a new connection, or an error when the server listens no more.
func (p *pipes) dial() (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case p.conns <- server:
		return client, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

// running is a server that runs in a bubble.
type running struct {
	*Server
	t      *testing.T
	pipes  *pipes
	cancel context.CancelFunc
	ended  chan error
}

// run starts a server, and ends it at the end of the test.
func run(t *testing.T, c Config) *running {
	t.Helper()
	r := &running{t: t, pipes: newPipes(), ended: make(chan error, 1)}
	c.Listener = r.pipes
	r.Server = newServer(t, c)
	ctx, cancel := context.WithCancel(t.Context())
	r.cancel = cancel
	go func() { r.ended <- r.Run(ctx); close(r.ended) }()
	t.Cleanup(func() { cancel(); <-r.ended })
	synctest.Wait()
	return r
}

// do sends a request over a connection of its own and returns the status, 0 when there was no answer.
func (r *running) do(req *http.Request) (int, error) {
	conn, err := r.pipes.dial()
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	go func() { _ = req.Write(conn) }() // the server may answer before it has read all
	resp, err := http.ReadResponse(bufio.NewReader(conn), req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, err
}

// get asks for a page and wants an answer.
func (r *running) get(path string) int {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), http.MethodGet, "http://penstock"+path, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	status, err := r.do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	return status
}

// deliver sends and wants a status.
func (r *running) deliver(req *http.Request, want int) {
	r.t.Helper()
	if status, err := r.do(req); err != nil || status != want {
		r.t.Errorf("answered %d %v, want %d", status, err, want)
	}
}
