package runner

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/penstock-dev/penstock/internal/rollout"
)

// Fence tells under which epoch this run may write, whether it still may, and when that ends.
type Fence interface {
	Fence() (epoch int64, held bool)
	Lost() <-chan struct{}
	Taken() bool // somebody else holds what this run has lost
}

// errLeaseLost is why a run ends that lost its lease to nobody.
var errLeaseLost = errors.New("the lease ran out, since the cluster could not be reached in time")

// fenced returns a context that ends with the lease: whatever a run does when it is superseded, a request, a webhook or a
// check, it breaks off at once. The function releases it.
func (r *Run) fenced(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	var watch sync.WaitGroup
	watch.Go(func() {
		select {
		case <-r.Fence.Lost():
			cancel(r.Superseded)
		case <-ctx.Done():
		}
	})
	return ctx, func() { cancel(nil); watch.Wait() }
}

// isSuperseded reports whether an error says that another run has taken over.
func (r *Run) isSuperseded(err error) bool {
	return r.Superseded != nil && errors.Is(err, r.Superseded)
}

// beaten reports whether an error is due to a lease that is lost. What was broken off with it says only that it was.
func (r *Run) beaten(work context.Context, err error) bool {
	return err != nil && (r.isSuperseded(err) || r.isSuperseded(context.Cause(work)))
}

// superseded ends a run that may write nothing more: with the outcome that somebody else took over, or with an error
// when the lease was lost to nobody. A process that was frozen wakes up without having seen the new holder, so the record
// is asked for its epoch.
func (l *loop) superseded(ctx context.Context) (Result, error) {
	l.calls.close()
	if l.Yield != nil {
		l.Yield()
	}
	if _, held := l.Fence.Fence(); !held && !l.Fence.Taken() && !l.overtaken(ctx) {
		return l.result(rollout.Decision{}), fmt.Errorf("%w: %w", ErrUnfinished, errLeaseLost)
	}
	obs := rollout.Observation{Now: l.clock.Now(), Superseded: true}
	d := rollout.Decide(&l.Spec, &l.st, &obs)
	l.report(&obs, &d)
	return l.result(d), nil
}

// overtaken reports whether the record is another run's by now.
func (l *loop) overtaken(ctx context.Context) bool {
	record, err := l.Journal.Load(ctx)
	return err == nil && record.Epoch > l.record.Epoch
}
