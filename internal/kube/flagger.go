package kube

import (
	"context"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/manifest"
	"github.com/penstock-dev/penstock/internal/rollout"
	"github.com/penstock-dev/penstock/internal/workload"
)

// Flagger is a Canary that a Flagger controller drives, seen through watches. All that is ever written is the images of
// its target.
type Flagger struct {
	world *World // its target and primary
	ref   canary.Ref
	notes noteFeed
}

// Driven is what the cluster shows of a rollout that a Flagger controller drives.
type Driven struct {
	Canary          *canary.Canary // nil when it does not exist
	Target, Primary rollout.Workload

	TargetImages, PrimaryImages map[string]string // by container, init containers included

	Events  []rollout.Event // of the controller, since Observe was last called
	Trouble error           // why the Canary cannot be watched at present
}

// FollowFlagger looks for the Canary in the cluster. One that does not exist, that cannot be read, or whose target cannot
// be followed is ErrRefused.
func FollowFlagger(ctx context.Context, c *Client, cn *canary.Canary) (*Flagger, error) {
	f := &Flagger{ref: cn.RefOf(canaryGVR, "Canary", cn.Name)}
	f.world = &World{client: c, canary: cn, store: newStore(), fence: func() (int64, bool) { return 0, true }}
	live, err := f.Fresh(ctx)
	if err != nil {
		return nil, err
	}
	if live == nil {
		return nil, fmt.Errorf("%w: %s does not exist at %s; there is nothing that a Flagger controller could drive: "+
			"apply the Canary first, or use --driver penstock, which needs no Canary in the cluster", ErrRefused, f.ref, c.Host)
	}
	f.world.canary = live
	f.world.refs, err = workload.RefsFor(live)
	if err != nil {
		return nil, fmt.Errorf("%w: %s in the cluster: %w", ErrRefused, f.ref, err)
	}
	f.notes = noteFeed{store: f.world.store, counts: map[string]int64{}}
	return f, nil
}

// Canary returns the Canary as it was in the cluster when it was looked for.
func (f *Flagger) Canary() *canary.Canary { return f.world.canary }

// Permissions lists what it takes to follow a rollout. Events are looked at when that is allowed, too.
func (f *Flagger) Permissions() []Permission {
	return manifest.Permissions(manifest.Follow(f.world.canary, &f.world.refs))
}

// Preflight asks for the permissions, before anything is touched. Every missing one is named.
func (f *Flagger) Preflight(ctx context.Context) error { return f.world.require(ctx, f.Permissions()) }

// Start opens the watches and waits until each has answered once, at most for the limit. They end with ctx; Stop waits
// for them.
func (f *Flagger) Start(ctx context.Context, limit time.Duration) error {
	w := f.world
	refs := []canary.Ref{f.ref, w.refs.Target}
	if !w.refs.Shared() {
		refs = append(refs, w.refs.Primary)
	}
	for _, ref := range refs {
		w.wait.Go(func() { w.client.watchObject(ctx, w.store, ref) })
	}
	w.wait.Go(func() { w.client.watchNotes(ctx, &f.notes, f.ref) })
	bounded, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return w.synced(bounded, limit, func() []canary.Ref { return refs })
}

// Stop waits until the watches, whose context must have ended, are closed.
func (f *Flagger) Stop() { f.world.wait.Wait() }

// Changed delivers when something that Observe looks at has changed since it was last read from.
func (f *Flagger) Changed() <-chan struct{} { return f.world.store.changed }

// CheckImages reports containers that the target does not have.
func (f *Flagger) CheckImages(images map[string]string) error { return f.world.CheckImages(images) }

// SetImage gives the target's containers their images, and reports whether it had others.
func (f *Flagger) SetImage(ctx context.Context, images map[string]string) (bool, error) {
	return f.world.SetImage(ctx, images)
}

// Fresh reads the Canary from the cluster itself, not from the watch. It is nil when it does not exist.
func (f *Flagger) Fresh(ctx context.Context) (*canary.Canary, error) {
	live, err := f.world.client.get(ctx, canaryGVR, f.ref.Namespace, f.ref.Name)
	if err != nil || live == nil {
		return nil, err
	}
	f.world.store.put(f.ref, live)
	cn, err := canary.FromObject(live)
	if err != nil {
		return nil, fmt.Errorf("%w: %s in the cluster: %w", ErrRefused, f.ref, err)
	}
	return cn, nil
}

// Observe reads the caches of the watches: it costs no request.
func (f *Flagger) Observe(now time.Time) (Driven, error) {
	w := f.world
	live, _ := w.store.snapshot()
	d := Driven{Events: f.notes.take(), Trouble: w.store.failures()[f.ref]}
	if o := live[f.ref]; o != nil {
		cn, err := canary.FromObject(o)
		if err != nil {
			return d, fmt.Errorf("%w: %s in the cluster: %w", ErrRefused, f.ref, err)
		}
		d.Canary = cn
	}
	target, primary, err := w.readWorkloads(live)
	if err != nil {
		return d, err
	}
	ready := workload.Ready{Now: now, Deadline: w.canary.ProgressDeadline()}
	d.Target, d.Primary = workload.Report(nil, nil, ready), workload.Report(nil, nil, ready)
	if target != nil {
		ready.Revision, ready.Threshold = workload.TargetRevision(target), w.canary.Spec.Analysis.CanaryReady()
		d.Target, d.TargetImages = workload.Report(target, nil, ready), imagesOf(target)
	}
	if primary != nil {
		ready.Revision, ready.Threshold = workload.PrimaryRevision(primary), w.canary.Spec.Analysis.PrimaryReady()
		d.Primary, d.PrimaryImages = workload.Report(primary, nil, ready), imagesOf(primary)
	}
	return d, nil
}

func imagesOf(w *workload.Workload) map[string]string {
	images := map[string]string{}
	pods := w.PodSpec()
	if pods == nil {
		return images
	}
	for _, list := range [][]corev1.Container{pods.InitContainers, pods.Containers} {
		for i := range list {
			images[list[i].Name] = list[i].Image
		}
	}
	return images
}

// noteFeed collects the Kubernetes events of a Canary. What is there when it starts is of earlier rollouts.
type noteFeed struct {
	store *store

	mu      sync.Mutex
	started bool
	counts  map[string]int64 // how often each event has been said, by its name
	fresh   []rollout.Event
}

func (f *noteFeed) take() []rollout.Event {
	f.mu.Lock()
	defer f.mu.Unlock()
	events := f.fresh
	f.fresh = nil
	return events
}
