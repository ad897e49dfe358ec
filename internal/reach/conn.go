package reach

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"k8s.io/streaming/pkg/httpstream"
)

// faultLimit is how long the end of a connection waits for what the kubelet has to say about it, and mostFault how many
// bytes of that are read.
const (
	faultLimit = time.Second
	mostFault  = 4 << 10
)

// conn is a connection to a port of a pod.
type conn struct {
	in          httpstream.Connection
	data, fault httpstream.Stream
	pod         pod

	released func()
	broken   func() // the pod, or its port, is not what it was
	said     chan struct{}
	message  string // what the kubelet has said, when said is closed
	once     sync.Once
	closed   chan struct{}
}

func newConn(in httpstream.Connection, data, fault httpstream.Stream, p pod) *conn {
	return &conn{in: in, data: data, fault: fault, pod: p, said: make(chan struct{}), closed: make(chan struct{})}
}

// start begins to listen for what the kubelet says.
func (c *conn) start(released, broken func()) {
	c.released, c.broken = released, broken
	go func() {
		text, _ := io.ReadAll(io.LimitReader(c.fault, mostFault))
		c.message = shown(string(text))
		close(c.said)
		if c.message != "" {
			broken()
			_ = c.data.Reset() // whoever reads shall know
		}
	}()
}

// Read reads from the pod. That the port could not be reached is known no sooner.
func (c *conn) Read(p []byte) (int, error) {
	n, err := c.data.Read(p)
	if err == nil || n > 0 {
		return n, err
	}
	select {
	case <-c.closed:
		return 0, net.ErrClosed
	default:
	}
	wait := time.NewTimer(faultLimit)
	defer wait.Stop()
	select {
	case <-c.said:
		if c.message != "" {
			return 0, &podError{pod: c.pod, message: c.message}
		}
	case <-wait.C:
	case <-c.closed:
	}
	if !errors.Is(err, io.EOF) {
		c.broken()
	}
	return 0, err
}

func (c *conn) Write(p []byte) (int, error) {
	n, err := c.data.Write(p)
	if err != nil {
		c.broken()
	}
	return n, err
}

// Close ends both directions: what nobody reads would keep the streams of others waiting.
func (c *conn) Close() error {
	c.once.Do(func() {
		close(c.closed)
		c.discard()
		c.released()
	})
	return nil
}

func (c *conn) discard() {
	_ = c.data.Reset() // it may be closed by the other side already
	_ = c.fault.Reset()
	c.in.RemoveStreams(c.data, c.fault)
}

// SetDeadline knows only the absence of one. Whoever wants less time ends the context of the request, which closes the
// connection.
func (c *conn) SetDeadline(t time.Time) error {
	select {
	case <-c.closed:
		return net.ErrClosed
	default:
	}
	if t.IsZero() {
		return nil
	}
	return os.ErrNoDeadline
}

func (c *conn) SetReadDeadline(t time.Time) error  { return c.SetDeadline(t) }
func (c *conn) SetWriteDeadline(t time.Time) error { return c.SetDeadline(t) }

func (c *conn) LocalAddr() net.Addr  { return addr("port-forward") }
func (c *conn) RemoteAddr() net.Addr { return addr(c.pod.String()) }

// addr is the address of a port that is forwarded.
type addr string

func (a addr) Network() string { return "port-forward" }
func (a addr) String() string  { return string(a) }

// String names the port.
func (p pod) String() string { return fmt.Sprintf("%s/%s:%d", p.namespace, p.name, p.port) }

// podError is what the kubelet says of a port.
type podError struct {
	pod     pod
	message string
}

func (e *podError) Error() string {
	why := e.message
	if strings.Contains(why, "connection refused") {
		why = "connection refused; does the container listen on it?"
	}
	return fmt.Sprintf("port %d of pod %q: %s", e.pod.port, e.pod.namespace+"/"+e.pod.name, why)
}

// Temporary holds: the pod may have been about to end.
func (e *podError) Temporary() bool { return true }
