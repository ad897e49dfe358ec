package reach

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"

	corev1 "k8s.io/api/core/v1"
)

// locals are the ports of this machine that lead to a Service.
type locals struct {
	mu     sync.Mutex
	closed bool
	open   map[string]net.Listener // by the host and port that they lead to
}

// Local returns the host and port at which this process reaches a host and port: for a Service a port of the loopback
// interface that leads there until Close, for everything else the very same. It is for those who bring their own
// connections, such as a load generator.
func (r *Reach) Local(ctx context.Context, hostport string) (string, error) {
	place, ok := split(hostport)
	switch {
	case !ok:
		return hostport, nil
	case r.mode == Direct:
		return r.resolve(ctx, hostport, place)
	}
	s, err := r.find(ctx, place)
	switch {
	case errors.Is(err, errNotService):
		return hostport, nil
	case err != nil:
		return "", err
	case s.Spec.Type == corev1.ServiceTypeExternalName:
		return net.JoinHostPort(s.Spec.ExternalName, place.Port), nil
	}
	if r.mode == PortForward { // what is wrong is better said now than by a thousand requests
		if _, err := r.book.pods(ctx, place, s); err != nil {
			return "", err
		}
	}
	return r.locals.at(ctx, hostport, r.lead)
}

// at returns the port of this machine for a host and port.
func (l *locals) at(ctx context.Context, hostport string, lead func(ctx context.Context, at net.Listener, hostport string)) (string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return "", errClosed
	}
	if have := l.open[hostport]; have != nil {
		return have.Addr().String(), nil
	}
	var config net.ListenConfig
	made, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("open a local port for %s: %w", hostport, err)
	}
	if l.open == nil {
		l.open = map[string]net.Listener{}
	}
	l.open[hostport] = made
	go lead(context.WithoutCancel(ctx), made, hostport) // until close
	return made.Addr().String(), nil
}

func (l *locals) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	for _, one := range l.open {
		_ = one.Close()
	}
}

// lead serves a local port until it is closed.
func (r *Reach) lead(ctx context.Context, at net.Listener, hostport string) {
	if r.mode == ServiceProxy {
		r.serve(at, hostport)
		return
	}
	for {
		from, err := at.Accept()
		if err != nil {
			return
		}
		go r.join(ctx, from, hostport)
	}
}

// join copies between a connection and the Service.
func (r *Reach) join(ctx context.Context, from net.Conn, hostport string) {
	defer from.Close() //nolint:errcheck // both sides are done with it
	to, err := r.DialContext(ctx, "tcp", hostport)
	if err != nil {
		return // the connection ends without an answer, which is what whoever opened it counts
	}
	defer to.Close() //nolint:errcheck // likewise
	done := make(chan struct{}, 2)
	copyTo := func(to io.Writer, from io.Reader) {
		_, _ = io.Copy(to, from)
		done <- struct{}{}
	}
	go copyTo(to, from)
	go copyTo(from, to)
	<-done
}

// serve passes requests to the proxy of the API server.
func (r *Reach) serve(at net.Listener, hostport string) {
	pass := &httputil.ReverseProxy{
		Rewrite: func(p *httputil.ProxyRequest) {
			p.SetURL(&url.URL{Scheme: "http", Host: hostport})
		},
		Transport: r.Transport(&http.Transport{}),
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) {
			panic(http.ErrAbortHandler) // no answer of ours may pass for one of the Service
		},
		ErrorLog: log.New(io.Discard, "", 0),
	}
	server := &http.Server{Handler: pass, ErrorLog: log.New(io.Discard, "", 0), ReadHeaderTimeout: dialLimit}
	_ = server.Serve(at) // it ends when the port is closed
}
