package runner_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/penstock-dev/penstock/internal/rollout"
)

// How long the fake cluster takes. They are the bubble's time, which costs none.
const (
	podTime   = 3 * time.Second
	routeTime = time.Second
)

var (
	errSuperseded = errors.New("another run has written")
	errDead       = errors.New("the process is dead")
	errTrouble    = errors.New("the API server is in trouble")
)

// world is a small cluster and the journal in it: a target, its primary, and a route between them. It outlives the runs
// and holds every effect to the invariants.
type world struct {
	t    *testing.T
	spec *rollout.Spec

	mu      sync.Mutex
	target  pods
	primary pods
	route   rollout.Route
	settled time.Time // when the router has taken up the route
	saved   []byte    // the record as JSON, as in a ConfigMap
	epoch   int64     // of the last lease
	changed chan struct{}

	passed    bool // the checks passed since the weight last rose
	checked   int  // how often the analyst was asked
	rises     []rollout.Weight
	promotedN int // how often the primary was overwritten

	notSettling bool // the router never takes up a change from now on
}

// pods are one workload: a revision is the name of an image.
type pods struct {
	exists   bool
	revision string
	replicas int
	readyAt  time.Time
	never    map[string]bool // revisions that do not become ready
}

func (p *pods) ready(now time.Time) bool {
	return p.exists && p.replicas > 0 && !p.never[p.revision] && !now.Before(p.readyAt)
}

func newWorld(t *testing.T, spec *rollout.Spec) *world {
	t.Helper()
	w := &world{t: t, spec: spec, changed: make(chan struct{}, 1)}
	w.target = pods{exists: true, revision: "v1", replicas: 2, readyAt: time.Now(), never: map[string]bool{}}
	w.primary.never = map[string]bool{}
	return w
}

// later wakes the run when what takes d is done.
func (w *world) later(d time.Duration) time.Time {
	time.AfterFunc(d, w.signal)
	return time.Now().Add(d)
}

func (w *world) signal() {
	select {
	case w.changed <- struct{}{}:
	default:
	}
}

// push is somebody who sets an image by hand.
func (w *world) push(image string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.target.revision, w.target.readyAt = image, w.later(podTime)
	w.signal()
}

func (w *world) observe(now time.Time) rollout.Observation {
	report := func(p *pods) rollout.Workload {
		ready := p.ready(now)
		r := rollout.Workload{Exists: p.exists, Revision: p.revision, Replicas: p.replicas, Ready: ready, Serving: ready}
		if !ready {
			r.Message = "0 of " + fmt.Sprint(p.replicas) + " pods are ready"
		}
		return r
	}
	o := rollout.Observation{Now: now, Target: report(&w.target), Primary: report(&w.primary)}
	o.Primary.Serving = o.Primary.Serving || (w.primary.exists && w.promotedN > 1 && !w.primary.never[w.primary.revision])
	o.Route = rollout.RouteReport{Route: w.route, Known: w.route.Managed, Settled: !w.notSettling && !now.Before(w.settled)}
	return o
}

// apply is the effect of Cluster.Apply. Each part is held to what must be so at that moment.
func (w *world) apply(want rollout.World) {
	if !want.Touch {
		return
	}
	now, status := time.Now(), w.recordLocked().Status
	if want != rollout.Want(w.spec, &status) {
		held := want
		held.Route.Managed, held.Canary = status.Routed, rollout.Want(w.spec, &status).Canary
		if held != rollout.Want(w.spec, &status) {
			w.t.Errorf("applied %+v, which no saved status wants: saved is %+v", want, status)
		}
	}
	if want.Primary != "" && w.target.revision == want.Primary && w.primary.revision != want.Primary {
		w.promote(want.Primary)
	}
	if want.Route.Managed && want.Route != w.route {
		w.reroute(want.Route, now)
	}
	switch {
	case want.Canary == rollout.ScaleZero && w.target.replicas > 0:
		if w.route.Canary > 0 || !w.route.Managed || now.Before(w.settled) {
			w.t.Errorf("the canary was scaled down while it had traffic: %+v", w.route)
		}
		w.target.replicas = 0
		w.signal()
	case want.Canary == rollout.ScaleUp && w.target.replicas == 0:
		w.target.replicas, w.target.readyAt = 2, w.later(podTime)
	}
}

func (w *world) recordLocked() rollout.Record {
	var r rollout.Record
	if w.saved != nil && json.Unmarshal(w.saved, &r) != nil {
		w.t.Error("the record is damaged")
	}
	return r
}

func (w *world) promote(revision string) {
	last := w.spec.Steps[len(w.spec.Steps)-1].Weight
	if w.primary.exists && (w.route.Canary != last || !w.passed) {
		w.t.Errorf("%s was promoted at weight %d, passed %v", revision, w.route.Canary, w.passed)
	}
	never := w.primary.never
	w.primary = pods{exists: true, revision: revision, replicas: 2, readyAt: w.later(podTime), never: never}
	w.promotedN++
}

func (w *world) reroute(to rollout.Route, now time.Time) {
	from := w.route
	steps := []rollout.Weight{0}
	for _, s := range w.spec.Steps {
		steps = append(steps, s.Weight)
	}
	switch at := slices.Index(steps, from.Canary); {
	case to.Canary > from.Canary:
		if at < 0 || at+1 >= len(steps) || steps[at+1] != to.Canary {
			w.t.Errorf("the weight went from %d to %d", from.Canary, to.Canary)
		}
		if from.Canary > 0 && !w.passed {
			w.t.Errorf("the weight went from %d to %d without checks", from.Canary, to.Canary)
		}
		if !w.target.ready(now) {
			w.t.Errorf("the weight went to %d while the canary was not ready", to.Canary)
		}
		w.passed, w.rises = false, append(w.rises, to.Canary)
	case !w.observe(now).Primary.Serving:
		w.t.Errorf("the weight went from %d to %d while the primary was not serving", from.Canary, to.Canary)
	}
	w.route, w.settled = to, w.later(routeTime)
}

func (w *world) save(r rollout.Record) error {
	if w.recordLocked().Epoch > r.Epoch {
		return errSuperseded
	}
	body, err := json.Marshal(r)
	if err != nil {
		return err
	}
	w.saved = body
	return nil
}

func (w *world) setImage(images map[string]string) bool {
	image := images["app"]
	if image == "" || image == w.target.revision {
		return false
	}
	if !w.route.Managed {
		w.t.Errorf("image %s was set while the target itself serves the users", image)
	}
	w.target.revision, w.target.readyAt = image, w.later(podTime)
	w.signal()
	return true
}

// process is one run's hand on the world. What a dead or superseded one does has no effect; the second must not try.
type process struct {
	*world
	epoch  int64
	lost   chan struct{}
	ranOut bool // the lease is lost, to nobody

	calls []string // the names of the methods, in order
	times []time.Time
	fault func(call int, method string) fault
	die   context.CancelFunc // the end of the process
	dead  bool

	answer func(call int) rollout.Verdict
	asked  func(ctx context.Context) // what the analyst does before it answers
}

// fault is what goes wrong with one call. The zero value is nothing.
type fault struct {
	err    error
	after  bool // the effect is there, the answer is not
	deadly bool // the process ends
}

// newProcess takes the lease.
func (w *world) newProcess() *process {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.epoch++
	return &process{world: w, epoch: w.epoch, lost: make(chan struct{})}
}

// steal is another run that takes the lease.
func (p *process) steal() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.world.epoch++
	close(p.lost)
}

func (p *process) held() bool {
	select {
	case <-p.lost:
		return false
	default:
		return true
	}
}

// call does the effect of a method with all that may go wrong around it.
func (p *process) call(ctx context.Context, method string, effect func() error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.dead {
		return errDead
	}
	n := len(p.calls)
	p.calls, p.times = append(p.calls, method), append(p.times, time.Now())
	var f fault
	if p.fault != nil {
		f = p.fault(n, method)
	}
	if f.err == nil && ctx.Err() != nil {
		return ctx.Err()
	}
	if (f.err != nil || f.deadly) && !f.after {
		return p.fail(f)
	}
	if err := effect(); err != nil {
		return err
	}
	return p.fail(f)
}

func (p *process) fail(f fault) error {
	if f.deadly {
		p.dead = true
		p.die()
		return errDead
	}
	return f.err
}

func (p *process) writes(method string) {
	if !p.held() {
		p.t.Errorf("%s after another run had taken over", method)
	}
}

// The methods of runner.Cluster, Journal, Analyst and Fence.

func (p *process) Observe(now time.Time) (o rollout.Observation, err error) {
	err = p.call(p.t.Context(), "observe", func() error { o = p.observe(now); return nil })
	return o, err
}

func (p *process) Apply(ctx context.Context, want rollout.World) error {
	return p.call(ctx, "apply", func() error {
		if want.Touch {
			p.writes("apply")
		}
		p.apply(want)
		return nil
	})
}

func (p *process) SetImage(ctx context.Context, images map[string]string) (changed bool, err error) {
	err = p.call(ctx, "set image", func() error { p.writes("set image"); changed = p.setImage(images); return nil })
	return changed && err == nil, err
}

func (p *process) Changed() <-chan struct{} { return p.changed }

func (p *process) Load(ctx context.Context) (r rollout.Record, err error) {
	err = p.call(ctx, "load", func() error { r = p.recordLocked(); return nil })
	return r, err
}

func (p *process) Save(ctx context.Context, r rollout.Record) error {
	return p.call(ctx, "save", func() error {
		p.writes("save")
		if r.Epoch != p.epoch {
			p.t.Errorf("saved under epoch %d, held is %d", r.Epoch, p.epoch)
		}
		return p.save(r)
	})
}

func (p *process) Check(ctx context.Context, _ time.Time) []rollout.CheckResult {
	if p.asked != nil {
		p.asked(ctx)
	}
	verdict := rollout.Error
	_ = p.call(ctx, "check", func() error {
		verdict = rollout.Pass
		if p.answer != nil {
			verdict = p.answer(p.checked)
		}
		p.checked++
		p.passed = verdict == rollout.Pass
		return nil
	})
	return []rollout.CheckResult{{Name: "success", Verdict: verdict, Message: "success: " + verdict.String()}}
}

// Probe is the first look at the checks: they can be asked.
func (p *process) Probe(ctx context.Context, _ time.Time) []rollout.CheckResult {
	verdict := rollout.Error
	_ = p.call(ctx, "probe", func() error { verdict = rollout.Pass; return nil })
	return []rollout.CheckResult{{Name: "success", Verdict: verdict, Message: "success: " + verdict.String()}}
}

func (p *process) Fence() (int64, bool)  { return p.epoch, p.held() }
func (p *process) Lost() <-chan struct{} { return p.lost }
func (p *process) Taken() bool           { return !p.ranOut }
