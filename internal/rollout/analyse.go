package rollout

import (
	"strconv"
	"time"

	"github.com/penstock-dev/penstock/internal/canary"
)

var noTime time.Time // the zero time, for "not set"

// blocked returns what keeps the world from being where the last decision put it, or no code.
func (in input) blocked() (Code, string) {
	switch p, c := &in.obs.Primary, &in.obs.Target; {
	case !p.Exists || !p.Ready && !p.Resizing:
		return PrimaryNotReady, p.Message
	case !c.Ready:
		return CanaryNotReady, c.Message
	case !in.routed():
		return in.unrouted()
	}
	return "", ""
}

// canaryLost counts an interval that the canary, with users on it, spent without being ready as a failed check. Flagger
// waits for the whole progress deadline here, with the traffic still on the canary.
func canaryLost(in input) (Decision, bool) {
	next, ready := *in.st, in.obs.Target.Ready
	switch {
	case in.st.Step == 0, ready && !in.st.Lost, in.obs.Target.Resizing && !in.st.Lost:
		return Decision{}, false
	case ready: // back again: a whole window is needed
		next.Lost, next.Window = false, noTime
		return Decision{Next: next, Reason: Reason{CanaryBack, ""}, WakeAt: in.obs.Now}, true
	case !in.st.Lost:
		next.Lost, next.Window, next.Gate = true, in.obs.Now, ""
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
	if code == CanaryNotReady && in.obs.Target.Resizing {
		return d, true // it grows and serves as before: the next step waits, and the window goes on
	}
	d.Next.Window = noTime                          // a window counts only while the world is as it should be
	if in.st.Gate != "" || !in.st.Paused.IsZero() { // it may have waited for hours: the world gets all of the deadline
		d.Next.Gate, d.Next.Paused, d.Next.Moved = "", noTime, in.obs.Now
	}
	return d, true
}

func analysisSkipped(in input) (Decision, bool) {
	if !in.spec.Skip && !in.st.Skip {
		return Decision{}, false
	}
	if d, ok := gateClosed(in); ok {
		return d, ok
	}
	return in.startPromotion(in.skipped())
}

// skipped says why nothing is analysed any more.
func (in input) skipped() Code {
	if in.spec.Skip {
		return AnalysisSkipped
	}
	return StepsSkipped
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
	if in.st.Gate != "" {
		d.Reason = Reason{GateClosed, in.gateDetail(in.answered(in.st.Gate))}
		if until := in.gateEnds(in.st); !until.IsZero() && until.Before(d.WakeAt) {
			d.WakeAt = until
		}
	}
	return d, true
}

func checksFailed(in input) (Decision, bool) {
	if !in.judged() {
		return Decision{}, false
	}
	var waits *CheckResult
	for i := range in.obs.Checks {
		switch c := &in.obs.Checks[i]; {
		case c.Verdict == Fail, c.Verdict == NoData && in.onNoData(c) == NoDataFails:
			return in.failedCheck(CheckFailed, c.Message)
		case waits == nil && c.Verdict == NoData && in.onNoData(c) == NoDataHolds:
			waits = c // what has failed counts first
		}
	}
	if waits != nil {
		return in.noDataYet(waits.Message)
	}
	return Decision{}, false
}

// noDataYet gives the same step another window, as long as a gate would be waited for.
func (in input) noDataYet(detail string) (Decision, bool) {
	if in.spec.GateTimeout > 0 && !in.obs.Now.Before(in.st.Moved.Add(in.spec.GateTimeout)) {
		return in.rollBack(*in.st, NoDataYet, detail)
	}
	d := in.hold(NoDataYet, detail) // and not moved: the wait has a bound
	d.Next.Window, d.Next.Gate = in.obs.Now, ""
	d.WakeAt = in.obs.Now.Add(in.spec.Interval)
	return d, true
}

// passes reports whether a check lets the rollout go on.
func (in input) passes(c *CheckResult) bool {
	return c.Verdict == Pass || c.Verdict == NoData && in.onNoData(c) == NoDataPasses
}

// onNoData is the policy of a check without data.
func (in input) onNoData(c *CheckResult) Policy {
	if own, ok := in.spec.Inconclusive[c.Name]; ok {
		return own
	}
	return in.spec.OnNoData
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
		if c := &in.obs.Checks[i]; !in.passes(c) {
			return in.failedCheck(ChecksUnknown, c.Message)
		}
	}
	return Decision{}, false
}

func advance(in input) (Decision, bool) {
	if in.st.Step >= len(in.spec.Steps) {
		return Decision{}, false
	}
	next := in.st.passedGates()
	next.Step++
	next.Phase, next.Weight, next.Window = Progressing, in.spec.Steps[in.st.Step].Weight, noTime
	d := in.to(next, StepTaken, "")
	d.Events = in.advanceEvents(next)
	return d, true
}

// passedGates is the status of a rollout that goes on: no gate and no failure in a row is left of the move before.
func (st Status) passedGates() Status {
	st.Gate, st.Opened, st.GateSince, st.Held, st.HeldSince, st.Streak, st.Paused = "", "", noTime, false, noTime, 0, noTime
	return st
}

func (in input) advanceEvents(next Status) []Event {
	step, last := in.spec.Steps[next.Step-1], len(in.spec.Steps)
	var events []Event
	if next.Step == 1 && !in.spec.Hooked(canary.HookPreRollout) {
		events = append(events, in.starting())
	}
	switch {
	case step.Bare && next.Step > 1 && in.spec.Steps[next.Step-2].Mirror > 0:
		return append(events, Event{Message: "Stop traffic mirroring and route all traffic to canary"})
	case step.Bare:
		return append(events, Event{Message: "Routing all traffic to canary"})
	case in.spec.Steps[last-1].Bare, step.Match:
		if in.spec.Steps[last-1].Bare {
			last--
		}
		return append(events, Event{Message: in.spec.advanced("canary iteration", next.Step) + "/" + strconv.Itoa(last)})
	}
	return append(events, Event{Message: in.spec.advanced("canary weight", int(next.Weight))})
}

func (in input) starting() Event {
	return Event{Message: "Starting canary analysis for " + in.spec.Target}
}

func promote(in input) (Decision, bool) {
	if len(in.spec.Steps) == 0 {
		return Decision{}, false // nothing was analysed
	}
	return in.startPromotion(StepsTaken)
}

func (in input) startPromotion(code Code) (Decision, bool) {
	next := in.st.passedGates()
	next.Phase, next.Window, next.Promoted, next.Promotion = Promoting, noTime, in.st.Revision, 0
	d := in.to(next, code, "")
	d.Events = []Event{{Message: "Copying " + in.spec.Target + " template spec to " + in.spec.Primary}}
	return d, true
}

// failedCheck counts one failure. Below the threshold the same step gets another window.
func (in input) failedCheck(code Code, detail string) (Decision, bool) {
	next := *in.st
	next.Failed++
	next.Streak++
	next.Gate = "" // a window that passes must come before the gate again
	if next.Failed >= in.spec.Threshold || in.spec.Consecutive > 0 && next.Streak >= in.spec.Consecutive {
		if in.spec.HoldOnFailure && !next.Lost {
			d, ok := in.halt(next, code, detail)
			d.Events = []Event{{Warning: true, Message: "Halt " + in.spec.Name + " advancement: " + detail}}
			return d, ok
		}
		return in.rollBack(next, code, detail)
	}
	next.Window = in.obs.Now
	d := in.to(next, code, detail)
	d.WakeAt = in.obs.Now.Add(in.spec.Interval)
	d.Events = []Event{{Warning: true, Message: "Halt " + in.spec.Name + " advancement " + detail}}
	return d, true
}

func (in input) step() Step { return in.spec.Steps[in.st.Step-1] }

func (in input) windowDone() bool {
	return !in.st.Window.IsZero() && !in.obs.Now.Before(in.st.Window.Add(in.spec.Interval))
}

// judged reports whether the checks were made, and for the present window.
func (in input) judged() bool {
	return in.st.Step > 0 && !in.obs.Probe && !in.st.Window.IsZero() && in.obs.Window.Equal(in.st.Window) && len(in.obs.Checks) > 0
}
