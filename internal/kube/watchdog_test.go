package kube

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/penstock-dev/penstock/internal/rehearsal"
	"github.com/penstock-dev/penstock/internal/rollout"
)

// kennel is a watchdog at work, and what it has found.
type kennel struct {
	*Watchdog
	mu    sync.Mutex
	found []Abandoned
	at    []time.Time
	stop  func()
}

func (f *fixture) watchdog(end func(Abandoned) error) *kennel {
	k := &kennel{Watchdog: NewWatchdog(f.client, []string{"shop"}, func(err error) { f.t.Log(err) })}
	ctx, cancel := context.WithCancel(f.ctx)
	var running sync.WaitGroup
	running.Go(func() {
		k.Run(ctx, func(_ context.Context, x Abandoned) error {
			k.mu.Lock()
			k.found, k.at = append(k.found, x), append(k.at, time.Now())
			k.mu.Unlock()
			return end(x)
		})
	})
	k.stop = func() { cancel(); running.Wait() }
	return k
}

func (k *kennel) count() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.found)
}

// recorded writes a record as the run id would.
func (f *fixture) recorded(id string, epoch int64, st rollout.Status) {
	f.t.Helper()
	j := NewJournal(f.client, f.canary)
	if _, err := j.Load(f.ctx); err != nil {
		f.t.Fatal(err)
	}
	if err := j.Save(f.ctx, rollout.Record{ID: id, Epoch: epoch, Status: st, History: []rollout.Entry{{Step: 1}}}); err != nil {
		f.t.Fatal(err)
	}
}

var halfway = rollout.Status{Phase: rollout.Progressing, Step: 1, Weight: 30}

// kill ends a run without giving its lease back.
func (f *fixture) kill(l *Lease) {
	f.api.Intercept(func(rehearsal.APIRequest) rehearsal.APIFault { return rehearsal.FaultInternal("the run is dead") })
	l.stop()
	l.done.Wait()
	f.api.Intercept(nil)
}

func TestTheWatchdogClaimsTheLeaseOfADeadRunWhenItRunsOut(t *testing.T) {
	inCluster(t, func(f *fixture) {
		one := f.acquire("one", time.Minute)
		f.recorded("one", 1, halfway)
		var claimed time.Time
		dog := f.watchdog(func(x Abandoned) error {
			two, err := Acquire(f.ctx, f.client, f.canary, Claim{ID: "dog", Limit: time.Minute, Busy: Fail, Unrenewed: x.Lease})
			if err != nil {
				return err
			}
			claimed = time.Now()
			f.fenced(two, 2, true)
			f.recorded("dog", 2, rollout.Status{Phase: rollout.Failed})
			two.Release()
			return nil
		})
		pass(10 * time.Minute)
		if n := dog.count(); n != 0 {
			t.Fatalf("a living run was taken for dead %d times", n)
		}
		one.mu.Lock()
		renewed := one.renewed
		one.mu.Unlock()
		f.kill(one)
		pass(time.Minute)
		if n := dog.count(); n != 1 {
			t.Fatalf("a dead run was found %d times", n)
		}
		if late := claimed.Sub(renewed.Add(leaseDuration)); late < 0 || late > time.Second {
			t.Errorf("the lease was claimed %s after it had run out", late)
		}
		if x := dog.found[0]; x.Namespace != "shop" || x.Canary != "podinfo" || x.Record.ID != "one" || x.Record.History != nil {
			t.Errorf("%+v", x)
		}
		dog.stop()
	})
}

func TestTheWatchdogKnowsWhatIsAbandoned(t *testing.T) {
	start := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) // of every bubble
	for name, c := range map[string]struct {
		status   rollout.Status
		after    time.Duration // when it is found, from the moment it was let go; 0 is never
		holdsNow bool          // the lease is held by a living run
		killed   bool          // the lease was not let go
	}{
		"one whose run died before it carried out the end": {status: rollout.Status{Phase: rollout.Failed}, killed: true, after: leaseDuration},
		"one that is over":                            {status: rollout.Status{Phase: rollout.Succeeded}},
		"one that has not begun":                      {status: rollout.Status{Phase: rollout.Initialized}},
		"one that its run has let go":                 {status: halfway, after: leaseDuration},
		"one whose run is at work":                    {status: halfway, holdsNow: true},
		"one that is suspended for a person":          {status: rollout.Status{Phase: rollout.Progressing, Suspended: start}},
		"one that is suspended until a minute":        {status: rollout.Status{Phase: rollout.Progressing, Suspended: start, Until: start.Add(time.Minute)}, after: time.Minute},
		"one whose time is over while a run is up":    {status: rollout.Status{Phase: rollout.Progressing, Suspended: start, Until: start.Add(time.Minute)}, holdsNow: true},
		"one whose time was over before anybody came": {status: rollout.Status{Phase: rollout.Progressing, Suspended: start, Until: start.Add(-time.Minute)}, after: time.Nanosecond},
	} {
		t.Run(name, func(t *testing.T) {
			inCluster(t, func(f *fixture) {
				one := f.acquire("one", time.Minute)
				f.recorded("one", 1, c.status)
				switch {
				case c.killed:
					f.kill(one)
				case c.holdsNow:
					defer one.Release()
				default:
					one.Release()
				}
				begun := time.Now()
				dog := f.watchdog(func(Abandoned) error { return nil })
				pass(10 * time.Minute)
				switch n := dog.count(); {
				case c.after == 0 && n > 0:
					t.Errorf("it was found after %s", dog.at[0].Sub(begun))
				case c.after > 0 && n != 1:
					t.Errorf("it was found %d times", n)
				case c.after > 0 && (dog.at[0].Sub(begun)-c.after).Abs() > 2*time.Second:
					t.Errorf("it was found after %s, want %s", dog.at[0].Sub(begun), c.after)
				}
				dog.stop()
			})
		})
	}
}

// Of two replicas one ends the rollout; the other hears that somebody is at work.
func TestOfTwoWatchdogsOneClaimsTheLease(t *testing.T) {
	inCluster(t, func(f *fixture) {
		one := f.acquire("one", time.Minute)
		f.recorded("one", 1, halfway)
		var mu sync.Mutex
		var claimed, held int
		end := func(id string) func(Abandoned) error {
			return func(x Abandoned) error {
				l, err := Acquire(f.ctx, f.client, f.canary, Claim{ID: id, Limit: time.Minute, Busy: Fail, Unrenewed: x.Lease})
				mu.Lock()
				defer mu.Unlock()
				switch {
				case errors.Is(err, ErrHeld):
					held++
				case err != nil:
					f.t.Error(err)
				default:
					claimed++
					go func() { // it is at work for a while
						pass := time.NewTimer(5 * time.Second)
						<-pass.C
						f.recorded(id, 2, rollout.Status{Phase: rollout.Failed})
						l.Release()
					}()
				}
				return nil
			}
		}
		a, b := f.watchdog(end("a")), f.watchdog(end("b"))
		pass(time.Second)
		f.kill(one)
		pass(time.Minute)
		if claimed != 1 || held != 1 {
			t.Errorf("%d claimed the lease, %d found it held; want 1 and 1", claimed, held)
		}
		a.stop()
		b.stop()
	})
}

// Nothing but watches tells a watchdog, and what it could not end it tries again ever less often.
func TestAWatchdogTriesAgainAndMakesNoRequestsMeanwhile(t *testing.T) {
	inCluster(t, func(f *fixture) {
		f.recorded("one", 1, halfway)
		dog := f.watchdog(func(Abandoned) error { return errors.New("no permission") })
		pass(time.Minute)
		before := f.api.Requests()
		pass(time.Hour)
		if n := dog.count(); n < 10 || n > 20 {
			t.Errorf("it was tried %d times in an hour", n)
		}
		for request, n := range f.api.Requests() {
			beats := request == "get leases" || request == "update leases" // by which runs know of it
			switch n -= before[request]; {
			case n > 0 && !beats && !strings.HasPrefix(request, "watch"):
				t.Errorf("%d times %s", n, request)
			case beats && n > int(time.Hour/beatPeriod)+1:
				t.Errorf("%d times %s in an hour", n, request)
			}
		}
		dog.stop()
	})
}

func TestARunKnowsWhetherSomebodyWatchesOverIt(t *testing.T) {
	inCluster(t, func(f *fixture) {
		if err := f.client.RequireWatchdog(f.ctx, "shop"); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), `the Lease "penstock.watchdog" there is missing`) {
			t.Errorf("nobody is there: %v", err)
		}
		dog := f.watchdog(func(Abandoned) error { return nil })
		pass(time.Second)
		start := time.Now()
		if err := f.client.RequireWatchdog(f.ctx, "shop"); err != nil || time.Since(start) > time.Second {
			t.Errorf("somebody is there: %v, after %s", err, time.Since(start))
		}
		pass(time.Hour)
		if err := f.client.RequireWatchdog(f.ctx, "shop"); err != nil {
			t.Errorf("somebody is still there: %v", err)
		}
		dog.stop()
		pass(2 * beatLimit)
		if err := f.client.RequireWatchdog(f.ctx, "shop"); !errors.Is(err, ErrRefused) {
			t.Errorf("somebody was there an hour ago: %v", err)
		}
	})
}

// A run that counts on more than the watch is refused when no server does it, and finds the one of several that does.
func TestARunKnowsWhatTheServersDo(t *testing.T) {
	inCluster(t, func(f *fixture) {
		hears := Duty{Names: []string{"github:7", "github:any"}, What: "hear repository 7"}
		starts := Duty{Names: []string{"trigger:7"}, What: "start a run by trigger"}
		beats := func(serves string) {
			if err := f.client.beat(f.ctx, "shop", serves); err != nil {
				f.t.Fatal(err)
			}
		}
		beats("github:any,rerun")
		if err := f.client.RequireWatchdog(f.ctx, "shop", hears); err != nil {
			t.Errorf("it hears every repository: %v", err)
		}
		start, want := time.Now(), `namespace "shop", but it does not start a run by trigger; it says that it serves: github:any,rerun`
		if err := f.client.RequireWatchdog(f.ctx, "shop", hears, starts); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), want) {
			t.Errorf("it triggers nothing: %v", err)
		}
		if took := time.Since(start); took > beatWait {
			t.Errorf("that was found out after %s", took)
		}
		beats("")
		want = "but it does not hear repository 7, and does not start a run by trigger; it says that it serves: nothing"
		if err := f.client.RequireWatchdog(f.ctx, "shop", hears, starts); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("it does nothing but watch: %v", err)
		}
		beats("github:7")
		var other sync.WaitGroup
		other.Go(func() {
			pass(5 * time.Second)
			beats("gitlab:any,trigger:7")
		})
		if err := f.client.RequireWatchdog(f.ctx, "shop", starts); err != nil {
			t.Errorf("another server triggers: %v", err)
		}
		other.Wait()
	})
}

// Its clock may be minutes behind that of the run: then the run sees it renew its lease.
func TestAWatchdogWithAnotherClockIsKnownByItsRenewals(t *testing.T) {
	inCluster(t, func(f *fixture) {
		dog := f.watchdog(func(Abandoned) error { return nil })
		pass(time.Second)
		dog.stop()
		end := make(chan struct{})
		var beating sync.WaitGroup
		beating.Go(func() {
			tick := time.NewTicker(beatPeriod)
			defer tick.Stop()
			for {
				select {
				case <-end:
					return
				case <-tick.C:
				}
				lease := f.get(leaseGVR, "penstock.watchdog")
				lease.Object["spec"].(map[string]any)["renewTime"] = time.Now().Add(-5 * time.Minute).UTC().Format(metav1.RFC3339Micro)
				if _, err := f.api.Update(lease, "elsewhere"); err != nil {
					f.t.Error(err)
				}
			}
		})
		pass(time.Minute)
		if err := f.client.RequireWatchdog(f.ctx, "shop"); err != nil {
			t.Error(err)
		}
		close(end)
		beating.Wait()
	})
}

func TestTheWatchdogActsAtOnceWhenTheJobIsKnownToBeOver(t *testing.T) {
	for name, c := range map[string]struct {
		status rollout.Status
		run    string
		want   int
	}{
		"halfway":                {halfway, "one", 1},
		"the job of another run": {halfway, "two", 0},
		"suspended":              {rollout.Status{Phase: rollout.WaitingPromotion, Suspended: time.Now(), Until: time.Now().Add(100000 * time.Hour)}, "one", 0},
		"over":                   {rollout.Status{Phase: rollout.Succeeded}, "one", 0},
	} {
		t.Run(name, func(t *testing.T) {
			inCluster(t, func(f *fixture) {
				one := f.acquire("one", time.Minute)
				f.recorded("one", 1, c.status)
				if rollout.Phase(c.status.Phase).Terminal() || !c.status.Suspended.IsZero() {
					one.Release()
				}
				dog := f.watchdog(func(Abandoned) error { return nil })
				pass(time.Second)
				dog.Over("shop", "podinfo", c.run)
				dog.Over("shop", "other", c.run)
				pass(time.Second)
				if n := dog.count(); n != c.want || n > 0 && (!dog.found[0].JobOver || dog.found[0].Lease.Version == "") {
					t.Errorf("found %d times: %+v", n, dog.found)
				}
				dog.stop()
			})
		})
	}
}
