package fleet

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/utils/clock"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/rollout"
	"github.com/penstock-dev/penstock/internal/runner"
)

// shop is a small cluster with one canary, whose pods and routes follow at once. It is the Cluster, Journal, Analyst and
// Fence of a run.
type shop struct {
	name     string
	verdicts []rollout.Verdict // of the checks, one after the other; the last for ever
	takes    time.Duration     // of one check

	mu       sync.Mutex
	target   string
	primary  string
	replicas int
	route    rollout.Route
	record   rollout.Record
	promoted time.Time // when the primary got the new revision
	changed  chan struct{}
}

func newShop(name string, verdicts ...rollout.Verdict) *shop {
	route := rollout.Route{Managed: true}
	st := rollout.Status{Phase: rollout.Succeeded, Revision: "v1", Promoted: "v1", Routed: true}
	return &shop{
		name: name, verdicts: verdicts, target: "v1", primary: "v1", route: route,
		record: rollout.Record{Status: st}, changed: make(chan struct{}, 1),
	}
}

func (s *shop) Observe(now time.Time) (rollout.Observation, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	up := func(revision string, n int) rollout.Workload {
		return rollout.Workload{Exists: true, Revision: revision, Replicas: n, Ready: n > 0, Serving: n > 0}
	}
	return rollout.Observation{
		Now: now, Target: up(s.target, s.replicas), Primary: up(s.primary, 1),
		Route: rollout.RouteReport{Route: s.route, Known: true, Settled: true},
	}, nil
}

func (s *shop) Apply(_ context.Context, want rollout.World) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	before, beforeN, beforePrimary := s.route, s.replicas, s.primary
	if want.Route.Managed {
		s.route = want.Route
	}
	switch want.Canary {
	case rollout.ScaleUp:
		s.replicas = 1
	case rollout.ScaleZero:
		s.replicas = 0
	case rollout.ScaleLeave:
	}
	if want.Primary == s.target && s.primary != s.target {
		s.primary, s.promoted = s.target, time.Now()
	}
	if before != s.route || beforeN != s.replicas || beforePrimary != s.primary {
		select {
		case s.changed <- struct{}{}:
		default:
		}
	}
	return nil
}

func (s *shop) SetImage(_ context.Context, images map[string]string) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	changed := images["app"] != "" && images["app"] != s.target
	if changed {
		s.target = images["app"]
	}
	return changed, nil
}

func (s *shop) Changed() <-chan struct{} { return s.changed }

func (s *shop) Load(context.Context) (rollout.Record, error) { return s.record, nil }

func (s *shop) Save(_ context.Context, r rollout.Record) error { s.record = r; return nil }

func (s *shop) Check(ctx context.Context, _ time.Time) []rollout.CheckResult {
	select {
	case <-time.After(s.takes):
	case <-ctx.Done():
	}
	v := s.verdicts[0]
	if len(s.verdicts) > 1 {
		s.verdicts = s.verdicts[1:]
	}
	return []rollout.CheckResult{{Name: "success", Verdict: v, Message: "success: " + v.String()}}
}

func (s *shop) Probe(context.Context, time.Time) []rollout.CheckResult {
	return []rollout.CheckResult{{Name: "success", Verdict: rollout.Pass}}
}

func (s *shop) Fence() (int64, bool)  { return 1, true }
func (s *shop) Lost() <-chan struct{} { return nil }
func (s *shop) Taken() bool           { return false }

func (s *shop) run(image string) *runner.Run {
	spec := rollout.Spec{
		Name: s.name, Target: s.name, Primary: s.name + "-primary", Steps: []rollout.Step{{Weight: 20}, {Weight: 40}},
		Interval: 10 * time.Second, Threshold: 2, Deadline: time.Minute, Checks: []string{"success"}, Group: true,
	}
	return &runner.Run{
		Spec: spec, Images: map[string]string{"app": image}, Cluster: s, Journal: s, Analyst: s, Fence: s, Clock: clock.RealClock{},
		StopWithin: time.Second, GiveUp: time.Minute,
	}
}

// rollOut runs a group to its end.
func rollOut(t *testing.T, shops []*shop, change func(i int, r *runner.Run)) []rollout.Outcome {
	t.Helper()
	var names []string
	for _, s := range shops {
		names = append(names, s.name)
	}
	g := NewGroup(names)
	outcomes := make([]rollout.Outcome, len(shops))
	var all sync.WaitGroup
	for i, s := range shops {
		run := s.run("v2")
		change(i, run)
		all.Go(func() {
			leave := g.Member(i).Join(t.Context(), run)
			defer leave()
			result, err := run.Do(t.Context())
			if err != nil {
				t.Errorf("%s: %v", s.name, err)
			}
			outcomes[i] = result.Outcome
			g.Member(i).Ended(result.Outcome)
		})
	}
	all.Wait()
	return outcomes
}

func wantOutcomes(t *testing.T, got []rollout.Outcome, want ...rollout.Outcome) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("outcomes are %v, want %v", got, want)
	}
}

func asIs(int, *runner.Run) {}

func TestAGroupIsPromotedWhenItsLastMemberHasPassed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const pass, fail = rollout.Pass, rollout.Fail
		shops := []*shop{newShop("a", pass), newShop("b", fail, pass), newShop("c", pass)}
		shops[2].target, shops[2].replicas = "v2", 0 // nothing to do there
		shops[2].primary, shops[2].record.Status.Promoted, shops[2].record.Status.Revision = "v2", "v2", "v2"
		begin := time.Now()
		got := rollOut(t, shops, asIs)
		wantOutcomes(t, got, rollout.Promoted, rollout.Promoted, rollout.Unchanged)
		for _, s := range shops[:2] {
			if took := s.promoted.Sub(begin); took < 30*time.Second || took > 31*time.Second {
				t.Errorf("%s was promoted after %s, the last window of b ends after 30s", s.name, took)
			}
		}
	})
}

func TestNoMemberIsPromotedWhenOneIsRejected(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		shops := []*shop{newShop("a", rollout.Pass), newShop("b", rollout.Pass, rollout.Fail, rollout.Fail), newShop("c", rollout.Pass)}
		begin := time.Now()
		got := rollOut(t, shops, asIs)
		wantOutcomes(t, got, rollout.RolledBack, rollout.RolledBack, rollout.RolledBack)
		if took := time.Since(begin); took > 31*time.Second {
			t.Errorf("rolled back after %s; the second failure of b is after 30s", took)
		}
		for _, s := range shops {
			if s.primary != "v1" || s.route.Canary != 0 || s.replicas != 0 {
				t.Errorf("%s: the primary runs %s, the canary gets %d %% and has %d pods", s.name, s.primary, s.route.Canary, s.replicas)
			}
		}
		if why := shops[0].record.Status.Reason.String(); why != "asked to stop: b was rolled back, and the group is promoted together or not at all" {
			t.Errorf("a says %q", why)
		}
	})
}

// A member that is judged again while it waits may fail in the very moment in which the last one arrives.
func TestTheGateStaysShutWhileAMemberIsJudged(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, b := newShop("a", rollout.Pass, rollout.Pass, rollout.Fail), newShop("b", rollout.Pass)
		b.takes = 5 * time.Second        // it arrives after 30 s
		a.takes = 700 * time.Millisecond // its third window ends after 31.4 s at the latest
		got := rollOut(t, []*shop{a, b}, func(i int, r *runner.Run) {
			if i == 0 {
				r.Spec.Threshold = 1
			}
		})
		if got[0] != got[1] {
			t.Errorf("outcomes are %v: all or nothing", got)
		}
	})
}

// Whatever the times and the verdicts: all are promoted or none is.
func TestAllOrNothing(t *testing.T) {
	t.Parallel()
	for seed := range 60 {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var shops []*shop
				x := uint32(seed*2654435761 + 12345)
				next := func(n uint32) int { x = x*1664525 + 1013904223; return int((x >> 16) % n) }
				for i := range 2 + next(4) {
					var verdicts []rollout.Verdict
					for range 2 + next(4) {
						verdicts = append(verdicts, rollout.Pass)
						if next(4) == 0 {
							verdicts = append(verdicts, rollout.Fail)
						}
					}
					s := newShop(string(rune('a'+i)), append(verdicts, rollout.Pass)...)
					s.takes = time.Duration(next(8)) * 500 * time.Millisecond
					shops = append(shops, s)
				}
				got := rollOut(t, shops, func(_ int, r *runner.Run) {
					r.Spec.Interval = time.Duration(8+next(5)) * time.Second
					r.Spec.Threshold = 1 + next(2)
				})
				for _, o := range got {
					if o != got[0] {
						t.Errorf("outcomes are %v", got)
						break
					}
				}
			})
		})
	}
}

func TestAMemberThatWaitsRollsBackWhenTheRunIsCancelled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		stop := make(chan struct{})
		a, b := newShop("a", rollout.Pass), newShop("b", rollout.Pass, rollout.Fail, rollout.Pass)
		time.AfterFunc(25*time.Second, func() { close(stop) })
		got := rollOut(t, []*shop{a, b}, func(_ int, r *runner.Run) { r.Stop = stop })
		wantOutcomes(t, got, rollout.Cancelled, rollout.Cancelled)
	})
}

// hooks answers webhooks of one type.
type hooks struct{ asked []canary.HookType }

func (h *hooks) Call(_ context.Context, hook canary.HookType, _ *rollout.Status) rollout.HookAnswer {
	h.asked = append(h.asked, hook)
	return rollout.HookAnswer{Hook: hook, Verdict: rollout.Fail}
}

func TestTheCanarysOwnWebhooksAndWakeUpsAreKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		own, wake := &hooks{}, make(chan struct{}, 1)
		run := &runner.Run{Hooks: own, Nudge: wake}
		m := group(2).Member(0)
		leave := m.Join(t.Context(), run)
		if a := run.Hooks.Call(t.Context(), canary.HookConfirmPromotion, nil); a.Verdict != rollout.Fail || len(own.asked) != 1 {
			t.Errorf("the webhook answered %v, asked %v", a, own.asked)
		}
		run.Hooks.Call(t.Context(), rollout.GroupGate, nil)
		if len(own.asked) != 1 {
			t.Errorf("the group's gate was asked of the webhooks")
		}
		wake <- struct{}{}
		<-run.Nudge
		leave()
	})
	if a := (groupHooks{member: group(1).Member(0)}).Call(t.Context(), canary.HookRollout, nil); a.Verdict == rollout.Pass {
		t.Error("a webhook that is not there has passed")
	}
}

// A record that was not written is no decision.
func TestADecisionThatWasNotSavedDoesNotCount(t *testing.T) {
	t.Parallel()
	g := group(1)
	journal := groupJournal{failing{}, g.Member(0)}
	if err := journal.Save(t.Context(), rollout.Record{Status: arrives}); err == nil || g.Member(0).atGate {
		t.Errorf("error %v, at the gate %v", err, g.Member(0).atGate)
	}
}

type failing struct{ runner.Journal }

func (failing) Save(context.Context, rollout.Record) error { return errors.New("conflict") }
