package kube

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
	"k8s.io/apimachinery/pkg/types"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/rollout"
	"github.com/penstock-dev/penstock/internal/traffic"
	"github.com/penstock-dev/penstock/internal/workload"
)

// World is the part of a cluster that one canary is about: it is observed through watches and changed by apply.
type World struct {
	client *Client
	canary *canary.Canary
	router traffic.Router
	refs   workload.Refs
	routes []canary.Ref
	store  *store
	fence  func() (epoch int64, held bool)

	wait     sync.WaitGroup
	pods     sync.Once
	openPods func(podSelector) // set by Start
}

// NewWorld prepares the world of a canary. The fence says under which epoch this run may write, and whether it still may.
func NewWorld(c *Client, cn *canary.Canary, r traffic.Router, fence func() (int64, bool)) (*World, error) {
	refs, err := workload.RefsFor(cn)
	if err != nil {
		return nil, err
	}
	return &World{client: c, canary: cn, router: r, refs: refs, routes: r.Refs(cn), store: newStore(), fence: fence}, nil
}

// watched lists every object that the rollout looks at, each once.
func (w *World) watched() []canary.Ref {
	all := []canary.Ref{w.refs.Target, w.refs.Primary, w.refs.Apex, w.refs.PrimaryService, w.refs.CanaryService}
	for _, ref := range w.routes {
		if !slices.Contains(all, ref) {
			all = append(all, ref)
		}
	}
	return all
}

// Start opens the watches and waits until each has answered once, at most for the limit. The watches end with ctx; Stop
// waits for them.
func (w *World) Start(ctx context.Context, limit time.Duration) error {
	refs := w.watched()
	w.openPods = func(pods podSelector) { w.wait.Go(func() { w.client.watchPods(ctx, w.store, pods) }) }
	for _, ref := range refs {
		w.wait.Go(func() { w.client.watchObject(ctx, w.store, ref) })
	}
	bounded, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		missing := w.store.missing(refs)
		if len(missing) == 0 {
			return nil
		}
		select {
		case <-w.store.changed:
		case <-bounded.Done():
			return w.notSynced(missing, limit)
		}
		for ref, err := range w.store.missing(refs) {
			if err != nil && (permanent(err) || apierrors.IsNotFound(err)) {
				return fmt.Errorf("%w: at %s: watch %s: %w", ErrRefused, w.client.Host, ref, served(err))
			}
		}
	}
}

func (w *World) notSynced(missing map[canary.Ref]error, limit time.Duration) error {
	var reasons []string
	for ref, err := range missing {
		if err == nil {
			err = errors.New("no answer")
		}
		reasons = append(reasons, fmt.Sprintf("%s: %v", ref, err))
	}
	slices.Sort(reasons)
	return fmt.Errorf("the cluster at %s did not answer within %s: %s", w.client.Host, limit, strings.Join(reasons, "; "))
}

// Stop waits until the watches, whose context must have ended, are closed.
func (w *World) Stop() { w.wait.Wait() }

// Changed delivers when something that Observe looks at has changed since it was last read from.
func (w *World) Changed() <-chan struct{} { return w.store.changed }

// Observe reads the caches of the watches: it costs no request.
func (w *World) Observe(now time.Time) (rollout.Observation, error) {
	live, podObjects := w.store.snapshot()
	absent := workload.Report(nil, nil, workload.Ready{Now: now})
	o := rollout.Observation{Now: now, Target: absent, Primary: absent}
	target, err := workload.Read[appsv1.Deployment](live[w.refs.Target])
	if err != nil {
		return o, fmt.Errorf("read %s: %w", w.refs.Target, err)
	}
	primary, err := workload.Read[appsv1.Deployment](live[w.refs.Primary])
	if err != nil {
		return o, fmt.Errorf("read %s: %w", w.refs.Primary, err)
	}
	pods := make([]*corev1.Pod, 0, len(podObjects))
	for _, object := range podObjects {
		pod, err := workload.Read[corev1.Pod](object)
		if err != nil {
			return o, fmt.Errorf("read pod %q: %w", object.GetName(), err)
		}
		pods = append(pods, pod)
	}
	if target != nil {
		w.startPods(target)
		o.Target = workload.Report(target, pods, workload.Ready{
			Revision: workload.Revision(target.Spec.Template), Threshold: w.canary.Spec.Analysis.CanaryReady(), Now: now, Deadline: w.canary.ProgressDeadline(),
		})
	}
	if primary != nil {
		o.Primary = workload.Report(primary, pods, workload.Ready{
			Revision: workload.PrimaryRevision(primary), Threshold: w.canary.Spec.Analysis.PrimaryReady(), Now: now, Deadline: w.canary.ProgressDeadline(),
		})
	}
	o.Route = w.router.Read(w.canary, live)
	return o, nil
}

// startPods opens the watch of the pods of target and primary, as soon as the label that they share is known.
func (w *World) startPods(target *appsv1.Deployment) {
	w.pods.Do(func() {
		key, value, err := workload.Label(target)
		if err != nil {
			return // said by Apply, which cannot go on without it
		}
		either, err := labels.NewRequirement(key, selection.In, []string{value, value + "-primary"})
		if err != nil {
			return
		}
		w.openPods(podSelector{
			gvr: workload.PodGVR, namespace: w.refs.Target.Namespace, labels: labels.NewSelector().Add(*either).String(),
		})
	})
}

// Apply brings the cluster to what is wanted: first the primary, then the Services and the route, last the number of
// replicas. What is already so costs no request.
func (w *World) Apply(ctx context.Context, want rollout.World) error {
	if !want.Touch {
		return nil
	}
	live, _ := w.store.snapshot()
	target, err := workload.Read[appsv1.Deployment](live[w.refs.Target])
	if err != nil {
		return fmt.Errorf("read %s: %w", w.refs.Target, err)
	}
	primary, err := workload.Read[appsv1.Deployment](live[w.refs.Primary])
	if err != nil {
		return fmt.Errorf("read %s: %w", w.refs.Primary, err)
	}
	wanted, err := w.render(live, target, primary, want)
	if err != nil {
		return err
	}
	for _, object := range wanted {
		if err := w.adopt(ctx, live, object); err != nil {
			return err
		}
		if err := w.applyObject(ctx, live, object); err != nil {
			return err
		}
	}
	return w.scale(ctx, target, primary, want.Canary)
}

// adopt takes over the fields of a primary that a controller made, so that what a new revision leaves out goes away.
func (w *World) adopt(ctx context.Context, live canary.Objects, object *unstructured.Unstructured) error {
	primary := live[w.refs.Primary]
	if ref, _ := w.refOf(object); ref != w.refs.Primary || primary == nil {
		return nil
	}
	patch, err := workload.Adopt(primary, FieldManager)
	if err != nil || patch == nil {
		return err
	}
	if _, held := w.fence(); !held {
		return ErrSuperseded
	}
	adopted, err := w.client.write(ctx, w.refs.Primary, types.JSONPatchType, patch, metav1.PatchOptions{})
	if err != nil {
		return fmt.Errorf("take over %s: %w", w.refs.Primary, err)
	}
	w.store.put(w.refs.Primary, adopted)
	return nil
}

// render returns every object that should be applied, in order. An object that two codecs write is merged into one.
func (w *World) render(
	live canary.Objects, target, primary *appsv1.Deployment, want rollout.World,
) ([]*unstructured.Unstructured, error) {
	var wanted []*unstructured.Unstructured
	if target == nil {
		return w.renderRoute(live, wanted, want.Route)
	}
	copied := primary != nil && workload.PrimaryRevision(primary) == want.Primary
	if want.Primary != "" && !copied && workload.Revision(target.Spec.Template) == want.Primary {
		object, err := workload.RenderPrimary(w.canary, target, primary)
		if err != nil {
			return nil, err
		}
		wanted = append(wanted, object)
	}
	services, err := workload.Services(w.canary, target, live, workload.PrimarySide)
	if err != nil {
		return nil, err
	}
	for _, service := range services {
		// An apex that exists keeps serving whom it serves until the primary is ready.
		if service.GetName() != w.refs.Apex.Name || want.Route.Managed {
			wanted = append(wanted, service)
		}
	}
	return w.renderRoute(live, wanted, want.Route)
}

func (w *World) renderRoute(
	live canary.Objects, wanted []*unstructured.Unstructured, route rollout.Route,
) ([]*unstructured.Unstructured, error) {
	if !route.Managed {
		return wanted, nil
	}
	routes, err := w.router.Render(w.canary, live, route)
	if err != nil {
		return nil, err
	}
	for _, object := range routes {
		if i := slices.IndexFunc(wanted, func(o *unstructured.Unstructured) bool { return same(o, object) }); i >= 0 {
			merge(wanted[i].Object, object.Object)
			continue
		}
		wanted = append(wanted, object)
	}
	return wanted, nil
}

// scale sets the canary's replicas through the scale subresource, so that no other field of the target is touched.
func (w *World) scale(ctx context.Context, target, primary *appsv1.Deployment, to rollout.Scale) error {
	if target == nil {
		return nil
	}
	n, change := workload.CanaryReplicas(target, primary, to)
	if !change {
		return nil
	}
	if _, held := w.fence(); !held {
		return ErrSuperseded
	}
	patch := fmt.Appendf(nil, `{"spec":{"replicas":%d}}`, n)
	if _, err := w.client.patch(ctx, w.refs.Target, patch, "scale"); err != nil {
		return fmt.Errorf("scale %s to %d: %w", w.refs.Target, n, err)
	}
	return nil
}

// SetImage sets images of the target's containers, and reports whether that changed anything.
func (w *World) SetImage(ctx context.Context, images map[string]string) (bool, error) {
	live, _ := w.store.snapshot()
	target, err := workload.Read[appsv1.Deployment](live[w.refs.Target])
	if err != nil || target == nil || len(images) == 0 {
		return false, err
	}
	patch, err := workload.SetImage(target, images)
	if err != nil || patch == nil {
		return false, err
	}
	if _, held := w.fence(); !held {
		return false, ErrSuperseded
	}
	object, err := w.client.strategicPatch(ctx, w.refs.Target, patch)
	if err != nil {
		return false, fmt.Errorf("set the image of %s: %w", w.refs.Target, err)
	}
	w.store.put(w.refs.Target, object)
	return true, nil
}

// Change is one object before and after an apply.
type Change struct {
	Ref           canary.Ref
	Before, After *unstructured.Unstructured // Before is nil when the object is new
}

// Preview returns what Apply would change, without changing it.
func (w *World) Preview(want rollout.World) ([]Change, error) {
	live, _ := w.store.snapshot()
	target, err := workload.Read[appsv1.Deployment](live[w.refs.Target])
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", w.refs.Target, err)
	}
	primary, err := workload.Read[appsv1.Deployment](live[w.refs.Primary])
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", w.refs.Primary, err)
	}
	wanted, err := w.render(live, target, primary, want)
	if err != nil {
		return nil, err
	}
	var changes []Change
	for _, object := range wanted {
		ref, known := w.refOf(object)
		if !known || ref != w.refs.Primary && contains(live[ref], object) {
			continue
		}
		change := Change{Ref: ref, Before: live[ref], After: object}
		if change.Before != nil {
			change.After = change.Before.DeepCopy()
			merge(change.After.Object, object.Object)
		}
		changes = append(changes, change)
	}
	return changes, nil
}
