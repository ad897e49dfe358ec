package kube

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"

	"github.com/penstock-dev/penstock/internal/rollout"
)

// The pauses before a rollout that could not be ended is tried again. Each is twice the one before.
const (
	watchdogPause    = 5 * time.Second
	watchdogPauseMax = 5 * time.Minute
)

// Abandoned is a rollout that is not finished and that no run is at work on any more, or one that was suspended for too
// long.
type Abandoned struct {
	Namespace, Canary string
	Record            rollout.Record // without its history
	Lease             Unrenewed
	JobOver           bool // the job of its run is known to be over: what is still alive of it has no one to tell
}

// Watchdog watches the records and the leases of some namespaces and finds the rollouts that are abandoned. A lease has run
// out when this process has seen nobody write it for leaseDuration: clocks of machines are not compared. It is only told by
// watches, so that an idle wait makes no requests.
type Watchdog struct {
	client     *Client
	namespaces []string
	warn       func(error) // may be nil
	serves     string      // what the server does beside watching

	mu       sync.Mutex
	canaries map[[2]string]*watched // by namespace and name
	changed  chan struct{}          // holds one token when something is new
	work     sync.WaitGroup
}

// watched is what is known of one canary.
type watched struct {
	record        *rollout.Record // nil when there is none that can be read
	recordVersion string
	recordSince   time.Time

	leaseVersion string // empty when there is none
	leaseSince   time.Time
	holder       string // empty: it was released

	busy    bool   // it is being ended
	over    string // the run whose job is known to be over
	settled string // version of the record for which there is nothing more to do
	again   time.Time
	pause   time.Duration
}

// NewWatchdog returns a watchdog of these namespaces; one that is empty stands for all. warn is told what cannot be watched
// or read, and may be nil.
func NewWatchdog(c *Client, namespaces []string, warn func(error)) *Watchdog {
	if slices.Contains(namespaces, "") {
		namespaces = []string{""}
	}
	return &Watchdog{client: c, namespaces: namespaces, warn: warn, canaries: map[[2]string]*watched{}, changed: make(chan struct{}, 1)}
}

// Run calls end for every rollout that is abandoned, until ctx ends: at once when it is, and for one canary at a time. What
// end could not do is tried again later; when it returns nil, there is nothing more to do until somebody writes the record.
func (w *Watchdog) Run(ctx context.Context, end func(context.Context, Abandoned) error) {
	var watching sync.WaitGroup
	defer watching.Wait()
	defer w.work.Wait()
	for _, ns := range w.namespaces {
		records := &watchdogFeed{dog: w, namespace: ns, put: w.putRecord, drop: w.dropRecord, there: map[[2]string]bool{}}
		leases := &watchdogFeed{dog: w, namespace: ns, put: w.putLease, drop: w.dropLease, there: map[[2]string]bool{}, leases: true}
		watching.Go(func() { records.run(ctx) })
		watching.Go(func() { leases.run(ctx) })
		if ns != "" {
			watching.Go(func() { w.beats(ctx, ns) })
		}
	}
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		timer.Reset(time.Hour)
		if next := w.dispatch(ctx, end); !next.IsZero() {
			timer.Reset(time.Until(next))
		}
		select {
		case <-ctx.Done():
			return
		case <-w.changed:
		case <-timer.C:
		}
	}
}

// dispatch has the rollouts ended that are due, and returns when the next one is; zero is never.
func (w *Watchdog) dispatch(ctx context.Context, end func(context.Context, Abandoned) error) (next time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	for key, c := range w.canaries {
		due := c.due()
		switch {
		case due.IsZero():
		case due.After(now):
			if next.IsZero() || due.Before(next) {
				next = due
			}
		default:
			c.busy = true
			x := Abandoned{Namespace: key[0], Canary: key[1], Record: *c.record}
			x.JobOver = c.over == c.record.ID
			x.Lease = Unrenewed{Version: c.leaseVersion, Since: c.leaseSince}
			version := c.recordVersion
			w.work.Go(func() { w.ended(c, version, end(ctx, x)) })
		}
	}
	return next
}

// ended takes note of how the end of a rollout went. The version is that of the record when it began.
func (w *Watchdog) ended(c *watched, version string, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	c.busy = false
	if err == nil {
		c.settled, c.pause, c.again = version, 0, time.Time{}
	} else {
		c.pause = min(max(2*c.pause, watchdogPause), watchdogPauseMax)
		c.again = time.Now().Add(c.pause)
	}
	w.signal()
}

// carriedOut reports whether there is nothing left to do: whoever has the lease still may have died before it carried out
// the end that was saved.
func (c *watched) carriedOut() bool { return c.record.Status.Over() && c.holder == "" }

// due is when the rollout is abandoned; zero is never.
func (c *watched) due() time.Time {
	if c.record == nil || c.busy || c.carriedOut() || c.settled == c.recordVersion {
		return time.Time{}
	}
	st := &c.record.Status
	if c.over == c.record.ID && st.Suspended.IsZero() {
		return latest(c.recordSince, c.again)
	}
	due := c.leaseSince.Add(leaseDuration)
	switch {
	case !st.Suspended.IsZero() && st.Until.IsZero():
		return time.Time{} // it was held, for a person
	case c.holder == "" && !st.Suspended.IsZero():
		due = st.Until
	case c.holder == "": // whoever has let it go may be about to hand it on, or its post step to take it up
		due = latest(c.leaseSince, c.recordSince).Add(leaseDuration)
	}
	if !st.Suspended.IsZero() {
		due = latest(due, st.Until)
	}
	return latest(due, c.again)
}

// Over tells that the job of a canary's run is over. What that has left unfinished is ended at once, and not when its lease
// has run out.
func (w *Watchdog) Over(namespace, canary, run string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if c := w.canaries[[2]string{namespace, canary}]; c != nil && c.record != nil && c.record.ID == run {
		c.over = run
		w.signal()
	}
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func (w *Watchdog) signal() {
	select {
	case w.changed <- struct{}{}:
	default:
	}
}

// at is what is known of the canary of an object, or nil when that is not one of Penstock's.
func (w *Watchdog) at(o *unstructured.Unstructured) *watched {
	name, ours := strings.CutPrefix(o.GetName(), "penstock-")
	if !ours || name == "" {
		return nil
	}
	key := [2]string{o.GetNamespace(), name}
	if w.canaries[key] == nil {
		w.canaries[key] = &watched{}
	}
	return w.canaries[key]
}

func (w *Watchdog) putRecord(o *unstructured.Unstructured) {
	text, recorded, _ := unstructured.NestedString(o.Object, "data", recordKey)
	if !recorded {
		return // of another kind
	}
	c := w.at(o)
	if c == nil || c.recordVersion == o.GetResourceVersion() {
		return
	}
	record := &rollout.Record{}
	if err := json.Unmarshal([]byte(text), record); err != nil {
		record = nil
		w.failed(fmt.Errorf("the record of %s/%s is damaged: %w", o.GetNamespace(), o.GetName(), err))
	} else {
		record.History = nil
	}
	c.record, c.recordVersion, c.recordSince = record, o.GetResourceVersion(), time.Now()
	c.pause, c.again = 0, time.Time{}
}

func (w *Watchdog) dropRecord(o *unstructured.Unstructured) {
	if c := w.at(o); c != nil {
		c.record, c.recordVersion = nil, ""
		w.forget(o, c)
	}
}

// forget drops a canary of which nothing is kept any more.
func (w *Watchdog) forget(o *unstructured.Unstructured, c *watched) {
	if c.recordVersion == "" && c.leaseVersion == "" {
		delete(w.canaries, [2]string{o.GetNamespace(), strings.TrimPrefix(o.GetName(), "penstock-")})
	}
}

func (w *Watchdog) putLease(o *unstructured.Unstructured) {
	var lease coordinationv1.Lease
	c := w.at(o)
	if c == nil || c.leaseVersion == o.GetResourceVersion() {
		return
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, &lease); err != nil {
		w.failed(fmt.Errorf("the lease %s/%s cannot be read: %w", o.GetNamespace(), o.GetName(), err))
		return
	}
	c.leaseVersion, c.leaseSince, c.holder = o.GetResourceVersion(), time.Now(), ptr.Deref(lease.Spec.HolderIdentity, "")
}

func (w *Watchdog) dropLease(o *unstructured.Unstructured) {
	if c := w.at(o); c != nil {
		c.leaseVersion, c.leaseSince, c.holder = "", time.Now(), ""
		w.forget(o, c)
	}
}

func (w *Watchdog) failed(err error) {
	if w.warn != nil {
		w.warn(err)
	}
}

// watchdogFeed is where the reflector of one kind and namespace writes.
type watchdogFeed struct {
	dog       *Watchdog
	namespace string
	leases    bool
	put, drop func(*unstructured.Unstructured)
	there     map[[2]string]bool // what was listed or has come since
}

func (f *watchdogFeed) run(ctx context.Context) {
	gvr, tweak := configMapGVR, func(o *metav1.ListOptions) { o.LabelSelector = keptByPenstock }
	if f.leases {
		gvr, tweak = leaseGVR, func(*metav1.ListOptions) {}
	}
	mirror(ctx, f.dog.client.lister(gvr, f.namespace, tweak, f.dog.failed), gvr.Resource+" of "+cmp.Or(f.namespace, "all namespaces"), f)
}

func (f *watchdogFeed) change(do func()) error {
	f.dog.mu.Lock()
	defer f.dog.mu.Unlock()
	do()
	f.dog.signal()
	return nil
}

func objectKey(o *unstructured.Unstructured) [2]string {
	return [2]string{o.GetNamespace(), o.GetName()}
}

func (f *watchdogFeed) Add(o any) error {
	object := o.(*unstructured.Unstructured)
	return f.change(func() { f.there[objectKey(object)] = true; f.put(object) })
}
func (f *watchdogFeed) Update(o any) error { return f.Add(o) }
func (f *watchdogFeed) Resync() error      { return nil }

func (f *watchdogFeed) Delete(o any) error {
	object := o.(*unstructured.Unstructured)
	return f.change(func() { delete(f.there, objectKey(object)); f.drop(object) })
}

// Replace has all objects as they are when the watch begins, or begins again.
func (f *watchdogFeed) Replace(list []any, _ string) error {
	return f.change(func() {
		gone := f.there
		f.there = map[[2]string]bool{}
		for _, o := range list {
			object := o.(*unstructured.Unstructured)
			delete(gone, objectKey(object))
			f.there[objectKey(object)] = true
			f.put(object)
		}
		for key := range gone {
			object := &unstructured.Unstructured{}
			object.SetNamespace(key[0])
			object.SetName(key[1])
			f.drop(object)
		}
	})
}
