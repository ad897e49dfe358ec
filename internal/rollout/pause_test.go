package rollout

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-dev/penstock/internal/canary"
)

// confirmed is steps with a gate before more traffic and one before the promotion.
func confirmed() Spec {
	spec := steps
	spec.Hooks = []canary.HookType{canary.HookConfirmTrafficIncrease, canary.HookConfirmPromotion, canary.HookRollback}
	spec.GateTimeout = time.Hour
	return spec
}

func pausedBy(who string) func(*Observation) { return func(o *Observation) { o.Paused = who } }

func pausedAt(after time.Duration) func(*Status) {
	return func(s *Status) { s.Paused = noon.Add(after) }
}

func TestAPause(t *testing.T) {
	t.Parallel()
	type want struct {
		phase  Phase
		step   int
		code   Code
		paused bool
		wake   time.Duration // after noon
	}
	hold, end := confirmed(), confirmed()
	end.GateHold = true
	for name, tt := range map[string]struct {
		spec Spec
		st   Status
		obs  Observation
		want want
	}{
		"is noted when somebody asks for it": {
			hold, progressing(1), seen(20, time.Second, pausedBy("paused by bob")), want{Progressing, 1, PauseAsked, true, time.Second},
		},
		"keeps the window that is open": {
			hold, progressing(1, pausedAt(0)), seen(20, time.Second, pausedBy("bob")), want{Progressing, 1, PauseAsked, true, 10 * time.Second},
		},
		"gives the same step another window after one that has passed": {
			hold, progressing(1, pausedAt(0)), seen(20, 10*time.Second, pausedBy("bob"), checked(Pass)), want{Progressing, 1, PauseAsked, true, 20 * time.Second},
		},
		"does not save a revision that fails": {
			hold, progressing(1, pausedAt(0), func(s *Status) { s.Failed = 1 }), seen(20, 10*time.Second, pausedBy("bob"), checked(Fail)), want{RollingBack, 1, CheckFailed, false, 10 * time.Second},
		},
		"keeps an open gate from letting the rollout go on": {
			hold, progressing(1, pausedAt(0), func(s *Status) { s.Gate, s.GateSince = canary.HookConfirmTrafficIncrease, noon }),
			seen(20, time.Second, pausedBy("bob"), func(o *Observation) {
				o.Gate = HookAnswer{Hook: canary.HookConfirmTrafficIncrease, For: noon, Verdict: Pass}
			}), want{Progressing, 1, PauseAsked, true, 10 * time.Second},
		},
		"holds what has no traffic yet": {
			hold, progressing(0, pausedAt(0)), seen(0, time.Second, pausedBy("bob")), want{Progressing, 0, PauseAsked, true, time.Hour},
		},
		"ends when somebody says so": {
			hold, progressing(1, pausedAt(0)), seen(20, time.Minute), want{Progressing, 1, PauseEnded, false, time.Minute},
		},
		"that lasts too long is rolled back": {
			hold, progressing(1, pausedAt(0)), seen(20, time.Hour, pausedBy("bob")), want{RollingBack, 1, PauseExpired, false, time.Hour},
		},
		"that lasts too long is left as it is where that was asked for": {
			end, progressing(1, pausedAt(0)), seen(20, time.Hour, pausedBy("bob")), want{Progressing, 1, PauseExpired, true, 0},
		},
		"does not stop a promotion": {
			hold, promoting(50), seen(50, time.Second, pausedBy("bob"), func(o *Observation) { o.Primary = of(down, "new") }),
			want{Promoting, 2, PrimaryNotReady, false, 70 * time.Second},
		},
		"has a deadline of its own": {
			hold, progressing(1, pausedAt(0)), seen(20, 30*time.Minute, pausedBy("bob"), checked(Pass)), want{Progressing, 1, PauseAsked, true, 30*time.Minute + 10*time.Second},
		},
		"gives a world that changes meanwhile all of its deadline": {
			hold, progressing(1, pausedAt(0)), seen(20, 30*time.Minute, pausedBy("bob"), func(o *Observation) { o.Route.Settled = false }),
			want{Progressing, 1, RouterNotSettled, false, 30 * time.Minute},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := Decide(&tt.spec, &tt.st, &tt.obs)
			got := want{d.Next.Phase, d.Next.Step, d.Reason.Code, !d.Next.Paused.IsZero(), 0}
			if !d.WakeAt.IsZero() {
				got.wake = d.WakeAt.Sub(noon)
			}
			if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(want{})); diff != "" {
				t.Errorf("%s\n%s", d.Reason, diff)
			}
		})
	}
}

func TestWhoeverIsAskedAtAGateMaySkipTheRest(t *testing.T) {
	t.Parallel()
	answer := func(hook canary.HookType) func(*Observation) {
		return func(o *Observation) { o.Gate = HookAnswer{Hook: hook, For: noon, Verdict: Pass, Skip: true} }
	}
	at := func(hook canary.HookType) func(*Status) { return func(s *Status) { s.Gate, s.GateSince = hook, noon } }
	group := confirmed()
	group.Group = true
	for name, tt := range map[string]struct {
		spec Spec
		st   Status
		obs  Observation
		code Code
		gate canary.HookType
		to   Phase
	}{
		"before more traffic": {
			confirmed(), progressing(1, at(canary.HookConfirmTrafficIncrease)), seen(20, time.Second, answer(canary.HookConfirmTrafficIncrease)),
			StepsSkipped, "", Promoting,
		},
		"before the promotion, where nothing is left to skip": {
			confirmed(), progressing(2, at(canary.HookConfirmPromotion)), seen(50, time.Second, answer(canary.HookConfirmPromotion)),
			StepsSkipped, "", Promoting,
		},
		"and the group is waited for all the same": {
			group, progressing(1, at(canary.HookConfirmTrafficIncrease)), seen(20, time.Second, answer(canary.HookConfirmTrafficIncrease)),
			GateOpened, GroupGate, Progressing,
		},
		"before anything begins": {
			confirmed(), Status{Phase: Waiting, Revision: "new", Promoted: "old", Gate: canary.HookConfirmRollout, GateSince: noon, Routed: true},
			seen(0, time.Second, answer(canary.HookConfirmRollout)), GateOpened, "", Progressing,
		},
		"but not before the canary is ready": {
			confirmed(), progressing(0, func(s *Status) { s.Skip = true }),
			seen(0, time.Second, func(o *Observation) { o.Target = of(down, "new") }), CanaryNotReady, "", Progressing,
		},
		"and then it is promoted": {
			confirmed(), progressing(0, func(s *Status) { s.Skip = true }), seen(0, time.Second), StepsSkipped, "", Promoting,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := Decide(&tt.spec, &tt.st, &tt.obs)
			if d.Reason.Code != tt.code || d.Next.Gate != tt.gate || d.Next.Phase != tt.to || !d.Next.Skip {
				t.Errorf("%s: %+v", d.Reason, d.Next)
			}
		})
	}
}
