package rollout

import "time"

// input is what a rule looks at.
type input struct {
	spec *Spec
	st   *Status // the present one; rules copy it and change the copy
	obs  *Observation
	want World // what the last decision wanted
}

// rule returns a decision, or false when it has nothing to say.
type rule func(in input) (Decision, bool)

// rules is the state machine, in order of precedence. Each name reads as a sentence about the rollout.
var rules = [...]rule{
	superseded,       // another run holds the lease: touch nothing more
	uninstalling,     // the target gets its traffic back, and what was made for the canary goes away
	canaryDeleted,    // nothing can be done for it any more
	uninstalled,      // an uninstall that an earlier run has begun is finished: start over
	finished,         // a terminal phase stays terminal
	suspended,        // spec.suspend: touch nothing
	targetMissing,    // there is nothing to roll out
	targetStale,      // it has changed, and nobody knows yet to what revision
	unseen,           // no record yet: adopt the primary that exists, or make one
	initialising,     // the first primary is made, becomes ready, and only then gets the traffic
	finalising,       // the traffic goes to the promoted primary, then the canary is scaled down
	promotionPending, // past the point of return: finish, or halt loudly; never send traffic to a broken primary
	rollingBack,      // the traffic leaves the canary first, then the canary is scaled down
	gateLapsed,       // it was suspended at its gate, and the time of that is over
	stopRequested,    // a rollback hook, an operator, or the cancelled job
	newRevision,      // the target changed: start over at weight 0
	unchanged,        // the target runs what was promoted already
	waiting,          // nobody has let this revision begin yet
	deadlineExceeded, // the cluster, or the router, took too long
	canaryBroken,     // the canary cannot become ready
	canaryLost,       // the canary lost its readiness while it had traffic
	notConverged,     // the world is not yet where the last decision put it
	pauseEnds,        // nobody wants it to stay any more, or it has stayed too long
	paused,           // somebody wants the rollout to stay at its weight: the analysis goes on, and nothing else
	gateOpens,        // the gate at which the rollout waits has opened, or its time is over
	analysisSkipped,  // spec.skipAnalysis, or people said so: a ready canary is enough
	preRollout,       // the pre-rollout hooks, before any traffic
	probed,           // every check is asked once before any traffic, so that a typo costs nothing
	windowOpens,      // the world has just converged: the analysis window starts
	windowOpen,       // the window is not over yet
	hookFailed,       // a rollout hook failed, or has not answered yet
	checksFailed,     // a check failed, or found no data; at the threshold, roll back
	checksUnknown,    // a check has no answer; never advance on ignorance
	stillPaused,      // the window has passed, and the next one starts at the same weight
	gateClosed,       // a gate says no, or has not said yes
	advance,          // take the next step
	promote,          // all steps are taken
}

// Decide returns what to do about what was observed. It is a pure function: the same input gives the same decision.
// It reads spec, st and obs and changes none of them.
func Decide(spec *Spec, st *Status, obs *Observation) Decision {
	return decide(rules[:], spec, st, obs)
}

// decide is Decide by any list of rules, so that tests can show what each rule is there for.
func decide(list []rule, spec *Spec, st *Status, obs *Observation) Decision {
	in := input{spec: spec, st: st, obs: obs, want: Want(spec, st)}
	for _, r := range list {
		if d, ok := r(in); ok {
			return complete(in, d)
		}
	}
	return complete(in, in.hold(Undecided, ""))
}

// complete fills in what follows from the next status.
func complete(in input, d Decision) Decision {
	d.Next.Reason = d.Reason
	if d.Next.Phase != in.st.Phase {
		d.Next.Since = in.obs.Now
	}
	if d.Outcome != Superseded && d.Outcome != Suspended {
		d.Want = Want(in.spec, &d.Next)
		if d.Next.Phase == Initialized && d.Outcome == Running {
			d.Want.Canary = ScaleLeave // the next decision may need it at once
		}
		in.guard(&d.Want)
		in.settle(&d.Next)
	}
	switch {
	case d.Outcome != Running:
		d.WakeAt = noTime
	case !d.WakeAt.IsZero():
	case still(d.Next, *in.st):
		d.WakeAt = deadline(in.spec, &d.Next)
	default: // it moved: where it now stands may already be fulfilled, and then nothing would wake it
		d.WakeAt = in.obs.Now
	}
	if until := in.spec.settled(&d.Next); d.Outcome == Running && until.After(in.obs.Now) && until.Before(d.WakeAt) {
		d.WakeAt = until
	}
	return d
}

// settle remembers since when the router has reported the route that is wanted now.
func (in input) settle(next *Status) {
	switch {
	case in.spec.Settle == 0:
	case !in.reported() || Want(in.spec, next).Route != in.want.Route:
		next.Taken = noTime
	case next.Taken.IsZero():
		next.Taken = in.obs.Now
	}
}

// settled is when the router has taken up the route that it reports, or zero while it reports another one.
func (s *Spec) settled(st *Status) time.Time {
	if s.Settle == 0 || st.Taken.IsZero() {
		return noTime
	}
	return st.Taken.Add(s.Settle)
}

// still reports whether a status is the same but for the words of its reason.
func still(a, b Status) bool {
	a.Reason, b.Reason = Reason{}, Reason{}
	return a == b
}

// guard leaves the route alone where it would send more traffic to a workload that cannot take it, and the canary where
// it is the last that serves. Rules never ask for that; a process that died between saving a step and taking it comes
// back to a world that may have changed.
func (in input) guard(w *World) {
	from, to, target, primary := &in.obs.Route, &w.Route, &in.obs.Target, &in.obs.Primary
	if w.Canary == ScaleZero && !primary.Serving {
		w.Canary = ScaleLeave
	}
	if !from.Known || !from.Managed {
		to.Managed = to.Managed && primary.Serving
		return
	}
	more := to.Canary > from.Canary || to.Match && !from.Match
	less := to.Canary < from.Canary || from.Match && !to.Match && to.Canary < 100
	if more && !target.Ready || less && !primary.Serving {
		to.Managed = false
	}
}

// hold keeps the status: nothing to do but wait.
func (in input) hold(code Code, detail string) Decision {
	return Decision{Next: *in.st, Reason: Reason{code, detail}}
}

// to moves the rollout: the next status is what the caller changed of the present one.
func (in input) to(next Status, code Code, detail string) Decision {
	next.Moved = in.obs.Now
	return Decision{Next: next, Reason: Reason{code, detail}}
}

// end finishes the run without moving the rollout.
func (in input) end(o Outcome, code Code, detail string) (Decision, bool) {
	d := in.hold(code, detail)
	d.Outcome = o
	return d, true
}

// deadline is when the present wait has lasted too long. While an analysis runs, a whole window is allowed on top.
func deadline(spec *Spec, st *Status) time.Time {
	if st.Moved.IsZero() {
		return time.Time{}
	}
	limit := spec.Deadline
	if st.Step > 0 {
		limit += spec.Interval
	}
	return st.Moved.Add(limit)
}

// late reports whether the present wait has lasted too long.
func (in input) late() bool {
	at := deadline(in.spec, in.st)
	return !at.IsZero() && !in.obs.Now.Before(at) && in.st.Gate == "" && in.st.Paused.IsZero() // see notConverged
}

// routed reports whether the router does what the last decision wanted. Some go on for a while with what they did
// before, although they report the new route: they are given the time to settle.
func (in input) routed() bool {
	if in.spec.Settle == 0 || !in.want.Route.Managed {
		return in.reported()
	}
	until := in.spec.settled(in.st)
	return in.reported() && !until.IsZero() && !in.obs.Now.Before(until)
}

// unrouted says why the router is not where it is wanted: it has not taken up the route, or is given time to settle.
func (in input) unrouted() (Code, string) {
	if in.reported() {
		return RouterSettling, in.spec.Settle.String()
	}
	return RouterNotSettled, in.obs.Route.Message
}

// reported reports whether the router says that it does what the last decision wanted. After a handover that is a route
// that knows of no canary, whatever its shares are.
func (in input) reported() bool {
	r := &in.obs.Route
	if in.want.Route.Handover {
		return r.Known && r.Settled && r.Handover
	}
	return !in.want.Route.Managed || (r.Known && r.Settled && r.Managed && r.Canary == in.want.Route.Canary &&
		r.Mirror == in.want.Route.Mirror && r.Match == in.want.Route.Match)
}
