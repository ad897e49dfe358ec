package rehearsal

import (
	"errors"
	"fmt"
	"maps"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
)

// drop deletes an object and, in the background, whatever only it owns. An object with finalizers is marked, and goes
// when the last finalizer does.
func (a *API) drop(k *apiKind, key apiKey, options metav1.DeleteOptions) (*unstructured.Unstructured, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	live := a.objects[key]
	if live == nil {
		return nil, apierrors.NewNotFound(k.GVR().GroupResource(), key.name)
	}
	if err := checkDeletable(k, live, options.Preconditions); err != nil {
		return nil, err
	}
	if len(options.DryRun) > 0 {
		return live, nil
	}
	object := live.DeepCopy()
	if options.PropagationPolicy != nil && *options.PropagationPolicy == metav1.DeletePropagationOrphan {
		a.orphan(live.GetUID())
	}
	if len(live.GetFinalizers()) == 0 {
		a.remove(key, object)
		return object, nil
	}
	if live.GetDeletionTimestamp() == nil {
		now, grace := metav1.NewTime(a.clock.Now()), int64(0)
		object.SetDeletionTimestamp(&now)
		object.SetDeletionGracePeriodSeconds(&grace)
		a.commit(watch.Modified, key, object)
	}
	return object, nil
}

func checkDeletable(k *apiKind, live *unstructured.Unstructured, want *metav1.Preconditions) error {
	if want == nil {
		return nil
	}
	resource := k.GVR().GroupResource()
	if want.UID != nil && *want.UID != live.GetUID() {
		return apierrors.NewConflict(resource, live.GetName(),
			fmt.Errorf("precondition failed: UID in precondition: %v, UID in object meta: %v", *want.UID, live.GetUID()))
	}
	if want.ResourceVersion != nil && *want.ResourceVersion != live.GetResourceVersion() {
		return apierrors.NewConflict(resource, live.GetName(), errors.New("the ResourceVersion in the precondition ("+
			*want.ResourceVersion+") does not match the ResourceVersion in record ("+live.GetResourceVersion()+")"))
	}
	return nil
}

// remove takes the object out of the store, and then what it owned.
func (a *API) remove(key apiKey, object *unstructured.Unstructured) {
	a.commit(watch.Deleted, key, object)
	a.collect(object.GetUID())
}

// collect deletes the objects whose last owner is gone.
func (a *API) collect(owner types.UID) {
	for key, object := range maps.Clone(a.objects) {
		if a.objects[key] != object || !owned(object, owner) {
			continue
		}
		if kept := a.liveOwners(object); len(kept) > 0 {
			next := object.DeepCopy()
			next.SetOwnerReferences(kept)
			a.commit(watch.Modified, key, next)
			continue
		}
		if len(object.GetFinalizers()) == 0 {
			a.remove(key, object.DeepCopy())
		}
	}
}

// liveOwners are the owners of an object that still exist.
func (a *API) liveOwners(object *unstructured.Unstructured) []metav1.OwnerReference {
	exists := map[types.UID]bool{}
	for _, other := range a.objects {
		exists[other.GetUID()] = true
	}
	var kept []metav1.OwnerReference
	for _, reference := range object.GetOwnerReferences() {
		if exists[reference.UID] {
			kept = append(kept, reference)
		}
	}
	return kept
}

// orphan lets the dependents of an owner outlive it.
func (a *API) orphan(owner types.UID) {
	for key, object := range maps.Clone(a.objects) {
		if !owned(object, owner) {
			continue
		}
		var kept []metav1.OwnerReference
		for _, reference := range object.GetOwnerReferences() {
			if reference.UID != owner {
				kept = append(kept, reference)
			}
		}
		next := object.DeepCopy()
		next.SetOwnerReferences(kept)
		a.commit(watch.Modified, key, next)
	}
}

func owned(object *unstructured.Unstructured, owner types.UID) bool {
	for _, reference := range object.GetOwnerReferences() {
		if reference.UID == owner {
			return true
		}
	}
	return false
}
