package kube

import (
	"context"
	"errors"
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

	mu      sync.Mutex
	held    bool // from the acquisition to the end
	epoch   int64
	renewed time.Time // start of the last write that arrived
	holder  string    // as last read or written

	lost chan struct{}
	stop context.CancelFunc
	done sync.WaitGroup
}

// ErrHeld means that another run holds the lease and goes on renewing it.
var ErrHeld = errors.New("another run is at work")

// Acquire waits until this run, named by its id, holds the lease, at most for the limit. It is renewed until
// Release, or until ctx ends.
func Acquire(ctx context.Context, c *Client, cn *canary.Canary, id string, limit time.Duration) (*Lease, error) {
	l := &Lease{client: c, ref: cn.RefOf(leaseGVR, "Lease", ObjectName(cn)), canary: cn, id: id, lost: make(chan struct{})}
	waiting, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for !l.take(waiting) {
		timer := time.NewTimer(l.pause())
		select {
		case <-timer.C:
			continue
		case <-waiting.Done():
			timer.Stop()
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, fmt.Errorf("%w: the lease %q is still held by %s after %s; that run may be live: wait for it or stop it",
			ErrHeld, l.ref.Name, l.named(), limit)
	}
	l.mu.Lock()
	l.held = true
	l.mu.Unlock()
	keeping, stop := context.WithCancel(ctx)
	l.stop = stop
	l.done.Go(func() { l.keep(keeping) })
	return l, nil
}

// take tries once to get the lease, and reports whether this run holds it now.
func (l *Lease) take(ctx context.Context) bool {
	if l.read(ctx) != nil || l.seen == nil && l.readFloor(ctx) != nil {
		return false
	}
	free := l.seen == nil || time.Since(l.since) >= leaseDuration
	switch l.heldBy() {
	case "", l.id: // released; or a write of ours arrived although its answer did not
		free = true
	}
	return free && l.write(ctx) == nil
}

// readFloor reads the epoch that the record has. Somebody may have deleted the lease to get rid of a stuck run: the next
// one must not begin below what was written already.
func (l *Lease) readFloor(ctx context.Context) error {
	record, err := NewJournal(l.client, l.canary).Load(ctx)
	if l.floor = record.Epoch; errors.Is(err, ErrRefused) {
		return nil // a damaged record is refused by whoever takes it up
	}
	return err
}

// pause is how long to wait before the next try: no longer than the lease can be somebody else's.
func (l *Lease) pause() time.Duration {
	if l.seen == nil {
		return renewRetry
	}
	return max(min(retryPeriod, time.Until(l.since.Add(leaseDuration))), renewRetry/10)
}

// keep renews the lease until ctx ends, and then gives it back, or until it is lost.
func (l *Lease) keep(ctx context.Context) {
	defer close(l.lost)
	defer func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.held = false
	}()
	pause := retryPeriod
	for {
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			l.giveBack(ctx)
			return
		case <-timer.C:
		}
		switch pause = renewRetry; {
		case l.renew(ctx):
			pause = retryPeriod
		case l.seen != nil && l.heldBy() != l.id, l.overdue():
			return
		}
	}
}

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
	return (l.seen == nil || l.heldBy() == l.id) && l.write(ctx) == nil
}

func (l *Lease) overdue() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return time.Since(l.renewed) >= renewDeadline
}

// giveBack lets the next run take the lease without waiting. A lease that is not known to be this run's is left alone.
func (l *Lease) giveBack(ctx context.Context) {
	if l.heldBy() != l.id {
		return
	}
	ctx = context.WithoutCancel(ctx)
	released := l.seen.DeepCopy()
	released.Spec.HolderIdentity, released.Spec.LeaseDurationSeconds = ptr.To(""), ptr.To(int32(1))
	_ = l.send(ctx, released) // what does not arrive runs out by itself
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
	}
	l.seen = seen
	l.mu.Lock()
	defer l.mu.Unlock()
	l.holder = l.heldBy()
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

func (l *Lease) named() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.holder == "" {
		return "nobody that could be read"
	}
	return l.holder
}

// Fence returns the epoch of the lease and whether this run still holds it. It is stricter than the renewal, which goes
// on trying for a while: a lease that somebody else was seen to hold, or that has expired, is not held.
func (l *Lease) Fence() (int64, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.epoch, l.held && l.holder == l.id && time.Since(l.renewed) < leaseDuration
}

// Taken reports whether somebody else was seen to hold the lease. A lease that was lost and not taken has run out: the
// API server could not be reached in time.
func (l *Lease) Taken() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.holder != "" && l.holder != l.id
}

// Lost is closed when the lease is no longer held.
func (l *Lease) Lost() <-chan struct{} { return l.lost }

// Release gives the lease back, so that the next run need not wait for its expiry.
func (l *Lease) Release() {
	l.stop()
	l.done.Wait()
}
