package kube

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/manifest"
	"github.com/penstock-dev/penstock/internal/rehearsal"
)

var (
	podinfoGate  = canary.Gate{Namespace: "shop", Name: "podinfo"}
	podinfoBack  = canary.Gate{Namespace: "shop", Name: "podinfo", Rollback: true}
	lookalike    = canary.Gate{Namespace: "shop", Name: "rollback.podinfo"}
	elsewhere    = canary.Gate{Namespace: "prod", Name: "podinfo"}
	createsGates = "create configmaps"
)

// mustSet opens or closes a gate.
func (f *fixture) mustSet(s *GateStore, g canary.Gate, open bool) {
	f.t.Helper()
	if err := s.Set(f.ctx, g, open); err != nil {
		f.t.Fatal(err)
	}
}

// gates demands what is open.
func (f *fixture) gates(s *GateStore, want map[canary.Gate]bool) {
	f.t.Helper()
	for g, open := range want {
		if got, err := s.Get(f.ctx, g); err != nil || got != open {
			f.t.Errorf("the %s is open: %v, %v", g, got, err)
		}
	}
}

func TestGatesOfTwoReplicasAreTheSame(t *testing.T) {
	inCluster(t, func(f *fixture) {
		one, two := NewGateStore(f.client), NewGateStore(f.connect(f.config))
		f.gates(one, map[canary.Gate]bool{podinfoGate: false, podinfoBack: false})
		before := f.requests()
		f.mustSet(one, podinfoGate, false)
		if made := f.sent(before); made[createsGates] > 0 {
			t.Errorf("a gate that was closed already is written: %v", made)
		}
		f.mustSet(one, podinfoGate, true)
		f.gates(two, map[canary.Gate]bool{podinfoGate: true, podinfoBack: false, lookalike: false, elsewhere: false})
		f.mustSet(two, lookalike, true)
		f.gates(one, map[canary.Gate]bool{podinfoGate: true, podinfoBack: false, lookalike: true})
		f.mustSet(one, podinfoBack, true)
		f.mustSet(two, podinfoGate, false)
		f.gates(one, map[canary.Gate]bool{podinfoGate: false, podinfoBack: true, lookalike: true})
		data := f.get(configMapGVR, manifest.GatesName).Object["data"].(map[string]any)
		if len(data) != 2 || data["rollback.podinfo"] != "open" || data["gate.rollback.podinfo"] != "open" {
			t.Errorf("the ConfigMap holds %v", data)
		}
	})
}

func TestGatesThatAreOpenedAtOnceAreAllKept(t *testing.T) {
	inCluster(t, func(f *fixture) {
		replicas := []*GateStore{NewGateStore(f.client), NewGateStore(f.connect(f.config))}
		var writing sync.WaitGroup
		want := map[canary.Gate]bool{}
		for i := range 20 {
			g := canary.Gate{Namespace: "shop", Name: fmt.Sprint("c", i)}
			want[g] = true
			writing.Go(func() {
				if err := replicas[i%2].Set(f.ctx, g, true); err != nil {
					t.Error(err)
				}
			})
		}
		writing.Wait()
		f.gates(replicas[0], want)
	})
}

func TestAReplicaThatIsFasterLosesNothing(t *testing.T) {
	inCluster(t, func(f *fixture) {
		one, two := NewGateStore(f.client), NewGateStore(f.connect(f.config))
		f.mustSet(two, lookalike, true)
		raced := 0
		f.api.Intercept(func(r rehearsal.APIRequest) rehearsal.APIFault {
			if r.Verb == "update" && r.Resource.Resource == "configmaps" && raced == 0 {
				raced++ // the other has written after this one has read
				f.edit(configMapGVR, manifest.GatesName, func(o map[string]any) {
					o["data"] = map[string]any{"rollback.podinfo": "open"}
				})
			}
			return rehearsal.APIFault{}
		})
		f.mustSet(one, podinfoGate, true)
		if raced != 1 {
			t.Error("nobody was faster")
		}
		f.gates(one, map[canary.Gate]bool{podinfoGate: true, podinfoBack: true, lookalike: false})
	})
}

func TestOnlyTheWordOpenOpens(t *testing.T) {
	inCluster(t, func(f *fixture) {
		s := NewGateStore(f.client)
		f.mustSet(s, podinfoGate, true)
		for _, value := range []string{"", "closed", "true", "Open", "open "} {
			f.edit(configMapGVR, manifest.GatesName, func(o map[string]any) { o["data"] = map[string]any{"gate.podinfo": value} })
			f.gates(s, map[canary.Gate]bool{podinfoGate: false})
		}
		f.edit(configMapGVR, manifest.GatesName, func(o map[string]any) { delete(o, "data") })
		f.gates(s, map[canary.Gate]bool{podinfoGate: false})
		f.mustSet(s, podinfoGate, true)
		f.gates(s, map[canary.Gate]bool{podinfoGate: true})
	})
}

func TestGatesThatCannotBeReadAreNoAnswer(t *testing.T) {
	inCluster(t, func(f *fixture) {
		s := NewGateStore(f.client)
		f.mustSet(s, podinfoGate, true)
		if err := f.client.Require(f.ctx, manifest.Gates("shop")); err != nil {
			t.Error(err)
		}
		f.api.Deny(func(r rehearsal.APIRequest) bool {
			return r.Resource.Resource == "configmaps" && (r.Verb == "get" || r.Verb == "update")
		})
		open, err := s.Get(f.ctx, podinfoGate)
		if err == nil || open || !strings.Contains(err.Error(), `gate of shop/podinfo`) {
			t.Errorf("open is %v, %v", open, err)
		}
		if err := s.Set(f.ctx, podinfoGate, false); err == nil {
			t.Error("it was written without permission")
		}
		err = f.client.Require(f.ctx, manifest.Gates("shop"))
		if !errors.Is(err, ErrRefused) {
			t.Fatal(err)
		}
		for _, part := range []string{`get configmaps "penstock.gates" in namespace "shop"`, "update configmaps"} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%v lacks %q", err, part)
			}
		}
		if strings.Contains(err.Error(), createsGates) {
			t.Errorf("%v names what is allowed", err)
		}
	})
}

func TestAWriteOfAGateHasABound(t *testing.T) {
	inCluster(t, func(f *fixture) {
		s := NewGateStore(f.client)
		s.writing <- struct{}{} // one that hangs
		begin := time.Now()
		err := s.Set(f.ctx, podinfoGate, true)
		if err == nil || time.Since(begin) != requestTimeout || !strings.Contains(err.Error(), "wait for the write before it") {
			t.Errorf("%v after %s", err, time.Since(begin))
		}
	})
}
