package follow

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/utils/clock"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/kube"
	"github.com/penstock-dev/penstock/internal/report"
	"github.com/penstock-dev/penstock/internal/rollout"
	"github.com/penstock-dev/penstock/internal/runner"
)

// Cluster is what the rollout is about.
type Cluster interface {
	Observe(now time.Time) (kube.Driven, error)
	Fresh(ctx context.Context) (*canary.Canary, error)
	SetImage(ctx context.Context, images map[string]string) (changed bool, err error)
	Changed() <-chan struct{}
}

// Run follows one rollout.
type Run struct {
	Canary   *canary.Canary    // as it is in the cluster
	Images   map[string]string // container -> image to roll out; empty: the change that is already in the target
	Snapshot report.Snapshot   // names that views show; the rest is filled in

	Cluster   Cluster
	Reporters []runner.Reporter
	Clock     clock.Clock

	Stop   <-chan struct{} // closed when the run is cancelled
	GiveUp time.Duration   // how long the cluster may refuse every read and write
	Gate   time.Duration   // how long Flagger may wait at a gate; 0 means DefaultGate
}

// DefaultGate is how long Flagger may wait for somebody to open a gate.
const DefaultGate = time.Hour

// reportLimit is how long a reporter may take with one update.
const reportLimit = 5 * time.Second

var (
	// ErrUnfinished means that the run ended before the rollout did, which goes on without it.
	ErrUnfinished = errors.New("the rollout was not followed to its end")

	// ErrStopped means that the run was cancelled. Nothing is rolled back by that.
	ErrStopped = errors.New("stopped following")
)

// chase is the state of a run between two looks.
type chase struct {
	*Run
	spec    rollout.Spec
	limits  limits
	track   track
	last    report.Snapshot
	history []rollout.Entry
	started time.Time

	trouble time.Time // since when the Canary cannot be watched; zero when it can
}

// Do follows the rollout to its end. An error means that the end was not seen; a rejected revision is a Result.
func (r *Run) Do(ctx context.Context) (runner.Result, error) {
	c := &chase{Run: r, spec: rollout.Plan(r.Canary), limits: limitsOf(r.Canary, r.Gate), started: r.Clock.Now()}
	c.track = track{images: r.Images, moved: c.started, limits: c.limits, suspended: r.Canary.Spec.Suspend}
	for {
		d, err := c.turn(ctx)
		switch {
		case err != nil:
			return c.result(d), err
		case d.outcome != rollout.Running:
			return c.result(d), nil
		}
		if err := c.wait(ctx, d.wakeAt); err != nil {
			return c.result(d), err
		}
	}
}

// turn is one look at the cluster, and the one write when its time has come.
func (c *chase) turn(ctx context.Context) (verdict, error) {
	now := c.Clock.Now()
	seen, err := c.Cluster.Observe(now)
	if err != nil {
		return verdict{}, fmt.Errorf("%w: %w", ErrUnfinished, err)
	}
	if end, err := c.troubled(ctx, &seen, now); err != nil || end {
		return verdict{wakeAt: now.Add(time.Second)}, err
	}
	if c.track.mayStart(&seen) {
		if err := c.start(ctx); err != nil {
			return verdict{}, err
		}
		now = c.Clock.Now()
		if seen, err = c.Cluster.Observe(now); err != nil {
			return verdict{}, fmt.Errorf("%w: %w", ErrUnfinished, err)
		}
		c.track.begin(&seen, now)
	}
	d := c.track.judge(&seen, now)
	c.report(ctx, &seen, &d, now)
	if d.err != nil {
		return d, fmt.Errorf("%w: %w", ErrUnfinished, d.err)
	}
	return d, nil
}

// start reads the status as it is before the image is set, and sets it. A write whose answer was lost is made again.
func (c *chase) start(ctx context.Context) error {
	var since time.Time
	for {
		before, err := c.Cluster.Fresh(ctx)
		if err == nil && before == nil {
			return fmt.Errorf("%w: the Canary was deleted", ErrUnfinished)
		}
		if err == nil {
			c.track.baseline(before.Status)
			var changed bool
			changed, err = c.Cluster.SetImage(ctx, c.Images)
			c.track.patched = c.track.patched || changed || err != nil
		}
		if err == nil {
			return nil
		}
		if errors.Is(err, kube.ErrRefused) {
			return fmt.Errorf("%w: %w", ErrUnfinished, err)
		}
		now := c.Clock.Now()
		if since.IsZero() {
			since = now
		}
		if now.Sub(since) >= c.GiveUp {
			return fmt.Errorf("%w: the cluster has refused for %s: %w", ErrUnfinished, c.GiveUp, err)
		}
		c.again(ctx, err, now)
		if err := c.sleep(ctx, time.Second); err != nil {
			return err
		}
	}
}

// troubled reports whether nothing can be said at present, since the cluster does not answer. A watch whose failure lasts
// is asked by a plain read before the run gives up: it may have come back with nothing to tell.
func (c *chase) troubled(ctx context.Context, seen *kube.Driven, now time.Time) (bool, error) {
	if seen.Trouble == nil {
		c.trouble = time.Time{}
		return false, nil
	}
	if c.trouble.IsZero() {
		c.trouble = now
	}
	_, err := c.Cluster.Fresh(ctx)
	switch {
	case err == nil: // what was read is in the cache by now
		c.trouble = time.Time{}
		return true, nil
	case now.Sub(c.trouble) >= c.GiveUp:
		return true, fmt.Errorf("%w: the cluster has not answered for %s: %w", ErrUnfinished, c.GiveUp, err)
	}
	c.again(ctx, err, now)
	return true, nil
}

// wait sleeps until the time, or until something has changed.
func (c *chase) wait(ctx context.Context, until time.Time) error {
	pause := until.Sub(c.Clock.Now())
	if pause <= 0 {
		pause = time.Millisecond
	}
	timer := c.Clock.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", ErrUnfinished, context.Cause(ctx))
	case <-c.Stop:
		return c.stopped()
	case <-timer.C():
	case <-c.Cluster.Changed():
	}
	return nil
}

func (c *chase) sleep(ctx context.Context, pause time.Duration) error {
	timer := c.Clock.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", ErrUnfinished, context.Cause(ctx))
	case <-c.Stop:
		return c.stopped()
	case <-timer.C():
	}
	return nil
}

func (c *chase) stopped() error {
	if !c.track.started {
		return fmt.Errorf("%w: nothing was changed", ErrStopped)
	}
	return fmt.Errorf("%w: the rollout goes on under Flagger, nothing is rolled back; a re-run follows it again", ErrStopped)
}
