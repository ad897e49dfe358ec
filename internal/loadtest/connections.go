package loadtest

import (
	"context"
	"net"
	"net/http/httptrace"
	"sync"
	"time"
)

// connections are those that a load test has opened. hey keeps its connections open and nobody can reach its transport:
// a process that lives on has to close them itself, or it would run out of them.
type connections struct {
	mu     sync.Mutex
	closed bool
	open   map[net.Conn]struct{}
	sweep  int // how many there are when it is worth while to look for closed ones
}

const sweepFrom = 1024

// trace returns a context whose requests tell of the connections that they use. One that a request has not opened itself
// may be new, too: the request for which it was opened has ended meanwhile.
func (c *connections) trace(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(got httptrace.GotConnInfo) { c.add(got.Conn) }})
}

func (c *connections) add(conn net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		_ = conn.Close()
		return
	}
	if c.open == nil {
		c.open = map[net.Conn]struct{}{}
	}
	c.open[conn] = struct{}{}
	// Against a server that closes every connection, there would be more with every request.
	if len(c.open) >= max(c.sweep, sweepFrom) {
		for one := range c.open {
			if one.SetDeadline(time.Time{}) != nil { // which changes nothing on an open one
				delete(c.open, one)
			}
		}
		c.sweep = 2 * len(c.open)
	}
}

func (c *connections) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	for conn := range c.open {
		_ = conn.Close()
	}
	c.open = nil
}
