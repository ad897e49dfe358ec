package rollout

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/race"
)

// checkDecision holds a decision to the invariants that need no world.
func (s *sim) checkDecision(st *Status, o *Observation, d *Decision) {
	want := Want(&s.spec, st).Route
	switch {
	case !o.Target.Ready || !o.Primary.Ready || !o.Route.Settled || !sameShares(o.Route.Route, want):
		s.stable = noTime
	case s.stable.IsZero():
		s.stable = o.Now
	}
	s.noteWindow(st, o)
	if d.Next.Step > st.Step && st.Step > 0 && !s.spec.Steps[st.Step-1].Bare {
		if s.stable.IsZero() || o.Now.Sub(s.stable) < s.spec.Interval {
			s.problem("step %d was left before the world had been as it should for a whole window", st.Step)
		}
		s.mustHavePassed(st, "the step was left")
		if s.spec.Steps[d.Next.Step-1].Bare {
			s.mustBeConfirmed(st)
		}
	}
	if d.Next.Step > st.Step && d.Next.Weight > st.Weight && !s.spec.Steps[d.Next.Step-1].Bare &&
		s.spec.Hooked(canary.HookConfirmTrafficIncrease) && (s.open.Verdict != Pass || s.open.Hook != canary.HookConfirmTrafficIncrease) {
		s.problem("more traffic without a confirmation")
	}
	if d.Next.Step == 1 && st.Step == 0 {
		if s.spec.Hooked(canary.HookPreRollout) && !st.Hooked || len(s.spec.Checks) > 0 && !st.Probed {
			s.problem("traffic before the hooks and the first look at the checks")
		}
	}
	if o.Paused != "" && st.Phase != RollingBack && st.Opened == "" && s.open.Hook != GroupGate &&
		(d.Next.Step > st.Step || d.Next.Phase == Promoting && st.Phase != Promoting) {
		s.problem("a paused rollout went on: %s", d.Reason)
	}
	if d.Next.Skip && !st.Skip && !s.open.Skip {
		s.problem("steps are skipped, and nobody asked for it")
	}
	if d.Next.Step > st.Step+1 {
		s.problem("a step was left out: %d -> %d", st.Step, d.Next.Step)
	}
	if d.Outcome == Running && d.WakeAt.IsZero() {
		s.problem("%s waits without a bound: %s", d.Next.Phase, d.Reason)
	}
	if d.Outcome == Unchanged && o.Target.Revision != s.primary.rev {
		s.problem("nothing to do, although the target runs %s and the primary %s", o.Target.Revision, s.primary.rev)
	}
	switch {
	case st.Phase != Progressing && st.Phase != WaitingPromotion || st.Step == 0 || o.Target.Ready || !o.Primary.Ready:
		s.dead = noTime
	case s.dead.IsZero():
		s.dead = o.Now
	case s.spec.Uninstall, s.deleted: // whoever uninstalls a canary that breaks just then is told, and traffic stays where it is
	case o.Now.Sub(s.dead) > time.Duration(s.spec.Threshold)*s.spec.Interval && d.Next.Phase == st.Phase && d.Next.Step > 0:
		s.problem("users were left on a canary that was not ready for %s", o.Now.Sub(s.dead))
	}
	s.noteStart(st, o, d)
	s.notePromotion(st, o, d)
	if d.Next.Step != st.Step {
		s.stable, s.passed = noTime, false
	}
}

// sameShares compares where the traffic goes.
func sameShares(a, b Route) bool {
	return a.Managed == b.Managed && a.Canary == b.Canary && a.Mirror == b.Mirror && a.Match == b.Match
}

// noteWindow remembers whether a window has just been passed, or failed.
func (s *sim) noteWindow(st *Status, o *Observation) {
	judged := st.Step > 0 && !st.Window.IsZero() && !o.Now.Before(st.Window.Add(s.spec.Interval))
	switch {
	case s.stable.IsZero():
		s.passed = false
	case st.Gate == GroupGate && s.open.Hook == GroupGate && s.open.Verdict == Pass: // what is found out now comes too late
		return
	case !judged, o.Probe, len(s.spec.Checks) > 0 && (len(o.Checks) != len(s.spec.Checks) || !o.Window.Equal(st.Window)):
		return
	case s.spec.Hooked(canary.HookRollout) && o.Hook.Verdict == Unknown:
		return
	default:
		s.passed = !s.spec.Hooked(canary.HookRollout) || o.Hook.Verdict == Pass && o.Hook.For.Equal(st.Window)
	}
	for _, c := range o.Checks {
		if c.Verdict != Pass && (c.Verdict != NoData || s.spec.OnNoData != NoDataPasses) {
			s.passed = false
		}
	}
}

func (s *sim) mustHavePassed(st *Status, what string) {
	if !s.passed {
		s.problem("step %d: %s without a window that passed", st.Step, what)
	}
}

// noteStart holds the beginning of a revision to its gate.
func (s *sim) noteStart(st *Status, o *Observation, d *Decision) {
	if st.Phase == Waiting && s.open.Hook == canary.HookConfirmRollout && s.open.Verdict == Pass {
		s.started = st.Revision
	}
	if s.spec.Hooked(canary.HookConfirmRollout) && d.Next.Phase == Progressing && d.Next.Revision != s.started {
		s.problem("%s began without a confirmation", d.Next.Revision)
	}
	if d.Next.Phase == Waiting && (d.Next.Weight > 0 || d.Want.Canary != ScaleLeave) {
		s.problem("something moves before it was allowed to")
	}
}

// mustBeConfirmed holds the promotion, or the step that begins it, to its gates.
func (s *sim) mustBeConfirmed(st *Status) {
	wanted := canary.HookType("")
	switch {
	case s.spec.Group:
		wanted = GroupGate
	case s.spec.Hooked(canary.HookConfirmPromotion) && !s.spec.Skip && s.skipped != st.Revision:
		wanted = canary.HookConfirmPromotion
	default:
		return
	}
	if s.open.Hook != wanted || s.open.Verdict != Pass {
		s.problem("promotion of %s without %s", st.Revision, wanted)
	}
	if wanted == GroupGate && !s.spec.Skip && s.skipped != st.Revision && s.spec.Hooked(canary.HookConfirmPromotion) && st.Opened != canary.HookConfirmPromotion {
		s.problem("promotion of %s without a confirmation", st.Revision)
	}
}

// notePromotion remembers what passed: a revision may go to the primary when its last window of the last step passed.
func (s *sim) notePromotion(st *Status, o *Observation, d *Decision) {
	if d.Next.Phase == Initializing && d.Next.Promoted != st.Promoted && d.Reason.Code == FirstRun {
		if s.primaryNow().Serving {
			s.problem("a serving primary would be overwritten by a first run")
		}
		s.analysed[d.Next.Promoted] = true
	}
	if d.Next.Phase != Promoting || st.Phase == Promoting {
		return
	}
	skip := s.spec.Skip || d.Next.Skip
	if skip && !s.spec.Skip && s.skipped != st.Revision {
		s.problem("the steps of %s are skipped, and that was asked for %q", st.Revision, s.skipped)
	}
	if last := s.spec.Steps[len(s.spec.Steps)-1]; !skip && !last.Bare && (s.stable.IsZero() || o.Now.Sub(s.stable) < s.spec.Interval) {
		s.problem("promotion before the world had been as it should for a whole window")
	}
	if !skip {
		if st.Step != len(s.spec.Steps) {
			s.problem("promotion after step %d of %d", st.Step, len(s.spec.Steps))
		}
		if last := s.spec.Steps[len(s.spec.Steps)-1]; !last.Bare {
			s.mustHavePassed(st, "promotion")
			s.mustBeConfirmed(st)
		}
	} else if s.spec.Group {
		s.mustBeConfirmed(st)
	}
	if st.Revision != o.Target.Revision {
		s.problem("promotion of %s while the target is at %s", st.Revision, o.Target.Revision)
	}
	s.analysed[st.Revision] = true
}

func (s *sim) checkEnd(st *Status, d *Decision) {
	if st.Phase.Terminal() { // decided by a run that died; the world has moved on
		return
	}
	switch d.Outcome {
	case Promoted:
		if p := s.primaryNow(); s.primary.rev != d.Next.Revision || s.route.Canary != 0 || !p.Serving {
			s.problem("promoted, but primary %+v and route %+v", p, s.route)
		}
	case RolledBack, Cancelled:
		if d.Next.Routed && d.Next.Phase == Failed && (s.route.Canary != 0 || s.route.Match || !s.primaryNow().Serving) {
			s.problem("rolled back, but primary %+v and route %+v", s.primaryNow(), s.route)
		}
	case Halted:
		if d.Reason.Code == "" {
			s.problem("halted without a word")
		}
		if s.route.Canary == 0 && s.route.Managed && !s.primaryNow().Serving && s.targetNow().Ready &&
			s.target.rev == d.Next.Revision && s.primary.rev == d.Next.Revision {
			s.problem("halted with the traffic on a broken primary although the canary passed and is ready")
		}
	case Gated:
		if !s.spec.GateHold || d.Next.GateSince.IsZero() && d.Next.Paused.IsZero() || d.Next.Suspended.IsZero() || !d.Next.Until.IsZero() {
			s.problem("suspended at a gate that nobody asked for")
		}
	case Uninstalled:
		if s.primary.exists || s.target.replicas == 0 || s.route.Canary != 100 {
			s.problem("uninstalled, but target %+v and route %+v", s.target, s.route)
		}
	case Suspended:
		if !s.spec.SuspendAtGate || d.Next.Gate == "" || d.Next.Gate == GroupGate || d.Next.Suspended.IsZero() || d.Next.Until.IsZero() != s.spec.GateHold {
			s.problem("suspended at %q until %s", d.Next.Gate, d.Next.Until)
		}
		if s.route.Canary != d.Next.Weight {
			s.problem("suspended with weight %d where %d is saved", s.route.Canary, d.Next.Weight)
		}
	case Running, Initialised, Unchanged, Superseded:
	}
}

// run plays rollouts until the world has been still for a whole run, and returns what went wrong.
func (s *sim) run() []string {
	for range 4 {
		if !s.runOnce() {
			break
		}
		s.stop = StopNone
		if s.chance(60) {
			s.push(s.newRevision())
		}
		if s.saved.Halted && s.primary.exists { // somebody repairs the primary
			s.revs[s.primary.rev].primaryNever = false
		}
	}
	if s.spec.Uninstall = len(s.problems) == 0 && s.saved.Phase != Terminated && s.chance(10); s.spec.Uninstall {
		s.runOnce()
	}
	return s.problems
}

func (s *sim) runOnce() bool {
	st := Begin(s.saved, s.now)
	s.dead = noTime // a run that held its traffic where it was has ended, and nobody has watched since
	for turn := 0; len(s.problems) == 0; turn++ {
		if turn > 3000 {
			s.problem("no end after %d decisions: %s, %s", turn, st.Phase, st.Reason)
			return false
		}
		o := s.observe(&st)
		o.Superseded = s.fault(1)
		d := decide(s.rules, &s.spec, &st, &o)
		s.note(&st, &d)
		s.checkDecision(&st, &o, &d)
		if o.Superseded {
			if d.Want.Touch || d.Outcome != Superseded {
				s.problem("a superseded run wants to touch the world")
			}
			st, s.dead = Begin(s.saved, s.now), noTime // the other run
			continue
		}
		if s.fault(4) { // killed before saving
			st, s.dead = Begin(s.saved, s.now), noTime
			continue
		}
		if s.saved = d.Next; d.Next.Phase == Waiting && d.Next.Revision != st.Revision {
			s.started = ""
		}
		if s.fault(4) { // killed after saving
			st, s.dead = Begin(s.saved, s.now), noTime
			continue
		}
		if done := s.apply(d.Want, &o); done && d.Outcome != Running {
			s.checkEnd(&st, &d)
			return d.Outcome != Uninstalled
		}
		st = d.Next
		s.sleep(d.WakeAt)
		s.disturb()
	}
	return false
}

// sleep goes on to the next moment at which something happens.
func (s *sim) sleep(wake time.Time) {
	next := wake
	if !wake.After(s.now) {
		return
	}
	for _, at := range []time.Time{
		s.target.readyAt, s.primary.readyAt, s.target.downTill, s.primary.downTill, s.settle,
		s.target.since.Add(simDeadline / 2), s.primary.since.Add(simDeadline / 2), s.hook.at, s.gates.at, s.pause,
	} {
		if at.After(s.now) && at.Before(next) {
			next = at
		}
	}
	s.now = next
}

// simNote is a decision as it was made. It is put into words only when a rollout breaks an invariant.
type simNote struct {
	at       time.Time
	from, to Status
	reason   Reason
	outcome  Outcome
}

func (n *simNote) String() string {
	return fmt.Sprintf("%s %s step %d weight %d failed %d -> %s step %d weight %d: %s (%d)",
		n.at.Format("15:04:05.000"), n.from.Phase, n.from.Step, n.from.Weight, n.from.Failed, n.to.Phase, n.to.Step,
		n.to.Weight, n.reason, n.outcome)
}

func (s *sim) note(st *Status, d *Decision) {
	s.trace[s.noted%len(s.trace)] = simNote{at: s.now, from: *st, to: d.Next, reason: d.Reason, outcome: d.Outcome}
	s.noted++
}

func TestSimulatedRolloutsKeepTheInvariants(t *testing.T) {
	t.Parallel()
	const parts = 4
	all := 40_000
	if race.Enabled { // there is one goroutine: the detector finds nothing and takes ten times as long
		all /= 8
	}
	var found [parts]map[Phase]int
	t.Run("seeds", func(t *testing.T) {
		for part := range parts {
			t.Run(strconv.Itoa(part), func(t *testing.T) {
				t.Parallel()
				found[part] = simulate(t, uint64(part*all/parts), uint64((part+1)*all/parts))
			})
		}
	})
	outcomes := map[Phase]int{}
	for _, part := range found {
		for phase, n := range part {
			outcomes[phase] += n
		}
	}
	for _, p := range []Phase{Succeeded, Failed, Initialized, Waiting, WaitingPromotion, Terminated} {
		if outcomes[p] == 0 {
			t.Errorf("no simulated rollout ended as %s: the simulation is too tame", p)
		}
	}
	t.Logf("%d seeds: %v", all, outcomes)
}

// simulate plays the rollouts of some seeds, and counts how they ended.
func simulate(t *testing.T, from, to uint64) map[Phase]int {
	t.Helper()
	outcomes := map[Phase]int{}
	for seed := from; seed < to; seed++ {
		s := newSim(seed, rules[:])
		if problems := s.run(); len(problems) > 0 {
			for i := max(0, s.noted-len(s.trace)); i < s.noted; i++ {
				t.Log(s.trace[i%len(s.trace)].String())
			}
			t.Fatalf("seed %d, spec %+v: %v", seed, s.spec, problems)
		}
		outcomes[s.saved.Phase]++
	}
	return outcomes
}
