package rollout

import (
	"testing"
	"time"

	"github.com/penstock-dev/penstock/internal/canary"
)

func TestACheckWithoutDataFollowsItsPolicy(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		policy        Policy
		probe, window Code // what is decided before there is traffic, and at the end of a window
		failed        int
	}{
		"it fails": {NoDataFails, ProbeFailed, CheckFailed, 1}, "it holds": {NoDataHolds, NoDataYet, NoDataYet, 0},
		"it passes": {NoDataPasses, Probed, StepTaken, 0},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spec := steps
			spec.OnNoData, spec.GateTimeout = c.policy, time.Hour
			st := progressing(0, func(s *Status) { s.Probed = false })
			o := seen(0, 0, checked(NoData), func(o *Observation) { o.Probe = true })
			if d := Decide(&spec, &st, &o); d.Reason.Code != c.probe || d.Next.Failed != c.failed || d.Next.Weight != 0 {
				t.Errorf("before there is traffic: %s, %d failed", d.Reason, d.Next.Failed)
			}
			st, o = progressing(1), seen(20, 10*time.Second, checked(NoData))
			if d := Decide(&spec, &st, &o); d.Reason.Code != c.window || d.Next.Failed != c.failed {
				t.Errorf("at the end of the window: %s, %d failed", d.Reason, d.Next.Failed)
			}
			spec.OnNoData, spec.Inconclusive = NoDataFails, map[string]Policy{"success-rate": c.policy}
			if d := Decide(&spec, &st, &o); d.Reason.Code != c.window {
				t.Errorf("by a policy of the check's own: %s", d.Reason)
			}
		})
	}
}

func TestMissingDataIsWaitedForAsLongAsAGate(t *testing.T) {
	t.Parallel()
	spec := steps
	spec.OnNoData, spec.GateTimeout = NoDataHolds, time.Minute
	for after, want := range map[time.Duration]Phase{59 * time.Second: Progressing, time.Minute: RollingBack} {
		st := progressing(1)
		o := seen(20, after, checked(NoData))
		d := Decide(&spec, &st, &o)
		if d.Next.Phase != want || d.Reason.Code != NoDataYet || d.Next.Failed != 0 {
			t.Errorf("after %s: %s, %s", after, d.Next.Phase, d.Reason)
		}
		if want == Progressing && (!d.Next.Moved.Equal(st.Moved) || !d.Next.Window.Equal(o.Now)) {
			t.Errorf("after %s the wait has no bound, or no new window: %+v", after, d.Next)
		}
	}
}

func TestFailuresInARowRollBackBeforeTheThreshold(t *testing.T) {
	t.Parallel()
	spec := steps
	spec.Threshold, spec.Consecutive = 10, 2
	st := progressing(1, func(s *Status) { s.Failed = 3 })
	decide := func(v Verdict) Decision {
		t.Helper()
		o := seen(st.Weight, 0, checked(v))
		o.Now, o.Window = st.Window.Add(spec.Interval), st.Window
		d := Decide(&spec, &st, &o)
		st = d.Next
		if st.Window.IsZero() {
			st.Window = o.Now
		}
		return d
	}
	if d := decide(Fail); d.Next.Phase != Progressing || d.Next.Failed != 4 {
		t.Fatalf("the first failure: %s, %s", d.Next.Phase, d.Reason)
	}
	if d := decide(Pass); d.Reason.Code != StepTaken {
		t.Fatalf("a pass: %s", d.Reason)
	}
	if d := decide(Fail); d.Next.Phase != Progressing || d.Next.Failed != 5 {
		t.Fatalf("a failure after a pass: %s, %s", d.Next.Phase, d.Reason)
	}
	if d := decide(Error); d.Next.Phase != RollingBack || d.Next.Failed != 6 {
		t.Fatalf("the second in a row: %s, %s", d.Next.Phase, d.Reason)
	}
}

// An answer is for the move, and the window, that it was asked for.
func TestAnAnswerOfAnotherMoveOpensNothing(t *testing.T) {
	t.Parallel()
	spec := steps
	spec.Hooks = []canary.HookType{canary.HookConfirmTrafficIncrease}
	for since, want := range map[time.Time]int{noon: 2, noon.Add(-time.Minute): 1} {
		st := progressing(1, func(s *Status) { s.Gate, s.GateSince, s.Held = canary.HookConfirmTrafficIncrease, noon, true })
		o := seen(20, time.Second, func(o *Observation) {
			o.Gate = HookAnswer{Hook: canary.HookConfirmTrafficIncrease, For: since, Verdict: Pass}
		})
		if d := Decide(&spec, &st, &o); d.Next.Step != want {
			t.Errorf("a yes for the gate of %s: step %d, want %d (%s)", since, d.Next.Step, want, d.Reason)
		}
	}
	spec.Hooks = []canary.HookType{canary.HookRollout}
	for about, want := range map[time.Time]Code{noon: StepTaken, noon.Add(-time.Minute): HooksPending} {
		st := progressing(1)
		o := seen(20, 10*time.Second, checked(Pass), func(o *Observation) {
			o.Hook = HookAnswer{Hook: canary.HookRollout, For: about, Verdict: Pass}
		})
		if d := Decide(&spec, &st, &o); d.Reason.Code != want {
			t.Errorf("a success for the window of %s: %s, want %s", about, d.Reason, want)
		}
	}
}

// Whoever looks at a held rollout looks at one that answers. A canary that is not there is rolled back all the same.
func TestAFailedAnalysisIsHeldOnlyWhileTheCanaryWorks(t *testing.T) {
	t.Parallel()
	spec := steps
	spec.Threshold, spec.HoldOnFailure = 1, true
	st, o := progressing(1), seen(20, 10*time.Second, checked(Fail))
	if d := Decide(&spec, &st, &o); d.Outcome != Halted || d.Next.Weight != 20 || d.Want.Canary != ScaleLeave {
		t.Errorf("a failed check: outcome %d, weight %d, %s", d.Outcome, d.Next.Weight, d.Reason)
	}
	st = progressing(1, func(s *Status) { s.Lost = true })
	o = seen(20, 10*time.Second, func(o *Observation) { o.Target = of(down, "new") })
	if d := Decide(&spec, &st, &o); d.Next.Phase != RollingBack || d.Next.Weight != 0 {
		t.Errorf("a canary that is lost: %s with weight %d, %s", d.Next.Phase, d.Next.Weight, d.Reason)
	}
}

// spec.suspend keeps a rollout from beginning. One that has begun is never left half-done by it.
func TestARolloutThatHasBegunIsNotSuspended(t *testing.T) {
	t.Parallel()
	spec := steps
	spec.Suspend = true
	st, o := progressing(1), seen(20, 10*time.Second, checked(Pass))
	if d := Decide(&spec, &st, &o); d.Reason.Code != StepTaken {
		t.Errorf("in the analysis: %s", d.Reason)
	}
	st, o = promoting(50), seen(50, time.Second, func(o *Observation) { o.Primary = of(up, "new") })
	if d := Decide(&spec, &st, &o); d.Next.Phase != Finalising {
		t.Errorf("in the promotion: %s, %s", d.Next.Phase, d.Reason)
	}
}

func TestOnlyMoreTrafficIsConfirmed(t *testing.T) {
	t.Parallel()
	spec := steps
	spec.Hooks, spec.Steps = []canary.HookType{canary.HookConfirmTrafficIncrease}, []Step{{Mirror: 50}, {Mirror: 50}, {Weight: 20}}
	for step, want := range map[int]Code{1: StepTaken, 2: GateClosed} {
		st := progressing(0, func(s *Status) { s.Step = step })
		o := seen(0, 10*time.Second, checked(Pass), func(o *Observation) { o.Route.Mirror = 50 })
		if d := Decide(&spec, &st, &o); d.Reason.Code != want {
			t.Errorf("after step %d: %s, want %s", step, d.Reason, want)
		}
	}
}

// While traffic leaves the canary nobody is to be kept on it.
func TestUsersAreKeptOnlyWhileTheAnalysisLasts(t *testing.T) {
	t.Parallel()
	for phase, want := range map[Phase]string{
		Progressing: "abc", WaitingPromotion: "abc", Promoting: "abc", RollingBack: "", Failed: "", Succeeded: "", Terminated: "",
	} {
		st := Status{Phase: phase, Step: 1, Weight: 20, Routed: true, Session: "abc"}
		if got := Want(&steps, &st).Route.Session; got != want {
			t.Errorf("%s: users are kept by %q, want %q", phase, got, want)
		}
	}
}
