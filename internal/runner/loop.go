package runner

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"k8s.io/utils/clock"

	"github.com/penstock-dev/penstock/internal/report"
	"github.com/penstock-dev/penstock/internal/rollout"
)

// loop is the state of a run between two turns.
type loop struct {
	*Run
	clock clock.Clock

	st     rollout.Status // of the last decision
	saved  rollout.Status // as in the journal
	record rollout.Record
	last   report.Snapshot
	imaged bool // the images are set, or there are none to set

	stopBy       time.Time     // when a cancelled run must end; zero until it is cancelled
	firstTrouble time.Time     // since when nothing has worked; zero when it does
	pause        time.Duration // before the next try

	calls  *calls
	feeds  []*feed
	events []rollout.Event // of decisions that were saved and not yet reported
}

// begin takes up the record. The image is set at once when a rollout of an earlier run is over or can be started over;
// a first run makes its primary from what serves today, and only then is the new image analysed. A run that only brings
// an end takes what is over as it is: its last decision was saved, and perhaps not carried out.
func (l *loop) begin(ctx context.Context) error {
	old, err := l.load(ctx)
	if err != nil {
		return err
	}
	l.record = l.Record
	l.record.Epoch, _ = l.Fence.Fence()
	l.record.Started, l.record.Status = l.clock.Now(), old.Status
	l.record.Follow(old)
	l.st, l.saved = rollout.BeginUnder(&l.Spec, old.Status, l.clock.Now()), old.Status
	if p := old.Status.Phase; l.Ending && over(p) || l.Spec.Uninstall && p == rollout.Terminated {
		l.st, l.record.Past = old.Status, old.Past // it is the same rollout
	}
	if unfinished(old.Status.Phase) {
		l.record.History = old.History
		if !old.Started.IsZero() {
			l.record.Started = old.Started
		}
	}
	l.imaged = len(l.Images) == 0
	if l.Spec.Suspend && !l.st.Suspended.IsZero() {
		return nil // it is not taken up: its target stays as it is
	}
	switch l.st.Phase {
	case rollout.Initialized, rollout.Waiting, rollout.Progressing:
		_, err = l.setImage(ctx)
	case "", rollout.Initializing, rollout.WaitingPromotion, rollout.Promoting, rollout.Finalising, rollout.RollingBack,
		rollout.Succeeded, rollout.Failed, rollout.Terminating, rollout.Terminated:
	}
	return err
}

// unfinished reports whether a rollout was left in a phase between its start and its end.
func unfinished(p rollout.Phase) bool {
	return p != "" && p != rollout.Initialized && !p.Terminal()
}

// over reports whether a rollout has ended, well or not. A canary that was uninstalled has none.
func over(p rollout.Phase) bool { return p == rollout.Succeeded || p == rollout.Failed }

// load reads the journal, with patience for a cluster in trouble.
func (l *loop) load(ctx context.Context) (rollout.Record, error) {
	for {
		record, err := l.Journal.Load(ctx)
		if err == nil {
			l.firstTrouble, l.pause = time.Time{}, 0
			return record, nil
		}
		if r := l.Refused; r != nil && errors.Is(err, r) {
			return record, err
		}
		if end := l.trouble(ctx, err); end != nil {
			return record, end
		}
	}
}

// setImage sets the images of this run, once, and reports whether that may have changed the target: a try whose answer
// was lost may have. A cancelled run leaves the target as it is.
func (l *loop) setImage(ctx context.Context) (changed bool, err error) {
	for !l.imaged && !l.stopping() {
		now, err := l.Cluster.SetImage(ctx, l.Images)
		changed = changed || now || err != nil
		if err == nil {
			l.imaged = true
			break
		}
		if l.isSuperseded(err) {
			return false, err
		}
		if end := l.trouble(ctx, err); end != nil {
			return false, end
		}
	}
	l.firstTrouble, l.pause = time.Time{}, 0
	return changed, nil
}

// imagePending starts the rollout of this run's image when what has just ended was something else: the first run's
// initialisation, or an earlier run's unfinished rollout. Where a primary was adopted, the image replaces whatever the
// target held until then, so that nothing is analysed that nobody asked for.
//
// After an initialisation that failed, the target itself still serves the users: a new image there would reach them all
// unseen.
func (l *loop) imagePending(ctx context.Context, d rollout.Decision) (bool, error) {
	switch d.Outcome {
	case rollout.Initialised, rollout.Unchanged, rollout.RolledBack, rollout.Promoted:
		if !d.Next.Routed {
			return false, nil
		}
		changed, err := l.setImage(ctx)
		if !l.imaged && err == nil { // cancelled meanwhile: let the rules say so
			changed = true
		}
		if changed {
			l.st = rollout.Begin(l.st, l.clock.Now())
		}
		return changed, err
	case rollout.Cancelled:
		return l.retry(ctx)
	case rollout.Running: // the primary serves, and the target holds something else
		_, err := l.setImage(ctx)
		return true, err
	case rollout.Halted, rollout.Suspended, rollout.Superseded, rollout.Gated, rollout.Uninstalled:
	}
	return false, nil
}

// retry starts over when it was an earlier run that was cancelled, whose way back this one has only finished.
func (l *loop) retry(ctx context.Context) (bool, error) {
	if l.stopping() {
		return false, nil
	}
	_, err := l.setImage(ctx)
	l.st = rollout.Begin(l.st, l.clock.Now())
	return err == nil, err
}

// turn is one step in a straight line: ask, observe, decide, save, apply, report.
func (l *loop) turn(ctx context.Context) (rollout.Decision, error) {
	asks := rollout.Ask(&l.Spec, &l.st)
	hook, gate, rollback := l.calls.ask(ctx, asks, &l.st)
	hooked := asks.Hook == "" || hook.Verdict != rollout.Unknown
	var checks []rollout.CheckResult
	if asks.Checks && hooked && !l.clock.Now().Before(asks.Due) && !l.stopping() {
		checks = l.check(ctx, asks.Probe)
	}
	obs, err := l.Cluster.Observe(l.clock.Now())
	if err != nil {
		return rollout.Decision{}, err
	}
	if asks.Gate == rollout.GroupGate && l.Hooks != nil {
		gate = l.Hooks.Call(ctx, asks.Gate, &l.st) // it costs nothing, and may have opened while the checks were asked
		gate.Hook, gate.For = asks.Gate, asks.Since
	}
	obs.Hook, obs.Gate = hook, gate
	if checks != nil {
		obs.Checks, obs.Window, obs.Probe = checks, asks.Window, asks.Probe
	}
	obs.Paused = rollback.Paused
	if rollback.Verdict == rollout.Pass {
		obs.Stop, obs.StopWhy = rollout.StopRollback, rollback.Message
	}
	if _, held := l.Fence.Fence(); !held {
		return rollout.Decision{}, l.Superseded
	}
	switch {
	case !l.stopping():
	case l.StopWhy != "":
		obs.Stop, obs.StopWhy = rollout.StopRollback, l.StopWhy
	default:
		obs.Stop = rollout.StopCancel
	}
	d := rollout.Decide(&l.Spec, &l.st, &obs)
	if err := l.save(ctx, &obs, &d); err != nil {
		return d, err
	}
	l.st = d.Next
	l.events = append(l.events, d.Events...)
	if err := l.Cluster.Apply(ctx, d.Want); err != nil {
		return d, err
	}
	l.report(&obs, &d)
	if d.Outcome == rollout.Running { // what the next decision needs to know is asked while the run waits
		l.calls.ask(ctx, rollout.Ask(&l.Spec, &l.st), &l.st)
	}
	return d, nil
}

// check asks the analyst, until the run is cancelled or superseded. Whoever does not answer has not passed.
func (l *loop) check(ctx context.Context, probe bool) []rollout.CheckResult {
	ctx, cancel := context.WithCancel(ctx)
	var watch sync.WaitGroup
	watch.Go(func() {
		select {
		case <-l.Stop:
		case <-l.Fence.Lost():
		case <-ctx.Done():
		}
		cancel()
	})
	ask := l.Analyst.Check
	if probe {
		ask = l.Analyst.Probe
	}
	checks := ask(ctx, l.clock.Now())
	cancel()
	watch.Wait()
	switch {
	case l.stopping():
		return nil // what a cancelled check says is not the canary's fault
	case len(checks) > 0:
		return checks
	}
	for _, name := range l.Spec.Checks {
		checks = append(checks, rollout.CheckResult{Name: name, Verdict: rollout.Error, Message: name + ": no answer"})
	}
	return checks
}

// save writes the record when the status has moved. The words of a reason alone are not worth a request.
func (l *loop) save(ctx context.Context, obs *rollout.Observation, d *rollout.Decision) error {
	next, saved := d.Next, l.saved
	next.Reason, saved.Reason = rollout.Reason{}, rollout.Reason{}
	if next == saved || d.Outcome == rollout.Superseded {
		return nil
	}
	record := l.record
	record.Status, record.Updated = d.Next, obs.Now
	record.History = slices.Clone(record.History)
	if moved(&l.st, d) || len(obs.Checks) > 0 {
		record.Append(rollout.Entry{
			Time: obs.Now, Phase: d.Next.Phase, Step: d.Next.Step, Steps: len(l.Spec.Steps), Weight: d.Next.Weight,
			Failed: d.Next.Failed, Reason: d.Reason.String(), Checks: obs.Checks,
		})
	}
	if err := l.Journal.Save(ctx, record); err != nil {
		return err
	}
	l.record, l.saved = record, d.Next
	return nil
}

// moved reports whether a decision is one for the history.
func moved(st *rollout.Status, d *rollout.Decision) bool {
	n := &d.Next
	return n.Phase != st.Phase || n.Step != st.Step || n.Promotion != st.Promotion || n.Failed != st.Failed ||
		n.Weight != st.Weight || n.Lost != st.Lost
}

func (l *loop) report(obs *rollout.Observation, d *rollout.Decision) {
	s := l.Snapshot
	s.Spec, s.Status, s.Target, s.Primary, s.Route = l.Spec, d.Next, obs.Target, obs.Primary, obs.Route
	s.Checks, s.Reason, s.Now, s.WakeAt, s.Outcome = obs.Checks, d.Reason.String(), obs.Now, d.WakeAt, d.Outcome
	s.History = l.record.History
	l.last = s
	l.tell(Update{Snapshot: s, Events: l.events})
	l.events = nil
}

func (l *loop) result(d rollout.Decision) Result {
	return Result{Outcome: d.Outcome, Reason: d.Reason, Snapshot: l.last, Record: l.record}
}

// trouble waits before the next try after an error, or returns the error that ends the run.
func (l *loop) trouble(ctx context.Context, err error) error {
	now := l.clock.Now()
	if l.firstTrouble.IsZero() {
		l.firstTrouble = now
	}
	if now.Sub(l.firstTrouble) >= l.GiveUp {
		return fmt.Errorf("%w: the cluster has refused for %s: %w", ErrUnfinished, l.GiveUp, err)
	}
	s := l.last
	if s.Canary == "" { // nothing was decided yet
		s = l.Snapshot
		s.Spec = l.Spec
	}
	s.Status, s.Now, s.Reason = l.st, now, "trying again: "+err.Error()
	if past := l.record.History; len(past) > 0 && past[len(past)-1].Time.After(l.last.Now) { // what nobody was told yet
		s.Reason += "; what is to be done: " + past[len(past)-1].Reason
	}
	l.pause = min(max(2*l.pause, 100*time.Millisecond), 5*time.Second)
	s.WakeAt = now.Add(l.pause)
	if l.pause > time.Second || l.pause == 100*time.Millisecond {
		l.tell(Update{Snapshot: s})
	}
	return l.wait(ctx, now.Add(l.pause))
}
