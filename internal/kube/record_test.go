package kube

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/penstock-dev/penstock/internal/rehearsal"
	"github.com/penstock-dev/penstock/internal/rollout"
)

func record(epoch int64, weight rollout.Weight) rollout.Record {
	at := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	value := 99.5
	return rollout.Record{
		ID: "run", Epoch: epoch, Target: "podinfo", Started: at, Updated: at,
		Status: rollout.Status{Phase: rollout.Progressing, Step: 1, Weight: weight, Moved: at},
		History: []rollout.Entry{{
			Time: at, Phase: rollout.Progressing, Step: 1, Weight: weight,
			Checks: []rollout.CheckResult{{Name: "success", Verdict: rollout.Pass, Value: &value}},
		}},
	}
}

// holds checks what another run would read.
func (f *fixture) holds(want rollout.Record) {
	f.t.Helper()
	got, err := NewJournal(f.client, f.canary).Load(f.ctx)
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		f.t.Errorf("the record: %v (-want +got):\n%s", err, diff)
	}
}

func (f *fixture) save(j *Journal, r rollout.Record) {
	f.t.Helper()
	if err := j.Save(f.ctx, r); err != nil {
		f.t.Fatal(err)
	}
}

func TestARecordIsReadAsItWasWritten(t *testing.T) {
	inCluster(t, func(f *fixture) {
		f.holds(rollout.Record{}) // none yet
		j := NewJournal(f.client, f.canary)
		f.save(j, record(1, 10))
		f.holds(record(1, 10))
		f.save(j, record(1, 20))
		f.holds(record(1, 20))
		live := f.get(configMapGVR, "penstock-podinfo")
		if owner := live.GetOwnerReferences(); len(owner) != 1 || owner[0].Name != "podinfo" || owner[0].UID != "7a1d" {
			t.Errorf("owners %v", owner)
		}
		if live.GetLabels()["app.kubernetes.io/managed-by"] != "penstock" {
			t.Errorf("labels %v", live.GetLabels())
		}
		f.canary.UID = ""
		if owners(f.canary) != nil {
			t.Error("a Canary that is not in the cluster owns something")
		}
	})
}

func TestARunThatWasSupersededCannotSave(t *testing.T) {
	tests := map[string]func(f *fixture, old, new *Journal){
		"it read the record before the newer run wrote": func(f *fixture, old, new *Journal) {
			_, _ = old.Load(f.ctx)
			f.save(new, record(2, 50))
		},
		"it wrote before": func(f *fixture, old, new *Journal) {
			f.save(old, record(1, 10))
			_, _ = new.Load(f.ctx)
			f.save(new, record(2, 50))
		},
		"it reads the record after the newer run wrote": func(f *fixture, old, new *Journal) {
			f.save(new, record(2, 50))
			_, _ = old.Load(f.ctx)
		},
	}
	for name, happens := range tests {
		t.Run(name, func(t *testing.T) {
			inCluster(t, func(f *fixture) {
				old, newer := NewJournal(f.client, f.canary), NewJournal(f.client, f.canary)
				happens(f, old, newer)
				for range 2 {
					if err := old.Save(f.ctx, record(1, 20)); !errors.Is(err, ErrSuperseded) {
						t.Errorf("the older run: %v", err)
					}
				}
				f.holds(record(2, 50))
				f.save(newer, record(2, 0))
			})
		})
	}
}

func TestANewerRunWritesOverWhatAnOlderOneSavedMeanwhile(t *testing.T) {
	inCluster(t, func(f *fixture) {
		old, newer := NewJournal(f.client, f.canary), NewJournal(f.client, f.canary)
		_, _ = newer.Load(f.ctx)
		f.save(old, record(1, 10))
		f.save(newer, record(2, 0))
		f.holds(record(2, 0))
	})
}

func TestAnAnswerThatWasLostIsNotAnotherRun(t *testing.T) {
	inCluster(t, func(f *fixture) {
		j := NewJournal(f.client, f.canary)
		for i, verb := range []string{"create", "update"} {
			var lost atomic.Bool
			f.api.Intercept(func(r rehearsal.APIRequest) rehearsal.APIFault {
				drop := r.Verb == verb && r.Resource == configMapGVR && lost.CompareAndSwap(false, true)
				return rehearsal.APIFault{DropAnswer: drop}
			})
			want := record(1, rollout.Weight(10*i))
			if err := j.Save(f.ctx, want); err == nil || errors.Is(err, ErrSuperseded) {
				t.Errorf("%s: %v, want that it is not known what happened", verb, err)
			}
			f.holds(want)
			want.Status.Failed = 1
			f.save(j, want)
			f.holds(want)
		}
	})
}

func TestARecordThatSomebodyTouchesIsStillWritten(t *testing.T) {
	inCluster(t, func(f *fixture) {
		j := NewJournal(f.client, f.canary)
		f.save(j, record(1, 10))
		f.edit(configMapGVR, "penstock-podinfo", func(o map[string]any) {
			_ = unstructured.SetNestedField(o, "kept", "metadata", "annotations", "team")
		})
		f.save(j, record(1, 20))
		f.holds(record(1, 20))
		if got := f.get(configMapGVR, "penstock-podinfo").GetAnnotations()["team"]; got != "kept" {
			t.Errorf("annotation %q", got)
		}
		if err := f.api.Delete(configMapGVR, "shop", "penstock-podinfo"); err != nil {
			t.Fatal(err)
		}
		f.save(j, record(1, 30))
		f.holds(record(1, 30))
	})
}

func TestADamagedRecordIsNotTakenForNone(t *testing.T) {
	inCluster(t, func(f *fixture) {
		f.create(`{apiVersion: v1, kind: ConfigMap, metadata: {name: penstock-podinfo, namespace: shop}, data: {record.json: '{"id": 7'}}`)
		_, err := NewJournal(f.client, f.canary).Load(f.ctx)
		if !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), `"penstock-podinfo": its record.json is damaged`) ||
			!strings.Contains(err.Error(), "delete the ConfigMap to start over") {
			t.Errorf("%v", err)
		}
		f.edit(configMapGVR, "penstock-podinfo", func(o map[string]any) { o["data"] = nil })
		f.holds(rollout.Record{})
	})
}

func TestATroubledClusterIsAnErrorOfTheJournal(t *testing.T) {
	inCluster(t, func(f *fixture) {
		j := NewJournal(f.client, f.canary)
		f.save(j, record(1, 10))
		for name, fault := range map[string]rehearsal.APIFault{
			"conflict": rehearsal.FaultConflict(rehearsal.APIRequest{Resource: configMapGVR, Name: "penstock-podinfo"}),
			"500":      rehearsal.FaultInternal("etcd is away"),
			"hang":     {Hang: true},
		} {
			f.api.Intercept(func(r rehearsal.APIRequest) rehearsal.APIFault {
				if r.Verb == "update" {
					return fault
				}
				return rehearsal.APIFault{}
			})
			start := time.Now()
			err := j.Save(f.ctx, record(1, 20))
			if err == nil || errors.Is(err, ErrSuperseded) || !strings.Contains(err.Error(), `save the record "penstock-podinfo"`) {
				t.Errorf("%s: %v", name, err)
			}
			if took := time.Since(start); took > requestTimeout {
				t.Errorf("%s: it took %s", name, took)
			}
		}
		f.api.Intercept(func(rehearsal.APIRequest) rehearsal.APIFault { return rehearsal.FaultInternal("etcd is away") })
		if _, err := j.Load(f.ctx); err == nil || !strings.Contains(err.Error(), "read the record") {
			t.Errorf("load: %v", err)
		}
		f.api.Intercept(nil)
		f.holds(record(1, 10))
	})
}
