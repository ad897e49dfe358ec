package kube

import (
	"context"
	"fmt"
	"sync"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/ptr"

	"github.com/penstock-dev/penstock/internal/canary"
)

// A lease that nobody renews may be taken over leaseDuration after it was last seen to change. Whoever holds it writes
// nothing more from leaseDuration after the start of its last renewal on, which is earlier, and gives up before that.
const (
	leaseDuration = 15 * time.Second
	renewDeadline = 13 * time.Second // since the start of the last renewal that arrived
	retryPeriod   = 4 * time.Second  // between two renewals, and at most between two tries to take it
	renewRetry    = time.Second      // after a renewal that did not arrive
	renewTimeout  = 3 * time.Second  // of one request: one that hangs must leave time for another
)

var leaseGVR = schema.GroupVersionResource{Group: "coordination.k8s.io", Version: "v1", Resource: "leases"}

// Lease makes one run the only writer of a canary. Its epoch grows with every change of hands. The protocol is that of
// the Kubernetes client library's leader election, over a Lease object; the library itself would bring the clients of all
// kinds of objects along.
type Lease struct {
	client *Client
	ref    canary.Ref
	canary *canary.Canary
	id     string

	// Only one goroutine at a time uses these: the one that acquires, then the one that renews.
	seen  *coordinationv1.Lease // as last read or written; nil when there was none
	since time.Time             // since when it has been like that, by the clock of this process
	floor int64                 // the epoch of the record, when there is no lease

	before Unrenewed // what was seen of the lease before the claim

	asked  string // of whom this run has asked the lease
	renews bool   // its holder was seen to renew it

	mu      sync.Mutex
	held    bool // from the acquisition to the end
	epoch   int64
	renewed time.Time // start of the last write that arrived
	holder  string    // as last read or written
	rival   string    // who has asked this run for the lease; it is not given a second time
	over    bool      // the canary is no more, and the lease goes with it

	lost chan struct{}
	stop context.CancelFunc
	done sync.WaitGroup
}

// keep renews the lease until ctx ends, and then gives it back, or until it is lost. One that another run asks for is
// lost at once, but given back only when ctx ends: until then, a write that is under way may still arrive.
func (l *Lease) keep(ctx context.Context, news *leaseNews) {
	l.renewals(ctx, news)
	l.mu.Lock()
	l.held = false
	wanted := l.rival != ""
	l.mu.Unlock()
	close(l.lost)
	if wanted {
		<-ctx.Done()
	}
	if ctx.Err() != nil {
		l.giveBack(ctx)
	}
}

// renewals returns when ctx ends, or when the lease is not this run's any more.
func (l *Lease) renewals(ctx context.Context, news *leaseNews) {
	timer := time.NewTimer(retryPeriod)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-news.came:
			if l.hear(news.last()); l.gone() {
				return
			}
			continue
		case <-timer.C:
		}
		pause := renewRetry
		switch {
		case l.renew(ctx):
			pause = retryPeriod
		case l.gone(), l.overdue():
			return
		}
		timer.Reset(pause)
	}
}

// gone reports whether the lease was seen in somebody else's hands, or asked for.
func (l *Lease) gone() bool { return l.seen != nil && l.heldBy() != l.id || l.wanted() }

// renew writes the lease as it is known; when that does not work, it looks who holds it. One that somebody has deleted is
// made anew under the same epoch. It is never taken from anybody: whoever held it in between has a higher epoch.
func (l *Lease) renew(ctx context.Context) bool {
	if l.seen != nil && l.write(ctx) == nil {
		return true
	}
	if l.read(ctx) != nil {
		return false
	}
	if l.seen == nil {
		l.floor = l.epoch - 1 // only this goroutine writes the epoch
	}
	return (l.seen == nil || l.heldBy() == l.id) && !l.wanted() && l.write(ctx) == nil
}

// wanted reports whether another run has asked this one for the lease.
func (l *Lease) wanted() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.rival != ""
}

func (l *Lease) overdue() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return time.Since(l.renewed) >= renewDeadline
}

// giveBack lets the next run take the lease without waiting. A lease that is not known to be this run's is left alone.
func (l *Lease) giveBack(ctx context.Context) {
	ctx = context.WithoutCancel(ctx)
	for range 2 { // a run that asks for it may be writing at the same time
		if l.heldBy() != l.id {
			return
		}
		err := l.leave(ctx) // what does not arrive runs out by itself
		if !apierrors.IsConflict(err) || l.read(ctx) != nil {
			return
		}
	}
}

// leave deletes the lease of a canary that is no more, unless another run has asked for it, and empties any other.
func (l *Lease) leave(ctx context.Context) error {
	l.mu.Lock()
	over := l.over && l.rival == ""
	l.mu.Unlock()
	if over {
		return l.remove(ctx)
	}
	released := l.seen.DeepCopy()
	released.Spec.HolderIdentity, released.Spec.LeaseDurationSeconds = ptr.To(""), ptr.To(int32(1))
	return l.send(ctx, released)
}

// heldBy is who holds the lease, as last seen; nobody when it was released, or does not exist.
func (l *Lease) heldBy() string {
	if l.seen == nil {
		return ""
	}
	return ptr.Deref(l.seen.Spec.HolderIdentity, "")
}

// read looks at the lease. One that does not exist is no error.
func (l *Lease) read(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, renewTimeout)
	defer cancel()
	live, err := l.client.dynamic.Resource(leaseGVR).Namespace(l.ref.Namespace).Get(ctx, l.ref.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		l.seen = nil
		return nil
	}
	if err != nil {
		return err
	}
	return l.note(live)
}

// note remembers the lease as it was read or written.
func (l *Lease) note(live *unstructured.Unstructured) error {
	seen := &coordinationv1.Lease{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(live.Object, seen); err != nil {
		return fmt.Errorf("read %s: %w", l.ref, err)
	}
	if l.seen == nil || l.seen.UID != seen.UID || l.seen.ResourceVersion != seen.ResourceVersion {
		l.since = time.Now()
		if l.seen == nil && seen.ResourceVersion == l.before.Version {
			l.since = l.before.Since
		}
	}
	if was := l.seen; was != nil {
		same := l.heldBy() == ptr.Deref(seen.Spec.HolderIdentity, "")
		l.renews = same && (l.renews || !was.Spec.RenewTime.Equal(seen.Spec.RenewTime))
	}
	l.seen = seen
	l.mu.Lock()
	defer l.mu.Unlock()
	l.holder = l.heldBy()
	if by := seen.Annotations[supersededBy]; l.holder == l.id && by != l.id {
		l.rival = by
	}
	return nil
}

// write makes the lease this run's as of now. It fails when somebody else has written it since it was last seen.
func (l *Lease) write(ctx context.Context) error {
	start := time.Now()
	wanted := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: l.ref.Namespace, Name: l.ref.Name}}
	if l.seen != nil {
		wanted = l.seen.DeepCopy()
	}
	spec, now := &wanted.Spec, metav1.NewMicroTime(start)
	if spec.LeaseTransitions == nil {
		spec.LeaseTransitions = ptr.To(int32(l.floor))
	}
	if l.seen != nil && l.heldBy() != l.id {
		*spec.LeaseTransitions++
	}
	if l.heldBy() != l.id {
		spec.AcquireTime = &now
		delete(wanted.Annotations, supersededBy) // whoever it was asked of has let it go
	}
	spec.HolderIdentity, spec.RenewTime = &l.id, &now
	spec.LeaseDurationSeconds = ptr.To(int32(leaseDuration / time.Second))
	if err := l.send(ctx, wanted); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.renewed = start
	l.epoch = int64(*spec.LeaseTransitions) + 1 // a lease that was never handed over is epoch 1
	return nil
}

// send creates the lease, or replaces the one that was last seen.
func (l *Lease) send(ctx context.Context, wanted *coordinationv1.Lease) error {
	ctx, cancel := context.WithTimeout(ctx, renewTimeout)
	defer cancel()
	body, err := runtime.DefaultUnstructuredConverter.ToUnstructured(wanted)
	if err != nil {
		return fmt.Errorf("write %s: %w", l.ref, err)
	}
	object := &unstructured.Unstructured{Object: body}
	object.SetGroupVersionKind(leaseGVR.GroupVersion().WithKind("Lease"))
	leases := l.client.dynamic.Resource(leaseGVR).Namespace(l.ref.Namespace)
	var live *unstructured.Unstructured
	if l.seen == nil {
		live, err = leases.Create(ctx, object, metav1.CreateOptions{FieldManager: FieldManager})
	} else {
		live, err = leases.Update(ctx, object, metav1.UpdateOptions{FieldManager: FieldManager})
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", l.ref, err)
	}
	return l.note(live)
}

// Fence returns the epoch of the lease and whether this run still holds it. It is stricter than the renewal, which goes
// on trying for a while: a lease that somebody else was seen to hold, or that has expired, is not held.
func (l *Lease) Fence() (int64, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.epoch, l.held && l.holder == l.id && l.rival == "" && time.Since(l.renewed) < leaseDuration
}

// Taken reports whether somebody else was seen to hold the lease, or has asked for it. A lease that was lost and not taken has run out: the
// API server could not be reached in time.
func (l *Lease) Taken() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.rival != "" || l.holder != "" && l.holder != l.id
}

// Lost is closed when the lease is no longer held.
func (l *Lease) Lost() <-chan struct{} { return l.lost }

// Release gives the lease back, so that the next run need not wait for its expiry.
func (l *Lease) Release() {
	l.stop()
	l.done.Wait()
}
