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
	list   []net.Conn
	sweep  int // the length of the list at which it is worth while to look for closed ones
}

const sweepFrom = 1024

// trace returns a context whose requests tell of the connections that they open.
func (c *connections) trace(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(got httptrace.GotConnInfo) {
		if !got.Reused {
			c.add(got.Conn)
		}
	}})
}

func (c *connections) add(conn net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		_ = conn.Close()
		return
	}
	// Against a server that closes every connection, the list would grow with every request.
	if len(c.list) >= max(c.sweep, sweepFrom) {
		open := c.list[:0]
		for _, one := range c.list {
			if one.SetDeadline(time.Time{}) == nil { // which changes nothing on an open one
				open = append(open, one)
			}
		}
		clear(c.list[len(open):])
		c.list = open
		c.sweep = 2 * len(open)
	}
	c.list = append(c.list, conn)
}

func (c *connections) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	for _, conn := range c.list {
		_ = conn.Close()
	}
	c.list = nil
}
