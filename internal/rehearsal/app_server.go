package rehearsal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"time"
)

// loopbackServer serves HTTP on a free port of the loopback interface. It can be taken down and brought back without
// losing its port: while it is down, every connection is reset.
type loopbackServer struct {
	listener net.Listener
	server   *http.Server
	served   chan struct{} // closed when the server has ended

	// active is held for reading by each request, so that Close can wait for them: http.Server.Close does not.
	active sync.RWMutex
	ended  bool

	mu    sync.Mutex
	down  bool
	conns map[*loopbackConn]struct{}
}

// startLoopback starts a server of handler. Its goroutines end with Close or Shutdown.
func startLoopback(ctx context.Context, handler http.Handler) (*loopbackServer, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen on the loopback interface: %w", err)
	}
	s := &loopbackServer{listener: listener, served: make(chan struct{}), conns: map[*loopbackConn]struct{}{}}
	s.server = &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s.active.RLock()
			defer s.active.RUnlock()
			if s.ended {
				panic(http.ErrAbortHandler)
			}
			handler.ServeHTTP(w, r)
		}),
		Protocols:         plainProtocols(),
		ReadHeaderTimeout: 10 * time.Second,
		ErrorLog:          log.New(io.Discard, "", 0), // resets are what is rehearsed
	}
	go func() {
		defer close(s.served)
		_ = s.server.Serve(loopbackListener{listener, s}) // it always ends with the error that says that it was closed
	}()
	return s, nil
}

// plainProtocols are HTTP/1, and HTTP/2 without TLS, as gRPC has it inside of a cluster.
func plainProtocols() *http.Protocols {
	p := &http.Protocols{}
	p.SetHTTP1(true)
	p.SetUnencryptedHTTP2(true)
	return p
}

// Addr returns host:port.
func (s *loopbackServer) Addr() net.Addr { return s.listener.Addr() }

// loopbackListener is the listener of a server, which takes connections only while it is up.
type loopbackListener struct {
	net.Listener
	server *loopbackServer
}

// Accept returns the next connection that is made while the server is up.
func (l loopbackListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if kept, ok := l.server.keep(conn); ok {
			return kept, nil
		}
		reset(conn)
	}
}

func (s *loopbackServer) keep(conn net.Conn) (net.Conn, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down {
		return nil, false
	}
	kept := &loopbackConn{Conn: conn, server: s}
	s.conns[kept] = struct{}{}
	return kept, true
}

// Down takes the server down, which resets the connections that it has, or brings it back.
func (s *loopbackServer) Down(down bool) {
	s.mu.Lock()
	s.down = down
	var conns []*loopbackConn
	if down {
		for conn := range s.conns {
			conns = append(conns, conn)
		}
	}
	s.mu.Unlock()
	for _, conn := range conns {
		reset(conn.Conn)
	}
}

// reset closes a connection in the way that a port on which nobody listens does.
func reset(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

// Shutdown lets the requests that are under way finish, until the context ends.
func (s *loopbackServer) Shutdown(ctx context.Context) error {
	err := s.server.Shutdown(ctx)
	if err != nil {
		err = errors.Join(err, s.server.Close())
	}
	s.wait()
	return err
}

// Close ends the server and its connections at once, and waits for its requests, which see their context end.
func (s *loopbackServer) Close() error {
	err := s.server.Close()
	s.wait()
	return err
}

// wait returns when nothing of a closed server runs any more.
func (s *loopbackServer) wait() {
	<-s.served
	s.active.Lock()
	s.ended = true // a request that was read before the end, and begins after it, is not served
	s.active.Unlock()
}

// loopbackConn is a connection that its server remembers while it is open.
type loopbackConn struct {
	net.Conn
	server *loopbackServer
}

// Close closes the connection.
func (c *loopbackConn) Close() error {
	c.server.mu.Lock()
	delete(c.server.conns, c)
	c.server.mu.Unlock()
	return c.Conn.Close()
}
