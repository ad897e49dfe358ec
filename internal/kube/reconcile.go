package kube

import (
	"context"
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/rollout"
	"github.com/penstock-dev/penstock/internal/workload"
)

// Apply brings the cluster to what is wanted: first the primary and what configures it, then the Services and the route,
// last the number of replicas. What is already so costs no request.
func (w *World) Apply(ctx context.Context, want rollout.World) error {
	if !want.Touch {
		return nil
	}
	live, _ := w.store.snapshot()
	target, primary, err := w.workloads(live)
	if err != nil {
		return err
	}
	wanted, err := w.render(live, target, primary, want)
	if err != nil {
		return err
	}
	copies, err := w.copies(target, primary, want)
	if err != nil {
		return err
	}
	if err := w.applyCopies(ctx, live, copies); err != nil {
		return err
	}
	for _, object := range wanted {
		if err := w.adopt(ctx, live, object); err != nil {
			return err
		}
		apply := w.applyObject
		if want.Route.Handover {
			apply = w.releaseObject
		}
		if err := apply(ctx, live, object); err != nil {
			return err
		}
	}
	if want.Remove {
		return w.remove(ctx, live, primary)
	}
	if err := w.restartCanary(ctx, target, primary, want.Canary); err != nil {
		return err
	}
	if err := w.pauseScaler(ctx, live, want.Canary); err != nil {
		return err
	}
	return w.scale(ctx, target, primary, want.Canary)
}

// adopt takes over the fields of a primary, of its autoscaler, or of a Service of theirs, that a controller made, so that
// what is left out from now on goes away.
func (w *World) adopt(ctx context.Context, live canary.Objects, object *unstructured.Unstructured) error {
	ref, _ := w.refOf(object)
	// A Service that was there before is rendered without the canary's name: its other ports are the user's.
	service := ref.Kind == w.refs.Apex.Kind && object.GetAnnotations()[workload.CanaryAnnotation] != ""
	if !w.copied(ref) && ref != w.scaled.Primary && !service || live[ref] == nil {
		return nil
	}
	patch, err := workload.Adopt(live[ref], FieldManager)
	if err != nil || patch == nil {
		return err
	}
	if _, held := w.fence(); !held {
		return ErrSuperseded
	}
	adopted, err := w.client.write(ctx, ref, types.JSONPatchType, patch, metav1.PatchOptions{})
	if err != nil {
		return fmt.Errorf("take over %s: %w", ref, err)
	}
	w.store.put(ref, adopted)
	live[ref] = adopted
	return nil
}

// render returns every object that should be applied, in order. An object that two codecs write is merged into one.
func (w *World) render(
	live canary.Objects, target, primary *workload.Workload, want rollout.World,
) ([]*unstructured.Unstructured, error) {
	var wanted []*unstructured.Unstructured
	if target == nil {
		return w.renderRoute(live, wanted, want.Route)
	}
	if want.Route.Handover {
		return w.handOver(live, target, primary, want.Route)
	}
	if err := workload.Check(w.canary, target); err != nil {
		return nil, err
	}
	if w.promotes(target, primary, want) {
		object, err := workload.RenderPrimary(w.canary, target, primary)
		if err != nil {
			return nil, err
		}
		wanted = append(wanted, object)
		if w.refs.Shared() { // the route names the primary, and is written together with it
			live = after(live, w.refs.Target, object)
		}
	}
	if scaler, err := w.renderScaler(live, target, want.Primary); err != nil {
		return nil, err
	} else if scaler != nil {
		wanted = append(wanted, scaler)
	}
	services, err := workload.Services(w.canary, target, primary, live)
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

// scale brings the canary to the wanted size, and touches no other field of the target.
func (w *World) scale(ctx context.Context, target, primary *workload.Workload, to rollout.Scale) error {
	if target == nil {
		return nil
	}
	scaling := workload.ScaleCanary(target, primary, to)
	if scaling == nil {
		return nil
	}
	if _, held := w.fence(); !held {
		return ErrSuperseded
	}
	var sub []string
	if w.refs.Scale != "" {
		sub = append(sub, w.refs.Scale)
	}
	answer, err := w.client.patch(ctx, w.refs.Target, scaling.Patch, sub...)
	if err != nil {
		return fmt.Errorf("scale %s to %s: %w", w.refs.Target, scaling.To, err)
	}
	if len(sub) == 0 { // a subresource answers with itself
		w.store.put(w.refs.Target, answer)
	}
	return nil
}

// SetImage sets images of the target's containers, and reports whether that changed anything.
func (w *World) SetImage(ctx context.Context, images map[string]string) (bool, error) {
	live, _ := w.store.snapshot()
	target, err := workload.FromObject(live[w.refs.Target])
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
	write := w.client.strategicPatch
	if w.refs.Shared() {
		write = func(ctx context.Context, ref canary.Ref, body []byte) (*unstructured.Unstructured, error) {
			return w.client.patch(ctx, ref, body)
		}
	}
	object, err := write(ctx, w.refs.Target, patch)
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

// Preview returns what Apply would change, without changing it. An autoscaler that cannot be used is an error.
func (w *World) Preview(want rollout.World) ([]Change, error) {
	live, _ := w.store.snapshot()
	target, primary, err := w.workloads(live)
	if err != nil {
		return nil, err
	}
	if err := workload.CheckScaler(w.canary, live); err != nil {
		return nil, err
	}
	wanted, err := w.render(live, target, primary, want)
	if err != nil {
		return nil, err
	}
	if err := w.checkCopies(target, primary); err != nil {
		return nil, err
	}
	copies, err := w.copies(target, primary, want)
	if err != nil {
		return nil, err
	}
	changes := previewCopies(live, copies)
	for _, object := range wanted {
		ref, known := w.refOf(object)
		if !known || !w.copied(ref) && contains(live[ref], object, w.router.Exact(ref)...) {
			continue
		}
		change := Change{Ref: ref, Before: live[ref], After: object}
		if change.Before != nil {
			change.After = after(live, ref, object)[ref]
		}
		changes = append(changes, change)
	}
	return changes, nil
}
