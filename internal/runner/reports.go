package runner

import (
	"context"
	"sync"
	"time"
)

// reportLimit is how long a run that is over waits for reporters that have not shown everything yet.
const reportLimit = 5 * time.Second

// reportBacklog is how many updates wait for a slow reporter before those that tell nothing new are left out.
const reportBacklog = 64

// feed hands updates to one reporter, in order, without ever holding up the rollout.
type feed struct {
	reporter Reporter
	mu       sync.Mutex
	queue    []Update
	closed   bool
	wake     chan struct{} // holds one token when there is something to look at
}

// startReports opens a feed for every reporter. The function that it returns waits until all is shown, within a bound.
func (l *loop) startReports(ctx context.Context) func() {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	for _, r := range l.Reporters {
		f := &feed{reporter: r, wake: make(chan struct{}, 1)}
		l.feeds = append(l.feeds, f)
		running.Go(func() { f.run(ctx) })
	}
	return func() {
		defer cancel()
		for _, f := range l.feeds {
			f.close()
		}
		timer := l.clock.NewTimer(reportLimit)
		defer timer.Stop()
		shown := make(chan struct{})
		go func() { running.Wait(); close(shown) }()
		select {
		case <-shown:
		case <-timer.C():
			cancel()
			<-shown
		}
	}
}

// tell shows an update to everybody.
func (l *loop) tell(u Update) {
	for _, f := range l.feeds {
		f.put(u)
	}
}

// put queues an update. In a long queue, one that nothing happened in gives way to the next.
func (f *feed) put(u Update) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if n := len(f.queue); n > reportBacklog && f.queue[n-1].idle() {
		f.queue = f.queue[:n-1]
	}
	f.queue = append(f.queue, u)
	f.signal()
}

// idle reports whether an update tells only that the rollout waits.
func (u *Update) idle() bool { return len(u.Events) == 0 && len(u.Snapshot.Checks) == 0 }

// close lets the feed end when all is shown.
func (f *feed) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	f.signal()
}

func (f *feed) signal() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// run shows updates until the feed is closed and empty, or ctx ends.
func (f *feed) run(ctx context.Context) {
	for {
		u, more, closed := f.next()
		switch {
		case ctx.Err() != nil:
			return
		case more:
			f.reporter.Report(ctx, u)
			continue
		case closed:
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-f.wake:
		}
	}
}

func (f *feed) next() (u Update, more, closed bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.queue) == 0 {
		return u, false, f.closed
	}
	u, f.queue = f.queue[0], f.queue[1:]
	return u, true, f.closed
}
