package rollout

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-dev/penstock/internal/canary"
)

var (
	noon  = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	steps = Spec{
		Steps: []Step{{Weight: 20}, {Weight: 50}}, Interval: 10 * time.Second, Threshold: 2, Deadline: time.Minute,
		Checks: []string{"success-rate"},
	}
	up   = Workload{Exists: true, Replicas: 1, Ready: true, Serving: true}
	down = Workload{Exists: true, Replicas: 1, Message: "pod x: ImagePullBackOff"}
)

func of(w Workload, revision string) Workload {
	w.Revision = revision
	return w
}

func at(w Weight) RouteReport {
	return RouteReport{Route: Route{Managed: true, Canary: w}, Known: true, Settled: true}
}

// progressing is a rollout at a step, with its window open since noon.
func progressing(step int, change ...func(*Status)) Status {
	st := Status{Phase: Progressing, Revision: "new", Promoted: "old", Step: step, Routed: true, Window: noon, Moved: noon, Since: noon, Probed: true}
	if step > 0 {
		st.Weight = steps.Steps[step-1].Weight
	}
	for _, f := range change {
		f(&st)
	}
	return st
}

// seen is a healthy cluster at a weight, some time after noon.
func seen(w Weight, after time.Duration, change ...func(*Observation)) Observation {
	o := Observation{Now: noon.Add(after), Target: of(up, "new"), Primary: of(up, "old"), Route: at(w)}
	for _, f := range change {
		f(&o)
	}
	return o
}

func checked(v Verdict) func(*Observation) {
	return func(o *Observation) {
		o.Window = noon
		o.Checks = []CheckResult{{Name: "success-rate", Verdict: v, Message: "success-rate says " + v.String()}}
	}
}

func TestRules(t *testing.T) {
	t.Parallel()
	type want struct {
		phase   Phase
		step    int
		weight  Weight
		failed  int
		code    Code
		outcome Outcome
	}
	cases := map[string]struct {
		st   Status
		obs  Observation
		want want
	}{
		"a canary that has never been seen gets its primary from the target": {
			Status{}, Observation{Now: noon, Target: of(up, "old")},
			want{phase: Initializing, code: FirstRun},
		},
		"a primary that exists is adopted and not overwritten": {
			Status{}, seen(0, 0),
			want{phase: Initializing, code: Adopted},
		},
		"traffic that the canary was left with is said until the primary can take it": {
			Status{}, seen(100, 0, func(o *Observation) { o.Primary = of(down, "old") }),
			want{phase: Initializing, weight: 100, code: FirstRun},
		},
		"the primary takes what the canary was left with": {
			Status{Phase: Initializing, Revision: "old", Promoted: "old", Weight: 100, Moved: noon}, seen(100, time.Second),
			want{phase: Initializing, code: PrimaryReady},
		},
		"a primary that stays broken leaves the traffic where it is, and that is no rollback": {
			Status{Phase: Initializing, Revision: "old", Promoted: "old", Weight: 100, Moved: noon},
			seen(100, time.Minute, func(o *Observation) { o.Primary, o.Target = of(down, "old"), of(up, "old") }),
			want{phase: Failed, weight: 100, code: PrimaryNotReady, outcome: Halted},
		},
		"the first primary gets the traffic only when it is ready": {
			Status{Phase: Initializing, Revision: "old", Promoted: "old", Moved: noon},
			seen(0, time.Second, func(o *Observation) { o.Primary, o.Target = of(down, "old"), of(up, "old") }),
			want{phase: Initializing, code: PrimaryNotReady},
		},
		"a first primary that is not ready in time ends the run": {
			Status{Phase: Initializing, Revision: "old", Promoted: "old", Moved: noon},
			seen(0, time.Minute, func(o *Observation) { o.Primary, o.Target = of(down, "old"), of(up, "old") }),
			want{phase: Failed, code: PrimaryNotReady, outcome: RolledBack},
		},
		"nothing is done when the target runs what was promoted": {
			Status{Phase: Initialized, Revision: "new", Promoted: "new", Routed: true}, seen(0, 0),
			want{phase: Initialized, code: NothingNew, outcome: Unchanged},
		},
		"a new revision starts at weight 0": {
			Status{Phase: Initialized, Revision: "old", Promoted: "old", Routed: true}, seen(0, 0),
			want{phase: Progressing, code: NewRevision},
		},
		"a suspended canary is left alone": {
			Status{Phase: Initialized, Routed: true}, seen(0, 0),
			want{phase: Initialized, code: SpecSuspend, outcome: Suspended},
		},
		"a superseded run touches nothing": {
			progressing(1), seen(20, time.Second, func(o *Observation) { o.Superseded = true }),
			want{phase: Progressing, step: 1, weight: 20, code: OtherRun, outcome: Superseded},
		},
		"a canary that its autoscaler lets grow holds the next step and keeps its window": {
			progressing(1), seen(20, 11*time.Second, func(o *Observation) {
				o.Target.Ready, o.Target.Resizing = false, true
			}, checked(Pass)),
			want{phase: Progressing, step: 1, weight: 20, code: CanaryNotReady},
		},
		"a primary that its autoscaler lets grow holds nothing up": {
			progressing(1), seen(20, 11*time.Second, func(o *Observation) {
				o.Primary.Ready, o.Primary.Resizing = false, true
			}, checked(Pass)),
			want{phase: Progressing, step: 2, weight: 50, code: StepTaken},
		},
		"a canary that is not ready gets no traffic": {
			progressing(0), seen(0, time.Second, func(o *Observation) { o.Target = of(down, "new") }),
			want{phase: Progressing, code: CanaryNotReady},
		},
		"a canary that is not ready in time is rolled back with the pod's reason": {
			progressing(0), seen(0, time.Minute, func(o *Observation) { o.Target = of(down, "new") }),
			want{phase: RollingBack, code: CanaryNotReady},
		},
		"a canary that cannot become ready is rolled back at once": {
			progressing(0), seen(0, time.Second, func(o *Observation) { o.Target = of(down, "new"); o.Target.Broken = true }),
			want{phase: RollingBack, code: CanaryBroken},
		},
		"a ready canary takes the first step": {
			progressing(0), seen(0, time.Second),
			want{phase: Progressing, step: 1, weight: 20, code: StepTaken},
		},
		"a step is not judged before its window is over": {
			progressing(1), seen(20, 9*time.Second, checked(Pass)),
			want{phase: Progressing, step: 1, weight: 20, code: WindowOpen},
		},
		"a window starts only when the router has settled": {
			progressing(1, func(s *Status) { s.Window = noTime }),
			seen(20, time.Second, func(o *Observation) { o.Route.Settled = false }),
			want{phase: Progressing, step: 1, weight: 20, code: RouterNotSettled},
		},
		"a passed step is followed by the next": {
			progressing(1), seen(20, 10*time.Second, checked(Pass)),
			want{phase: Progressing, step: 2, weight: 50, code: StepTaken},
		},
		"a failed check holds the step": {
			progressing(1), seen(20, 10*time.Second, checked(Fail)),
			want{phase: Progressing, step: 1, weight: 20, failed: 1, code: CheckFailed},
		},
		"no data is not a pass": {
			progressing(1), seen(20, 10*time.Second, checked(NoData)),
			want{phase: Progressing, step: 1, weight: 20, failed: 1, code: CheckFailed},
		},
		"an error is not a pass": {
			progressing(1), seen(20, 10*time.Second, checked(Error)),
			want{phase: Progressing, step: 1, weight: 20, failed: 1, code: ChecksUnknown},
		},
		"no answer is not a pass": {
			progressing(1), seen(20, 10*time.Second, checked(Unknown)),
			want{phase: Progressing, step: 1, weight: 20, failed: 1, code: ChecksUnknown},
		},
		"checks of another window do not count": {
			progressing(1), seen(20, 10*time.Second, checked(Pass), func(o *Observation) { o.Window = noon.Add(-time.Minute) }),
			want{phase: Progressing, step: 1, weight: 20, code: ChecksPending},
		},
		"the failed check that reaches the threshold rolls back": {
			progressing(1, func(s *Status) { s.Failed = 1 }), seen(20, 10*time.Second, checked(Fail)),
			want{phase: RollingBack, step: 1, failed: 2, code: CheckFailed},
		},
		"a rollback waits until the router has no traffic on the canary": {
			Status{Phase: RollingBack, Revision: "new", Promoted: "old", Step: 1, Routed: true, Moved: noon, Reason: Reason{Code: CheckFailed}},
			seen(20, time.Second),
			want{phase: RollingBack, step: 1, code: CheckFailed},
		},
		"a rollback ends when the router has no traffic on the canary": {
			Status{Phase: RollingBack, Revision: "new", Promoted: "old", Step: 1, Routed: true, Moved: noon, Reason: Reason{Code: CheckFailed}},
			seen(0, time.Second),
			want{phase: Failed, step: 1, code: CheckFailed, outcome: RolledBack},
		},
		"a rollback sends no traffic to a primary that serves nothing": {
			progressing(1), seen(20, time.Second, func(o *Observation) { o.Primary = of(down, "old"); o.Stop = StopRollback }),
			want{phase: RollingBack, step: 1, weight: 20, code: StopAsked},
		},
		"a new revision in mid-run starts over": {
			progressing(2, func(s *Status) { s.Failed = 1 }),
			seen(50, time.Second, func(o *Observation) { o.Target = of(up, "newer") }),
			want{phase: Progressing, code: NewRevision},
		},
		"a target that is changed back is rolled back": {
			progressing(2), seen(50, time.Second, func(o *Observation) { o.Target = of(up, "old") }),
			want{phase: RollingBack, step: 2, code: RevisionWithdrawn},
		},
		"a canary that loses its readiness under traffic is given an interval": {
			progressing(1), seen(20, time.Second, func(o *Observation) { o.Target = of(down, "new") }),
			want{phase: Progressing, step: 1, weight: 20, code: CanaryNotReady},
		},
		"after the interval it costs a failed check": {
			progressing(1, func(s *Status) { s.Lost = true }),
			seen(20, 10*time.Second, func(o *Observation) { o.Target = of(down, "new") }),
			want{phase: Progressing, step: 1, weight: 20, failed: 1, code: CanaryNotReady},
		},
		"after the last step the revision is promoted": {
			progressing(2), seen(50, 10*time.Second, checked(Pass)),
			want{phase: Promoting, step: 2, weight: 50, code: StepsTaken},
		},
		"a promotion waits for the primary": {
			promoting(50), seen(50, time.Second, func(o *Observation) { o.Primary = of(down, "new") }),
			want{phase: Promoting, step: 2, weight: 50, code: PrimaryNotReady},
		},
		"a primary that breaks during promotion leaves the traffic on the canary": {
			promoting(50), seen(50, time.Second, func(o *Observation) { o.Primary = of(down, "new"); o.Primary.Broken = true }),
			want{phase: Failed, step: 2, weight: 100, code: PrimaryBroken, outcome: Halted},
		},
		"a primary that could not be copied is still what it was": {
			promoting(50), seen(50, 2*time.Minute),
			want{phase: RollingBack, step: 2, code: CopyPending},
		},
		"a ready primary gets the traffic back": {
			promoting(50), seen(50, time.Second, func(o *Observation) { o.Primary = of(up, "new") }),
			want{phase: Finalising, step: 2, code: PrimaryReady},
		},
		"the canary is scaled down after the router has settled": {
			Status{Phase: Finalising, Revision: "new", Promoted: "new", Step: 2, Routed: true, Moved: noon},
			seen(0, time.Second, func(o *Observation) { o.Primary = of(up, "new") }),
			want{phase: Succeeded, step: 2, code: AllPassed, outcome: Promoted},
		},
		"a cancelled run rolls back": {
			progressing(1), seen(20, time.Second, func(o *Observation) { o.Stop = StopCancel }),
			want{phase: RollingBack, step: 1, code: StopAsked},
		},
		"a run waits until a change of the target is taken up": {
			Status{Phase: Initialized, Revision: "old", Promoted: "old", Routed: true, Moved: noon},
			seen(0, time.Second, func(o *Observation) { o.Target = of(up, "old"); o.Target.Stale = true }),
			want{phase: Initialized, code: TargetStale},
		},
		"a first run waits for it too": {
			Status{}, seen(0, time.Second, func(o *Observation) { o.Target.Stale = true }), want{code: TargetStale},
		},
		"a change of the target that nobody takes up is given up": {
			Status{Phase: Initialized, Revision: "old", Promoted: "old", Routed: true, Moved: noon},
			seen(0, 2*time.Minute, func(o *Observation) { o.Target = of(up, "old"); o.Target.Stale = true }),
			want{phase: Failed, code: TargetStale, outcome: RolledBack},
		},
		"a step may be taken before the weight of the last one is taken up by the target": {
			progressing(1), seen(20, 11*time.Second, checked(Pass), func(o *Observation) { o.Target.Stale = true }),
			want{phase: Progressing, step: 2, weight: 50, code: StepTaken},
		},
		"a target that is gone is rolled back": {
			progressing(1), seen(20, time.Second, func(o *Observation) { o.Target = Workload{} }),
			want{phase: RollingBack, step: 1, code: TargetMissing},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spec := steps
			spec.Suspend = c.want.code == SpecSuspend
			d := Decide(&spec, &c.st, &c.obs)
			got := want{d.Next.Phase, d.Next.Step, d.Next.Weight, d.Next.Failed, d.Reason.Code, d.Outcome}
			if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(want{})); diff != "" {
				t.Errorf("decision (-want +got):\n%s", diff)
			}
			if d.Outcome == Running && d.WakeAt.IsZero() {
				t.Error("waits without a bound")
			}
			if !still(d.Next, c.st) && d.Outcome == Running && d.WakeAt.After(c.obs.Now.Add(spec.Interval)) {
				t.Errorf("it moved and sleeps until %s: where it now stands may be fulfilled already", d.WakeAt)
			}
		})
	}
}

func TestARouterIsGivenTheTimeToSettle(t *testing.T) {
	t.Parallel()
	spec := steps
	spec.Settle = 5 * time.Second
	st := progressing(1, func(st *Status) { st.Window = noTime })
	decide := func(o Observation) Decision {
		t.Helper()
		d := Decide(&spec, &st, &o)
		st = d.Next
		return d
	}
	if d := decide(seen(0, 0)); d.Reason.Code != RouterNotSettled || !st.Taken.IsZero() {
		t.Fatalf("before the router reports it: %+v", d)
	}
	if d := decide(seen(20, time.Second)); d.Reason.Code != RouterSettling || !d.WakeAt.Equal(noon.Add(time.Second)) && !d.WakeAt.Equal(noon.Add(6*time.Second)) {
		t.Fatalf("when the router reports it: %+v", d)
	}
	d := decide(seen(20, 2*time.Second))
	if !st.Window.IsZero() || !d.WakeAt.Equal(noon.Add(6*time.Second)) || d.Reason != (Reason{RouterSettling, "5s"}) {
		t.Fatalf("while it settles: %+v", d)
	}
	if decide(seen(10, 3*time.Second)); !st.Taken.IsZero() {
		t.Fatalf("another route is no settled one: %+v", st)
	}
	decide(seen(20, 4*time.Second))
	if decide(seen(20, 9*time.Second)); !st.Window.Equal(noon.Add(9 * time.Second)) {
		t.Fatalf("the window starts when it has settled: %+v", st)
	}
	d = decide(seen(20, 19*time.Second, func(o *Observation) {
		o.Window = st.Window
		o.Checks = []CheckResult{{Name: "success-rate", Verdict: Pass}}
	}))
	if st.Step != 2 || !st.Taken.IsZero() {
		t.Fatalf("the next step has to settle anew: %+v", d)
	}
	st = progressing(1, func(st *Status) { st.Phase, st.Weight, st.Step = RollingBack, 0, 0 })
	decide(seen(0, 20*time.Second))
	if d := decide(seen(0, 24*time.Second)); d.Want.Canary == ScaleZero {
		t.Fatalf("the canary is scaled down while the router may still send requests to it: %+v", d)
	}
	if decide(seen(0, 25*time.Second)); st.Phase != Failed {
		t.Fatalf("when it has settled: %+v", st)
	}
}

func promoting(w Weight) Status {
	return Status{Phase: Promoting, Revision: "new", Promoted: "new", Step: 2, Weight: w, Routed: true, Moved: noon, Since: noon}
}

func TestStepWeightPromotionGivesTheTrafficBackStepByStep(t *testing.T) {
	t.Parallel()
	spec := steps
	spec.Promotion = promotion(spec.Steps, 20)
	st, now := promoting(50), noon
	var weights []Weight
	for range 30 {
		o := Observation{Now: now, Target: of(up, "new"), Primary: of(up, "new"), Route: at(st.Weight)}
		d := Decide(&spec, &st, &o)
		if d.Next.Weight != st.Weight {
			weights = append(weights, d.Next.Weight)
		}
		st, now = d.Next, d.WakeAt
		if d.Outcome != Running {
			break
		}
	}
	if diff := cmp.Diff([]Weight{30, 10, 0}, weights); diff != "" {
		t.Errorf("canary weights (-want +got):\n%s", diff)
	}
	if st.Phase != Succeeded || now.Sub(noon) > time.Minute {
		t.Errorf("ended as %s at %s", st.Phase, now)
	}
}

func TestPlanMakesStepsOfEveryStrategy(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		analysis canary.Analysis
		want     []Step
	}{
		"stepWeight ends at maxWeight":      {canary.Analysis{StepWeight: 20, MaxWeight: 50}, []Step{{Weight: 20}, {Weight: 40}, {Weight: 50}}},
		"maxWeight is 100 when left out":    {canary.Analysis{StepWeight: 50}, []Step{{Weight: 50}, {Weight: 100}}},
		"a step beyond maxWeight is capped": {canary.Analysis{StepWeight: 80, MaxWeight: 60}, []Step{{Weight: 60}}},
		"stepWeights are taken as written":  {canary.Analysis{StepWeights: []int{1, 10, 80}}, []Step{{Weight: 1}, {Weight: 10}, {Weight: 80}}},
		"iterations hold, then hand over":   {canary.Analysis{Iterations: 2}, []Step{{}, {}, {Weight: 100, Bare: true}}},
		"match goes with every iteration": {
			canary.Analysis{Iterations: 1, Match: make([]canary.HTTPMatchRequest, 1)},
			[]Step{{Match: true}},
		},
		"a mirror goes before the first weight": {
			canary.Analysis{StepWeight: 50, Mirror: true, MirrorWeight: 30}, []Step{{Mirror: 30}, {Weight: 50}, {Weight: 100}},
		},
		"a mirror without a weight copies everything": {
			canary.Analysis{Iterations: 1, Mirror: true}, []Step{{Mirror: 100}, {Weight: 100, Bare: true}},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := Plan(&canary.Canary{Spec: canary.Spec{Analysis: &c.analysis}})
			if diff := cmp.Diff(c.want, got.Steps); diff != "" {
				t.Errorf("steps (-want +got):\n%s", diff)
			}
		})
	}
}

func TestBeginTakesUpWhatIsUnfinishedAndRetriesWhatFailed(t *testing.T) {
	t.Parallel()
	later := noon.Add(time.Hour)
	resumed := Begin(progressing(2, func(s *Status) { s.Failed = 1 }), later)
	if resumed.Step != 2 || resumed.Failed != 1 || !resumed.Window.IsZero() || !resumed.Moved.Equal(later) {
		t.Errorf("resumed as %+v", resumed)
	}
	failed := Status{Phase: Failed, Revision: "new", Promoted: "old", Routed: true, Failed: 2}
	if again := Begin(failed, later); again.Phase != Initialized || again.Promoted != "old" || again.Failed != 0 {
		t.Errorf("retried as %+v", again)
	}
	for name, st := range map[string]Status{
		"halted":            {Phase: Failed, Halted: true, Routed: true, Promoted: "new", Weight: 100},
		"never initialised": {Phase: Failed, Promoted: "old"},
		"never seen at all": {},
	} {
		if again := Begin(st, later); again != (Status{}) {
			t.Errorf("%s: begins as %+v, not as if for the first time", name, again)
		}
	}
}

func TestAskWantsChecksOnlyAtTheEndOfAWindow(t *testing.T) {
	t.Parallel()
	st := progressing(1)
	if asks := Ask(&steps, &st); !asks.Checks || !asks.Due.Equal(noon.Add(10*time.Second)) || !asks.Window.Equal(noon) {
		t.Errorf("asks %+v", asks)
	}
	for name, st := range map[string]Status{
		"no window":     progressing(1, func(s *Status) { s.Window = noTime }),
		"lost canary":   progressing(1, func(s *Status) { s.Lost = true }),
		"promoting":     promoting(50),
		"before a step": progressing(0, func(s *Status) { s.Window = noTime }),
	} {
		if asks := Ask(&steps, &st); asks.Checks {
			t.Errorf("%s: asks for checks", name)
		}
	}
}

func BenchmarkDecideHold(b *testing.B) {
	st, o := progressing(1), seen(20, 5*time.Second)
	b.ReportAllocs()
	for b.Loop() {
		if d := Decide(&steps, &st, &o); d.Outcome != Running {
			b.Fatal(d.Reason)
		}
	}
}

func BenchmarkDecideAdvance(b *testing.B) {
	st, o := progressing(1), seen(20, 10*time.Second, checked(Pass))
	b.ReportAllocs()
	for b.Loop() {
		if d := Decide(&steps, &st, &o); d.Next.Step != 2 {
			b.Fatal(d.Reason)
		}
	}
}
