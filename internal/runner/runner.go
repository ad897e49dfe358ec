// Package runner runs one rollout from start to finish: it asks, observes, lets rollout.Decide decide, saves, applies,
// reports and waits, in that order, until the rollout is over.
package runner

import (
	"context"
	"errors"
	"time"

	"k8s.io/utils/clock"

	"github.com/penstock-dev/penstock/internal/report"
	"github.com/penstock-dev/penstock/internal/rollout"
)

// Cluster is what the rollout is about.
type Cluster interface {
	Observe(now time.Time) (rollout.Observation, error)
	Apply(ctx context.Context, want rollout.World) error
	SetImage(ctx context.Context, images map[string]string) (changed bool, err error)
	Changed() <-chan struct{}
}

// Journal keeps the record. Save fails with ErrSuperseded when another run has written since.
type Journal interface {
	Load(ctx context.Context) (rollout.Record, error)
	Save(ctx context.Context, record rollout.Record) error
}

// Analyst makes the checks, all of them, and always answers within a bound.
type Analyst interface {
	Check(ctx context.Context, now time.Time) []rollout.CheckResult

	// Probe asks every check once before any traffic moves. Pass means that the check can be asked, whatever its value.
	Probe(ctx context.Context, now time.Time) []rollout.CheckResult
}

// Reporter shows a decision. It is best effort: what goes wrong with it stays with it.
type Reporter interface {
	Report(ctx context.Context, u Update)
}

// Update is a decision and the picture of the rollout right after it.
type Update struct {
	Snapshot report.Snapshot
	Events   []rollout.Event
}

// Run is one run of one rollout.
type Run struct {
	Record   rollout.Record    // identity: ID, Target, Image, RunURL, Commit, SpecHash
	Spec     rollout.Spec      //
	Images   map[string]string // container -> image to roll out; empty: the change that is already in the target
	Snapshot report.Snapshot   // names that views show; the rest is filled in

	Cluster   Cluster
	Journal   Journal
	Analyst   Analyst
	Hooks     Hooks // nil when the canary has no webhooks
	Fence     Fence
	Reporters []Reporter
	Clock     clock.Clock

	Superseded error           // the error by which Cluster and Journal say that another run has taken over
	Refused    error           // the error by which the Journal says that its record cannot be read, ever
	Stop       <-chan struct{} // closed when the run is cancelled
	StopWhy    string          // why it is stopped, when it is rolled back and not cancelled
	StopWithin time.Duration   // how long a cancelled run may take to reach its safe end
	Ending     bool            // a rollout of before is brought to its end, and none is begun
	GiveUp     time.Duration   // how long the cluster may refuse every read and write

	Yield func() // called when a superseded run has nothing under way any more; nil when nobody waits for that

	GateEvery time.Duration   // how often a gate is asked; 0 means DefaultGateEvery
	Nudge     <-chan struct{} // a gate may have opened: ask at once; nil when nobody tells
}

// Result is how a run ended.
type Result struct {
	Outcome  rollout.Outcome
	Reason   rollout.Reason
	Snapshot report.Snapshot
	Record   rollout.Record
}

// ErrUnfinished means that the run ended before its rollout did. The state is kept; the next run takes it up.
var ErrUnfinished = errors.New("the rollout is not finished; the next run takes it up where it is")

// Do runs the rollout until it is over, ctx ends, or the cluster cannot be reached for GiveUp. An error means that the
// rollout could not be finished; a rejected canary is a Result.
func (r *Run) Do(ctx context.Context) (Result, error) {
	ctx, release := r.bounded(ctx)
	defer release()
	loop := &loop{Run: r, clock: r.Clock}
	loop.calls = loop.newCalls()
	defer loop.startReports(ctx)()
	defer loop.calls.close()
	work, end := r.fenced(ctx)
	defer end()
	result, err := loop.run(work)
	if r.beaten(work, err) {
		return loop.superseded(ctx)
	}
	return result, err
}

// run takes turns until the rollout is over, or an error ends the run.
func (l *loop) run(ctx context.Context) (Result, error) {
	if err := l.begin(ctx); err != nil {
		return l.result(rollout.Decision{}), err
	}
	for {
		before := l.st
		d, err := l.turn(ctx)
		switch {
		case l.beaten(ctx, err):
			return l.result(d), err
		case err != nil:
			if end := l.trouble(ctx, err); end != nil {
				return l.result(d), end
			}
			continue
		}
		l.firstTrouble, l.pause = time.Time{}, 0
		if d.Outcome != rollout.Running || d.Next.Phase == rollout.Initialized {
			goOn, err := l.imagePending(ctx, d)
			if err == nil && !goOn {
				l.postRollout(ctx, &d)
			}
			if err != nil || !goOn {
				return l.result(d), err
			}
			continue
		}
		if err := l.wait(ctx, l.wakeAt(&before, &d)); err != nil {
			return l.result(d), err
		}
	}
}
