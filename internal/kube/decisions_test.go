package kube

import (
	"errors"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/penstock-dev/penstock/internal/approval"
)

// vote adds one approval to a log.
func vote(comment int64, why string) func(approval.Log) approval.Log {
	at := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	source := approval.Source{Platform: approval.GitHub, Repository: 7, Change: 12}
	g := approval.Gate{Source: source, Rollout: "run", Number: 1, Started: at, OpenedAt: at, ExpiresAt: at.Add(time.Hour)}
	return func(l approval.Log) approval.Log {
		return approval.Reduce(l, g, approval.Defaults(), approval.Event{
			Source: source, ID: comment, Actor: approval.Actor{ID: 2, Login: "bob"}, CreatedAt: at.Add(time.Second), Observed: at.Add(time.Minute),
			BodyHash: approval.HashBody(why), Command: approval.Command{Verb: approval.Abort, Reason: why},
			Live: approval.Permission{Known: true, Role: approval.RoleWrite},
		})
	}
}

func nothing(l approval.Log) approval.Log { return l }

func TestDecisionsOfTwoWritersAreAllKept(t *testing.T) {
	inCluster(t, func(f *fixture) {
		one, two := NewDecisions(f.client, f.canary), NewDecisions(f.client, f.canary)
		if _, err := f.client.dynamic.Resource(configMapGVR).Namespace("shop").Get(f.ctx, "penstock-podinfo-decisions", metav1.GetOptions{}); err == nil {
			t.Fatal("there are decisions before the first")
		}
		calls := 0
		racing := func(l approval.Log) approval.Log {
			if calls++; calls == 1 { // the other is faster, after this one has read
				if _, err := two.Update(f.ctx, vote(1, "two")); err != nil {
					t.Error(err)
				}
			}
			return vote(2, "one")(l)
		}
		log, err := one.Update(f.ctx, racing)
		if err != nil || len(log.Decisions) != 2 || calls != 2 || approval.Verify(log) != nil {
			t.Fatalf("%d decisions after %d calls: %v %v", len(log.Decisions), calls, err, approval.Verify(log))
		}
		if log, err = two.Update(f.ctx, vote(2, "one")); err != nil || len(log.Decisions) != 2 {
			t.Errorf("the same again: %d decisions, %v", len(log.Decisions), err)
		}
		if owner := f.get(configMapGVR, "penstock-podinfo-decisions").GetOwnerReferences(); len(owner) != 1 || owner[0].UID != "7a1d" {
			t.Errorf("owners %v", owner)
		}
	})
}

func TestDecisionsMayOnlyBeAddedTo(t *testing.T) {
	inCluster(t, func(f *fixture) {
		d := NewDecisions(f.client, f.canary)
		if _, err := d.Update(f.ctx, vote(1, "a")); err != nil {
			t.Fatal(err)
		}
		other := func(approval.Log) approval.Log { return vote(2, "b")(approval.Log{}) }
		if _, err := d.Update(f.ctx, other); !errors.Is(err, ErrRefused) {
			t.Errorf("another history: %v", err)
		}
		if log, err := d.Update(f.ctx, nothing); err != nil || len(log.Decisions) != 1 || log.Decisions[0].Comment != 1 {
			t.Errorf("%+v %v", log, err)
		}
	})
}

func TestALongLogIsPutAsideBetweenRolloutsAndNeverDuringOne(t *testing.T) {
	inCluster(t, func(f *fixture) {
		long := NewDecisions(f.client, f.canary)
		why := strings.Repeat("x", decisionsLimit/2)
		for i := range 3 {
			if log, err := long.Update(f.ctx, vote(int64(i+1), why)); err != nil || len(log.Decisions) != i+1 {
				t.Fatalf("decision %d: %d, %v", i, len(log.Decisions), err)
			}
		}
		next := NewDecisions(f.client, f.canary)
		for range 2 {
			if log, err := next.Update(f.ctx, nothing); err != nil || len(log.Decisions) != 0 {
				t.Fatalf("a new log has %d decisions, %v", len(log.Decisions), err)
			}
		}
		if log, err := next.Update(f.ctx, vote(9, "new")); err != nil || len(log.Decisions) != 1 {
			t.Fatalf("%d decisions, %v", len(log.Decisions), err)
		}
		data := f.get(configMapGVR, "penstock-podinfo-decisions").Object["data"].(map[string]any)
		if len(data[earlierKey].(string)) < decisionsLimit || len(data[decisionsKey].(string)) > 2000 {
			t.Errorf("%d bytes put aside, %d kept", len(data[earlierKey].(string)), len(data[decisionsKey].(string)))
		}
	})
}

func TestAQuestionIsTakenUpByOneOfTwoAndLeavesTheDecisionsAlone(t *testing.T) {
	inCluster(t, func(f *fixture) {
		one, two := NewDecisions(f.client, f.canary), NewDecisions(f.client, f.canary)
		at, of := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC), approval.Source{Platform: approval.GitHub, Repository: 7, Change: 12}
		take := func(mine *bool) func(approval.Answers) approval.Answers {
			return func(a approval.Answers) approval.Answers {
				a, *mine = a.Take(approval.Help, of, 501, at)
				return a
			}
		}
		var first, second, calls = false, false, 0
		err := one.Answers(f.ctx, func(a approval.Answers) approval.Answers {
			if calls++; calls == 1 { // the other is faster, after this one has read
				if err := two.Answers(f.ctx, take(&second)); err != nil {
					t.Error(err)
				}
			}
			return take(&first)(a)
		})
		if err != nil || first || !second || calls != 2 {
			t.Fatalf("%v: the first takes it %v, the second %v, after %d calls", err, first, second, calls)
		}
		if _, err := one.Update(f.ctx, vote(1, "one")); err != nil {
			t.Fatal(err)
		}
		if err := two.Answers(f.ctx, func(a approval.Answers) approval.Answers { return a.Settle(approval.Help, of, 501) }); err != nil {
			t.Fatal(err)
		}
		if log, err := two.Update(f.ctx, nothing); err != nil || len(log.Decisions) != 1 || approval.Verify(log) != nil {
			t.Errorf("%+v %v", log, err)
		}
		if err := one.Answers(f.ctx, func(a approval.Answers) approval.Answers {
			if !a[approval.Help].Done || a[approval.Help].Question != 501 {
				t.Errorf("%+v", a)
			}
			return a
		}); err != nil {
			t.Error(err)
		}
	})
}
