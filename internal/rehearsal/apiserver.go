package rehearsal

import (
	"sync"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/managedfields"
	"k8s.io/utils/clock"
)

// apiHistory is how many past events a watch can resume from, before it is told 410 Gone.
const apiHistory = 2048

// API is a Kubernetes API server in memory. It speaks the real protocol over HTTP (see ServeHTTP), so that an
// unmodified client cannot tell it from a real one, and lets simulated controllers in the same process read and write
// its store directly. It is safe for concurrent use. Any namespace is taken to exist.
//
// Objects in the store are never modified: a write puts a new object in the place of the old one, so that readers and
// watchers may hold what they got without a lock.
type API struct {
	clock   clock.PassiveClock
	typed   managedfields.TypeConverter
	deduced managedfields.TypeConverter

	mu      sync.Mutex
	kinds   map[schema.GroupVersionResource]*apiKind
	objects map[apiKey]*unstructured.Unstructured
	// version is the resourceVersion of the last write; each write makes exactly one event.
	version int64
	history []apiEvent
	limit   int
	// changed is closed, and replaced, by every write.
	changed   chan struct{}
	addresses int
	ports     int

	hooks    apiHooks
	requests map[string]int
	watches  int
}

// apiKey names one object.
type apiKey struct {
	gvr             schema.GroupVersionResource
	namespace, name string
}

// apiKind is a served kind with its field managers, one for each subresource.
type apiKind struct {
	Kind
	builtin  bool
	managers map[string]*managedfields.FieldManager
}

// NewAPI returns an empty API that serves kinds, or DefaultKinds when none are given. The clock dates objects.
func NewAPI(clock clock.PassiveClock, kinds ...Kind) *API {
	if len(kinds) == 0 {
		kinds = DefaultKinds()
	}
	a := &API{
		clock:    clock,
		typed:    builtinConverter{},
		deduced:  managedfields.NewDeducedTypeConverter(),
		kinds:    map[schema.GroupVersionResource]*apiKind{},
		objects:  map[apiKey]*unstructured.Unstructured{},
		version:  1,
		limit:    apiHistory,
		changed:  make(chan struct{}),
		requests: map[string]int{},
	}
	a.Install(kinds...)
	return a
}

// Install adds kinds to those that the API serves, as a custom resource definition does.
func (a *API) Install(kinds ...Kind) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, kind := range kinds {
		a.kinds[kind.GVR()] = a.newKind(kind)
	}
}

// LimitHistory keeps only the last n events, so that a watch that resumes from before them gets 410 Gone.
func (a *API) LimitHistory(n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.limit = max(n, 1)
	a.trim()
}

// Changed returns a channel that is closed by the next write. Take it before reading the state that you act on.
func (a *API) Changed() <-chan struct{} {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.changed
}
