package kube

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/utils/ptr"

	"github.com/penstock-dev/penstock/internal/canary"
)

// Busy says what a run does when another run is at work on its canary.
type Busy int8

// The zero value waits.
const (
	Wait      Busy = iota // until the other has ended, or has died
	Supersede             // ask the other to end at once, and take over when it has
	Fail                  // give up as soon as the other is known to live
)

// Claim is a run's demand for the lease.
type Claim struct {
	ID    string        // of the run
	Limit time.Duration // how long the lease is waited for
	Busy  Busy
	Only  string // the only run that is asked to let go; "" asks whoever holds it

	Unrenewed Unrenewed // what this process has seen of the lease before
}

// Unrenewed is a lease that this process has watched and seen nobody write since. Whoever claims it need not watch it all
// over again. The zero value is a lease that was not watched.
type Unrenewed struct {
	Version string    // the resourceVersion
	Since   time.Time // by the clock of this process
}

// ErrHeld means that another run holds the lease and goes on renewing it.
var ErrHeld = errors.New("another run is at work")

// supersededBy is the annotation by which a run asks the holder of a lease to let it go. Its value is the id of who asks.
const supersededBy = "penstock.dev/superseded-by"

// Acquire waits until this run holds the lease, at most for the limit of its claim. It is renewed until Release, or until
// ctx ends. It is never taken from a run that renews it, whatever the claim: who is asked to let go lets go by itself, and
// a run that does not is waited for like any other. The error is ErrHeld, or ErrSuperseded when a newer run has asked for
// the lease meanwhile.
func Acquire(ctx context.Context, c *Client, cn *canary.Canary, claim Claim) (*Lease, error) {
	l := &Lease{
		client: c, ref: cn.RefOf(leaseGVR, "Lease", ObjectName(cn)), canary: cn, id: claim.ID, lost: make(chan struct{}),
		before: claim.Unrenewed,
	}
	keeping, stop := context.WithCancel(ctx)
	news := l.watch(keeping)
	if err := l.await(ctx, news, claim); err != nil {
		stop()
		l.done.Wait()
		return nil, err
	}
	l.mu.Lock()
	l.held = true
	l.mu.Unlock()
	l.stop = stop
	l.done.Go(func() { l.keep(keeping, news) })
	return l, nil
}

// await returns when this run holds the lease.
func (l *Lease) await(ctx context.Context, news *leaseNews, claim Claim) error {
	waiting, cancel := context.WithTimeout(ctx, claim.Limit)
	defer cancel()
	for !l.take(waiting) {
		if err := l.claim(waiting, &claim); err != nil {
			return err
		}
		timer := time.NewTimer(l.pause())
		select {
		case <-news.came:
		case <-timer.C:
		case <-waiting.Done():
		}
		timer.Stop()
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case waiting.Err() != nil:
			return fmt.Errorf("%w: the lease %q is still held by %s after %s; that run may be live: wait for it or stop it",
				ErrHeld, l.ref.Name, l.named(), claim.Limit)
		}
	}
	return nil
}

// take tries once to get the lease, and reports whether this run holds it now.
func (l *Lease) take(ctx context.Context) bool {
	if l.read(ctx) != nil || l.seen == nil && l.readFloor(ctx) != nil {
		return false
	}
	free := l.seen == nil || time.Since(l.since) >= leaseDuration
	switch l.heldBy() {
	case "": // released; for the run that has asked for it, if that comes
		free = free || !l.promised()
	case l.id: // a write of ours arrived although its answer did not
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

// claim does what a claim asks for while the lease is somebody else's.
func (l *Lease) claim(ctx context.Context, c *Claim) error {
	if l.seen == nil {
		return nil
	}
	holder, mine := l.heldBy(), l.seen.Annotations[supersededBy] == l.id
	switch {
	case l.asked != "" && (l.promised() || !mine && holder != "" && holder != l.asked):
		return fmt.Errorf("%w: another run has asked for the lease %q after this one; it is held by %s",
			ErrSuperseded, l.ref.Name, l.named())
	case c.Busy == Fail && l.alive():
		return fmt.Errorf("%w: the lease %q is held by %s", ErrHeld, l.ref.Name, l.named())
	case c.Busy == Supersede && !mine && holder != "" && (c.Only == "" || c.Only == holder):
		l.ask(ctx)
	}
	return nil
}

// ask writes the request to let go into the lease. The last who asks gets it, so that of many runs the newest goes on. A
// request that could not be written, or that was lost with the lease, is made again with the next look.
func (l *Lease) ask(ctx context.Context) {
	wanted, since := l.seen.DeepCopy(), l.since
	if wanted.Annotations == nil {
		wanted.Annotations = map[string]string{}
	}
	wanted.Annotations[supersededBy] = l.id
	if l.send(ctx, wanted) == nil {
		l.asked, l.since = l.heldBy(), since // it was not the holder who has just written
	}
}

// promised reports whether the lease waits for another run that has asked for it.
func (l *Lease) promised() bool {
	by := l.seen.Annotations[supersededBy]
	return by != "" && by != l.id
}

// alive reports whether the holder was seen to renew the lease, or says that it has just done so. The clock of its machine
// may be wrong, so an old time alone does not make it dead: take waits and sees.
func (l *Lease) alive() bool {
	renewed := l.seen.Spec.RenewTime
	fresh := renewed != nil && time.Since(renewed.Time).Abs() < leaseDuration
	return l.heldBy() != "" && (fresh || l.renews)
}

// named is who holds the lease, and since when, as people are told.
func (l *Lease) named() string {
	if l.heldBy() == "" {
		return "nobody that could be read"
	}
	if since := l.seen.Spec.AcquireTime; since != nil {
		return fmt.Sprintf("%s since %s", ptr.Deref(l.seen.Spec.HolderIdentity, ""), since.UTC().Format(time.RFC3339))
	}
	return l.heldBy()
}
