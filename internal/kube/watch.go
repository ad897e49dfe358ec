package kube

import (
	"context"
	"fmt"
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

// watchParts keeps the parts that a label selector selects up to date in the store.
func (c *Client) watchParts(ctx context.Context, s *store, parts partSelector) {
	tweak := func(o *metav1.ListOptions) { o.LabelSelector = parts.labels }
	feed := &partFeed{store: s, ref: canary.Ref{GroupVersionResource: parts.gvr, Namespace: parts.namespace}}
	mirror(ctx, c.lister(parts.gvr, parts.namespace, tweak, feed.failed), parts.gvr.Resource+" "+parts.labels, feed)
}

// partSelector selects what workloads are made of: Pods, or the EndpointSlices of a Service.
type partSelector struct {
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
			ctx, cancel := context.WithTimeoutCause(ctx, requestTimeout, errSilent)
			defer cancel()
			list, err := objects.List(ctx, o)
			if err != nil {
				err = because(ctx, err)
				failed(err)
			}
			return list, err
		},
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			tweak(&o)
			w, err := answered(ctx, func(ctx context.Context) (watch.Interface, error) { return objects.Watch(ctx, o) })
			if err != nil {
				failed(err)
			}
			return w, err
		},
	}
}

// errSilent is why a list or a watch is given up that the API server has not begun to answer.
var errSilent = fmt.Errorf("no answer for %s", requestTimeout)

// because is the cause of the end of a context, where that is why a request has failed.
func because(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// answered opens a watch, whose answer must begin within requestTimeout. One that an API server on its way out has taken and
// never answers would leave the run blind, although all other requests go through again.
func answered(ctx context.Context, open func(context.Context) (watch.Interface, error)) (watch.Interface, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	timer := time.AfterFunc(requestTimeout, func() { cancel(errSilent) })
	w, err := open(ctx)
	timer.Stop()
	if err == nil && ctx.Err() == nil {
		return &openWatch{Interface: w, end: cancel}, nil
	}
	err = because(ctx, err)
	if w != nil {
		w.Stop()
	}
	cancel(nil)
	return nil, err
}

// openWatch is a watch with the context that it lives in.
type openWatch struct {
	watch.Interface
	end context.CancelCauseFunc
}

// Stop ends the watch and its context.
func (w *openWatch) Stop() {
	w.Interface.Stop()
	w.end(nil)
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

// partFeed is where the reflector of the parts writes.
type partFeed struct {
	store *store
	ref   canary.Ref
}

func (f *partFeed) Add(o any) error    { f.store.putPart(o.(*unstructured.Unstructured)); return nil }
func (f *partFeed) Update(o any) error { return f.Add(o) }
func (f *partFeed) Resync() error      { return nil }
func (f *partFeed) failed(err error)   { f.store.fail(f.ref, err) }

func (f *partFeed) Delete(o any) error {
	f.store.removePart(o.(*unstructured.Unstructured).GetName())
	return nil
}

func (f *partFeed) Replace(list []any, _ string) error {
	f.store.replaceParts(f.ref, list)
	return nil
}
