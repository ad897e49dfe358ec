package reach

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/spdy"
	"k8s.io/client-go/transport/websocket"
	"k8s.io/streaming/pkg/httpstream"
	streamspdy "k8s.io/streaming/pkg/httpstream/spdy"
)

const (
	protocol = portforward.PortForwardProtocolV1Name
	// The API server takes SPDY in a WebSocket, which every proxy lets through, by this name.
	tunnelled = "SPDY/3.1+" + protocol
	pingEvery = 10 * time.Second
	openLimit = 10 * time.Second // of a tunnel to a pod, and of a stream in it
)

// opener opens a connection to the ports of a pod.
type opener interface {
	open(ctx context.Context, p pod) (httpstream.Connection, error)
}

// forwarder opens them through the API server.
type forwarder struct {
	config  *rest.Config
	address string
}

func (f *forwarder) open(ctx context.Context, p pod) (httpstream.Connection, error) {
	at, err := url.Parse(f.address + "/api/v1/namespaces/" + p.namespace + "/pods/" + p.name + "/portforward")
	if err != nil {
		return nil, err
	}
	conn, err := f.webSocket(ctx, *at)
	if err == nil || !httpstream.IsUpgradeFailure(err) && !httpstream.IsHTTPSProxyError(err) {
		return conn, err
	}
	// An older API server, or a Role without the verb get, by which a WebSocket is allowed.
	return f.spdy(ctx, at)
}

func (f *forwarder) webSocket(ctx context.Context, at url.URL) (httpstream.Connection, error) {
	transport, holder, err := websocket.RoundTripperFor(f.config)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil)
	if err != nil {
		return nil, err
	}
	socket, err := websocket.Negotiate(transport, holder, req, tunnelled)
	if err != nil {
		return nil, err
	}
	return streamspdy.NewClientConnectionWithPings(portforward.NewTunnelingConnection("client", socket), pingEvery)
}

func (f *forwarder) spdy(ctx context.Context, at *url.URL) (httpstream.Connection, error) {
	transport, upgrader, err := spdy.RoundTripperFor(f.config)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, at.String(), nil)
	if err != nil {
		return nil, err
	}
	conn, _, err := spdy.NegotiateStreaming(upgrader, &http.Client{Transport: transport}, req, protocol)
	return conn, err
}

// tunnel is a connection to a pod, in which a stream is opened for every connection to one of its ports.
type tunnel struct {
	opened chan struct{} // closed when conn or err is set
	conn   httpstream.Connection
	err    error

	mu      sync.Mutex
	streams int
	retired bool // nobody opens streams in it any more: with the last one it is closed
	request int
}

var errRetired = errors.New("the connection to the pod was closed meanwhile")

// stream opens a connection to a port of the pod.
func (t *tunnel) stream(ctx context.Context, p pod, broken func()) (*conn, error) {
	t.mu.Lock()
	if t.retired {
		t.mu.Unlock()
		return nil, errRetired
	}
	t.streams++
	t.request++
	request := t.request
	t.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, openLimit)
	defer cancel()
	type made struct {
		conn *conn
		err  error
	}
	done := make(chan made, 1)
	go func() {
		c, err := t.create(p, request)
		done <- made{c, err}
	}()
	select {
	case m := <-done:
		if m.err != nil {
			t.release()
			return nil, m.err
		}
		m.conn.start(t.release, broken)
		return m.conn, nil
	case <-ctx.Done():
	}
	go func() { // it ends, since the connection bounds it
		if m := <-done; m.err == nil {
			m.conn.discard()
		}
		t.release()
	}()
	return nil, fmt.Errorf("wait for a stream to port %d: %w", p.port, ctx.Err())
}

// create opens the two streams of a connection: what is wrong with it comes in one of its own.
func (t *tunnel) create(p pod, request int) (*conn, error) {
	header := http.Header{}
	header.Set(corev1.StreamType, corev1.StreamTypeError)
	header.Set(corev1.PortHeader, strconv.Itoa(int(p.port)))
	header.Set(corev1.PortForwardRequestIDHeader, strconv.Itoa(request))
	fault, err := t.conn.CreateStream(header)
	if err != nil {
		return nil, fmt.Errorf("open a stream for errors: %w", err)
	}
	_ = fault.Close() // nothing is written to it
	header.Set(corev1.StreamType, corev1.StreamTypeData)
	data, err := t.conn.CreateStream(header)
	if err != nil {
		_ = fault.Reset()
		t.conn.RemoveStreams(fault)
		return nil, fmt.Errorf("open a stream: %w", err)
	}
	return newConn(t.conn, data, fault, p), nil
}

func (t *tunnel) release() {
	t.mu.Lock()
	t.streams--
	last := t.retired && t.streams == 0
	t.mu.Unlock()
	if last {
		_ = t.conn.Close()
	}
}

// retire lets nobody in any more.
func (t *tunnel) retire() {
	t.mu.Lock()
	was := t.retired
	t.retired = true
	empty := !was && t.streams == 0
	t.mu.Unlock()
	if empty {
		_ = t.conn.Close()
	}
}
