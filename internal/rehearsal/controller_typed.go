package rehearsal

import (
	"maps"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
)

// typedAll reads every object of a resource that has the owner, or every one when owner is empty.
func typedAll[T any](a *API, gvr schema.GroupVersionResource, owner types.UID) []*T {
	found, _ := a.snapshot(apiSelection{gvr: gvr})
	var all []*T
	for _, object := range found {
		if owner != "" && !owned(object, owner) {
			continue
		}
		object = withoutManagers(object)
		typed := new(T)
		// What the store holds has been read as this type before; it cannot fail.
		if runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, typed) == nil {
			all = append(all, typed)
		}
	}
	return all
}

// write stores an object by one of the API's own methods. A lost race is left to the next round, which a change of the
// same object has caused.
func write(object runtime.Object, store func(*unstructured.Unstructured, string) (*unstructured.Unstructured, error)) error {
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		return err
	}
	dropNulls(content)
	_, err = store(&unstructured.Unstructured{Object: content}, controllerManager)
	if apierrors.IsConflict(err) || apierrors.IsNotFound(err) || apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}

// writeStatus stores the status of an object, and its annotations, when they are not what the store has. Most rounds change
// nothing, and to find that out the API's own way costs more than all else that a round does.
func (c *Controllers) writeStatus(object runtime.Object) error {
	return write(object, func(next *unstructured.Unstructured, manager string) (*unstructured.Unstructured, error) {
		if live := c.api.peek(next); live != nil && equality.Semantic.DeepEqual(live.Object["status"], next.Object["status"]) &&
			equality.Semantic.DeepEqual(live.GetAnnotations(), next.GetAnnotations()) {
			return live, nil
		}
		return c.api.UpdateStatus(next, manager)
	})
}

// withoutManagers is an object without its managed fields, which no controller reads and which cost the most to convert.
// All else is shared. The API takes an object that has none for one that leaves them alone.
func withoutManagers(object *unstructured.Unstructured) *unstructured.Unstructured {
	metadata, ok := object.Object["metadata"].(map[string]any)
	if !ok {
		return object
	}
	slim := maps.Clone(object.Object)
	metadata = maps.Clone(metadata)
	delete(metadata, "managedFields")
	slim["metadata"] = metadata
	return &unstructured.Unstructured{Object: slim}
}

// ownedBy is the reference of a dependent to the object that controls it.
func ownedBy(gvk schema.GroupVersionKind, owner metav1.Object) []metav1.OwnerReference {
	return []metav1.OwnerReference{*metav1.NewControllerRef(owner, gvk)}
}
