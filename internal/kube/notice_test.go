package kube

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/penstock-dev/penstock/internal/approval"
)

// waitingAt is the notice of a rollout that waits at a gate.
func waitingAt(number int) approval.Notice {
	at := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	policy := approval.Defaults()
	policy.Groups = []approval.Group{{Name: "sre", Teams: []string{"shop/sre"}, MinRole: approval.RoleMaintain, Count: 2}}
	return approval.Notice{Path: "shop/podinfo", Policy: policy, Gate: approval.Gate{
		Source: approval.Source{Platform: approval.GitHub, Repository: 7, Change: 12}, Name: "confirm-promotion", Rollout: "run", Number: number,
		Nonce: "abcdefgh", SHA: "abc", PolicyHash: policy.Hash(), Started: at, OpenedAt: at.Add(time.Second), ExpiresAt: at.Add(time.Hour),
		People: approval.People{Author: 1, Actors: []int64{1, 2}, LastPusher: 1},
	}}
}

func held(epoch int64) func() (int64, bool) { return func() (int64, bool) { return epoch, true } }

// watching runs what keeps something up to date, and returns when it has.
func (f *fixture) watching(run func(context.Context)) (stop func()) {
	ctx, cancel := context.WithCancel(f.ctx)
	ended := make(chan struct{})
	go func() { defer close(ended); run(ctx) }()
	synctest.Wait()
	return func() { cancel(); <-ended }
}

func TestANoticeIsSeenByWhoeverWatches(t *testing.T) {
	inCluster(t, func(f *fixture) {
		notices := NewNotices(f.client, []string{"shop"}, func(err error) { t.Error(err) })
		defer f.watching(notices.Run)()
		<-notices.Synced()
		if all := notices.All(); len(all) != 0 {
			t.Fatalf("%d notices before the first", len(all))
		}
		board := NewBoard(f.client, f.canary, held(3))
		for number := range 2 {
			want := waitingAt(number + 1)
			if err := board.Post(f.ctx, want); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			want.Namespace, want.Canary, want.Epoch = "shop", "podinfo", 3
			if diff := cmp.Diff([]approval.Notice{want}, notices.For(want.Gate.Source)); diff != "" {
				t.Error(diff)
			}
		}
		if others := notices.For(approval.Source{Platform: approval.GitHub, Repository: 7, Change: 13}); len(others) != 0 {
			t.Errorf("another change has %d notices", len(others))
		}
		d := notices.Decisions(notices.All()[0])
		if _, err := d.Update(f.ctx, vote(1, "one")); err != nil {
			t.Fatal(err)
		}
		if owner := f.get(configMapGVR, "penstock-podinfo-decisions").GetOwnerReferences(); len(owner) != 1 || owner[0].UID != "7a1d" {
			t.Errorf("the decisions have the owners %v", owner)
		}
		maps := f.client.dynamic.Resource(configMapGVR).Namespace("shop")
		if err := maps.Delete(f.ctx, "penstock-podinfo-gate", metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if all := notices.All(); len(all) != 0 {
			t.Errorf("%d notices after it was deleted", len(all))
		}
	})
}

func TestANoticeOfALaterRunStays(t *testing.T) {
	inCluster(t, func(f *fixture) {
		older, newer := NewBoard(f.client, f.canary, held(3)), NewBoard(f.client, f.canary, held(4))
		if err := older.Post(f.ctx, waitingAt(1)); err != nil {
			t.Fatal(err)
		}
		if err := newer.Post(f.ctx, waitingAt(1)); err != nil {
			t.Fatalf("a later run: %v", err)
		}
		if err := older.Post(f.ctx, waitingAt(2)); !errors.Is(err, ErrSuperseded) {
			t.Errorf("an older run writes over it: %v", err)
		}
		lost := NewBoard(f.client, f.canary, func() (int64, bool) { return 9, false })
		if err := lost.Post(f.ctx, waitingAt(1)); !errors.Is(err, ErrSuperseded) {
			t.Errorf("a run without its lease writes it: %v", err)
		}
	})
}

func TestANoticeThatSpeaksForAnotherCanaryIsNone(t *testing.T) {
	inCluster(t, func(f *fixture) {
		var said []string
		notices := NewNotices(f.client, []string{""}, func(err error) { said = append(said, err.Error()) })
		defer f.watching(notices.Run)()
		n := waitingAt(1)
		for name, change := range map[string]func(*approval.Notice){
			"penstock-other-gate": func(n *approval.Notice) { n.Namespace, n.Canary = "shop", "podinfo" },
			"penstock-third-gate": func(n *approval.Notice) { n.Namespace, n.Canary = "bank", "third" },
			"penstock-loose-gate": func(n *approval.Notice) { n.Namespace, n.Canary, n.Policy.Groups = "shop", "loose", nil },
			"penstock-blank-gate": func(n *approval.Notice) { n.Namespace, n.Canary, n.Gate.Change = "shop", "blank", 0 },
		} {
			other := n
			change(&other)
			text, err := approval.RenderNotice(other)
			if err != nil {
				t.Fatal(err)
			}
			object := f.canary.RefOf(configMapGVR, "ConfigMap", name).New()
			object.SetLabels(map[string]string{noticeLabel: "true"})
			object.Object["data"] = map[string]any{noticeKey: text}
			if _, err := f.client.dynamic.Resource(configMapGVR).Namespace("shop").Create(f.ctx, object, metav1.CreateOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if all := notices.All(); len(all) != 0 || len(said) != 4 {
			t.Errorf("%d notices; said %q", len(all), said)
		}
		if text := strings.Join(said, "\n"); !strings.Contains(text, "speaks for the canary bank/third") || !strings.Contains(text, "its policy is another one") {
			t.Error(text)
		}
	})
}

func TestAWaitingRunHearsOfADecision(t *testing.T) {
	inCluster(t, func(f *fixture) {
		decided := NewDecided(f.client, f.canary)
		if _, known, _ := decided.Log(); known {
			t.Error("a log is known that nobody has read")
		}
		defer f.watching(decided.Run)()
		if log, known, err := decided.Log(); !known || err != nil || len(log.Decisions) != 0 {
			t.Fatalf("without decisions: %v %v %v", log, known, err)
		}
		<-decided.Changed()
		want, err := NewDecisions(f.client, f.canary).Update(f.ctx, vote(1, "one"))
		if err != nil {
			t.Fatal(err)
		}
		<-decided.Changed()
		got, _, err := decided.Log()
		if err != nil || got.Head != want.Head || approval.Verify(got) != nil {
			t.Errorf("heard %v %v, and %v was written", got.Head, err, want.Head)
		}
		damaged := f.get(configMapGVR, "penstock-podinfo-decisions")
		if err := unstructured.SetNestedField(damaged.Object, "{", "data", decisionsKey); err != nil {
			t.Fatal(err)
		}
		if _, err := f.client.dynamic.Resource(configMapGVR).Namespace("shop").Update(f.ctx, damaged, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
		<-decided.Changed()
		if _, _, err := decided.Log(); err == nil || !strings.Contains(err.Error(), "damaged") {
			t.Errorf("damaged decisions: %v", err)
		}
	})
}

func TestTheNoticeOfAGateOfFlaggersIsWrittenByWhoeverIsFirst(t *testing.T) {
	inCluster(t, func(f *fixture) {
		notices := NewNotices(f.client, []string{"shop"}, func(err error) { t.Error(err) })
		defer f.watching(notices.Run)()
		n := waitingAt(1)
		n.Namespace, n.Canary, n.Flagger = "shop", "podinfo", true
		calls := 0
		got, err := notices.Keep(f.ctx, n, func(old *approval.Notice) approval.Notice {
			if calls++; calls == 1 { // another replica is faster, after this one has read
				faster := waitingAt(7)
				faster.Namespace, faster.Canary, faster.Flagger = "shop", "podinfo", true
				if _, err := notices.Keep(f.ctx, faster, func(*approval.Notice) approval.Notice { return faster }); err != nil {
					t.Error(err)
				}
			}
			if old != nil {
				return *old
			}
			return n
		})
		if err != nil || got.Gate.Number != 7 || calls != 2 {
			t.Fatalf("gate %d after %d calls: %v", got.Gate.Number, calls, err)
		}
		if err := NewBoard(f.client, f.canary, held(3)).Post(f.ctx, waitingAt(1)); err != nil { // of a run, beside it
			t.Fatal(err)
		}
		synctest.Wait()
		if all := notices.For(n.Gate.Source); len(all) != 2 {
			t.Errorf("%d notices are seen", len(all))
		}
		if o := f.get(configMapGVR, "penstock-podinfo-flagger-confirm-promotion"); o.GetLabels()[noticeLabel] != "true" {
			t.Errorf("labels %v", o.GetLabels())
		}
	})
}
