package kube

import (
	"maps"
	"slices"
	"sync"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/resourceversion"

	"github.com/penstock-dev/penstock/internal/canary"
)

// store holds the newest known version of each watched object: what the watch said, or what a write answered, whichever
// is newer. So a write is seen at once, and a late watch event does not take it back.
type store struct {
	mu      sync.Mutex
	objects canary.Objects
	parts   map[string]*unstructured.Unstructured // by name
	changed chan struct{}                         // holds one token when something changed since it was last taken
	failure map[canary.Ref]error
	synced  map[canary.Ref]bool // listed at least once
}

func newStore() *store {
	return &store{
		objects: canary.Objects{}, parts: map[string]*unstructured.Unstructured{}, changed: make(chan struct{}, 1),
		failure: map[canary.Ref]error{}, synced: map[canary.Ref]bool{},
	}
}

func (s *store) put(ref canary.Ref, o *unstructured.Unstructured) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.failure, ref)
	if known := s.objects[ref]; known != nil && !newer(o, known) {
		return
	}
	s.objects[ref] = o
	s.signal()
}

// replace takes over a list, which has at most one object.
func (s *store) replace(ref canary.Ref, list []any) {
	for _, o := range list {
		s.put(ref, o.(*unstructured.Unstructured))
	}
	if len(list) == 0 {
		s.remove(ref)
	}
	s.listed(ref)
}

func (s *store) replaceParts(ref canary.Ref, list []any) {
	s.mu.Lock()
	s.parts = make(map[string]*unstructured.Unstructured, len(list))
	for _, o := range list {
		part := o.(*unstructured.Unstructured)
		s.parts[part.GetName()] = part
	}
	s.mu.Unlock()
	s.listed(ref)
}

func (s *store) listed(ref canary.Ref) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.synced[ref] = true
	delete(s.failure, ref)
	s.signal()
}

// missing returns the references that were never listed, and the last failure of each.
func (s *store) missing(refs []canary.Ref) map[canary.Ref]error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var m map[canary.Ref]error
	for _, ref := range refs {
		if !s.synced[ref] {
			if m == nil {
				m = map[canary.Ref]error{}
			}
			m[ref] = s.failure[ref]
		}
	}
	return m
}

func (s *store) remove(ref canary.Ref) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.objects, ref)
	s.signal()
}

func (s *store) putPart(o *unstructured.Unstructured) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.parts[o.GetName()] = o
	s.signal()
}

func (s *store) removePart(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.parts, name)
	s.signal()
}

// fail remembers why an object cannot be watched at present.
func (s *store) fail(ref canary.Ref, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failure[ref] = err
	s.signal()
}

// snapshot returns the objects and the parts as they are now. The objects themselves are shared and never modified.
func (s *store) snapshot() (canary.Objects, []*unstructured.Unstructured) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.objects), slices.Collect(maps.Values(s.parts))
}

func (s *store) failures() map[canary.Ref]error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.failure)
}

func (s *store) signal() {
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// newer reports whether a is a later version than b. Versions that cannot be compared count as later: the watch is right.
func newer(a, b *unstructured.Unstructured) bool {
	order, err := resourceversion.CompareResourceVersion(a.GetResourceVersion(), b.GetResourceVersion())
	return err != nil || order > 0 || a.GetUID() != b.GetUID()
}
