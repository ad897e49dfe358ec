package rehearsal

import (
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/rand"
	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/apimachinery/pkg/watch"
)

// apiWrite is what a write needs to know beside the object.
type apiWrite struct {
	manager     string
	subresource string
	// dryRun does everything but store the result.
	dryRun bool
	// strict makes a field that the kind does not have an error. Otherwise it is dropped.
	strict bool
	// applied says that the field manager has merged the object already.
	applied bool
}

// create stores a new object.
func (a *API) create(k *apiKind, object *unstructured.Unstructured, w apiWrite) (*unstructured.Unstructured, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.createLocked(k, object.DeepCopy(), w)
}

func (a *API) createLocked(k *apiKind, object *unstructured.Unstructured, w apiWrite) (*unstructured.Unstructured, error) {
	if object.GetResourceVersion() != "" {
		return nil, apierrors.NewBadRequest("resourceVersion should not be set on objects to be created")
	}
	if object.GetName() == "" && object.GetGenerateName() != "" {
		object.SetName(object.GetGenerateName() + rand.String(5))
	}
	key := apiKey{gvr: k.GVR(), namespace: object.GetNamespace(), name: object.GetName()}
	if a.objects[key] != nil {
		return nil, apierrors.NewAlreadyExists(k.GVR().GroupResource(), key.name)
	}
	object.SetUID("")
	object.SetDeletionTimestamp(nil)
	object.SetGeneration(0)
	if k.Status {
		delete(object.Object, "status")
	}
	object, err := a.complete(k, nil, object, w)
	if err != nil {
		return nil, err
	}
	object.SetUID(uuid.NewUUID())
	object.SetCreationTimestamp(metav1.NewTime(a.clock.Now()))
	if k.Generation {
		object.SetGeneration(1)
	}
	if errs := validateObject(k, nil, object); len(errs) > 0 {
		return nil, apierrors.NewInvalid(k.GroupKind(), key.name, errs)
	}
	if !w.dryRun {
		a.ensureNamespace(key.namespace)
		a.commit(watch.Added, key, object)
	}
	return object, nil
}

// change makes the next state of an object from a copy of the live one.
type change func(live *unstructured.Unstructured) (*unstructured.Unstructured, error)

// update replaces an object by what next makes of it.
func (a *API) update(k *apiKind, key apiKey, w apiWrite, next change) (*unstructured.Unstructured, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.updateLocked(k, key, w, next)
}

func (a *API) updateLocked(k *apiKind, key apiKey, w apiWrite, next change) (*unstructured.Unstructured, error) {
	live := a.objects[key]
	if live == nil {
		return nil, apierrors.NewNotFound(k.GVR().GroupResource(), key.name)
	}
	object, err := next(live.DeepCopy())
	if err != nil {
		return nil, err
	}
	if err := checkPreconditions(k, live, object); err != nil {
		return nil, err
	}
	keepIdentity(live, object)
	object = restrict(k, live, object, w.subresource)
	if object, err = a.complete(k, live, object, w); err != nil {
		return nil, err
	}
	if k.Generation && w.subresource != "status" && asksChanged(k, live, object) {
		object.SetGeneration(live.GetGeneration() + 1)
	}
	if errs := validateObject(k, live, object); len(errs) > 0 {
		return nil, apierrors.NewInvalid(k.GroupKind(), key.name, errs)
	}
	if equality.Semantic.DeepEqual(live.Object, object.Object) {
		return live, nil
	}
	if w.dryRun {
		return object, nil
	}
	if object.GetDeletionTimestamp() != nil && len(object.GetFinalizers()) == 0 {
		a.remove(key, object)
		return object, nil
	}
	a.commit(watch.Modified, key, object)
	return object, nil
}

// checkPreconditions holds the resourceVersion and uid that the client sent against those of the live object.
func checkPreconditions(k *apiKind, live, object *unstructured.Unstructured) error {
	resource := k.GVR().GroupResource()
	switch sent := object.GetResourceVersion(); {
	case sent == "" && !k.Unconditional:
		return mustSpecifyVersion(k, live.GetName())
	case sent != "" && sent != live.GetResourceVersion():
		return apierrors.NewConflict(resource, live.GetName(),
			errors.New("the object has been modified; please apply your changes to the latest version and try again"))
	}
	if uid := object.GetUID(); uid != "" && uid != live.GetUID() {
		return apierrors.NewConflict(resource, live.GetName(),
			fmt.Errorf("precondition failed: UID in precondition: %v, UID in object meta: %v", uid, live.GetUID()))
	}
	return nil
}

// keepIdentity gives object what no client can change.
func keepIdentity(live, object *unstructured.Unstructured) {
	object.SetResourceVersion(live.GetResourceVersion())
	object.SetUID(live.GetUID())
	object.SetCreationTimestamp(live.GetCreationTimestamp())
	object.SetDeletionTimestamp(live.GetDeletionTimestamp())
	object.SetDeletionGracePeriodSeconds(live.GetDeletionGracePeriodSeconds())
	object.SetGeneration(live.GetGeneration())
}

// restrict undoes what a write to a subresource, or to the object beside it, may not touch.
func restrict(k *apiKind, live, object *unstructured.Unstructured, subresource string) *unstructured.Unstructured {
	switch {
	case subresource == "status":
		kept := live.DeepCopy()
		copyField(kept, object, "status")
		if k.keepsAnnotations() {
			kept.SetAnnotations(object.GetAnnotations())
		}
		kept.SetManagedFields(object.GetManagedFields())
		return kept
	case k.Status:
		copyField(object, live, "status")
	}
	return object
}

func copyField(to, from *unstructured.Unstructured, field string) {
	if value, found := from.Object[field]; found {
		to.Object[field] = value
		return
	}
	delete(to.Object, field)
}

// complete reads the object as its kind, fills in the defaults and records who owns the fields.
func (a *API) complete(k *apiKind, live, object *unstructured.Unstructured, w apiWrite) (*unstructured.Unstructured, error) {
	object, err := a.normalise(k, live, object, w.strict)
	if err != nil {
		return nil, err
	}
	if !w.applied {
		before := emptyObject(k.GroupVersionKind)
		if live != nil {
			before = live.DeepCopy()
		}
		updated, err := k.managers[w.subresource].Update(before, object, w.manager)
		if err != nil {
			return nil, apierrors.NewInternalError(err)
		}
		object = updated.(*unstructured.Unstructured)
	}
	redate(live, object, metav1.NewTime(a.clock.Now()).Rfc3339Copy())
	return object, nil
}

// keepsAnnotations says that writes to the status of the kind may change the annotations of the object too, which is how
// the Deployment controller numbers revisions without making a new generation.
func (k *apiKind) keepsAnnotations() bool { return k.Kind.Kind == "Deployment" && k.builtin }

// asksChanged says whether what the user asked for differs: everything but metadata and status. A change of the
// annotations of a Deployment counts too, as they reach its ReplicaSets.
func asksChanged(k *apiKind, live, object *unstructured.Unstructured) bool {
	asks := func(u *unstructured.Unstructured) map[string]any {
		m := map[string]any{}
		for field, value := range u.Object {
			if field != "metadata" && (field != "status" || !k.Status) {
				m[field] = value
			}
		}
		if k.Kind.Kind == "Deployment" {
			m["annotations"] = u.GetAnnotations()
		}
		return m
	}
	return !equality.Semantic.DeepEqual(asks(live), asks(object))
}

// mergeApply is server-side apply: patch is merged into live by the rules of field ownership.
func mergeApply(k *apiKind, live *unstructured.Unstructured, patch applyPatch) (*unstructured.Unstructured, error) {
	merged, err := k.managers[patch.subresource].Apply(live, patch.object, patch.manager, patch.force)
	if err != nil {
		var status apierrors.APIStatus
		if errors.As(err, &status) {
			return nil, err
		}
		return nil, apierrors.NewInternalError(err)
	}
	return merged.(*unstructured.Unstructured).DeepCopy(), nil
}

// applyPatch is one server-side apply.
type applyPatch struct {
	object      *unstructured.Unstructured
	manager     string
	subresource string
	force       bool
}
