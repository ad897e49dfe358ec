package rollout

import (
	"testing"
	"time"

	"github.com/penstock-dev/penstock/internal/canary"
)

// suspending is a spec whose closed gates suspend the rollout after a wait.
func suspending(wait time.Duration, change ...func(*Spec)) Spec {
	s := steps
	s.Hooks = []canary.HookType{canary.HookConfirmPromotion}
	s.GateTimeout, s.SuspendAtGate, s.SuspendAfter = time.Hour, true, wait
	for _, f := range change {
		f(&s)
	}
	return s
}

// waitingSince is a rollout after its last step, at a gate that has said no, with a new window since then.
func waitingSince(at time.Time, change ...func(*Status)) Status {
	st := progressing(2, func(st *Status) {
		st.Phase, st.Window, st.Gate, st.GateSince = WaitingPromotion, at, canary.HookConfirmPromotion, at
		st.Held, st.HeldSince = true, at
	})
	for _, f := range change {
		f(&st)
	}
	return st
}

func answers(v Verdict) func(*Observation) {
	return func(o *Observation) {
		o.Gate = HookAnswer{Hook: canary.HookConfirmPromotion, For: noon, Verdict: v, Message: "not yet"}
	}
}

func TestAClosedGateSuspends(t *testing.T) {
	t.Parallel()
	type want struct {
		outcome Outcome
		code    Code
		phase   Phase
		until   time.Time
	}
	asleep := want{Suspended, GateSuspended, WaitingPromotion, noon.Add(time.Hour)}
	hold := func(s *Spec) { s.GateHold = true }
	cases := map[string]struct {
		spec Spec
		st   Status
		obs  Observation
		want want
	}{
		"at once":        {suspending(0), waitingSince(noon), seen(50, 0, answers(Fail)), asleep},
		"after its wait": {suspending(5 * time.Second), waitingSince(noon), seen(50, 5*time.Second, answers(Fail)), asleep},
		"and not before": {
			suspending(5 * time.Second), waitingSince(noon), seen(50, 4*time.Second, answers(Fail)),
			want{Running, GateClosed, WaitingPromotion, noTime},
		},
		"only where that is asked for": {
			suspending(0, func(s *Spec) { s.SuspendAtGate = false }), waitingSince(noon), seen(50, time.Second, answers(Fail)),
			want{Running, GateClosed, WaitingPromotion, noTime},
		},
		"not before it has said anything": {
			suspending(0), waitingSince(noon, func(st *Status) { st.Held, st.HeldSince = false, noTime }), seen(50, time.Second),
			want{Running, GateClosed, WaitingPromotion, noTime},
		},
		"not when it opens in the last moment": {
			suspending(0), waitingSince(noon), seen(50, time.Second, answers(Pass)),
			want{Running, StepsTaken, Promoting, noTime},
		},
		"not before the checks of a window that is over": {
			suspending(0), waitingSince(noon), seen(50, 10*time.Second, answers(Fail), checked(Fail)),
			want{Running, CheckFailed, WaitingPromotion, noTime},
		},
		"not while the world is elsewhere": {
			suspending(0), waitingSince(noon), seen(20, time.Second, answers(Fail)),
			want{Running, RouterNotSettled, WaitingPromotion, noTime},
		},
		"without an end where a late gate is held": {
			suspending(0, hold), waitingSince(noon), seen(50, time.Second, answers(Fail)),
			want{Suspended, GateSuspended, WaitingPromotion, noTime},
		},
		"and a late gate that is held stands still, too": {
			suspending(2*time.Hour, hold), waitingSince(noon, func(st *Status) { st.Window = noon.Add(time.Hour) }),
			seen(50, time.Hour, answers(Fail)), want{Gated, GateExpired, WaitingPromotion, noTime},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := Decide(&c.spec, &c.st, &c.obs)
			if got := (want{d.Outcome, d.Reason.Code, d.Next.Phase, d.Next.Until}); got != c.want {
				t.Errorf("%+v (%s), want %+v", got, d.Reason, c.want)
			}
			if stands := d.Outcome != Running; stands == d.Next.Suspended.IsZero() {
				t.Errorf("suspended since %s with the outcome %d", d.Next.Suspended, d.Outcome)
			}
		})
	}
}

func TestTheGateOfAGroupNeverSuspends(t *testing.T) {
	t.Parallel()
	spec := suspending(0, func(s *Spec) { s.Group, s.Hooks = true, nil })
	st := waitingSince(noon, func(st *Status) { st.Gate = GroupGate })
	obs := seen(50, time.Second, func(o *Observation) { o.Gate = HookAnswer{Hook: GroupGate, For: noon, Verdict: Fail} })
	if d := Decide(&spec, &st, &obs); d.Outcome != Running {
		t.Errorf("it ended with %d: %s", d.Outcome, d.Reason)
	}
}

// asleep is a rollout that was suspended a second after it had come to its gate.
func asleep(t *testing.T, change ...func(*Spec)) (Spec, Status) {
	t.Helper()
	spec, st, obs := suspending(0, change...), waitingSince(noon), seen(50, time.Second, answers(Fail))
	d := Decide(&spec, &st, &obs)
	if d.Outcome != Suspended || d.Want.Touch {
		t.Fatalf("%d, %+v", d.Outcome, d.Want)
	}
	return spec, d.Next
}

func TestTheNextRunTakesASuspendedRolloutUpAtItsGate(t *testing.T) {
	t.Parallel()
	spec, saved := asleep(t)
	later := 30 * time.Minute
	st := Begin(saved, noon.Add(later))
	if !st.Suspended.IsZero() || !st.Until.IsZero() || st.Step != 2 || st.Weight != 50 || !st.GateSince.Equal(noon) {
		t.Fatalf("%+v", st)
	}
	// Nobody watched meanwhile: a window has to pass first, and then the gate goes on with the time that is left of it.
	turns := []struct {
		obs  Observation
		code Code
	}{
		{seen(50, later), WindowOpen},
		{seen(50, later+10*time.Second, checkedAt(noon.Add(later), Pass)), GateClosed},
		{seen(50, later+11*time.Second, answers(Pass)), StepsTaken},
	}
	for i, turn := range turns {
		d := Decide(&spec, &st, &turn.obs)
		if d.Outcome != Running || d.Reason.Code != turn.code {
			t.Fatalf("turn %d: %d, %s", i, d.Outcome, d.Reason)
		}
		if st = d.Next; st.Gate != "" && !st.GateSince.Equal(noon) {
			t.Errorf("turn %d: the gate waits since %s", i, st.GateSince)
		}
	}
	if st.Phase != Promoting {
		t.Errorf("it ended as %s", st.Phase)
	}
}

func checkedAt(window time.Time, v Verdict) func(*Observation) {
	return func(o *Observation) { checked(v)(o); o.Window = window }
}

func TestALapsedRolloutIsEndedByWhoeverLooks(t *testing.T) {
	t.Parallel()
	spec, saved := asleep(t)
	for name, stop := range map[string]Stop{"a run": StopNone, "a watchdog": StopCancel} {
		st := Begin(saved, noon.Add(time.Hour))
		obs := seen(50, time.Hour, func(o *Observation) { o.Stop = stop })
		d := Decide(&spec, &st, &obs)
		if d.Next.Phase != RollingBack || d.Next.Weight != 0 || d.Reason.Code != GateExpired || d.Next.Cancel || !d.Next.Suspended.IsZero() {
			t.Errorf("%s: %+v", name, d.Next)
		}
		st, obs = d.Next, seen(0, time.Hour, func(o *Observation) { o.Stop = stop })
		if d = Decide(&spec, &st, &obs); d.Next.Phase != Failed || d.Outcome != RolledBack || d.Reason.Code != GateExpired {
			t.Errorf("%s: it ends as %s: %s", name, d.Next.Phase, d.Reason)
		}
	}
	st := Begin(saved, noon.Add(time.Hour))
	obs := seen(50, time.Hour, func(o *Observation) { o.Target = of(up, "newer") })
	if d := Decide(&spec, &st, &obs); d.Reason.Code != NewRevision || !d.Next.Suspended.IsZero() || d.Next.Weight != 0 {
		t.Errorf("a new revision: %+v", d.Next)
	}
}

func TestARolloutThatWasHeldHasAllOfItsTimeAgain(t *testing.T) {
	t.Parallel()
	_, saved := asleep(t, func(s *Spec) { s.GateHold = true })
	year := noon.AddDate(1, 0, 0)
	if saved.Lapsed(year) {
		t.Error("it has lapsed")
	}
	if st := Begin(saved, year); !st.GateSince.IsZero() || !st.Suspended.IsZero() {
		t.Errorf("%+v", st)
	}
}

// With spec.suspend nothing is touched, and the mark of a rollout that stands still stays: its time goes on.
func TestASuspendedCanaryDoesNotWakeItsRollout(t *testing.T) {
	t.Parallel()
	spec := suspending(0, func(s *Spec) { s.Suspend = true })
	was := waitingSince(noon, func(st *Status) { st.Suspended, st.Until = noon, noon.Add(time.Hour) })
	st := BeginUnder(&spec, was, noon.Add(time.Minute))
	if st != was || Ask(&spec, &st) != (Asks{}) {
		t.Errorf("it was taken up: %+v, and asks for %+v", st, Ask(&spec, &st))
	}
	obs := seen(50, time.Minute, answers(Pass))
	if d := Decide(&spec, &st, &obs); d.Outcome != Suspended || d.Reason.Code != SpecSuspend || d.Next.Suspended != noon || d.Next.Until != was.Until {
		t.Errorf("%+v", d)
	}
	obs = seen(50, 2*time.Hour)
	if d := Decide(&spec, &st, &obs); d.Next.Phase != RollingBack || d.Reason.Code != GateExpired {
		t.Errorf("its time is over: %+v", d)
	}
	spec.Suspend = false
	if st := BeginUnder(&spec, was, noon.Add(time.Minute)); !st.Suspended.IsZero() {
		t.Errorf("it was not taken up: %+v", st)
	}
}
