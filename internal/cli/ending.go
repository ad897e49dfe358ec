package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/forge"
	"github.com/penstock-dev/penstock/internal/kube"
	"github.com/penstock-dev/penstock/internal/report"
	"github.com/penstock-dev/penstock/internal/rollout"
	"github.com/penstock-dev/penstock/internal/runner"
)

// ending is what it takes to end the rollout of one canary.
type ending struct {
	client   *kube.Client
	set      *canary.Set
	canary   *canary.Canary
	policy   policy
	bulletin *bulletin
	before   predecessor
	was      kube.Unrenewed // what is known of its lease
	problem  error          // why it cannot be ended
	jobOver  bool           // the job of its run is known to be over
	said     string         // what people have said of a suspended rollout, to end it; empty: nothing
	asleep   string         // the suspension of which they have said it

	say    func(text string)                                       // told what becomes of it, in a line
	show   func(d *drive) (each runner.Reporter, end func() error) // shows its decisions
	alone  bool                                                    // it is the only one
	holder string                                                  // of the lease, when the rollout is over; empty when there is none
}

// leave says why a rollout needs no end, or nothing when it does.
func (e *ending) leave(record *rollout.Record, expired bool, now time.Time) string {
	url, mine := e.bulletin.ci.RunURL, e.before.id
	switch {
	case record.Status.Phase == "":
		return "there was no rollout"
	case record.Status.Over() && e.holder == "": // else a run has saved the end, and may not have carried it out
		return "the rollout is over: " + string(record.Status.Phase)
	case !expired && mine != "" && record.ID != mine:
		return "the rollout belongs to another run, " + record.ID
	case e.said != "" && record.Suspension() != e.asleep:
		return "the rollout was taken up meanwhile"
	case e.said == "" && !record.Status.Suspended.IsZero() && !(expired && record.Status.Lapsed(now)):
		return "the rollout is " + asleep(&record.Status)
	case !expired && url != "" && record.RunURL != "" && record.RunURL != url:
		return "the rollout belongs to another job, " + record.RunURL
	}
	return ""
}

// removing reports whether a canary is on its way out in a phase.
func removing(p rollout.Phase) bool { return p == rollout.Terminating || p == rollout.Terminated }

// asleep says where a suspended rollout stands, and until when.
func asleep(st *rollout.Status) string {
	text := fmt.Sprintf("suspended at %s with %d %% of the traffic on the canary", st.Gate, st.Weight)
	if st.Until.IsZero() {
		return text + ", until the next run"
	}
	return text + ", until " + st.Until.UTC().Format(time.RFC3339)
}

// owns reports whether a rollout is known to be of this very job, whose page on GitHub other jobs of the workflow share.
func (e *ending) owns(record *rollout.Record) bool {
	if e.before.id != "" {
		return e.before.id == record.ID
	}
	return e.bulletin.ci.Platform == forge.PlatformGitLab && record.RunURL != "" && record.RunURL == e.bulletin.ci.RunURL
}

// errPassedOn means that another run has taken up the rollout, or ended it, before this one could.
var errPassedOn = errors.New("another run has taken up the rollout meanwhile")

// passedOn reports whether another run has taken up the rollout meanwhile.
func (e *ending) passedOn(ctx context.Context, was *rollout.Record) bool {
	now, err := kube.NewJournal(e.client, e.canary).Load(ctx)
	return err == nil && now.ID != was.ID
}

// still looks once more when the lease is held: of several who find a dead run, only the first ends its rollout.
func (e *ending) still(was *rollout.Record) func(context.Context) error {
	return func(ctx context.Context) error {
		if e.passedOn(ctx, was) {
			return errPassedOn
		}
		return nil
	}
}

// endAll ends several rollouts side by side: a post step has the same few minutes for all of them.
func (a *App) endAll(ctx context.Context, in *finalizeInputs, all []*ending) error {
	if a.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryLimit + int64(len(all))*memoryPerCanary)
	}
	metrics, err := a.openMetrics(ctx, in.metricsInputs)
	if err != nil {
		return err
	}
	defer metrics.close()
	problems := make([]error, len(all))
	var running sync.WaitGroup
	for i, e := range all {
		e.alone = len(all) == 1
		e.say = func(text string) { a.say(text + "\n") }
		e.show = func(d *drive) (runner.Reporter, func() error) {
			var v view = NewPlain(a.Stderr)
			if e.alone {
				v = a.screen(d.clock)
			}
			return screenReporter{v}, v.Close
		}
		running.Go(func() {
			if err := a.end(ctx, in, e, metrics); err != nil {
				problems[i] = fmt.Errorf("%s/%s: %w", e.canary.Namespace, e.canary.Name, err)
			}
		})
	}
	running.Wait()
	return errors.Join(problems...)
}

// end brings the rollout of one canary to its safe end, unless there is nothing to end.
func (a *App) end(ctx context.Context, in *finalizeInputs, e *ending, m *metrics) error {
	if e.problem != nil {
		return e.problem
	}
	name := e.canary.Namespace + "/" + e.canary.Name
	record, err := kube.NewJournal(e.client, e.canary).Load(ctx)
	if err != nil {
		return err
	}
	if record.Status.Over() {
		if e.holder, err = e.client.Holder(ctx, e.canary); err != nil {
			return err
		}
	}
	if why := e.leave(&record, in.Expired, time.Now()); why != "" {
		e.say(report.Clean(name + ": nothing to finish: " + why))
		return nil
	}
	e.say(report.Clean(fmt.Sprintf("%s: unfinished, at %s with %d %% of the traffic on the canary", name, record.Status.Phase, record.Status.Weight)))
	e.policy.uninstall = removing(record.Status.Phase)
	d, err := a.drive(ctx, &in.runInputs, e.client, e.set, driveInputs{canary: e.canary, policy: e.policy})
	if err != nil {
		return err
	}
	e.prepare(d, in, &record)
	left, _ := readKept(e.canary.Namespace, e.canary.Name, &record) // without it the pages stay as they are
	b := e.bulletin.inPlaceOf(&record, left.job)
	b.identify(d)
	if d.job.CI.Platform == "" {
		d.job = left.job
	}
	d.runURL, d.commit = cmp.Or(d.runURL, record.RunURL), cmp.Or(d.commit, record.Commit)
	p := b.poster(ctx, e.canary, e.alone)
	d.links = p.links
	each, closeShow := e.show(d)
	d.reporters = append([]runner.Reporter{each, p}, m.reporters(d.canary)...)
	result, err := d.run(ctx)
	if closeErr := closeShow(); err == nil && closeErr != nil {
		err = unfinished(closeErr)
	}
	if errors.Is(err, errPassedOn) || errors.Is(err, kube.ErrHeld) && (in.Expired || e.passedOn(ctx, &record)) {
		e.say(report.Clean(name + ": its run is alive, and is left alone"))
		p.abandon(ctx)
		return nil
	}
	p.close(ctx, err)
	if err != nil {
		return err
	}
	e.hangUp(ctx, &record, b.app.warn)
	e.say(strings.TrimRight(report.Clean(report.Sentence(report.Summarise(result.Snapshot))), "\n"))
	if result.Outcome == rollout.Halted {
		return errors.New("it is halted, with the traffic where it is safest; see above")
	}
	return nil
}

// prepare makes a run one that ends what it finds.
func (e *ending) prepare(d *drive, in *finalizeInputs, record *rollout.Record) {
	stop := make(chan struct{})
	d.stop, d.begun, d.stopLimit, d.leaseLimit = stop, func() { close(stop) }, finalizeLimit, leaseLimit
	d.ending, d.busy = true, kube.Wait // and not what the run itself was told to do
	d.confirm, d.unrenewed = e.still(record), e.was
	if e.said != "" { // they want it back, whatever its run was told to do when it is cancelled
		d.stopWhy, d.spec.HoldOnCancel = e.said, false
	}
	switch {
	case e.jobOver:
		d.busy, d.busyOnly = kube.Supersede, record.ID
	case e.was != (kube.Unrenewed{}): // whoever writes it now is alive
		d.busy, d.leaseLimit = kube.Fail, expiredLimit
	case in.Expired:
		d.leaseLimit = expiredLimit
	case e.owns(record): // the job is over: what is still alive of it has no one to tell
		d.busy, d.busyOnly = kube.Supersede, record.ID
	}
}

// hangUp says that a suspended rollout that was ended listens to nobody any more. It is best effort: what is said to a
// rollout that is over changes nothing.
func (e *ending) hangUp(ctx context.Context, was *rollout.Record, warn func(error)) {
	if was.Suspension() == "" {
		return
	}
	n, err := e.client.Notice(ctx, e.canary)
	if err == nil && n != nil && !n.Over {
		n.Over = true
		err = kube.NewBoard(e.client, e.canary, func() (int64, bool) { return n.Epoch, true }).Post(ctx, *n)
	}
	if err != nil && !errors.Is(err, kube.ErrSuperseded) {
		warn(fmt.Errorf("%s/%s: its gate is not said to be over: %w", e.canary.Namespace, e.canary.Name, err))
	}
}
