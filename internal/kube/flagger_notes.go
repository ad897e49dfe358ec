package kube

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/rollout"
)

// watchNotes collects the events about an object until ctx ends. Where that is not allowed there are none.
func (c *Client) watchNotes(ctx context.Context, feed *noteFeed, about canary.Ref) {
	only := fields.AndSelectors(
		fields.OneTermEqualSelector("involvedObject.kind", about.Kind),
		fields.OneTermEqualSelector("involvedObject.name", about.Name),
	).String()
	tweak := func(o *metav1.ListOptions) { o.FieldSelector = only }
	mirror(ctx, c.lister(eventGVR, about.Namespace, tweak, func(error) {}), "events of "+about.String(), feed)
}

// Add takes an event that is new, or that was said again: the controller's recorder counts repetitions.
func (f *noteFeed) Add(o any) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.hear(o.(*unstructured.Unstructured)) {
		f.store.signal()
	}
	return nil
}

// Update takes an event that was said again.
func (f *noteFeed) Update(o any) error { return f.Add(o) }

// Delete takes an event away that the cluster has forgotten.
func (f *noteFeed) Delete(o any) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.counts, o.(*unstructured.Unstructured).GetName())
	return nil
}

// Resync does nothing.
func (f *noteFeed) Resync() error { return nil }

// Replace takes over a list: the first is the past, a later one is what a broken watch has missed.
func (f *noteFeed) Replace(list []any, _ string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, o := range list {
		f.hear(o.(*unstructured.Unstructured))
	}
	if !f.started {
		f.started, f.fresh = true, nil
	}
	f.store.signal()
	return nil
}

func (f *noteFeed) hear(o *unstructured.Unstructured) bool {
	count, _, _ := unstructured.NestedInt64(o.Object, "count")
	count = max(count, 1)
	if count <= f.counts[o.GetName()] {
		return false
	}
	f.counts[o.GetName()] = count
	message, _, _ := unstructured.NestedString(o.Object, "message")
	kind, _, _ := unstructured.NestedString(o.Object, "type")
	if message != "" {
		f.fresh = append(f.fresh, rollout.Event{Warning: kind == "Warning", Message: message})
	}
	return true
}
