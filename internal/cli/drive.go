package cli

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"k8s.io/utils/clock"

	"github.com/penstock-dev/penstock/internal/analysis"
	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/gate"
	"github.com/penstock-dev/penstock/internal/httpx"
	"github.com/penstock-dev/penstock/internal/kube"
	"github.com/penstock-dev/penstock/internal/notify"
	"github.com/penstock-dev/penstock/internal/reach"
	"github.com/penstock-dev/penstock/internal/report"
	"github.com/penstock-dev/penstock/internal/rollout"
	"github.com/penstock-dev/penstock/internal/runner"
)

// The bounds of a run's waits, in real time.
const (
	startLimit = 20 * time.Second // for the cluster to answer at all
	leaseLimit = time.Minute      // for another run's lease to expire
	stopLimit  = 7 * time.Second  // for a cancelled run to reach its safe end
)

// drive is everything that a rollout needs, on a real cluster or on the embedded one.
type drive struct {
	plan
	client     *kube.Client
	clock      clock.Clock
	scale      func(time.Duration) time.Duration // real time to the clock's
	images     map[string]string
	oldImage   string // what the primary runs, when that is known
	version    string
	stop       <-chan struct{}
	reporters  []runner.Reporter
	begun      func()                          // called when everything is checked and the lease is held; may be nil
	leaseLimit time.Duration                   // how long another run's lease is waited for; 0 is the usual
	stopWhy    string                          // why a stopped run is rolled back, when it is not cancelled
	busy       kube.Busy                       // what to do when another run is at work
	standing   standing                        // how it leaves closed gates
	busyOnly   string                          // the only run that is asked to stop; "" asks any
	stopLimit  time.Duration                   // how long a stopped run may take to reach its safe end; 0 is what a CI platform grants
	id         string                          // of this run; "" makes one
	runURL     string                          // of the CI job; empty when there is none
	commit     string                          // that the job is for
	links      func(bool) []notify.Link        // what people can open of the run; whether it is over; nil is nothing
	secrets    envSecrets                      // what the CI platform has in place of the cluster
	env        func(string) string             // environment of the job; nil is an empty one
	job        keptJob                         // that job; zero when there is none
	mask       *masker                         // told of secrets; nil keeps them to itself
	warn       func(error)                     // told of what goes wrong beside the rollout; nil keeps it to itself
	approvals  *approvals                      // nil: nobody has to approve
	gated      func(*gate.Approvals)           // told of them, to show the gate; may be nil
	way        reach.Mode                      // to the Services of the cluster; nothing is as every other host
	through    httpx.Through                   // that way, while the run lasts
	unrenewed  kube.Unrenewed                  // what is known of the lease already
	confirm    func(ctx context.Context) error // called when the lease is held and nothing is touched yet; an error ends the run so; may be nil
	ending     bool                            // a rollout of before is brought to its end, and none is begun

	standIn     bool                                                       // what load reaches is that of a rehearsal
	loadShell   bool                                                       // the run's own load tests may start processes
	address     func(ctx context.Context, hostport string) (string, error) // where the targets of load are reached; nil is that way
	loadThrough httpx.Through                                              // likewise for tests; nil is that way
	loads       *loads                                                     // while the run lasts; nil when it makes none

	// Of a run of several canaries; nil otherwise.
	checked func(ctx context.Context) error                                    // everything was checked and nothing touched yet; an error ends it so
	join    func(ctx context.Context, r *runner.Run) (leave func(), err error) // makes the run a part of its group
}

// run runs the rollout to its end. Nothing is changed in the cluster before everything that can be checked was.
func (d *drive) run(ctx context.Context) (runner.Result, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	started := d.untilStarted(cancel)
	defer started()
	view, err := kube.FindView(ctx, d.client, d.canary)
	if err != nil {
		return runner.Result{}, d.classify(err)
	}
	fence := &fence{}
	world, err := d.open(ctx, fence, view)
	if err != nil {
		return runner.Result{}, err
	}
	defer world.Stop()
	defer cancel()
	view.Track(world)
	crew, err := d.gather(ctx, world, fence)
	if err != nil {
		return runner.Result{}, err
	}
	defer crew.close()
	d.claiming(ctx)
	if fence.lease, err = kube.Acquire(ctx, d.client, d.canary, d.claim(crew.record.ID)); err != nil {
		return runner.Result{}, d.classify(err)
	}
	release := sync.OnceFunc(fence.lease.Release)
	defer release()
	if d.confirm != nil {
		if err := d.confirm(ctx); err != nil {
			return runner.Result{}, err
		}
	}
	if d.spec.Revert && view != nil {
		if err := view.Hold(ctx); err != nil {
			return runner.Result{}, d.classify(err)
		}
	}
	started() // from here on a stop is the rollout's to answer
	if d.begun != nil {
		d.begun()
	}
	run := &runner.Run{
		Record: crew.record, Spec: d.spec, Images: d.images, Snapshot: d.snapshot(),
		Cluster: world, Journal: crew.journal, Analyst: d.judging(crew.analyst), Fence: fence.lease, Hooks: crew.hooks,
		Reporters: d.loaded(slices.Concat(d.withView(view, fence), crew.reporters)), Clock: d.clock,
		Superseded: kube.ErrSuperseded, Refused: kube.ErrRefused, Stop: d.stop, StopWhy: d.stopWhy, StopWithin: d.scale(cmp.Or(d.stopLimit, stopLimit)),
		Ending: d.ending, GiveUp: d.spec.Deadline, Nudge: crew.voters.heard(), Yield: release,
	}
	if d.join != nil {
		leave, err := d.join(ctx, run)
		if err != nil {
			return runner.Result{}, err
		}
		defer leave()
	}
	result, err := run.Do(ctx)
	if err != nil {
		d.unfinished(ctx, crew.alerts, err)
	}
	crew.voters.close(context.WithoutCancel(ctx), err == nil && result.Outcome == rollout.Suspended)
	d.unload(&result)
	if err == nil && result.Outcome == rollout.Uninstalled {
		err = fence.lease.Forget(ctx)
	}
	return d.concluded(ctx, view, result, err)
}

// concluded frees the Canary object, and says what a result means that its outcome alone does not tell.
func (d *drive) concluded(ctx context.Context, view *kube.View, result runner.Result, err error) (runner.Result, error) {
	if err == nil && view != nil && result.Snapshot.Status.Suspended.IsZero() { // a rollout that is not over keeps it, since traffic may be on its way
		err = view.Free(context.WithoutCancel(ctx))
	}
	if err != nil {
		return result, d.classify(err)
	}
	if result.Outcome == rollout.Uninstalled && !d.spec.Uninstall {
		return result, &exitError{ExitRolledBack, fmt.Errorf("canary %q was deleted during the run, and nothing was promoted; "+
			"since spec.revertOnDeletion is true, the target has all of its traffic back", d.canary.Name)}
	}
	return result, nil
}

// untilStarted cancels the preparations when the run is stopped, until what it returns is called. Nothing has been
// touched by then.
func (d *drive) untilStarted(cancel context.CancelFunc) func() {
	done := make(chan struct{})
	go func() {
		select {
		case <-d.stop:
			cancel()
		case <-done:
		}
	}()
	return sync.OnceFunc(func() { close(done) })
}

// asked are the gates and hooks that the canary, or people, have a say in.
func (d *drive) asked() []canary.HookType {
	if d.approvals == nil {
		return d.called
	}
	return slices.Concat(d.called, d.approvals.gates)
}

// claim is what the run demands of the lease.
func (d *drive) claim(id string) kube.Claim {
	return kube.Claim{ID: id, Limit: cmp.Or(d.leaseLimit, leaseLimit), Busy: d.busy, Only: d.busyOnly, Unrenewed: d.unrenewed}
}

// claiming says what the run waits for before its first decision.
func (d *drive) claiming(ctx context.Context) {
	s := d.snapshot()
	s.Spec, s.Now = d.spec, d.clock.Now()
	s.Reason = fmt.Sprintf("claiming the lease %q; another run that holds it is waited for, up to %s",
		kube.ObjectName(d.canary), cmp.Or(d.leaseLimit, leaseLimit))
	switch d.busy {
	case kube.Supersede:
		s.Reason = fmt.Sprintf("claiming the lease %q; another run that holds it is asked to stop", kube.ObjectName(d.canary))
	case kube.Fail:
		s.Reason = fmt.Sprintf("claiming the lease %q, if no other run holds it", kube.ObjectName(d.canary))
	case kube.Wait:
	}
	for _, r := range d.reporters {
		r.Report(ctx, runner.Update{Snapshot: s})
	}
}

// classify is classify, but for a run that was stopped.
func (d *drive) classify(err error) error {
	select {
	case <-d.stop:
		return &exitError{ExitCancelled, err}
	default:
		return classify(err)
	}
}

// open checks the permissions, opens the watches, and looks whether there is something to roll out.
func (d *drive) open(ctx context.Context, f *fence, view *kube.View) (*kube.World, error) {
	world, err := kube.NewWorld(d.client, d.canary, d.router, f.Fence)
	if err != nil {
		return nil, badInput(err)
	}
	world.Guard(view)
	if err := world.Preflight(ctx); err != nil {
		return nil, d.classify(err)
	}
	if d.spec.Uninstall || d.spec.Revert && view != nil { // a Canary that is deleted meanwhile is uninstalled
		if err := world.PreflightUninstall(ctx); err != nil {
			return nil, d.classify(err)
		}
	}
	if d.approvals != nil {
		if err := world.PreflightApprovals(ctx); err != nil {
			return nil, d.classify(err)
		}
	}
	if d.standing.suspend && d.standing.server {
		if err := d.client.RequireWatchdog(ctx, d.canary.Namespace, d.duties()...); err != nil {
			return nil, d.classify(fmt.Errorf("watchdog: %w", err))
		}
	}
	if err := world.Start(ctx, startLimit); err != nil {
		return nil, d.classify(err)
	}
	observed, err := world.Observe(d.clock.Now())
	if err != nil {
		return nil, unfinished(err)
	}
	if !observed.Target.Exists {
		return nil, badInput(fmt.Errorf("spec.targetRef: %s %q does not exist in namespace %q",
			d.canary.Spec.TargetRef.Kind, d.canary.Spec.TargetRef.Name, d.canary.Namespace))
	}
	if err := world.CheckImages(d.images); err != nil {
		return nil, badInput(err)
	}
	// What cannot be written is better known before the first object is.
	if _, err := world.Preview(rollout.World{Touch: true, Route: rollout.Route{Managed: true}}); err != nil {
		return nil, badInput(err)
	}
	return world, nil
}

// classify tells what the user can mend from what only time can.
func classify(err error) error {
	switch {
	case errors.Is(err, kube.ErrRefused):
		return badInput(err)
	case errors.Is(err, kube.ErrSuperseded):
		return superseded(err)
	}
	return unfinished(err)
}

func (d *drive) snapshot() report.Snapshot {
	s := report.Snapshot{
		Canary: d.canary.Name, Namespace: d.canary.Namespace, Provider: d.canary.Spec.Provider, OldImage: d.oldImage,
	}
	for _, image := range d.images {
		s.Image = image
	}
	return s
}

func (d *drive) withView(view *kube.View, fence *fence) []runner.Reporter {
	if view == nil {
		return d.reporters
	}
	return append(slices.Clone(d.reporters), &viewReporter{view: view, drive: d, fence: fence})
}

// viewReporter keeps the Canary object's status and events.
type viewReporter struct {
	view  *kube.View
	drive *drive
	fence *fence
}

func (r *viewReporter) Report(ctx context.Context, u runner.Update) {
	if _, held := r.fence.Fence(); !held {
		return // it is another run's to show by now
	}
	status := kube.Status(&r.drive.spec, &u.Snapshot.Status, r.drive.canary)
	// Best effort: what cannot be shown now is shown with the next decision.
	_ = r.view.Write(ctx, status)
	for _, e := range u.Events {
		_ = r.view.Event(ctx, u.Snapshot.Now, e)
	}
}

// fence is the lease, once there is one.
type fence struct{ lease *kube.Lease }

func (f *fence) Fence() (int64, bool) {
	if f.lease == nil {
		return 0, false
	}
	return f.lease.Fence()
}

// runID names this run: who holds a lease should be recognisable.
func runID() string {
	host, err := os.Hostname()
	if err != nil {
		host = "penstock"
	}
	return host + "-" + rand.Text()[:10]
}

// analyst asks the metrics providers, among which may be the cluster itself.
func (d *drive) analyst(world *kube.World) (*analysis.Analyst, error) {
	client, address, err := d.client.HTTP()
	if err != nil {
		return nil, d.classify(err)
	}
	a, err := analysis.New(analysis.Config{
		Checks: d.checks, Clock: d.clock, Version: d.version, Credentials: d.credentials, Interval: d.spec.Interval,
		LoadHooks: d.spec.Hooked(canary.HookPreRollout) || d.spec.Hooked(canary.HookRollout), Revision: world.Revision,
		Cluster: &analysis.Cluster{Address: address, Client: client}, Through: d.through, Run: d.itself(), Env: d.env,
	})
	if err != nil {
		return nil, badInput(err)
	}
	return a, nil
}
