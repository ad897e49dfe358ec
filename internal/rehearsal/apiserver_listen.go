package rehearsal

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// APIServer is an API that listens.
type APIServer struct {
	host string
	dial func(ctx context.Context, network, address string) (net.Conn, error)
	http *http.Server
	done chan struct{}
	once sync.Once
}

// Listen serves the API on a free port of 127.0.0.1 until ctx ends or the server is closed.
func (a *API) Listen(ctx context.Context) (*APIServer, error) {
	config := net.ListenConfig{}
	listener, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for the embedded cluster's API: %w", err)
	}
	s := &APIServer{host: "http://" + listener.Addr().String()}
	s.serve(ctx, a, listener)
	return s, nil
}

// ListenPipe serves the API in memory, without a socket: clients reach it only through Config. Inside a
// testing/synctest bubble it lets real clients wait on the bubble's clock.
func (a *API) ListenPipe(ctx context.Context) *APIServer {
	listener := newPipeListener()
	// The address is never dialled; a loopback address keeps clients from looking for a proxy.
	s := &APIServer{host: "http://127.0.0.1:6443", dial: listener.dial}
	s.serve(ctx, a, listener)
	return s
}

// serve answers until the end, which Wait waits for.
func (s *APIServer) serve(ctx context.Context, handler http.Handler, listener net.Listener) {
	ctx, cancel := context.WithCancel(ctx)
	running := &handlersRunning{handler: handler}
	s.http = &http.Server{
		Handler:           running,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ReadHeaderTimeout: 10 * time.Second,
	}
	s.done = make(chan struct{})
	ended := make(chan error, 1)
	go func() { ended <- s.http.Serve(listener) }()
	go func() {
		defer close(s.done)
		defer cancel()
		var err error
		select {
		case <-ctx.Done():
		case err = <-ended:
		}
		cancel()
		// Closing ends every connection, and so every watch.
		_ = s.http.Close()
		if err == nil {
			<-ended
		}
		running.end()
	}()
}

// handlersRunning knows which requests are under way, as http.Server.Close does not wait for them.
type handlersRunning struct {
	handler http.Handler
	mu      sync.Mutex
	ended   bool
	running sync.WaitGroup
}

// ServeHTTP implements http.Handler.
func (h *handlersRunning) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	if h.ended {
		h.mu.Unlock()
		panic(http.ErrAbortHandler)
	}
	h.running.Add(1)
	h.mu.Unlock()
	defer h.running.Done()
	h.handler.ServeHTTP(w, r)
}

// end lets no more requests in and waits for those inside.
func (h *handlersRunning) end() {
	h.mu.Lock()
	h.ended = true
	h.mu.Unlock()
	h.running.Wait()
}

// Close ends the server, with every request under way, and waits for that.
func (s *APIServer) Close() {
	s.once.Do(func() { _ = s.http.Close() })
	s.Wait()
}

// Wait returns when the server has ended.
func (s *APIServer) Wait() { <-s.done }

// Config is how a client of this process reaches the server. It sets no limit to the rate of requests.
func (s *APIServer) Config() *rest.Config {
	return &rest.Config{Host: s.host, Dial: s.dial, QPS: -1}
}

// Kubeconfig is the same for a client in another process, as the YAML that kubectl reads. namespace is the default one.
func (s *APIServer) Kubeconfig(namespace string) ([]byte, error) {
	if s.dial != nil {
		return nil, errors.New("write kubeconfig: the API is served in memory, where no other process can reach it")
	}
	const name = "rehearsal"
	config := clientcmdapi.NewConfig()
	config.Clusters[name] = &clientcmdapi.Cluster{Server: s.host}
	config.AuthInfos[name] = &clientcmdapi.AuthInfo{}
	config.Contexts[name] = &clientcmdapi.Context{Cluster: name, AuthInfo: name, Namespace: namespace}
	config.CurrentContext = name
	return clientcmd.Write(*config)
}

// pipeListener makes connections in memory.
type pipeListener struct {
	connections chan net.Conn
	closed      chan struct{}
	once        sync.Once
}

func newPipeListener() *pipeListener {
	return &pipeListener{connections: make(chan net.Conn), closed: make(chan struct{})}
}

func (l *pipeListener) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case l.connections <- server:
		return client, nil
	case <-l.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Accept implements net.Listener.
func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.connections:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

// Addr implements net.Listener.
func (l *pipeListener) Addr() net.Addr { return pipeAddr{} }

type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return "pipe" }
