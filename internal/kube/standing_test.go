package kube

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/utils/clock"

	"github.com/penstock-dev/penstock/internal/rehearsal"
	"github.com/penstock-dev/penstock/internal/report"
)

func TestStandingSaysWhatIsKept(t *testing.T) {
	inCluster(t, func(f *fixture) {
		f.save(NewJournal(f.client, f.canary), record(1, 10))
		if _, err := NewDecisions(f.client, f.canary).Update(f.ctx, vote(1, "no")); err != nil {
			t.Fatal(err)
		}
		f.create("{apiVersion: v1, kind: ConfigMap, metadata: {name: penstock-bad, namespace: shop, labels: {app.kubernetes.io/managed-by: penstock}}, data: {record.json: '{'}}")
		f.create("{apiVersion: v1, kind: ConfigMap, metadata: {name: penstock-other, namespace: shop, labels: {app.kubernetes.io/managed-by: penstock}}, data: {a: b}}")
		for _, of := range []Whose{{Namespace: "shop"}, {}, {Namespace: "shop", Canary: "podinfo"}} {
			all, err := f.client.Standings(f.ctx, of, time.Now())
			if err != nil {
				t.Fatal(err)
			}
			if of.Canary == "" {
				if len(all) != 2 || all[0].Canary != "bad" || all[0].Problem == "" {
					t.Fatalf("%+v: %+v; want the damaged record first, and no ConfigMap without one", of, all)
				}
				all = all[1:]
			}
			if len(all) != 1 || all[0].Record.Status.Weight != 10 || len(all[0].Decisions.Decisions) != 1 || all[0].Run != report.Unattended {
				t.Errorf("%+v: %+v", of, all)
			}
		}
		if all, err := f.client.Standings(f.ctx, Whose{Namespace: "elsewhere"}, time.Now()); err != nil || len(all) != 0 {
			t.Errorf("of another namespace: %+v %v", all, err)
		}
	})
}

// A run that is killed renews its lease no more, which makes no event.
func TestWatchedStandingTellsThatARunIsGone(t *testing.T) {
	inCluster(t, func(f *fixture) {
		f.save(NewJournal(f.client, f.canary), record(1, 10))
		killed, kill := context.WithCancel(f.ctx)
		defer kill()
		l, err := Acquire(killed, f.client, f.canary, Claim{ID: "r-1", Limit: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		ended := errors.New("seen enough")
		var seen []report.Attendance
		start := time.Now()
		err = f.client.WatchStandings(f.ctx, StandingWatch{Whose: Whose{Namespace: "shop", Canary: "podinfo"}, Clock: clock.RealClock{}, See: func(all []report.Standing) error {
			if len(all) != 1 {
				return nil
			}
			if n := len(seen); n == 0 || seen[n-1] != all[0].Run {
				seen = append(seen, all[0].Run)
			}
			if len(seen) == 1 {
				f.api.Deny(func(r rehearsal.APIRequest) bool { return r.Resource.Resource == "leases" && r.Verb == "update" })
			}
			if len(seen) == 2 {
				return ended
			}
			return nil
		}})
		if !errors.Is(err, ended) || seen[0] != report.Attended || seen[1] != report.Unattended {
			t.Errorf("seen %v, %v", seen, err)
		}
		if took := time.Since(start); took > 2*leaseDuration {
			t.Errorf("it took %s to tell", took)
		}
		f.api.Deny(nil)
		l.Release()
	})
}

func TestWatchOfStandingsEndsWhenItIsRefused(t *testing.T) {
	inCluster(t, func(f *fixture) {
		f.api.Deny(func(r rehearsal.APIRequest) bool { return r.Resource.Resource == "configmaps" })
		err := f.client.WatchStandings(f.ctx, StandingWatch{Whose: Whose{Namespace: "shop"}, Clock: clock.RealClock{}, See: func([]report.Standing) error { return nil }})
		if !errors.Is(err, ErrRefused) {
			t.Errorf("%v, want a refusal", err)
		}
		f.api.Deny(func(r rehearsal.APIRequest) bool { return r.Resource.Resource == "leases" })
		f.save(NewJournal(f.client, f.canary), record(1, 10))
		enough := errors.New("enough")
		err = f.client.WatchStandings(f.ctx, StandingWatch{Whose: Whose{Namespace: "shop"}, Clock: clock.RealClock{}, See: func(all []report.Standing) error {
			if len(all) == 1 && all[0].Run == report.AttendanceUnknown {
				return enough
			}
			return nil
		}})
		if !errors.Is(err, enough) {
			t.Errorf("%v, want the record without its lease", err)
		}
	})
}

func TestWatchedStandingsTellThatTheClusterDoesNotAnswer(t *testing.T) {
	inCluster(t, func(f *fixture) {
		f.save(NewJournal(f.client, f.canary), record(1, 10))
		ctx, end := context.WithTimeout(f.ctx, time.Hour)
		defer end()
		var heard []error
		var asked atomic.Int32
		f.api.Intercept(func(rehearsal.APIRequest) rehearsal.APIFault {
			if asked.Add(1) <= 2 {
				return rehearsal.FaultInternal("etcd is away")
			}
			return rehearsal.APIFault{}
		})
		f.api.Deny(func(r rehearsal.APIRequest) bool { return r.Resource.Resource == "leases" }) // which is an answer
		enough := errors.New("enough")
		err := f.client.WatchStandings(ctx, StandingWatch{
			Whose: Whose{Namespace: "shop"}, Clock: clock.RealClock{},
			See: func(all []report.Standing) error {
				if len(all) == 1 {
					return enough
				}
				return nil
			},
			Answered: func(err error) { heard = append(heard, err) },
		})
		if !errors.Is(err, enough) {
			t.Fatal(err)
		}
		if len(heard) < 3 || heard[0] == nil || !strings.Contains(heard[0].Error(), "etcd is away") || heard[len(heard)-1] != nil {
			t.Errorf("told %v, want the trouble first and its end last", heard)
		}
	})
}
