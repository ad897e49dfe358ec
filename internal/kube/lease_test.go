package kube

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/penstock-dev/penstock/internal/rehearsal"
	"github.com/penstock-dev/penstock/internal/rollout"
)

func (f *fixture) acquire(id string, limit time.Duration) *Lease {
	f.t.Helper()
	l, err := Acquire(f.ctx, f.client, f.canary, Claim{ID: id, Limit: limit})
	if err != nil {
		f.t.Fatal(err)
	}
	return l
}

// fenced checks the epoch and whether the lease is held, and that Lost says the same when it is closed.
func (f *fixture) fenced(l *Lease, epoch int64, held bool) {
	f.t.Helper()
	synctest.Wait()
	if e, h := l.Fence(); e != epoch || h != held {
		f.t.Errorf("epoch %d, held %v; want epoch %d, held %v", e, h, epoch, held)
	}
	select {
	case <-l.Lost():
		if held {
			f.t.Error("Lost is closed")
		}
	default:
	}
}

func TestALeaseIsHeldRenewedAndReleased(t *testing.T) {
	inCluster(t, func(f *fixture) {
		one := f.acquire("one", time.Minute)
		f.fenced(one, 1, true)
		pass(5 * time.Minute)
		f.fenced(one, 1, true)
		if n := f.api.Requests()["update leases"]; n < 60 || n > 90 {
			t.Errorf("%d renewals in five minutes", n)
		}
		one.Release()
		f.fenced(one, 1, false)
		select {
		case <-one.Lost():
		default:
			t.Error("a released lease is not lost")
		}
		start := time.Now()
		two := f.acquire("two", time.Minute)
		f.fenced(two, 2, true)
		if waited := time.Since(start); waited > time.Second {
			t.Errorf("the next run waited %s for a lease that was released", waited)
		}
		two.Release()
	})
}

func TestWaitingForALeaseIsBoundedAndNamesTheHolder(t *testing.T) {
	inCluster(t, func(f *fixture) {
		one := f.acquire("one", time.Minute)
		defer one.Release()
		start := time.Now()
		_, err := Acquire(f.ctx, f.client, f.canary, Claim{ID: "two", Limit: 30 * time.Second})
		if err == nil || !strings.Contains(err.Error(), `"penstock-podinfo" is still held by one since 2000-01-01T00:00:00Z after 30s`) {
			t.Errorf("%v", err)
		}
		if waited := time.Since(start); waited != 30*time.Second {
			t.Errorf("it waited %s", waited)
		}
		f.fenced(one, 1, true)

		why := errors.New("the job is over")
		ctx, cancel := context.WithCancelCause(f.ctx)
		time.AfterFunc(3*time.Second, func() { cancel(why) })
		if _, err := Acquire(ctx, f.client, f.canary, Claim{ID: "two", Limit: 30 * time.Second}); !errors.Is(err, why) {
			t.Errorf("cancelled while it waited: %v", err)
		}
	})
}

func TestTheLeaseOfALostRunIsTakenOverUnderAHigherEpoch(t *testing.T) {
	inCluster(t, func(f *fixture) {
		one := f.acquire("one", time.Minute)
		var dead atomic.Bool // run one cannot reach the API any more
		dead.Store(true)
		f.api.Intercept(func(r rehearsal.APIRequest) rehearsal.APIFault {
			return rehearsal.APIFault{Hang: dead.Load() && r.Resource == leaseGVR && r.HTTP.Header.Get("User-Agent") != "two"}
		})
		config := *f.config
		config.UserAgent = "two"
		start := time.Now()
		two, err := Acquire(f.ctx, f.connect(&config), f.canary, Claim{ID: "two", Limit: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		if waited := time.Since(start); waited < leaseDuration || waited > leaseDuration+3*retryPeriod {
			t.Errorf("the lease was taken over after %s", waited)
		}
		f.fenced(two, 2, true)
		f.fenced(one, 1, false)
		dead.Store(false)
		pass(time.Minute)
		f.fenced(two, 2, true)
		f.fenced(one, 1, false)
		select {
		case <-one.Lost():
		default:
			t.Error("Lost is not closed")
		}
		one.Release()
		f.fenced(two, 2, true)
		two.Release()
	})
}

func TestALeaseThatCannotBeRenewedIsNotHeldWhenAnotherMayTakeIt(t *testing.T) {
	inCluster(t, func(f *fixture) {
		one := f.acquire("one", time.Minute)
		f.api.Intercept(func(r rehearsal.APIRequest) rehearsal.APIFault {
			return rehearsal.APIFault{Hang: r.Resource == leaseGVR}
		})
		pass(leaseDuration) // the last renewal is at most so old
		f.fenced(one, 1, false)
		pass(30 * time.Second)
		f.fenced(one, 1, false)
		one.Release()
	})
}

func TestAShortTroubleDoesNotCostTheLease(t *testing.T) {
	inCluster(t, func(f *fixture) {
		one := f.acquire("one", time.Minute)
		for _, fault := range []rehearsal.APIFault{
			rehearsal.FaultInternal("etcd is away"), {Drop: true}, {DropAnswer: true}, {Hang: true}, rehearsal.FaultTooManyRequests(time.Second),
		} {
			f.api.Intercept(func(rehearsal.APIRequest) rehearsal.APIFault { return fault })
			pass(6 * time.Second)
			f.api.Intercept(nil)
			pass(20 * time.Second)
			f.fenced(one, 1, true)
		}
		one.Release()
	})
}

func TestALeaseThatSomebodyTakesByForceIsNotHeld(t *testing.T) {
	inCluster(t, func(f *fixture) {
		one := f.acquire("one", time.Minute)
		lease := f.get(leaseGVR, "penstock-podinfo")
		spec := lease.Object["spec"].(map[string]any)
		spec["holderIdentity"], spec["leaseTransitions"] = "thief", int64(7)
		if _, err := f.api.Update(lease, "kubectl"); err != nil {
			t.Fatal(err)
		}
		pass(retryPeriod + time.Second) // the next renewal
		f.fenced(one, 1, false)
		one.Release()
		if got := f.get(leaseGVR, "penstock-podinfo").Object["spec"].(map[string]any)["holderIdentity"]; got != "thief" {
			t.Errorf("the lease is held by %v", got)
		}
	})
}

func TestALeaseThatCannotBeReadNamesNobody(t *testing.T) {
	inCluster(t, func(f *fixture) {
		f.api.Intercept(func(rehearsal.APIRequest) rehearsal.APIFault { return rehearsal.FaultInternal("etcd is away") })
		_, err := Acquire(f.ctx, f.client, f.canary, Claim{ID: "one", Limit: 10 * time.Second})
		if err == nil || !strings.Contains(err.Error(), "nobody that could be read") {
			t.Errorf("%v", err)
		}
	})
}

func TestAProcessThatWasFrozenDoesNotHoldAnExpiredLease(t *testing.T) {
	inCluster(t, func(f *fixture) {
		one := f.acquire("one", time.Minute)
		pass(time.Second)
		one.mu.Lock()
		one.renewed = time.Now().Add(-leaseDuration) // nothing has run since
		one.mu.Unlock()
		f.fenced(one, 1, false)
		pass(retryPeriod + time.Second)
		f.fenced(one, 1, true) // nobody took it meanwhile, and it could be renewed
		one.Release()
	})
}

func TestALeaseThatSomebodyDeletedIsMadeAnewAboveTheEpochOfTheRecord(t *testing.T) {
	inCluster(t, func(f *fixture) {
		journal := NewJournal(f.client, f.canary)
		if err := journal.Save(f.ctx, rollout.Record{Epoch: 6}); err != nil {
			t.Fatal(err)
		}
		one := f.acquire("one", time.Minute)
		f.fenced(one, 7, true)
		one.Release()
		two := f.acquire("two", time.Minute)
		f.fenced(two, 8, true)
		two.Release()
	})
}

func TestALeaseThatSomebodyDeletesWhileItIsHeldIsMadeAnewUnderItsEpoch(t *testing.T) {
	inCluster(t, func(f *fixture) {
		one := f.acquire("one", time.Minute)
		one.Release()
		two := f.acquire("two", time.Minute)
		f.fenced(two, 2, true)
		if err := f.client.remove(f.ctx, two.ref, metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		pass(retryPeriod + time.Second)
		f.fenced(two, 2, true)
		pass(time.Minute)
		f.fenced(two, 2, true)
		two.Release()
	})
}
