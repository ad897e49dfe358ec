package rollout

import (
	"fmt"
	"testing"
	"time"
)

// checkDecision holds a decision to the invariants that need no world.
func (s *sim) checkDecision(st *Status, o *Observation, d *Decision) {
	want := Want(&s.spec, st).Route
	switch {
	case !o.Target.Ready || !o.Primary.Ready || !o.Route.Settled || o.Route.Route != want:
		s.stable = noTime
	case s.stable.IsZero():
		s.stable = o.Now
	}
	if d.Next.Step > st.Step && st.Step > 0 && !s.spec.Steps[st.Step-1].Bare {
		if len(o.Checks) != len(s.spec.Checks) || (len(s.spec.Checks) > 0 && !o.Window.Equal(st.Window)) {
			s.problem("step %d was left without checks of its window", st.Step)
		}
		if s.stable.IsZero() || o.Now.Sub(s.stable) < s.spec.Interval {
			s.problem("step %d was left before the world had been as it should for a whole window", st.Step)
		}
		for _, c := range o.Checks {
			if c.Verdict != Pass {
				s.problem("step %d was left although %s said %s", st.Step, c.Name, c.Verdict)
			}
		}
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
	case st.Phase != Progressing || st.Step == 0 || o.Target.Ready || !o.Primary.Ready:
		s.dead = noTime
	case s.dead.IsZero():
		s.dead = o.Now
	case o.Now.Sub(s.dead) > time.Duration(s.spec.Threshold)*s.spec.Interval && d.Next.Phase == Progressing && d.Next.Step > 0:
		s.problem("users were left on a canary that was not ready for %s", o.Now.Sub(s.dead))
	}
	s.notePromotion(st, o, d)
	if d.Next.Step != st.Step {
		s.stable = noTime
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
	if last := s.spec.Steps[len(s.spec.Steps)-1]; !s.spec.Skip && !last.Bare && (s.stable.IsZero() || o.Now.Sub(s.stable) < s.spec.Interval) {
		s.problem("promotion before the world had been as it should for a whole window")
	}
	if !s.spec.Skip {
		if st.Step != len(s.spec.Steps) {
			s.problem("promotion after step %d of %d", st.Step, len(s.spec.Steps))
		}
		for _, c := range o.Checks {
			if c.Verdict != Pass {
				s.problem("promotion although %s said %s", c.Name, c.Verdict)
			}
		}
		if last := s.spec.Steps[len(s.spec.Steps)-1]; !last.Bare && len(o.Checks) != len(s.spec.Checks) {
			s.problem("promotion without checks")
		}
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
	case Running, Initialised, Unchanged, Suspended, Superseded:
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
	return s.problems
}

func (s *sim) runOnce() bool {
	st := Begin(s.saved, s.now)
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
		s.saved = d.Next
		if s.fault(4) { // killed after saving
			st, s.dead = Begin(s.saved, s.now), noTime
			continue
		}
		if done := s.apply(d.Want, &o); done && d.Outcome != Running {
			s.checkEnd(&st, &d)
			return true
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
		s.target.since.Add(simDeadline / 2), s.primary.since.Add(simDeadline / 2),
	} {
		if at.After(s.now) && at.Before(next) {
			next = at
		}
	}
	s.now = next
}

func (s *sim) note(st *Status, d *Decision) {
	s.trace = append(s.trace, fmt.Sprintf("%s %s step %d weight %d failed %d -> %s step %d weight %d: %s (%d)",
		s.now.Format("15:04:05.000"), st.Phase, st.Step, st.Weight, d.Next.Failed, d.Next.Phase, d.Next.Step,
		d.Next.Weight, d.Reason, d.Outcome))
}

func TestSimulatedRolloutsKeepTheInvariants(t *testing.T) {
	t.Parallel()
	const seeds = 25_000
	outcomes := map[Phase]int{}
	for seed := range uint64(seeds) {
		s := newSim(seed, rules[:])
		if problems := s.run(); len(problems) > 0 {
			for _, line := range s.trace[max(0, len(s.trace)-25):] {
				t.Log(line)
			}
			t.Fatalf("seed %d, spec %+v: %v", seed, s.spec, problems)
		}
		outcomes[s.saved.Phase]++
	}
	for _, p := range []Phase{Succeeded, Failed, Initialized} {
		if outcomes[p] == 0 {
			t.Errorf("no simulated rollout ended as %s: the simulation is too tame", p)
		}
	}
	t.Logf("%d seeds: %v", seeds, outcomes)
}
