package rehearsal

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// The methods here are the store without HTTP, for the simulated controllers and the proxy. They pass no hooks and are
// not counted. Their errors are the same as over HTTP, so that apierrors.IsNotFound and the like work.

// Get returns a copy of an object.
func (a *API) Get(gvr schema.GroupVersionResource, namespace, name string) (*unstructured.Unstructured, error) {
	k, err := a.kindOf(gvr)
	if err != nil {
		return nil, err
	}
	live, err := a.find(k, apiKey{gvr: gvr, namespace: namespace, name: name})
	if err != nil {
		return nil, err
	}
	return live.DeepCopy(), nil
}

// List returns copies of the objects in a namespace, or in all of them, that a selector matches, in the order of their
// names. A nil selector matches everything; a kind that is not served has no objects.
func (a *API) List(gvr schema.GroupVersionResource, namespace string, selector labels.Selector) []*unstructured.Unstructured {
	found, _ := a.snapshot(apiSelection{gvr: gvr, namespace: namespace, labels: selector})
	for i := range found {
		found[i] = found[i].DeepCopy()
	}
	return found
}

// Create stores a new object as the field manager, and returns it as stored.
func (a *API) Create(object *unstructured.Unstructured, manager string) (*unstructured.Unstructured, error) {
	k, err := a.kindFor(object)
	if err != nil {
		return nil, err
	}
	return copied(a.create(k, object, apiWrite{manager: manager}))
}

// Update replaces everything but the status of an object, as the field manager.
func (a *API) Update(object *unstructured.Unstructured, manager string) (*unstructured.Unstructured, error) {
	return a.put(object, apiWrite{manager: manager})
}

// UpdateStatus replaces the status of an object, as the field manager.
func (a *API) UpdateStatus(object *unstructured.Unstructured, manager string) (*unstructured.Unstructured, error) {
	return a.put(object, apiWrite{manager: manager, subresource: "status"})
}

func (a *API) put(object *unstructured.Unstructured, w apiWrite) (*unstructured.Unstructured, error) {
	k, err := a.kindFor(object)
	if err != nil {
		return nil, err
	}
	key := apiKey{gvr: k.GVR(), namespace: object.GetNamespace(), name: object.GetName()}
	return copied(a.update(k, key, w, func(*unstructured.Unstructured) (*unstructured.Unstructured, error) {
		return object.DeepCopy(), nil
	}))
}

// Apply is server-side apply that takes over the fields of others.
func (a *API) Apply(object *unstructured.Unstructured, manager string) (*unstructured.Unstructured, error) {
	k, err := a.kindFor(object)
	if err != nil {
		return nil, err
	}
	patch := applyPatch{object: object.DeepCopy(), manager: manager, force: true}
	applied, _, err := a.apply(k, patch, apiWrite{manager: manager})
	return copied(applied, err)
}

// Delete deletes an object and, in the background, what only it owns.
func (a *API) Delete(gvr schema.GroupVersionResource, namespace, name string) error {
	k, err := a.kindOf(gvr)
	if err != nil {
		return err
	}
	_, err = a.drop(k, apiKey{gvr: gvr, namespace: namespace, name: name}, metav1.DeleteOptions{})
	return err
}

func copied(object *unstructured.Unstructured, err error) (*unstructured.Unstructured, error) {
	if err != nil {
		return nil, err
	}
	return object.DeepCopy(), nil
}
