package rollout

import (
	"slices"
	"time"

	"github.com/penstock-dev/penstock/internal/canary"
)

// HookAnswer is what the webhooks of one type answered. Pass means that all of them succeeded: a gate is open.
type HookAnswer struct {
	Hook    canary.HookType
	For     time.Time // the window that a hook was called for, or since when the gate is asked
	Verdict Verdict
	Message string // which webhook did not succeed, and why
	Skip    bool   // of a gate that has opened: whoever opened it asks to skip the remaining steps
	Paused  string // of the rollback hook: who wants the rollout to stay at its weight; empty when nobody does
}

// Policy says what a check that found no data means.
type Policy int8

// The zero value is Flagger's behaviour.
const (
	NoDataFails  Policy = iota // counts as a failed check
	NoDataHolds                // costs nothing and is waited for, as long as a gate would be
	NoDataPasses               // counts as passed
)

// Hooked reports whether the canary has webhooks of a type.
func (s *Spec) Hooked(hook canary.HookType) bool { return slices.Contains(s.Hooks, hook) }

// preRollout calls the pre-rollout hooks before the canary gets any traffic. A failure counts like a failed check, and is
// tried again an interval later.
func preRollout(in input) (Decision, bool) {
	if in.st.Step > 0 || in.st.Hooked || !in.spec.Hooked(canary.HookPreRollout) {
		return Decision{}, false
	}
	next := *in.st
	if in.st.Window.IsZero() {
		next.Window = in.obs.Now
		d := Decision{Next: next, Reason: Reason{HooksPending, string(canary.HookPreRollout)}}
		d.Events = []Event{in.starting()}
		return d, true
	}
	return in.hooks(canary.HookPreRollout, func() (Decision, bool) {
		next.Hooked, next.Window, next.Streak = true, noTime, 0
		d := in.to(next, StepTaken, "")
		d.Events = []Event{{Message: "Pre-rollout check passed"}}
		return d, true
	})
}

// hookFailed waits for the rollout hooks of the window, and counts their failure like a failed check.
func hookFailed(in input) (Decision, bool) {
	if in.st.Step == 0 || in.step().Bare || !in.spec.Hooked(canary.HookRollout) {
		return Decision{}, false
	}
	return in.hooks(canary.HookRollout, func() (Decision, bool) { return Decision{}, false })
}

// hooks decides by what the hooks that were called for this window answered.
func (in input) hooks(hook canary.HookType, passed func() (Decision, bool)) (Decision, bool) {
	answer := &in.obs.Hook
	switch {
	case answer.Hook != hook || !answer.For.Equal(in.st.Window) || answer.Verdict == Unknown:
		d := in.hold(HooksPending, string(hook))
		d.WakeAt = in.obs.Now.Add(in.spec.Interval) // the call itself has a bound, and its answer wakes the run
		return d, true
	case answer.Verdict == Pass:
		return passed()
	case !in.windowDone():
		d := in.hold(HookFailed, answer.Message)
		d.WakeAt = in.st.Window.Add(in.spec.Interval)
		return d, true
	}
	return in.failedCheck(HookFailed, answer.Message)
}

// probed asks every check once before any traffic moves, so that a query that cannot work costs no user anything.
func probed(in input) (Decision, bool) {
	next := *in.st
	switch {
	case in.st.Step > 0 || in.st.Probed || len(in.spec.Checks) == 0:
		return Decision{}, false
	case in.st.Window.IsZero(): // the world has just converged: before that an answer would be thrown away
		next.Window = in.obs.Now
		return Decision{Next: next, Reason: Reason{ChecksPending, ""}, WakeAt: in.obs.Now}, true
	case !in.obs.Probe || len(in.obs.Checks) != len(in.spec.Checks) || !in.obs.Window.Equal(in.st.Window):
		d := in.hold(ChecksPending, "")
		d.WakeAt = in.obs.Now
		if in.st.Streak > 0 {
			d.Reason, d.WakeAt = in.st.Reason, in.st.Window.Add(in.spec.Interval)
		}
		return d, true
	}
	for i := range in.obs.Checks {
		if c := &in.obs.Checks[i]; !in.passes(c) {
			if c.Verdict == NoData && in.onNoData(c) == NoDataHolds {
				return in.noDataYet(c.Message)
			}
			return in.failedCheck(ProbeFailed, c.Message)
		}
	}
	next.Probed, next.Window, next.Streak = true, noTime, 0
	return in.to(next, Probed, ""), true
}
