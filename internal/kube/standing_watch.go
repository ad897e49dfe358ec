package kube

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/clock"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/manifest"
	"github.com/penstock-dev/penstock/internal/report"
)

// WatchStandings calls see with what is kept about canaries, now and whenever any of it changes, until ctx ends or the
// cluster refuses. It watches: an idle wait makes no requests.
func (c *Client) WatchStandings(ctx context.Context, of Whose, clock clock.Clock, see func([]report.Standing) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	var watching sync.WaitGroup
	defer watching.Wait()
	defer cancel(nil)
	kept := &keptFeeds{changed: make(chan struct{}, 1)}
	for _, w := range watchesOf(of) {
		feed := &keptFeed{all: kept, objects: map[string]*unstructured.Unstructured{}}
		if w.gvr == leaseGVR {
			kept.leases = feed
		} else {
			kept.maps = append(kept.maps, feed)
		}
		failed := func(err error) {
			switch {
			case permanent(err) && w.gvr == leaseGVR:
				_ = feed.change(func() { feed.listed, feed.refused = true, true })
			case permanent(err):
				cancel(fmt.Errorf("%w: watch the %s: %w", ErrRefused, w.gvr.Resource, err))
			}
		}
		watching.Go(func() { mirror(ctx, c.lister(w.gvr, of.Namespace, w.tweak, failed), w.gvr.Resource, feed) })
	}
	for {
		var expiry <-chan time.Time
		if all, known := kept.standings(clock.Now()); known {
			if err := see(all); err != nil {
				return err
			}
			expiry = untilExpiry(all, clock)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-kept.changed:
		case <-expiry: // nobody renews a lease any more, which makes no event
		}
	}
}

// untilExpiry is when the first of the leases runs out.
func untilExpiry(all []report.Standing, clock clock.Clock) <-chan time.Time {
	var first time.Time
	for i := range all {
		if s := &all[i]; s.Run == report.Attended && (first.IsZero() || s.HeldUntil.Before(first)) {
			first = s.HeldUntil
		}
	}
	if first.IsZero() {
		return nil
	}
	return clock.After(first.Sub(clock.Now()))
}

// keptWatch is one watch. One that names an object takes no permission for others.
type keptWatch struct {
	gvr   schema.GroupVersionResource
	tweak func(*metav1.ListOptions)
}

func watchesOf(of Whose) []keptWatch {
	only := func(name string) func(*metav1.ListOptions) {
		return func(o *metav1.ListOptions) {
			o.FieldSelector = fields.OneTermEqualSelector("metadata.name", name).String()
		}
	}
	if of.Canary == "" {
		return []keptWatch{
			{configMapGVR, func(o *metav1.ListOptions) { o.LabelSelector = keptByPenstock }},
			{leaseGVR, func(*metav1.ListOptions) {}},
		}
	}
	named := &canary.Canary{}
	named.Name = of.Canary
	return []keptWatch{
		{configMapGVR, only(ObjectName(named))},
		{configMapGVR, only(manifest.DecisionsName(named))},
		{configMapGVR, only(manifest.GateName(named))},
		{leaseGVR, only(ObjectName(named))},
	}
}

// keptFeeds are what the watches have brought.
type keptFeeds struct {
	maps    []*keptFeed
	leases  *keptFeed
	changed chan struct{} // holds one token when something changed since it was last taken

	mu sync.Mutex
}

func (k *keptFeeds) signal() {
	select {
	case k.changed <- struct{}{}:
	default:
	}
}

// standings returns what is known, once everything was listed.
func (k *keptFeeds) standings(now time.Time) ([]report.Standing, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	maps := []unstructured.Unstructured{}
	for _, feed := range k.maps {
		if !feed.listed {
			return nil, false
		}
		maps = slices.Concat(maps, feed.list())
	}
	leases := k.leases.list()
	if k.leases.refused {
		leases = nil
	}
	return standings(maps, leases, now), k.leases.listed
}

// keptFeed is where one reflector writes.
type keptFeed struct {
	all     *keptFeeds
	objects map[string]*unstructured.Unstructured
	listed  bool
	refused bool // it may not be read, which leaves open what it would say
}

func (f *keptFeed) list() []unstructured.Unstructured {
	out := []unstructured.Unstructured{}
	for _, o := range f.objects {
		out = append(out, *o)
	}
	return out
}

func (f *keptFeed) change(do func()) error {
	f.all.mu.Lock()
	do()
	f.all.mu.Unlock()
	f.all.signal()
	return nil
}

func keptKey(o any) string {
	object := o.(*unstructured.Unstructured)
	return object.GetNamespace() + "/" + object.GetName()
}

func (f *keptFeed) Add(o any) error {
	return f.change(func() { f.objects[keptKey(o)] = o.(*unstructured.Unstructured) })
}
func (f *keptFeed) Update(o any) error { return f.Add(o) }
func (f *keptFeed) Resync() error      { return nil }

func (f *keptFeed) Delete(o any) error {
	return f.change(func() { delete(f.objects, keptKey(o)) })
}

func (f *keptFeed) Replace(list []any, _ string) error {
	return f.change(func() {
		clear(f.objects)
		for _, o := range list {
			f.objects[keptKey(o)] = o.(*unstructured.Unstructured)
		}
		f.listed = true
	})
}
