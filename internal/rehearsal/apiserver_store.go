package rehearsal

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
)

// apiEvent is one write: before is nil when the object was created, after is the last state when it was deleted.
type apiEvent struct {
	version int64
	verb    watch.EventType
	key     apiKey
	before  *unstructured.Unstructured
	after   *unstructured.Unstructured
}

// commit stores one write and wakes every watcher. The lock is held; object is the store's from now on.
func (a *API) commit(verb watch.EventType, key apiKey, object *unstructured.Unstructured) {
	a.version++
	object.SetResourceVersion(strconv.FormatInt(a.version, 10))
	event := apiEvent{version: a.version, verb: verb, key: key, before: a.objects[key], after: object}
	if verb == watch.Deleted {
		delete(a.objects, key)
	} else {
		a.objects[key] = object
	}
	a.history = append(a.history, event)
	a.trim()
	close(a.changed)
	a.changed = make(chan struct{})
}

func (a *API) trim() {
	if over := len(a.history) - a.limit; over > 0 {
		a.history = a.history[over:]
	}
}

// since returns the events after version and a channel that the next one closes, or 410 Gone when some of those
// events have been forgotten.
func (a *API) since(version int64) ([]apiEvent, <-chan struct{}, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	missing := a.version - version
	if missing > int64(len(a.history)) {
		oldest := a.version - int64(len(a.history)) + 1
		return nil, nil, apierrors.NewResourceExpired(fmt.Sprintf("too old resource version: %d (%d)", version, oldest))
	}
	if missing <= 0 {
		return nil, a.changed, nil
	}
	return a.history[int64(len(a.history))-missing:], a.changed, nil
}

// snapshot returns the objects that match, in the order of their names, and the version that they are the state of.
func (a *API) snapshot(s apiSelection) ([]*unstructured.Unstructured, int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.selected(s), a.version
}

// selected is snapshot with the lock held.
func (a *API) selected(s apiSelection) []*unstructured.Unstructured {
	var found []*unstructured.Unstructured
	for key, object := range a.objects {
		if s.covers(key) && s.matches(object) {
			found = append(found, object)
		}
	}
	slices.SortFunc(found, func(x, y *unstructured.Unstructured) int {
		return cmp.Or(cmp.Compare(x.GetNamespace(), y.GetNamespace()), cmp.Compare(x.GetName(), y.GetName()))
	})
	return found
}

// peek returns what the store has under the name of an object, or nil. It is the store's own: nobody may change it.
func (a *API) peek(object *unstructured.Unstructured) *unstructured.Unstructured {
	k, err := a.kindFor(object)
	if err != nil {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.objects[apiKey{gvr: k.GVR(), namespace: object.GetNamespace(), name: object.GetName()}]
}

// kindOf looks up a served kind.
func (a *API) kindOf(gvr schema.GroupVersionResource) (*apiKind, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if k := a.kinds[gvr]; k != nil {
		return k, nil
	}
	return nil, notServed()
}

// kindFor looks up the served kind of an object.
func (a *API) kindFor(object *unstructured.Unstructured) (*apiKind, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, k := range a.kinds {
		if k.GroupVersionKind == object.GroupVersionKind() {
			return k, nil
		}
	}
	return nil, notServed()
}

// notServed is the answer to a path that names no resource of this server.
func notServed() error {
	return &apierrors.StatusError{ErrStatus: statusOf(404, "NotFound", "the server could not find the requested resource")}
}
