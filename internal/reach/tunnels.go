package reach

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// tunnels keeps one connection to every pod that was asked for. It is safe for concurrent use.
type tunnels struct {
	opener opener

	mu     sync.Mutex
	closed bool
	open   map[podName]*tunnel
}

type podName struct{ namespace, name string }

var errClosed = errors.New("the way into the cluster is closed")

// dial connects to a port of a pod.
func (t *tunnels) dial(ctx context.Context, p pod) (*conn, error) {
	name := podName{p.namespace, p.name}
	tunnel, err := t.get(ctx, name, p)
	if err != nil {
		return nil, err
	}
	select {
	case <-tunnel.opened:
	case <-ctx.Done():
		t.remove(name, tunnel) // it may hang: the next one tries anew
		return nil, fmt.Errorf("wait for the connection to pod %q: %w", p.namespace+"/"+p.name, ctx.Err())
	}
	if tunnel.err != nil {
		return nil, tunnel.err
	}
	c, err := tunnel.stream(ctx, p, func() { t.drop(name, tunnel) })
	if err != nil {
		t.drop(name, tunnel)
		return nil, err
	}
	return c, nil
}

// get returns the tunnel to a pod, which may not be open yet.
func (t *tunnels) get(ctx context.Context, name podName, p pod) (*tunnel, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return nil, errClosed
	}
	if have := t.open[name]; have != nil {
		return have, nil
	}
	made := &tunnel{opened: make(chan struct{})}
	t.open[name] = made
	// Others wait for it, too: it outlives the request that wanted it first.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), openLimit)
	go func() {
		defer cancel()
		t.make(ctx, name, made, p)
	}()
	return made, nil
}

// make opens a tunnel, and forgets it when it is closed.
func (t *tunnels) make(ctx context.Context, name podName, made *tunnel, p pod) {
	made.conn, made.err = t.opener.open(ctx, p)
	close(made.opened)
	if made.err != nil {
		t.remove(name, made)
		return
	}
	t.mu.Lock()
	late := t.closed
	t.mu.Unlock()
	if late {
		_ = made.conn.Close()
	}
	<-made.conn.CloseChan()
	t.remove(name, made)
}

func (t *tunnels) remove(name podName, one *tunnel) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.open[name] == one {
		delete(t.open, name)
	}
}

// drop makes the next one open another tunnel to the pod. The connections in this one live on.
func (t *tunnels) drop(name podName, one *tunnel) {
	t.remove(name, one)
	one.retire()
}

// close ends all connections.
func (t *tunnels) close() {
	t.mu.Lock()
	t.closed = true
	open := t.open
	t.open = map[podName]*tunnel{}
	t.mu.Unlock()
	for _, one := range open {
		select {
		case <-one.opened:
			if one.err == nil {
				_ = one.conn.Close()
			}
		default: // make closes it
		}
	}
}
