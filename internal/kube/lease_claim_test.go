package kube

import (
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/penstock-dev/penstock/internal/rehearsal"
)

// obey is the loop of a run: it lets its lease go as soon as it is lost. It returns when.
func obey(l *Lease) (stopped func() time.Duration) {
	var took atomic.Int64
	start := time.Now()
	go func() {
		<-l.Lost()
		took.Store(int64(time.Since(start)))
		l.Release()
	}()
	return func() time.Duration { synctest.Wait(); return time.Duration(took.Load()) }
}

func TestARunThatSupersedesTakesOverAsSoonAsTheOtherHasLetGo(t *testing.T) {
	inCluster(t, func(f *fixture) {
		one := f.acquire("one", time.Minute)
		pass(10*time.Second + 300*time.Millisecond) // between two renewals
		stopped := obey(one)
		start := time.Now()
		two, err := Acquire(f.ctx, f.client, f.canary, Claim{ID: "two", Limit: time.Minute, Busy: Supersede})
		if err != nil {
			t.Fatal(err)
		}
		if waited := time.Since(start); waited > time.Second {
			t.Errorf("the lease came after %s", waited)
		}
		if took := stopped(); took > time.Second {
			t.Errorf("the run stopped after %s", took)
		}
		f.fenced(one, 1, false)
		if !one.Taken() {
			t.Error("a run that was asked to let go does not know that another one takes over")
		}
		f.fenced(two, 2, true)
		pass(time.Minute)
		f.fenced(two, 2, true)
		if by := f.get(leaseGVR, "penstock-podinfo").GetAnnotations()[supersededBy]; by != "" {
			t.Errorf("the request of %s is still there", by)
		}
		two.Release()
	})
}

// A run that is slow to stop may have a write under way: until it has let go, or its lease has run out, nobody else begins.
func TestALeaseIsNeverTakenFromARunThatHasNotLetGo(t *testing.T) {
	inCluster(t, func(f *fixture) {
		one := f.acquire("one", time.Minute)
		var two *Lease
		var taking sync.WaitGroup
		start := time.Now()
		taking.Go(func() {
			var err error
			if two, err = Acquire(f.ctx, f.client, f.canary, Claim{ID: "two", Limit: time.Minute, Busy: Supersede}); err != nil {
				t.Error(err)
			}
		})
		<-one.Lost()
		if waited := time.Since(start); waited > time.Second {
			t.Errorf("the run learned after %s that it is superseded", waited)
		}
		pass(10 * time.Second)
		if holder := f.get(leaseGVR, "penstock-podinfo").Object["spec"].(map[string]any)["holderIdentity"]; holder != "one" {
			t.Fatalf("the lease was taken by %v", holder)
		}
		one.Release()
		taking.Wait()
		f.fenced(one, 1, false)
		f.fenced(two, 2, true)
		two.Release()
	})
}

func TestADeadRunIsSupersededWhenItsLeaseHasRunOut(t *testing.T) {
	inCluster(t, func(f *fixture) {
		one := f.acquire("one", time.Minute)
		one.stop() // without giving the lease back: what it sends does not arrive
		f.api.Intercept(func(rehearsal.APIRequest) rehearsal.APIFault { return rehearsal.FaultInternal("etcd is away") })
		one.done.Wait()
		f.api.Intercept(nil)
		start := time.Now()
		two, err := Acquire(f.ctx, f.client, f.canary, Claim{ID: "two", Limit: time.Minute, Busy: Supersede})
		if err != nil {
			t.Fatal(err)
		}
		if waited := time.Since(start); waited < leaseDuration || waited > leaseDuration+time.Second {
			t.Errorf("the lease of a dead run was taken over after %s", waited)
		}
		f.fenced(two, 2, true)
		two.Release()
	})
}

// The watch is only there to be quick.
func TestARunHearsThatItIsSupersededWithoutAWatch(t *testing.T) {
	inCluster(t, func(f *fixture) {
		f.api.Intercept(func(r rehearsal.APIRequest) rehearsal.APIFault {
			if r.Resource == leaseGVR && (r.Verb == "watch" || r.Verb == "list") {
				return rehearsal.FaultInternal("no watches today")
			}
			return rehearsal.APIFault{}
		})
		one := f.acquire("one", time.Minute)
		stopped := obey(one)
		two, err := Acquire(f.ctx, f.client, f.canary, Claim{ID: "two", Limit: time.Minute, Busy: Supersede})
		if err != nil {
			t.Fatal(err)
		}
		if took := stopped(); took > retryPeriod+time.Second {
			t.Errorf("the run stopped after %s", took)
		}
		f.fenced(two, 2, true)
		two.Release()
	})
}

func TestOfManyRunsThatSupersedeTheNewestGoesOn(t *testing.T) {
	inCluster(t, func(f *fixture) {
		one := f.acquire("one", time.Minute)
		var older error
		var asking sync.WaitGroup
		asking.Go(func() {
			_, older = Acquire(f.ctx, f.client, f.canary, Claim{ID: "two", Limit: time.Minute, Busy: Supersede})
		})
		pass(time.Second)
		var three *Lease
		var err error
		asking.Go(func() {
			three, err = Acquire(f.ctx, f.client, f.canary, Claim{ID: "three", Limit: time.Minute, Busy: Supersede})
		})
		pass(5 * time.Second)
		one.Release()
		asking.Wait()
		if err != nil {
			t.Fatal(err)
		}
		if !errors.Is(older, ErrSuperseded) {
			t.Errorf("the run that was asked after says %v", older)
		}
		f.fenced(three, 2, true)
		three.Release()
	})
}

// What a run has let go for another is not snatched by a third that has only waited.
func TestALeaseIsKeptForWhoHasAskedForIt(t *testing.T) {
	inCluster(t, func(f *fixture) {
		one := f.acquire("one", time.Minute)
		lease := f.get(leaseGVR, "penstock-podinfo")
		lease.SetAnnotations(map[string]string{supersededBy: "two"})
		if _, err := f.api.Update(lease, "two"); err != nil {
			t.Fatal(err)
		}
		<-one.Lost()
		one.Release()
		start := time.Now()
		three := f.acquire("three", time.Minute) // two has died before it could take what it has asked for
		if waited := time.Since(start); waited < leaseDuration || waited > leaseDuration+time.Second {
			t.Errorf("what was kept for another run was taken after %s", waited)
		}
		f.fenced(three, 2, true)
		three.Release()
	})
}

func TestARunThatDoesNotWaitSaysWhoHoldsTheLease(t *testing.T) {
	inCluster(t, func(f *fixture) {
		one := f.acquire("one", time.Minute)
		pass(time.Minute)
		start := time.Now()
		claim := Claim{ID: "two", Limit: time.Minute, Busy: Fail}
		_, err := Acquire(f.ctx, f.client, f.canary, claim)
		if !errors.Is(err, ErrHeld) || !strings.Contains(err.Error(), `the lease "penstock-podinfo" is held by one since 2000-01-01T00:00:00Z`) {
			t.Errorf("%v", err)
		}
		if waited := time.Since(start); waited > time.Second {
			t.Errorf("it gave up after %s", waited)
		}
		f.fenced(one, 1, true)
		one.Release()
		two, err := Acquire(f.ctx, f.client, f.canary, claim)
		if err != nil {
			t.Fatal(err)
		}
		f.fenced(two, 2, true)
		two.Release()
	})
}

// The clocks of the machines that runs are on may differ by minutes. Each run trusts its own, and only for how long it has
// seen the lease unchanged.
func TestClocksThatDifferByMinutesChangeNothing(t *testing.T) {
	for _, skew := range []time.Duration{-5 * time.Minute, 5 * time.Minute} {
		t.Run(skew.String(), func(t *testing.T) { inCluster(t, func(f *fixture) { f.waitsForAClock(skew) }) })
	}
}

func (f *fixture) waitsForAClock(skew time.Duration) {
	f.acquire("one", time.Minute).Release()
	ends := f.renewElsewhere("two", skew)
	for _, busy := range []Busy{Wait, Fail} {
		_, err := Acquire(f.ctx, f.client, f.canary, Claim{ID: "three", Limit: 30 * time.Second, Busy: busy})
		if !errors.Is(err, ErrHeld) {
			f.t.Errorf("a live run was not waited for (%d): %v", busy, err)
		}
	}
	ends()
	start := time.Now()
	three := f.acquire("three", time.Minute)
	if waited := time.Since(start); waited > leaseDuration+time.Second {
		f.t.Errorf("a dead run was waited for for %s", waited)
	}
	f.fenced(three, 3, true)
	three.Release()
}

// renewElsewhere holds the lease for a run on a machine whose clock is off by skew, until the function is called.
func (f *fixture) renewElsewhere(id string, skew time.Duration) func() {
	write := func() {
		lease := f.get(leaseGVR, "penstock-podinfo")
		spec := lease.Object["spec"].(map[string]any)
		spec["holderIdentity"], spec["leaseTransitions"] = id, int64(1)
		spec["renewTime"] = time.Now().Add(skew).UTC().Format(metav1.RFC3339Micro)
		if _, err := f.api.Update(lease, "elsewhere"); err != nil {
			f.t.Error(err)
		}
	}
	write()
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(retryPeriod)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				write()
			case <-end:
				return
			}
		}
	}()
	return func() { close(end); <-ended }
}
