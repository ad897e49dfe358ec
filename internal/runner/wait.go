package runner

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/penstock-dev/penstock/internal/rollout"
)

// shortestHold is the least time between two decisions that change nothing, unless something happens: a rule that asks to
// be asked again at once must not turn the loop into a busy one.
const shortestHold = 20 * time.Millisecond

var errCancelled = errors.New("cancelled, and the cluster did not follow in time")

// wait sleeps until the time, or until something has happened that a decision may depend on. A zero time is no bound.
func (l *loop) wait(ctx context.Context, until time.Time) error {
	if ctx.Err() != nil {
		return ended(ctx)
	}
	now := l.clock.Now()
	if known := !l.stopBy.IsZero(); l.stopping() {
		if !known {
			return nil // the last decision did not know it yet
		}
		if !now.Before(l.stopBy) {
			return fmt.Errorf("%w: %w", ErrUnfinished, errCancelled)
		}
		if until.IsZero() || until.After(l.stopBy) {
			until = l.stopBy
		}
	}
	var due <-chan time.Time
	if !until.IsZero() {
		if !until.After(now) {
			return nil
		}
		timer := l.clock.NewTimer(until.Sub(now))
		defer timer.Stop()
		due = timer.C()
	}
	select {
	case <-ctx.Done():
		return ended(ctx)
	case <-due:
	case <-l.Cluster.Changed():
	case <-l.calls.woken:
	case <-l.Nudge:
		l.calls.nudge()
	case <-l.Fence.Lost():
	case <-l.cancelled():
		l.stopBy = l.clock.Now().Add(l.StopWithin)
	}
	return nil
}

// ended is the error of a run whose context has ended.
func ended(ctx context.Context) error { return fmt.Errorf("%w: %w", ErrUnfinished, context.Cause(ctx)) }

// wakeAt is when to look again after a decision.
func (l *loop) wakeAt(before *rollout.Status, d *rollout.Decision) time.Time {
	was, is := *before, d.Next
	was.Reason, is.Reason = rollout.Reason{}, rollout.Reason{}
	earliest := l.clock.Now().Add(shortestHold)
	if was == is && !d.WakeAt.IsZero() && d.WakeAt.Before(earliest) {
		return earliest
	}
	return d.WakeAt
}

// bounded returns a context that ends StopWithin after Stop: a request that hangs must not hold up a cancelled run. The
// function releases it.
func (r *Run) bounded(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	var watch sync.WaitGroup
	watch.Go(func() {
		select {
		case <-ctx.Done():
			return
		case <-r.Stop:
		}
		timer := r.Clock.NewTimer(r.StopWithin)
		defer timer.Stop()
		select {
		case <-ctx.Done():
		case <-timer.C():
			cancel(errCancelled)
		}
	})
	return ctx, func() { cancel(nil); watch.Wait() }
}

// stopping reports whether the run was cancelled.
func (l *loop) stopping() bool {
	if !l.stopBy.IsZero() {
		return true
	}
	select {
	case <-l.Stop:
		l.stopBy = l.clock.Now().Add(l.StopWithin)
		return true
	default:
		return false
	}
}

// cancelled is Stop until it has been seen, and nothing after.
func (l *loop) cancelled() <-chan struct{} {
	if l.stopBy.IsZero() {
		return l.Stop
	}
	return nil
}
