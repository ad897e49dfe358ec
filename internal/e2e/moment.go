package e2e

import (
	"maps"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// A Moment is the namespace's state right after one change.
type Moment struct {
	Version Version // the change
	objects map[string]*unstructured.Unstructured
}

// Object returns an object as it was at that moment, or nil when there was none. Kind is as in Kind: Deployment.
func (m Moment) Object(kind, name string) *unstructured.Unstructured { return m.objects[kind+"/"+name] }

// Objects returns all objects of a kind at that moment, by name.
func (m Moment) Objects(kind string) []*unstructured.Unstructured {
	var found []*unstructured.Unstructured
	for _, key := range slices.Sorted(maps.Keys(m.objects)) {
		if object := m.objects[key]; object.GetKind() == kind {
			found = append(found, object)
		}
	}
	return found
}

func (v Version) key() string {
	if v.Object == nil {
		return "no change"
	}
	return v.Object.GetKind() + "/" + v.Object.GetName()
}

// Replay calls visit with every moment since the recorder began, in order. The moment is only good during the call.
func (r *Recorder) Replay(visit func(Moment)) {
	r.namespace.t.Helper()
	r.replay(visit)
}

// Now returns the last of all moments, even when nothing has happened since the recorder began.
func (r *Recorder) Now() Moment {
	r.namespace.t.Helper()
	return Moment{Version: Version{At: time.Now()}, objects: r.replay(func(Moment) {})}
}

func (r *Recorder) replay(visit func(Moment)) map[string]*unstructured.Unstructured {
	r.namespace.t.Helper()
	versions := r.Versions()
	objects := map[string]*unstructured.Unstructured{}
	for _, version := range versions {
		if version.Initial {
			objects[version.key()] = version.Object
		}
	}
	for _, version := range versions {
		if version.Initial {
			continue
		}
		key := version.key()
		if version.Deleted {
			delete(objects, key)
		} else {
			objects[key] = version.Object
		}
		visit(Moment{Version: version, objects: objects})
	}
	return objects
}

// ReadyEndpoints counts the ready pods behind a Service at that moment, as a proxy would see them.
func (m Moment) ReadyEndpoints(service string) int {
	count := 0
	for _, slice := range m.Objects("EndpointSlice") {
		if slice.GetLabels()["kubernetes.io/service-name"] != service {
			continue
		}
		endpoints, _, _ := unstructured.NestedSlice(slice.Object, "endpoints")
		for _, endpoint := range endpoints {
			endpoint, _ := endpoint.(map[string]any)
			if ready, _, _ := unstructured.NestedBool(endpoint, "conditions", "ready"); ready {
				count++
			}
		}
	}
	return count
}
