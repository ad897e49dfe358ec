package kube

import (
	"context"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"

	"github.com/penstock-dev/penstock/internal/canary"
)

// watchBackoff is the pause before a broken watch is opened again.
func watchBackoff() *wait.Backoff {
	return &wait.Backoff{Duration: 100 * time.Millisecond, Factor: 2, Jitter: 0.2, Steps: 10, Cap: 5 * time.Second}
}

// watchObject keeps one object up to date in the store, until ctx ends. A watch that a server ends is opened again where
// it stopped, so that an idle wait costs no requests.
func (c *Client) watchObject(ctx context.Context, s *store, ref canary.Ref) {
	only := fields.OneTermEqualSelector("metadata.name", ref.Name).String()
	tweak := func(o *metav1.ListOptions) { o.FieldSelector = only }
	feed := &objectFeed{store: s, ref: ref}
	mirror(ctx, c.lister(ref.GroupVersionResource, ref.Namespace, tweak, feed.failed), ref.String(), feed)
}

// watchPods keeps the pods that a label selector selects up to date in the store.
func (c *Client) watchPods(ctx context.Context, s *store, pods podSelector) {
	tweak := func(o *metav1.ListOptions) { o.LabelSelector = pods.labels }
	feed := &podFeed{store: s, ref: canary.Ref{GroupVersionResource: pods.gvr, Kind: "Pod", Namespace: pods.namespace}}
	mirror(ctx, c.lister(pods.gvr, pods.namespace, tweak, feed.failed), "pods "+pods.labels, feed)
}

type podSelector struct {
	gvr       schema.GroupVersionResource
	namespace string
	labels    string
}

func mirror(ctx context.Context, lw cache.ListerWatcher, name string, to cache.ReflectorStore) {
	r := cache.NewReflectorWithOptions(lw, &unstructured.Unstructured{}, to, cache.ReflectorOptions{
		Name: name, TypeDescription: name, Backoff: watchBackoff(),
	})
	r.RunWithContext(ctx)
}

// lister lists and watches through the dynamic client and reports each failure.
func (c *Client) lister(
	gvr schema.GroupVersionResource, namespace string, tweak func(*metav1.ListOptions), failed func(error),
) cache.ListerWatcher {
	objects := c.dynamic.Resource(gvr).Namespace(namespace)
	return &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			tweak(&o)
			list, err := objects.List(ctx, o)
			if err != nil {
				failed(err)
			}
			return list, err
		},
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			tweak(&o)
			w, err := objects.Watch(ctx, o)
			if err != nil {
				failed(err)
			}
			return w, err
		},
	}
}

// objectFeed is where a reflector of one object writes.
type objectFeed struct {
	store *store
	ref   canary.Ref
}

func (f *objectFeed) Add(o any) error    { f.store.put(f.ref, o.(*unstructured.Unstructured)); return nil }
func (f *objectFeed) Update(o any) error { return f.Add(o) }
func (f *objectFeed) Resync() error      { return nil }
func (f *objectFeed) failed(err error)   { f.store.fail(f.ref, err) }

func (f *objectFeed) Delete(any) error {
	f.store.remove(f.ref)
	return nil
}

func (f *objectFeed) Replace(list []any, _ string) error {
	f.store.replace(f.ref, list)
	return nil
}

// podFeed is where the reflector of the pods writes.
type podFeed struct {
	store *store
	ref   canary.Ref
}

func (f *podFeed) Add(o any) error    { f.store.putPod(o.(*unstructured.Unstructured)); return nil }
func (f *podFeed) Update(o any) error { return f.Add(o) }
func (f *podFeed) Resync() error      { return nil }
func (f *podFeed) failed(err error)   { f.store.fail(f.ref, err) }

func (f *podFeed) Delete(o any) error {
	f.store.removePod(o.(*unstructured.Unstructured).GetName())
	return nil
}

func (f *podFeed) Replace(list []any, _ string) error {
	f.store.replacePods(f.ref, list)
	return nil
}
