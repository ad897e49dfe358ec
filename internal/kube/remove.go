package kube

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/manifest"
	"github.com/penstock-dev/penstock/internal/rollout"
	"github.com/penstock-dev/penstock/internal/workload"
)

// handOver returns what stays behind of a canary that is uninstalled: the apex, which serves the target, and the route.
func (w *World) handOver(live canary.Objects, target, primary *workload.Workload, route rollout.Route) ([]*unstructured.Unstructured, error) {
	apex, err := workload.HandOver(w.canary, target, primary)
	if err != nil {
		return nil, err
	}
	var wanted []*unstructured.Unstructured
	if apex != nil {
		wanted = append(wanted, apex)
	}
	return w.renderRoute(live, wanted, route)
}

// made lists what exists for the canary alone.
func (w *World) made(primary *workload.Workload) []canary.Ref {
	subject := w.subject()
	return subject.Made(workload.CopiesOf(w.canary, primary)...)
}

// remove deletes what was made for the canary, at the end of an uninstall. What belongs to something else is left alone.
func (w *World) remove(ctx context.Context, live canary.Objects, primary *workload.Workload) error {
	for _, ref := range w.made(primary) {
		object := live[ref]
		if object == nil || !workload.Owned(w.canary, ref.Kind, object) {
			continue
		}
		if _, held := w.fence(); !held {
			return ErrSuperseded
		}
		err := w.client.remove(ctx, ref, metav1.DeleteOptions{
			Preconditions:     &metav1.Preconditions{UID: ptr.To(object.GetUID())},
			PropagationPolicy: ptr.To(metav1.DeletePropagationBackground),
		})
		if err != nil {
			return fmt.Errorf("delete %s: %w", ref, err)
		}
		w.store.remove(ref)
	}
	return nil
}

// PreflightUninstall asks for the permissions that an uninstall needs beyond those of a run. It is to be called before Start,
// which knows the copies of configuration, and then asks for what they take.
func (w *World) PreflightUninstall(ctx context.Context) error {
	w.configs.uninstall = true
	subject := w.subject()
	return w.require(ctx, manifest.Permissions(subject.Removal()))
}

// PreflightApprovals asks whether this run may keep what people say at its gates.
func (w *World) PreflightApprovals(ctx context.Context) error {
	subject := w.subject()
	return w.require(ctx, manifest.Permissions(subject.Approvals()))
}

// Forget deletes the record of a canary that was uninstalled, and gives the lease back by deleting it, too. A run that
// waits for the lease begins after that, so that what it writes stays. ErrSuperseded means that the lease is lost already,
// and that what there is may be another run's.
func (l *Lease) Forget(ctx context.Context) error {
	if _, held := l.Fence(); !held {
		return ErrSuperseded
	}
	ref := l.canary.RefOf(configMapGVR, "ConfigMap", l.ref.Name)
	if err := l.client.remove(ctx, ref, metav1.DeleteOptions{}); err != nil {
		return fmt.Errorf("delete %s: %w", ref, err)
	}
	l.mu.Lock()
	l.over = true
	l.mu.Unlock()
	l.Release()
	return nil
}

// remove deletes the lease as it was last seen. It fails when somebody has written it since.
func (l *Lease) remove(ctx context.Context) error {
	return l.client.remove(ctx, l.ref, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{
		UID: &l.seen.UID, ResourceVersion: &l.seen.ResourceVersion,
	}})
}
