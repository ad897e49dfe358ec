package kube

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/penstock-dev/penstock/internal/rehearsal"
	"github.com/penstock-dev/penstock/internal/rollout"
)

// A run that waits for the lease of an uninstall begins when that is over, and what it then writes stays.
func TestAnUninstallForgetsNothingOfTheRunThatComesAfterIt(t *testing.T) {
	inCluster(t, func(f *fixture) {
		one := f.acquire("one", time.Minute)
		if err := NewJournal(f.client, f.canary).Save(f.ctx, rollout.Record{ID: "one", Epoch: 1}); err != nil {
			t.Fatal(err)
		}
		f.api.Intercept(func(r rehearsal.APIRequest) rehearsal.APIFault {
			if r.Verb == "delete" && r.Resource == leaseGVR {
				pass(time.Second) // in which whoever thinks that the lease is free takes it
			}
			return rehearsal.APIFault{}
		})
		took := make(chan error, 1)
		var two *Lease
		go func() {
			var err error
			if two, err = Acquire(f.ctx, f.client, f.canary, Claim{ID: "two", Limit: time.Minute}); err == nil {
				epoch, _ := two.Fence()
				err = NewJournal(f.client, f.canary).Save(f.ctx, rollout.Record{ID: "two", Epoch: epoch})
			}
			took <- err
		}()
		synctest.Wait()
		if err := one.Forget(f.ctx); err != nil {
			t.Fatal(err)
		}
		if err := <-took; err != nil {
			t.Fatal(err)
		}
		if record, err := NewJournal(f.client, f.canary).Load(f.ctx); err != nil || record.ID != "two" {
			t.Errorf("the record of the next run is gone: %+v, %v", record, err)
		}
		if by, _ := holder(f.get(leaseGVR, "penstock-podinfo")); by != "two" {
			t.Errorf("the lease of the next run is held by %q", by)
		}
		two.Release()
	})
}

// A lease that another run has asked for goes to that run, with its epoch.
func TestAnUninstallLeavesTheLeaseToWhoHasAskedForIt(t *testing.T) {
	inCluster(t, func(f *fixture) {
		one := f.acquire("one", time.Minute)
		lease := f.get(leaseGVR, "penstock-podinfo")
		lease.SetAnnotations(map[string]string{supersededBy: "two"})
		f.api.Intercept(func(r rehearsal.APIRequest) rehearsal.APIFault {
			if r.Verb == "delete" && r.Resource == configMapGVR {
				if _, err := f.api.Update(lease, "two"); err != nil {
					t.Error(err)
				}
			}
			return rehearsal.APIFault{}
		})
		if err := one.Forget(f.ctx); err != nil {
			t.Fatal(err)
		}
		two := f.acquire("two", time.Minute)
		f.fenced(two, 2, true)
		two.Release()
	})
}

// What is lost may be another run's by now.
func TestARunThatHasLostItsLeaseForgetsNothing(t *testing.T) {
	inCluster(t, func(f *fixture) {
		one := f.acquire("one", time.Minute)
		if err := NewJournal(f.client, f.canary).Save(f.ctx, rollout.Record{ID: "one", Epoch: 1}); err != nil {
			t.Fatal(err)
		}
		one.Release()
		if err := one.Forget(f.ctx); !errors.Is(err, ErrSuperseded) {
			t.Errorf("%v", err)
		}
		if record, err := NewJournal(f.client, f.canary).Load(f.ctx); err != nil || record.ID != "one" {
			t.Errorf("the record is gone: %+v, %v", record, err)
		}
	})
}
