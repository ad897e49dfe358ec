package rollout

import "time"

// A suspended rollout stands at its gate with no run at work: what is saved of it says so, and until when it may. The next
// run of the revision takes it up. Whoever looks first after its time is over, a run or a watchdog, ends it, by what was
// saved and not by settings of its own.

// asleep is the status of a rollout that stands still from now on. One that is held has no end.
func (in input) asleep() Status {
	next := *in.st
	next.Suspended, next.Until = in.obs.Now, noTime
	if in.spec.GateTimeout > 0 && !in.spec.GateHold {
		next.Until = in.st.GateSince.Add(in.spec.GateTimeout)
	}
	return next
}

// suspends ends the run at a gate that has said no for as long as the run is to wait. The group's gate is never left: the
// other canaries wait at it, too.
func (in input) suspends(answer HookAnswer) (Decision, bool) {
	if !in.spec.SuspendAtGate || !in.st.Held || in.st.Gate == GroupGate || answer.Verdict == Pass || in.gateLate() {
		return Decision{}, false
	}
	if in.obs.Now.Before(in.st.HeldSince.Add(in.spec.SuspendAfter)) {
		return Decision{}, false
	}
	d := Decision{Next: in.asleep(), Reason: Reason{GateSuspended, in.gateDetail(answer)}, Outcome: Suspended}
	return d, true
}

// gateEnds is when the wait at a gate ends, one way or the other; zero is never.
func (in input) gateEnds(next *Status) time.Time {
	var ends time.Time
	if in.spec.GateTimeout > 0 {
		ends = next.GateSince.Add(in.spec.GateTimeout)
	}
	if !in.spec.SuspendAtGate || !next.Held || next.Gate == GroupGate {
		return ends
	}
	if leaves := next.HeldSince.Add(in.spec.SuspendAfter); ends.IsZero() || leaves.Before(ends) {
		ends = leaves
	}
	return ends
}

// Lapsed reports whether a suspended rollout has stood still for too long.
func (st *Status) Lapsed(now time.Time) bool {
	return !st.Suspended.IsZero() && !st.Until.IsZero() && !now.Before(st.Until)
}

// gateLapsed ends a suspended rollout whose gate did not open in time. A new revision starts over instead, unless the run
// is there to end what it finds.
func gateLapsed(in input) (Decision, bool) {
	replaced := in.obs.Target.Revision != in.st.Revision && in.obs.Stop == StopNone && !in.trapped()
	if !in.st.Lapsed(in.obs.Now) || replaced {
		return Decision{}, false
	}
	next := *in.st
	next.Suspended, next.Until = noTime, noTime
	return in.rollBack(next, GateExpired, string(in.st.Gate)+" did not open until "+in.st.Until.UTC().Format(time.RFC3339))
}

// asleep reports whether a rollout that was found standing still at its gate is to go on standing still.
func (s *Spec) asleep(st *Status) bool { return s.Suspend && !st.Suspended.IsZero() }

// wake prepares a suspended rollout for a run that takes it up. The time of its gate goes on. A lapsed one stays as it is,
// for gateLapsed to end; one that was held has all of its time again.
func (st Status) wake(now time.Time) Status {
	if st.Suspended.IsZero() {
		st.GateSince = noTime
	}
	if st.Lapsed(now) {
		return st
	}
	if st.Until.IsZero() {
		st.GateSince = noTime
	}
	st.Suspended, st.Until, st.Gate, st.Held, st.HeldSince = noTime, noTime, "", false, noTime
	return st
}
