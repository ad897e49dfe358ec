package kube

import (
	"context"
	"fmt"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"

	"github.com/penstock-dev/penstock/internal/canary"
)

// The lease outlives a lost runner by leaseDuration; a run that cannot renew it stops writing after renewDeadline, well
// before another may take over.
const (
	leaseDuration = 15 * time.Second
	renewDeadline = 10 * time.Second
	retryPeriod   = 4 * time.Second
	renewTimeout  = 3 * time.Second // of one request: one that hangs must leave time for another
)

var leaseGVR = schema.GroupVersionResource{Group: "coordination.k8s.io", Version: "v1", Resource: "leases"}

// Lease makes one run the only writer of a canary. Its epoch grows with every change of hands.
type Lease struct {
	lock *epochLock

	mu    sync.Mutex
	held  bool
	ended bool // it was lost or released; held never comes back
	lost  chan struct{}
	stop  context.CancelFunc
	done  sync.WaitGroup
}

// epochLock remembers the epoch of the lease that this run wrote last.
type epochLock struct {
	resourcelock.Interface
	mu      sync.Mutex
	epoch   int64
	renewed time.Time // start of the last write that arrived
	holder  string    // as last read or written
}

func (l *epochLock) Get(ctx context.Context) (*resourcelock.LeaderElectionRecord, []byte, error) {
	ctx, cancel := context.WithTimeout(ctx, renewTimeout)
	defer cancel()
	record, raw, err := l.Interface.Get(ctx)
	if err == nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.holder = record.HolderIdentity
	}
	return record, raw, err
}

func (l *epochLock) Create(ctx context.Context, r resourcelock.LeaderElectionRecord) error {
	ctx, cancel := context.WithTimeout(ctx, renewTimeout)
	defer cancel()
	start := time.Now()
	err := l.Interface.Create(ctx, r)
	l.wrote(r, start, err)
	return err
}

func (l *epochLock) Update(ctx context.Context, r resourcelock.LeaderElectionRecord) error {
	ctx, cancel := context.WithTimeout(ctx, renewTimeout)
	defer cancel()
	start := time.Now()
	err := l.Interface.Update(ctx, r)
	l.wrote(r, start, err)
	return err
}

func (l *epochLock) wrote(r resourcelock.LeaderElectionRecord, start time.Time, err error) {
	if err != nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.renewed, l.holder = start, r.HolderIdentity
	l.epoch = int64(r.LeaderTransitions) + 1 // a lease that was never handed over is epoch 1
}

// Acquire waits until this run, named by its id, holds the lease, at most for the limit. It is renewed until
// Release, or until ctx ends.
func Acquire(ctx context.Context, c *Client, cn *canary.Canary, id string, limit time.Duration) (*Lease, error) {
	lease := &Lease{lost: make(chan struct{})}
	lease.lock = &epochLock{Interface: &resourcelock.LeaseLock{
		LeaseMeta:  metav1.ObjectMeta{Namespace: cn.Namespace, Name: ObjectName(cn)},
		Client:     c.leases,
		LockConfig: resourcelock.ResourceLockConfig{Identity: id},
	}}
	acquired := make(chan struct{})
	elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock: lease.lock, Name: ObjectName(cn), ReleaseOnCancel: true,
		LeaseDuration: leaseDuration, RenewDeadline: renewDeadline, RetryPeriod: retryPeriod,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(context.Context) { lease.acquired(); close(acquired) },
			OnStoppedLeading: lease.end,
		},
	})
	if err != nil {
		return nil, fmt.Errorf("acquire the lease %q: %w", ObjectName(cn), err)
	}
	election, stop := context.WithCancel(ctx)
	lease.stop = stop
	lease.done.Go(func() { defer close(lease.lost); elector.Run(election) })
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-acquired:
		return lease, nil
	case <-timer.C:
		err = fmt.Errorf("the lease %q is still held by %s after %s; that run may be live: wait for it or stop it",
			ObjectName(cn), lease.holder(), limit)
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	stop()
	lease.done.Wait()
	return nil, err
}

// acquired runs in a goroutine of its own, and may so come after end.
func (l *Lease) acquired() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held = !l.ended
}

func (l *Lease) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held, l.ended = false, true
}

func (l *Lease) holder() string {
	l.lock.mu.Lock()
	defer l.lock.mu.Unlock()
	if l.lock.holder == "" {
		return "nobody that could be read"
	}
	return l.lock.holder
}

// Fence returns the epoch of the lease and whether this run still holds it. It is stricter than the election, which goes
// on trying for a while: a lease that somebody else was seen to hold, or that has expired, is not held.
func (l *Lease) Fence() (int64, bool) {
	l.mu.Lock()
	held := l.held
	l.mu.Unlock()
	l.lock.mu.Lock()
	defer l.lock.mu.Unlock()
	return l.lock.epoch, held && l.lock.holder == l.lock.Identity() && time.Since(l.lock.renewed) < leaseDuration
}

// Taken reports whether somebody else was seen to hold the lease. A lease that was lost and not taken has run out: the
// API server could not be reached in time.
func (l *Lease) Taken() bool {
	l.lock.mu.Lock()
	defer l.lock.mu.Unlock()
	return l.lock.holder != "" && l.lock.holder != l.lock.Identity()
}

// Lost is closed when the lease is no longer held.
func (l *Lease) Lost() <-chan struct{} { return l.lost }

// Release gives the lease back, so that the next run need not wait for its expiry.
func (l *Lease) Release() {
	l.stop()
	l.done.Wait()
}
