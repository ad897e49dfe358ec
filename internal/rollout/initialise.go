package rollout

func superseded(in input) (Decision, bool) {
	if !in.obs.Superseded {
		return Decision{}, false
	}
	return in.end(Superseded, OtherRun, "")
}

func finished(in input) (Decision, bool) {
	switch {
	case in.st.Phase == Succeeded:
		return in.end(Promoted, AllPassed, "")
	case in.st.Phase == Failed && in.st.Halted:
		return in.end(Halted, in.st.Reason.Code, in.st.Reason.Detail)
	case in.st.Phase == Failed && in.st.Cancel:
		return in.end(Cancelled, in.st.Reason.Code, in.st.Reason.Detail)
	case in.st.Phase == Failed:
		return in.end(RolledBack, in.st.Reason.Code, in.st.Reason.Detail)
	}
	return Decision{}, false
}

// suspended applies between rollouts only, and to one that stands still at its gate: a running one is finished or rolled
// back, never left half-done.
func suspended(in input) (Decision, bool) {
	if in.spec.asleep(in.st) && !in.st.Lapsed(in.obs.Now) {
		return in.end(Suspended, SpecSuspend, "")
	}
	if !in.spec.Suspend || (in.st.Phase != "" && in.st.Phase != Initialized) {
		return Decision{}, false
	}
	return in.end(Suspended, SpecSuspend, "")
}

func targetMissing(in input) (Decision, bool) {
	if in.obs.Target.Exists {
		return Decision{}, false
	}
	switch in.st.Phase {
	case Progressing, WaitingPromotion:
		next := *in.st
		return in.rollBack(next, TargetMissing, "")
	case "", Initializing, Initialized, Waiting:
		if in.late() {
			return in.fail(*in.st, TargetMissing, "")
		}
		next := *in.st
		if next.Moved.IsZero() {
			next.Moved = in.obs.Now
		}
		return Decision{Next: next, Reason: Reason{TargetMissing, ""}}, true
	case Promoting, Finalising, RollingBack, Succeeded, Failed, Terminating, Terminated:
	}
	return Decision{}, false // the traffic has somewhere to go without the target
}

// targetStale waits where the revision decides whether there is anything to do: a run that starts right after the target
// was changed would otherwise find nothing new. Elsewhere the route is not settled while this lasts, or it does not matter.
func targetStale(in input) (Decision, bool) {
	if !in.obs.Target.Stale || in.st.Phase != "" && in.st.Phase != Initialized {
		return Decision{}, false
	}
	if in.late() {
		return in.fail(*in.st, TargetStale, in.obs.Target.Message)
	}
	next := *in.st
	if next.Moved.IsZero() {
		next.Moved = in.obs.Now
	}
	return Decision{Next: next, Reason: Reason{TargetStale, in.obs.Target.Message}}, true
}

// unseen starts from what is there. A primary that exists, made by Flagger or by a run whose record was lost, is
// adopted as it is: overwriting it would promote a revision that nobody has analysed. Only one that serves nothing while
// the target does is made anew.
func unseen(in input) (Decision, bool) {
	if in.st.Phase != "" {
		return Decision{}, false
	}
	if p := &in.obs.Primary; p.Exists && (p.Serving || !in.obs.Target.Ready) {
		next := Status{Phase: Initializing, Promoted: p.Revision, Revision: p.Revision, Weight: in.left()}
		return in.to(next, Adopted, ""), true
	}
	next := Status{Phase: Initializing, Revision: in.obs.Target.Revision, Promoted: in.obs.Target.Revision, Weight: in.left()}
	return in.to(next, FirstRun, ""), true
}

// left is what the canary has of the traffic when nothing has been decided yet: all of it, where a promotion was halted
// whose primary broke. It stays until the primary is ready, and is shown until then.
func (in input) left() Weight {
	if r := &in.obs.Route; r.Known && r.Managed {
		return r.Canary
	}
	return 0
}

func initialising(in input) (Decision, bool) {
	if in.st.Phase != Initializing {
		return Decision{}, false
	}
	p, target := &in.obs.Primary, &in.obs.Target
	switch {
	case in.obs.Stop == StopCancel:
		return in.end(Cancelled, StopAsked, "")
	case !in.st.Routed && target.Revision != in.st.Promoted && (!p.Exists || (!p.Serving && target.Ready)):
		next := *in.st
		next.Revision, next.Promoted = target.Revision, target.Revision
		return in.to(next, FirstRun, ""), true
	case in.st.Routed && (p.Broken || in.late() && !p.Ready):
		return in.promotionFailed(*in.st)
	case p.Broken:
		return in.fail(*in.st, PrimaryBroken, p.Message)
	case in.late() && !in.st.Routed:
		return in.fail(*in.st, PrimaryNotReady, p.Message)
	case in.late():
		return in.halt(*in.st, RouterNotSettled, in.obs.Route.Message)
	case !p.Exists || p.Revision != in.st.Promoted || !p.Ready:
		return in.hold(PrimaryNotReady, p.Message), true
	case !in.st.Routed:
		next := *in.st
		next.Routed, next.Weight = true, 0
		return in.to(next, PrimaryReady, ""), true
	case !in.routed():
		return in.hold(in.unrouted()), true
	}
	next := *in.st
	next.Phase = Initialized
	d := in.to(next, FirstRunDone, "")
	if target.Revision == in.st.Promoted { // otherwise it is a new revision, to be analysed at once
		d.Outcome = Initialised
	}
	d.Events = []Event{{Message: "Initialization done! " + in.spec.Name}}
	return d, true
}

// fail ends a rollout that never had traffic, or has none any more. One that was found with traffic which nothing else can
// take is halted.
func (in input) fail(next Status, code Code, detail string) (Decision, bool) {
	if next.Weight > 0 && !next.Routed {
		return in.halt(next, code, detail)
	}
	next.Phase, next.Window, next.Lost, next.Gate = Failed, noTime, false, ""
	d := in.to(next, code, detail)
	d.Outcome = RolledBack
	if next.Cancel {
		d.Outcome = Cancelled
	}
	d.Events = []Event{{Warning: true, Message: "Canary failed! Scaling down " + in.spec.Name}}
	return d, true
}

// halt gives up with the traffic where it is safest. Nothing is scaled down.
func (in input) halt(next Status, code Code, detail string) (Decision, bool) {
	next.Phase, next.Halted, next.Window, next.Gate = Failed, true, noTime, ""
	d := in.to(next, code, detail)
	d.Outcome = Halted
	return d, true
}
