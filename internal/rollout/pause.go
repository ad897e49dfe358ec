package rollout

import "time"

// pauseEnds lets a rollout go on that nobody wants to stay any more, or ends one that has stayed for as long as a gate
// would have been waited for.
func pauseEnds(in input) (Decision, bool) {
	switch {
	case in.st.Paused.IsZero():
		return Decision{}, false
	case in.obs.Paused == "":
		next := *in.st
		next.Paused = noTime
		d := in.to(next, PauseEnded, "")
		d.Events = []Event{{Message: "Resume " + in.spec.Name + " advancement"}}
		return d, true
	case in.obs.Now.Before(in.pausedUntil()):
		return Decision{}, false
	}
	detail := in.obs.Paused + ", for " + in.spec.GateTimeout.String()
	if in.spec.GateHold {
		return Decision{Next: in.asleep(), Reason: Reason{PauseExpired, detail}, Outcome: Gated}, true
	}
	return in.rollBack(*in.st, PauseExpired, detail)
}

// pausedUntil is when a pause has lasted too long.
func (in input) pausedUntil() time.Time {
	if in.spec.GateTimeout <= 0 {
		return in.obs.Now.Add(in.spec.Interval) // it has no bound, and is looked at now and then
	}
	return in.st.Paused.Add(in.spec.GateTimeout)
}

// paused holds the rollout where it is. Its windows go on, one after the other, and their checks count: a revision that
// fails while it waits is rolled back.
func paused(in input) (Decision, bool) {
	analysed := in.st.Step > 0 && !in.step().Bare && !in.spec.Skip && !in.st.Skip
	switch {
	case in.obs.Paused == "":
		return Decision{}, false
	case in.st.Paused.IsZero():
		next := *in.st
		next.Paused = in.obs.Now
		d := Decision{Next: next, Reason: Reason{PauseAsked, in.obs.Paused}}
		d.Events = []Event{{Warning: true, Message: "Halt " + in.spec.Name + " advancement " + in.obs.Paused}}
		return d, true
	case analysed && in.st.Window.IsZero():
		return windowOpens(in)
	case analysed && in.windowDone():
		return Decision{}, false // its checks come first, see stillPaused
	}
	d := in.hold(PauseAsked, in.obs.Paused)
	d.WakeAt = in.pausedUntil()
	if end := in.st.Window.Add(in.spec.Interval); analysed && end.Before(d.WakeAt) {
		d.WakeAt = end
	}
	return d, true
}

// stillPaused gives the same step another window after one that has passed.
func stillPaused(in input) (Decision, bool) {
	if in.obs.Paused == "" {
		return Decision{}, false
	}
	d := in.hold(PauseAsked, in.obs.Paused)
	d.Next.Window, d.Next.Streak = in.obs.Now, 0
	d.WakeAt = in.obs.Now.Add(in.spec.Interval)
	return d, true
}
