package e2e

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
)

// A Version is one state that an object was in, as a watch reported it.
type Version struct {
	At      time.Time // when the recorder saw it
	Initial bool      // it was there when the recorder began
	Deleted bool      // Object is then the last state
	Object  *unstructured.Unstructured
	order   uint64 // etcd's revision, which orders all objects of all kinds
}

// A Recorder keeps every version of the objects in a namespace, to judge a rollout by every moment and not by its end.
type Recorder struct {
	namespace *Namespace
	resources []schema.GroupVersionResource

	mu       sync.Mutex
	versions []Version
	seen     map[uint64]bool
	err      error
}

// recorded lists what every recorder watches.
func recorded() []schema.GroupVersionResource {
	return []schema.GroupVersionResource{
		{Group: "apps", Version: "v1", Resource: "deployments"},
		Services(),
		{Version: "v1", Resource: "configmaps"},
		{Version: "v1", Resource: "pods"},
		{Group: "discovery.k8s.io", Version: "v1", Resource: "endpointslices"},
		{Group: "networking.k8s.io", Version: "v1", Resource: "ingresses"},
		HTTPRoutes(),
		{Group: "coordination.k8s.io", Version: "v1", Resource: "leases"},
	}
}

// Canaries is the resource to pass to Record once Flagger's definitions are installed.
func Canaries() schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: "flagger.app", Version: "v1beta1", Resource: "canaries"}
}

// Record starts to keep every version of the namespace's Deployments, Services, ConfigMaps, Pods, EndpointSlices,
// Ingresses, HTTPRoutes and Leases, and of the extra resources, until the test ends.
func (n *Namespace) Record(extra ...schema.GroupVersionResource) *Recorder {
	n.t.Helper()
	r := &Recorder{namespace: n, resources: append(recorded(), extra...), seen: map[uint64]bool{}}
	ctx, cancel := context.WithCancel(context.WithoutCancel(n.t.Context()))
	var running sync.WaitGroup
	for _, resource := range r.resources {
		revision, err := r.list(ctx, resource)
		if err != nil {
			cancel()
			n.t.Fatal(err)
		}
		running.Go(func() { r.follow(ctx, resource, revision) })
	}
	n.t.Cleanup(func() {
		cancel()
		running.Wait()
	})
	return r
}

// list records what there is, and returns the revision to watch from.
func (r *Recorder) list(ctx context.Context, resource schema.GroupVersionResource) (string, error) {
	list, err := r.client(resource).List(ctx, metav1.ListOptions{})
	if err != nil {
		return "", fmt.Errorf("list %s to record them: %w", resource.Resource, err)
	}
	for i := range list.Items {
		r.add(&list.Items[i], Version{Initial: true})
	}
	return list.GetResourceVersion(), nil
}

// follow records until ctx ends. The API server ends every watch after some time; the next goes on where it stopped.
func (r *Recorder) follow(ctx context.Context, resource schema.GroupVersionResource, revision string) {
	for ctx.Err() == nil {
		watcher, err := r.client(resource).Watch(ctx, metav1.ListOptions{ResourceVersion: revision})
		if err == nil {
			revision, err = r.drain(watcher, revision)
			watcher.Stop()
		}
		if err != nil && ctx.Err() == nil {
			r.fail(fmt.Errorf("watch %s to record them: %w", resource.Resource, err))
			return
		}
	}
}

func (r *Recorder) drain(watcher watch.Interface, revision string) (string, error) {
	for event := range watcher.ResultChan() {
		object, ok := event.Object.(*unstructured.Unstructured)
		if event.Type == watch.Error || !ok {
			return revision, fmt.Errorf("after revision %s: %v", revision, event.Object)
		}
		r.add(object, Version{Deleted: event.Type == watch.Deleted})
		revision = object.GetResourceVersion()
	}
	return revision, nil
}

func (r *Recorder) add(object *unstructured.Unstructured, version Version) {
	order, err := strconv.ParseUint(object.GetResourceVersion(), 10, 64)
	if err != nil {
		r.fail(fmt.Errorf("read the revision of %s %s: %w", object.GetKind(), object.GetName(), err))
		return
	}
	version.At, version.Object, version.order = time.Now(), object, order
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen[order] = true
	r.versions = append(r.versions, version)
}

func (r *Recorder) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err == nil {
		r.err = err
	}
}

func (r *Recorder) client(resource schema.GroupVersionResource) resourceClient {
	return r.namespace.cluster.Dynamic.Resource(resource).Namespace(r.namespace.Name)
}

// Versions returns everything that happened until this call, in the order in which it happened to the cluster. Only a
// deletion may come too late for it.
func (r *Recorder) Versions() []Version {
	r.namespace.t.Helper()
	for _, resource := range r.resources {
		Await(r.namespace.t, "the recorder to catch up with "+resource.Resource, func(ctx context.Context) error {
			return r.caughtUp(ctx, resource)
		})
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil {
		r.namespace.t.Fatal(r.err)
	}
	versions := slices.Clone(r.versions)
	slices.SortStableFunc(versions, func(a, b Version) int { return cmp.Compare(a.order, b.order) })
	return versions
}

// caughtUp compares what there is now with what the watch has brought so far.
func (r *Recorder) caughtUp(ctx context.Context, resource schema.GroupVersionResource) error {
	list, err := r.client(resource).List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, item := range list.Items {
		order, err := strconv.ParseUint(item.GetResourceVersion(), 10, 64)
		if err != nil || !r.seen[order] {
			return unless(r.err != nil, "%s at revision %s is not recorded yet", item.GetName(), item.GetResourceVersion())
		}
	}
	return nil
}
