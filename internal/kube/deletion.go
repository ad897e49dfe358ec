package kube

import (
	"context"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
)

// Finalizer keeps a Canary with spec.revertOnDeletion, and with it the primary, in place while a run holds it: Kubernetes
// would otherwise take the primary away from under its traffic.
const Finalizer = "penstock.dev/revert"

// Guard makes the world notice when the Canary object is deleted. It is to be called before Start.
func (w *World) Guard(v *View) {
	if v != nil {
		w.guarded = v
		w.deleted.Store(v.deleted)
	}
}

// watchDeletion follows the Canary object until ctx ends. What else changes about it, such as the status that this run
// writes, is nobody's business here.
func (w *World) watchDeletion(ctx context.Context) {
	v := w.guarded
	only := fields.OneTermEqualSelector("metadata.name", v.ref.Name).String()
	feed := &deletionFeed{world: w}
	tweak := func(o *metav1.ListOptions) { o.FieldSelector = only }
	mirror(ctx, w.client.lister(v.ref.GroupVersionResource, v.ref.Namespace, tweak, func(error) {}), v.ref.String(), feed)
}

// deletionFeed is where the reflector of the Canary object writes.
type deletionFeed struct{ world *World }

func (f *deletionFeed) Add(o any) error {
	if o.(*unstructured.Unstructured).GetDeletionTimestamp() != nil {
		return f.Delete(o)
	}
	return nil
}

func (f *deletionFeed) Update(o any) error { return f.Add(o) }
func (f *deletionFeed) Resync() error      { return nil }

func (f *deletionFeed) Delete(any) error {
	f.world.deleted.Store(true)
	f.world.store.signal()
	return nil
}

func (f *deletionFeed) Replace(list []any, _ string) error {
	if len(list) == 0 {
		return f.Delete(nil)
	}
	return f.Add(list[0])
}

// Hold puts the finalizer on the Canary object.
func (v *View) Hold(ctx context.Context) error {
	return v.finalizers(ctx, func(all []string) []string {
		if slices.Contains(all, Finalizer) {
			return all
		}
		return append(slices.Clone(all), Finalizer)
	})
}

// Free takes the finalizer off again.
func (v *View) Free(ctx context.Context) error {
	return v.finalizers(ctx, func(all []string) []string {
		return slices.DeleteFunc(slices.Clone(all), func(s string) bool { return s == Finalizer })
	})
}

// finalizers changes the finalizers of the object, unless they are as wanted. An object that is gone has none.
func (v *View) finalizers(ctx context.Context, change func([]string) []string) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	objects := v.client.dynamic.Resource(v.ref.GroupVersionResource).Namespace(v.ref.Namespace)
	var err error
	for range 5 {
		var live *unstructured.Unstructured
		if live, err = objects.Get(ctx, v.ref.Name, metav1.GetOptions{}); apierrors.IsNotFound(err) {
			return nil
		}
		if err != nil {
			break
		}
		wanted := change(live.GetFinalizers())
		if slices.Equal(wanted, live.GetFinalizers()) {
			return nil
		}
		live = live.DeepCopy()
		live.SetFinalizers(wanted)
		if _, err = objects.Update(ctx, live, metav1.UpdateOptions{FieldManager: FieldManager}); !apierrors.IsConflict(err) {
			break
		}
	}
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("write the finalizer %q of %s, which spec.revertOnDeletion needs: %w", Finalizer, v.ref, err)
	}
	return nil
}
