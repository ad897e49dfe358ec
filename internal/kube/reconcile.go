package kube

import (
	"context"
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/rollout"
	"github.com/penstock-dev/penstock/internal/workload"
)

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
