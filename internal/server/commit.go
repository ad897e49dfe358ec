package server

import (
	"context"
	"sync"
	"time"
)

// commitTimeout bounds one write of the Store. A delivery waits for at most the one under way and its own.
const commitTimeout = 2 * time.Second

// group is what is written by one commit, and who waits for it.
type group struct {
	Batch
	receipts []Receipt
	err      error
	written  chan struct{} // closed at the end
}

// committer writes to the Store, one batch at a time. What comes while a write is under way is the next batch, so that
// the rate of deliveries does not hang on how long a write takes.
type committer struct {
	store Store
	after func([]Receipt) // called with what was written, whether or not anybody still waits for it

	turn chan struct{} // held by whoever writes
	mu   sync.Mutex
	next *group // what the next write takes; nil when nobody waits
	all  sync.WaitGroup
}

func newCommitter(store Store, after func([]Receipt)) *committer {
	return &committer{store: store, after: after, turn: make(chan struct{}, 1)}
}

// add stores one delivery. When ctx ends first, it may be stored all the same.
func (c *committer) add(ctx context.Context, d Delivery) (Receipt, error) {
	g, i := c.join(ctx, func(b *Batch) int { b.Add = append(b.Add, d); return len(b.Add) - 1 })
	if err := g.wait(ctx); err != nil {
		return Receipt{}, err
	}
	return g.receipts[i], nil
}

// done marks one change as looked at.
func (c *committer) done(ctx context.Context, p Pending) error {
	g, _ := c.join(ctx, func(b *Batch) int { b.Done = append(b.Done, p); return 0 })
	return g.wait(ctx)
}

// join adds to the next batch. Whoever comes first starts its write, which does not end with the request that started
// it: others wait for it too.
func (c *committer) join(ctx context.Context, put func(*Batch) int) (*group, int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.next == nil {
		g := &group{written: make(chan struct{})}
		c.next = g
		c.all.Go(func() { c.write(context.WithoutCancel(ctx), g) })
	}
	return c.next, put(&c.next.Batch)
}

func (c *committer) write(ctx context.Context, g *group) {
	c.turn <- struct{}{} // bounded: whoever has it gives it back within the timeout
	defer func() { <-c.turn }()
	c.mu.Lock()
	c.next = nil
	c.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, commitTimeout)
	defer cancel()
	g.receipts, g.err = c.store.Commit(ctx, g.Batch)
	if g.err == nil {
		c.after(g.receipts)
	}
	close(g.written)
}

func (g *group) wait(ctx context.Context) error {
	select {
	case <-g.written:
		return g.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// drain waits until nothing is written any more.
func (c *committer) drain() { c.all.Wait() }
