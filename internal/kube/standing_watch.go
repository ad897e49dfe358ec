package kube

import (
	"context"
	"fmt"
	"maps"
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

// StandingWatch says what is watched, and who is told.
type StandingWatch struct {
	Whose
	Clock    clock.Clock
	See      func([]report.Standing) error // an error ends the watch
	Answered func(error)                   // may be nil; is told, one at a time, why not all can be read now, and nil when it can
}

// WatchStandings tells what is kept about canaries, now and whenever any of it changes, until ctx ends or the cluster
// refuses. It watches: an idle wait makes no requests.
func (c *Client) WatchStandings(ctx context.Context, w StandingWatch) error {
	ctx, cancel := context.WithCancelCause(ctx)
	var watching sync.WaitGroup
	defer watching.Wait()
	defer cancel(nil)
	kept := &keptFeeds{changed: make(chan struct{}, 1)}
	health := &health{tell: w.Answered, failing: map[string]error{}}
	for _, one := range watchesOf(w.Whose) {
		feed := &keptFeed{all: kept, objects: map[string]keptMap{}}
		if one.gvr == leaseGVR {
			kept.leases = feed
		} else {
			kept.maps = append(kept.maps, feed)
		}
		failed := func(err error) {
			switch {
			case permanent(err) && one.gvr == leaseGVR:
				_ = feed.change(func() { feed.listed, feed.refused = true, true })
			case permanent(err):
				cancel(fmt.Errorf("%w: watch the %s: %w", ErrRefused, one.gvr.Resource, err))
			}
		}
		lw := health.of(one.gvr.Resource, c.lister(one.gvr, w.Namespace, one.tweak, failed))
		watching.Go(func() { mirror(ctx, lw, one.gvr.Resource, feed) })
	}
	for {
		var expiry <-chan time.Time
		if all, known := kept.standings(w.Clock.Now()); known {
			if err := w.See(all); err != nil {
				return err
			}
			expiry = untilExpiry(all, w.Clock)
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
	all := []keptMap{}
	for _, feed := range k.maps {
		if !feed.listed {
			return nil, false
		}
		all = slices.AppendSeq(all, maps.Values(feed.objects))
	}
	var leases []unstructured.Unstructured
	if !k.leases.refused {
		leases = []unstructured.Unstructured{}
		for _, lease := range k.leases.objects {
			leases = append(leases, *lease.Unstructured)
		}
	}
	return standings(all, leases, now), k.leases.listed
}

// keptFeed is where one reflector writes.
type keptFeed struct {
	all     *keptFeeds
	objects map[string]keptMap
	listed  bool
	refused bool // it may not be read, which leaves open what it would say
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
	kept := readKept(o.(*unstructured.Unstructured))
	return f.change(func() { f.objects[keptKey(o)] = kept })
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
			f.objects[keptKey(o)] = readKept(o.(*unstructured.Unstructured))
		}
		f.listed = true
	})
}
