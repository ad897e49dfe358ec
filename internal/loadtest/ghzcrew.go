package loadtest

import (
	"context"
	"fmt"
	"math"
	"sync"
	"time"

	"google.golang.org/grpc"
)

// mostUnderWay is how many calls of --async may be under way at once; the others wait for one of them to end.
const mostUnderWay = 10_000

// crew are the workers of a load.
type crew struct {
	calls *caller
	conns []*grpc.ClientConn
	name  string
	async bool

	running   sync.WaitGroup
	due       chan int64    // the numbers of the calls to make
	scheduled chan struct{} // closed when there are no more of them
	underWay  chan struct{} // places of calls that nobody waits for
	quit      []chan struct{}
}

// drive makes the calls, as many as there are to be, until the time is over, or ctx ends. Calls that are under way then get a
// moment, unless --duration-stop has them waited for; those of a canary that answers nothing are broken off after it.
func (g *ghz) drive(ctx, sending context.Context, end func(), c *crew) {
	loading := ctx
	if limit := g.limit(); limit > 0 {
		var stop context.CancelFunc
		loading, stop = context.WithTimeout(ctx, limit)
		defer stop()
	}
	c.scheduled = make(chan struct{})
	c.due, c.underWay = make(chan int64), make(chan struct{}, mostUnderWay)
	var following sync.WaitGroup
	following.Go(func() { c.follow(sending, &g.flags.crew) })
	g.schedule(loading, c.due)
	close(c.due)
	close(c.scheduled)
	over := ctx.Done()
	if g.limit() > 0 && g.flags.stop != "wait" {
		over = loading.Done()
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		following.Wait()
		c.running.Wait()
	}()
	select {
	case <-done:
		return
	case <-over:
	}
	grace := time.NewTimer(g.options.grace)
	defer grace.Stop()
	select {
	case <-done:
	case <-grace.C:
		end()
		<-done // the end of their context ends the calls
	}
}

// schedule gives each call its time, reckoned from the start, so that a late one is made up for and nothing adds up.
func (g *ghz) schedule(loading context.Context, due chan<- int64) {
	most := int64(g.flags.requests)
	if g.flags.duration > 0 && g.flags.most == 0 {
		most = math.MaxInt64
	}
	paced := &pace{ramp: &g.flags.load}
	started := time.Now()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for n := range most {
		at, more := paced.next()
		if !more {
			return
		}
		if wait := at - time.Since(started); wait > 0 {
			timer.Reset(wait)
			select {
			case <-timer.C:
			case <-loading.Done():
				return
			}
		}
		select {
		case due <- n:
		case <-loading.Done():
			return
		}
	}
}

// follow changes the number of the workers as the schedule has it, until the load is over.
func (c *crew) follow(ctx context.Context, size *ramp) {
	started := time.Now()
	timer := time.NewTimer(forever)
	defer timer.Stop()
	for {
		workers, until := size.at(time.Since(started))
		c.resize(ctx, int(workers))
		if until == forever {
			return
		}
		timer.Reset(until - time.Since(started))
		select {
		case <-timer.C:
		case <-c.scheduled:
			return
		}
	}
}

// resize makes them so many. Those that are too many end after the call that they make.
func (c *crew) resize(ctx context.Context, workers int) {
	for len(c.quit) > workers {
		last := len(c.quit) - 1
		close(c.quit[last])
		c.quit = c.quit[:last]
	}
	for n := len(c.quit); n < workers; n++ {
		quit := make(chan struct{})
		c.quit = append(c.quit, quit)
		conn := n % len(c.conns)
		id := fmt.Sprintf("g%dc%d", n, conn) // as ghz names them
		if c.name != "" {
			id = c.name + ":" + id
		}
		c.running.Go(func() { c.work(ctx, id, c.conns[conn], quit) })
	}
}

// work is what a worker does.
func (c *crew) work(ctx context.Context, id string, conn *grpc.ClientConn, quit <-chan struct{}) {
	for {
		select {
		case <-quit:
			return
		case n, more := <-c.due:
			switch {
			case !more:
				return
			case !c.async:
				c.calls.call(ctx, conn, id, n)
				continue
			}
			select {
			case c.underWay <- struct{}{}:
			case <-ctx.Done():
				return
			}
			c.running.Go(func() {
				c.calls.call(ctx, conn, id, n)
				<-c.underWay
			})
		}
	}
}
