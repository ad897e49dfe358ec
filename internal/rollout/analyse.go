package rollout

import "time"

var noTime time.Time // the zero time, for "not set"

// blocked returns what keeps the world from being where the last decision put it, or no code.
func (in input) blocked() (Code, string) {
	switch p, c := &in.obs.Primary, &in.obs.Target; {
	case !p.Exists || !p.Ready:
		return PrimaryNotReady, p.Message
	case !c.Ready:
		return CanaryNotReady, c.Message
	case !in.routed():
		return RouterNotSettled, in.obs.Route.Message
	}
	return "", ""
}

// canaryLost counts an interval that the canary, with users on it, spent without being ready as a failed check. Flagger
// waits for the whole progress deadline here, with the traffic still on the canary.
func canaryLost(in input) (Decision, bool) {
	next, ready := *in.st, in.obs.Target.Ready
	switch {
	case in.st.Step == 0, ready && !in.st.Lost:
		return Decision{}, false
	case ready: // back again: a whole window is needed
		next.Lost, next.Window = false, noTime
		return Decision{Next: next, Reason: Reason{CanaryBack, ""}, WakeAt: in.obs.Now}, true
	case !in.st.Lost:
		next.Lost, next.Window = true, in.obs.Now
		why := Reason{CanaryNotReady, in.obs.Target.Message}
		return Decision{Next: next, Reason: why, WakeAt: in.obs.Now.Add(in.spec.Interval)}, true
	case !in.windowDone():
		d := in.hold(CanaryNotReady, in.obs.Target.Message)
		d.WakeAt = in.st.Window.Add(in.spec.Interval)
		return d, true
	}
	return in.failedCheck(CanaryNotReady, in.obs.Target.Message)
}

func notConverged(in input) (Decision, bool) {
	code, detail := in.blocked()
	if code == "" {
		return Decision{}, false
	}
	d := in.hold(code, detail)
	d.Next.Window = noTime // a window counts only while the world is as it should be
	return d, true
}

func analysisSkipped(in input) (Decision, bool) {
	if !in.spec.Skip {
		return Decision{}, false
	}
	return in.startPromotion(AnalysisSkipped)
}

func windowOpens(in input) (Decision, bool) {
	if in.st.Step == 0 || in.step().Bare || !in.st.Window.IsZero() {
		return Decision{}, false
	}
	next := *in.st
	next.Window = in.obs.Now // and not Moved: a world that keeps changing must not put off the deadline
	return Decision{Next: next, Reason: Reason{WindowOpen, ""}, WakeAt: in.obs.Now.Add(in.spec.Interval)}, true
}

func windowOpen(in input) (Decision, bool) {
	if in.st.Step == 0 || in.step().Bare || in.windowDone() {
		return Decision{}, false
	}
	d := in.hold(WindowOpen, "")
	d.WakeAt = in.st.Window.Add(in.spec.Interval)
	return d, true
}

func checksFailed(in input) (Decision, bool) {
	if !in.judged() {
		return Decision{}, false
	}
	for i := range in.obs.Checks {
		if c := &in.obs.Checks[i]; c.Verdict == Fail || c.Verdict == NoData {
			return in.failedCheck(CheckFailed, c.Message)
		}
	}
	return Decision{}, false
}

// checksUnknown holds when an answer is missing. A check that could not be asked costs one of the failures that the
// threshold allows, as in Flagger, so that a blind analysis ends too; one that was not asked yet costs nothing.
func checksUnknown(in input) (Decision, bool) {
	if in.st.Step == 0 || in.step().Bare || len(in.spec.Checks) == 0 {
		return Decision{}, false
	}
	if !in.judged() {
		d := in.hold(ChecksPending, "")
		d.WakeAt = in.obs.Now // ask at once
		return d, true
	}
	if len(in.obs.Checks) != len(in.spec.Checks) {
		return in.failedCheck(ChecksUnknown, "not every check was answered")
	}
	for i := range in.obs.Checks {
		if c := &in.obs.Checks[i]; c.Verdict != Pass {
			return in.failedCheck(ChecksUnknown, c.Message)
		}
	}
	return Decision{}, false
}

func advance(in input) (Decision, bool) {
	if in.st.Step >= len(in.spec.Steps) {
		return Decision{}, false
	}
	next := *in.st
	next.Step++
	next.Weight, next.Window = in.spec.Steps[in.st.Step].Weight, noTime
	d := in.to(next, StepTaken, "")
	d.Events = in.advanceEvents(next)
	return d, true
}

func (in input) advanceEvents(next Status) []Event {
	if step := in.spec.Steps[next.Step-1]; step.Bare {
		return []Event{{Message: "Routing all traffic to canary"}}
	} else if step.Weight == 0 || step.Match {
		return []Event{{Message: advanceMessage("canary iteration", Weight(next.Step))}}
	}
	return []Event{{Message: advanceMessage("canary weight", next.Weight)}}
}

func promote(in input) (Decision, bool) {
	if len(in.spec.Steps) == 0 {
		return Decision{}, false // nothing was analysed
	}
	return in.startPromotion(StepsTaken)
}

func (in input) startPromotion(code Code) (Decision, bool) {
	next := *in.st
	next.Phase, next.Window, next.Promoted, next.Promotion = Promoting, noTime, in.st.Revision, 0
	d := in.to(next, code, "")
	d.Events = []Event{{Message: "Copying template spec to primary"}}
	return d, true
}

// failedCheck counts one failure. Below the threshold the same step gets another window.
func (in input) failedCheck(code Code, detail string) (Decision, bool) {
	next := *in.st
	next.Failed++
	if next.Failed >= in.spec.Threshold {
		return in.rollBack(next, code, detail)
	}
	next.Window = in.obs.Now
	d := in.to(next, code, detail)
	d.WakeAt = in.obs.Now.Add(in.spec.Interval)
	d.Events = []Event{{Warning: true, Message: "Halt advancement: " + detail}}
	return d, true
}

func (in input) step() Step { return in.spec.Steps[in.st.Step-1] }

func (in input) windowDone() bool {
	return !in.st.Window.IsZero() && !in.obs.Now.Before(in.st.Window.Add(in.spec.Interval))
}

// judged reports whether the checks were made, and for the present window.
func (in input) judged() bool {
	return in.st.Step > 0 && !in.st.Window.IsZero() && in.obs.Window.Equal(in.st.Window) && len(in.obs.Checks) > 0
}
