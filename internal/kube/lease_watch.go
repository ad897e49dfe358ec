package kube

import (
	"context"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/util/resourceversion"
)

// leaseNews is the lease as its watch has shown it last. It holds nothing that the lease's own reads do not find, only
// sooner: a watch that is broken, or not permitted, costs time and nothing else.
type leaseNews struct {
	came chan struct{} // holds one token when there is something new

	mu     sync.Mutex
	newest *unstructured.Unstructured // nil when there is none
}

// watch keeps the news of the lease up to date until ctx ends.
func (l *Lease) watch(ctx context.Context) *leaseNews {
	news := &leaseNews{came: make(chan struct{}, 1)}
	only := fields.OneTermEqualSelector("metadata.name", l.ref.Name).String()
	tweak := func(o *metav1.ListOptions) { o.FieldSelector = only }
	source := l.client.lister(leaseGVR, l.ref.Namespace, tweak, func(error) {})
	l.done.Go(func() { mirror(ctx, source, l.ref.String(), news) })
	return news
}

// hear takes note of what the watch has shown, unless something later was read or written already.
func (l *Lease) hear(live *unstructured.Unstructured) {
	if live == nil || l.seen == nil || l.seen.UID != live.GetUID() {
		return // the next renewal finds out what has become of it
	}
	if order, err := resourceversion.CompareResourceVersion(live.GetResourceVersion(), l.seen.ResourceVersion); err == nil && order > 0 {
		_ = l.note(live)
	}
}

func (n *leaseNews) last() *unstructured.Unstructured {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.newest
}

func (n *leaseNews) tell(live *unstructured.Unstructured) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.newest = live
	select {
	case n.came <- struct{}{}:
	default:
	}
}

// Add and the like make it the store of a reflector.
func (n *leaseNews) Add(o any) error    { n.tell(o.(*unstructured.Unstructured)); return nil }
func (n *leaseNews) Update(o any) error { return n.Add(o) }
func (n *leaseNews) Delete(any) error   { n.tell(nil); return nil }
func (n *leaseNews) Resync() error      { return nil }

// Replace has the lease as it is when the watch begins.
func (n *leaseNews) Replace(list []any, _ string) error {
	if len(list) > 0 {
		return n.Add(list[0])
	}
	return n.Delete(nil)
}
