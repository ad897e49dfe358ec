package kube

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/penstock-dev/penstock/internal/rollout"
)

func suspendedRecord(id string, epoch int64) rollout.Record {
	now := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	return rollout.Record{ID: id, Epoch: epoch, Status: rollout.Status{Phase: rollout.WaitingPromotion, Gate: "confirm-promotion", Suspended: now}}
}

func TestOfManyWhoResumeARolloutOneDoes(t *testing.T) {
	inCluster(t, func(f *fixture) {
		of := Whose{Namespace: "shop", Canary: "podinfo"}
		if err := f.client.Resume(f.ctx, of, func(rollout.Record, rollout.Resumption) rollout.Resumption {
			t.Error("there is no record yet")
			return rollout.Resumption{}
		}); err != nil {
			t.Fatal(err)
		}
		if err := NewJournal(f.client, f.canary).Save(f.ctx, suspendedRecord("run-1", 3)); err != nil {
			t.Fatal(err)
		}
		var started atomic.Int32
		var running sync.WaitGroup
		for range 5 {
			running.Go(func() {
				step := rollout.LeaveIt
				err := f.client.Resume(f.ctx, of, func(r rollout.Record, was rollout.Resumption) (next rollout.Resumption) {
					next, step = was.Take(r.Suspension(), "g-1", time.Now())
					return next
				})
				if err != nil {
					t.Error(err)
				}
				if step == rollout.StartIt {
					started.Add(1)
				}
			})
		}
		running.Wait()
		if started.Load() != 1 {
			t.Errorf("%d started a run", started.Load())
		}
	})
}

// A run that takes the rollout up between the look and the mark is not joined by another one.
func TestARolloutThatWasTakenUpMeanwhileIsNotResumed(t *testing.T) {
	inCluster(t, func(f *fixture) {
		journal := NewJournal(f.client, f.canary)
		if err := journal.Save(f.ctx, suspendedRecord("run-1", 3)); err != nil {
			t.Fatal(err)
		}
		calls, step := 0, rollout.LeaveIt
		err := f.client.Resume(f.ctx, Whose{Namespace: "shop", Canary: "podinfo"}, func(r rollout.Record, was rollout.Resumption) (next rollout.Resumption) {
			if calls++; calls == 1 {
				if err := journal.Save(context.WithoutCancel(f.ctx), rollout.Record{ID: "run-2", Epoch: 4, Status: rollout.Status{Phase: rollout.Progressing}}); err != nil {
					t.Error(err)
				}
			}
			if step = rollout.LeaveIt; r.Suspension() == "" {
				return was
			}
			next, step = was.Take(r.Suspension(), "g-1", time.Now())
			return next
		})
		if err != nil || calls != 2 || step != rollout.LeaveIt {
			t.Errorf("%v; asked %d times, then step %v", err, calls, step)
		}
		record, err := journal.Load(f.ctx)
		if err != nil || record.ID != "run-2" {
			t.Errorf("the record is %+v, %v", record, err)
		}
	})
}

// The run that takes the rollout up leaves the mark where it is: it tells how often this gate has started one.
func TestARunLeavesTheMarkOfTheResumption(t *testing.T) {
	inCluster(t, func(f *fixture) {
		of, journal := Whose{Namespace: "shop", Canary: "podinfo"}, NewJournal(f.client, f.canary)
		if err := journal.Save(f.ctx, suspendedRecord("run-1", 3)); err != nil {
			t.Fatal(err)
		}
		if err := f.client.Resume(f.ctx, of, func(r rollout.Record, was rollout.Resumption) rollout.Resumption {
			next, _ := was.Take(r.Suspension(), "g-1", time.Now())
			return next
		}); err != nil {
			t.Fatal(err)
		}
		if err := journal.Save(f.ctx, rollout.Record{ID: "run-2", Epoch: 4}); err != nil { // by what it has read before
			t.Fatal(err)
		}
		var was rollout.Resumption
		if err := f.client.Resume(f.ctx, of, func(_ rollout.Record, r rollout.Resumption) rollout.Resumption { was = r; return r }); err != nil {
			t.Fatal(err)
		}
		if was.Rollout != "run-1/3" || was.Starts != 1 {
			t.Errorf("the mark is %+v", was)
		}
		maps := f.client.dynamic.Resource(configMapGVR).Namespace("shop")
		object := f.get(configMapGVR, "penstock-podinfo")
		if err := unstructured.SetNestedField(object.Object, "{", "data", resumptionKey); err != nil {
			t.Fatal(err)
		}
		if _, err := maps.Update(f.ctx, object, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
		if err := f.client.Resume(f.ctx, of, func(_ rollout.Record, r rollout.Resumption) rollout.Resumption { return r }); err == nil {
			t.Error("a mark that is damaged is taken for none")
		}
	})
}
