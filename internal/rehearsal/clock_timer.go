package rehearsal

import (
	"sync"
	"time"
)

// clockTimer is a timer of a Clock. It cannot be a time.Timer, whose channel tells real time.
type clockTimer struct {
	clock *Clock
	c     chan time.Time // nil for AfterFunc
	f     func()         // nil for NewTimer

	mu    sync.Mutex
	run   int // each start and stop begins another run; what an earlier one fires is dropped
	timer *time.Timer
}

// C returns the channel that tells the time once.
func (t *clockTimer) C() <-chan time.Time { return t.c }

// Stop ends the timer. It reports whether that kept it from firing. Nothing is left in the channel.
func (t *clockTimer) Stop() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.stop()
}

// Reset makes the timer fire after d instead. It reports whether it was still to fire.
func (t *clockTimer) Reset(d time.Duration) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	active := t.stop()
	t.begin(d)
	return active
}

func (t *clockTimer) start(d time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.begin(d)
}

func (t *clockTimer) begin(d time.Duration) {
	t.run++
	run := t.run
	t.timer = time.AfterFunc(t.clock.Real(d), func() { t.fire(run) })
}

func (t *clockTimer) stop() bool {
	t.run++
	active := t.timer.Stop()
	select {
	case <-t.c: // a time that was told and not taken counts as not fired
		active = true
	default:
	}
	return active
}

func (t *clockTimer) fire(run int) {
	t.mu.Lock()
	if run != t.run {
		t.mu.Unlock()
		return
	}
	if t.f == nil {
		t.c <- t.clock.Now() // never blocks: a run sends once, and what it finds here was taken or drained
	}
	t.mu.Unlock()
	if t.f != nil {
		t.f()
	}
}

// clockTicker is a ticker of a Clock.
type clockTicker struct {
	clock *Clock
	every time.Duration
	c     chan time.Time

	mu      sync.Mutex
	stopped bool
	due     time.Time
	timer   *time.Timer
}

// C returns the channel that tells the time at each tick.
func (t *clockTicker) C() <-chan time.Time { return t.c }

// Stop ends the ticks.
func (t *clockTicker) Stop() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stopped = true
	t.timer.Stop()
}

func (t *clockTicker) fire() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.stopped {
		return
	}
	now := t.clock.Now()
	select {
	case t.c <- now:
	default:
	}
	// The next tick is reckoned from when this one was due, so that delays do not add up.
	t.due = t.due.Add((now.Sub(t.due)/t.every + 1) * t.every)
	t.timer.Reset(t.clock.Real(t.due.Sub(now)))
}
