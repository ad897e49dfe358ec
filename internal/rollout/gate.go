package rollout

import (
	"slices"

	"github.com/penstock-dev/penstock/internal/canary"
)

// GroupGate is the gate that holds the promotion of every canary of a group until all of them have passed. It is asked
// like a webhook and answered by the run itself.
const GroupGate canary.HookType = "group"

// gates are the gates before the next move, in the order in which they are asked.
func (s *Spec) gates(st *Status) [2]canary.HookType {
	var gates [2]canary.HookType
	n := 0
	ask := func(hook canary.HookType, wanted bool) {
		if wanted {
			gates[n], n = hook, n+1
		}
	}
	switch {
	case s.Skip, st.Skip, st.Step >= len(s.Steps):
		ask(canary.HookConfirmPromotion, !s.Skip && !st.Skip && !s.confirmed(st) && s.Hooked(canary.HookConfirmPromotion))
		ask(GroupGate, s.Group && !s.confirmed(st))
	case s.Steps[st.Step].Bare: // all traffic goes to the canary: that is the promotion's beginning
		ask(canary.HookConfirmPromotion, s.Hooked(canary.HookConfirmPromotion))
		ask(GroupGate, s.Group)
	default:
		more := s.Steps[st.Step].Weight > st.Weight
		ask(canary.HookConfirmTrafficIncrease, more && s.Hooked(canary.HookConfirmTrafficIncrease))
	}
	return gates
}

// confirmed reports whether the promotion was confirmed before the last step was taken.
func (s *Spec) confirmed(st *Status) bool {
	return st.Step > 0 && st.Step <= len(s.Steps) && s.Steps[st.Step-1].Bare
}

// nextGate is the first gate before the next move that has not opened yet, or none.
func (s *Spec) nextGate(st *Status) canary.HookType {
	gates := s.gates(st)
	switch i := slices.Index(gates[:], st.Opened); {
	case st.Opened == "", i < 0 && st.Skip: // whoever skips the steps confirms their promotion, and not that of the group
		return gates[0]
	case i == 0:
		return gates[1]
	}
	return ""
}

// answered returns the answer of the gate, or an unknown one when nobody has asked it yet.
func (in input) answered(gate canary.HookType) HookAnswer {
	if in.obs.Gate.Hook == gate && in.obs.Gate.For.Equal(in.st.GateSince) {
		return in.obs.Gate
	}
	return HookAnswer{Hook: gate}
}

// waiting holds a revision that nobody has let begin yet. Nothing of it has traffic.
func waiting(in input) (Decision, bool) {
	if in.st.Phase != Waiting {
		return Decision{}, false
	}
	answer := in.answered(canary.HookConfirmRollout)
	if d, ok := in.suspends(answer); ok {
		return d, ok
	}
	if answer.Verdict != Pass {
		return in.atGate(canary.HookConfirmRollout, answer)
	}
	next := in.st.passedGates()
	next.Phase, next.Skip = Progressing, answer.Skip
	d := in.to(next, GateOpened, string(canary.HookConfirmRollout))
	d.Events = []Event{
		{Message: "Confirm-rollout check passed"}, {Message: "New revision detected! Scaling up " + in.spec.Target},
	}
	return d, true
}

// gateOpens takes the move that has waited at its gate. Otherwise the analysis goes on meanwhile, window after window.
func gateOpens(in input) (Decision, bool) {
	gate := in.st.Gate
	answer := in.answered(gate)
	// At the end of a window its checks come first: see gateClosed. A group that has opened is promoted as a whole,
	// whatever is found out in the same moment: the others are on their way already.
	together := gate == GroupGate && answer.Verdict == Pass
	if gate == "" || in.windowDone() && !together {
		return Decision{}, false
	}
	if d, ok := in.suspends(answer); ok {
		return d, ok
	}
	switch {
	case answer.Verdict == Pass:
		return in.passGate(gate)
	case in.st.Step == 0, !in.st.Held, in.gateLate(): // the next window starts when the gate is known to be closed
		return in.atGate(gate, answer)
	}
	return Decision{}, false
}

// passGate goes on to the next gate before the same move, or takes the move.
func (in input) passGate(gate canary.HookType) (Decision, bool) {
	was := *in.st
	was.Gate, was.Opened, was.Held, was.HeldSince, was.Skip = "", gate, false, noTime, was.Skip || in.answered(gate).Skip
	if following := in.spec.nextGate(&was); following != "" {
		was.Gate = following
		return in.to(was, GateOpened, string(gate)), true
	}
	passed := in
	passed.st = &was
	d, ok := Decision{}, false
	switch {
	case in.spec.Skip, was.Skip:
		d, ok = passed.startPromotion(passed.skipped())
	case was.Step < len(in.spec.Steps):
		d, ok = advance(passed)
	default:
		d, ok = passed.startPromotion(StepsTaken)
	}
	if gate == canary.HookConfirmPromotion {
		d.Events = slices.Insert(d.Events, 0, Event{Message: "Confirm-promotion check passed"})
	}
	return d, ok
}

// gateClosed holds a move that has to be confirmed. The last window has passed, and the next one starts as soon as the
// gate has said no: a revision that fails while it waits is rolled back.
func gateClosed(in input) (Decision, bool) {
	gate := in.spec.nextGate(in.st)
	if gate == "" {
		return Decision{}, false
	}
	answer := in.answered(gate)
	if in.st.Gate == gate && answer.Verdict == Pass {
		return in.passGate(gate)
	}
	d, ok := in.atGate(gate, answer)
	d.Next.Streak = 0
	switch {
	case in.st.Step == 0 || d.Next.Gate == "" || !in.windowDone():
	case d.Next.Held:
		d.Next.Window = in.obs.Now
		d.WakeAt = in.obs.Now.Add(in.spec.Interval)
	default:
		d.Next.Window = noTime
	}
	return d, ok
}

func (in input) gateLate() bool {
	return in.spec.GateTimeout > 0 && !in.st.GateSince.IsZero() && !in.obs.Now.Before(in.st.GateSince.Add(in.spec.GateTimeout))
}

func (in input) gateDetail(answer HookAnswer) string {
	if answer.Message == "" {
		return string(answer.Hook)
	}
	return string(answer.Hook) + ": " + answer.Message
}

// atGate waits at a gate, until it opens or its time is over.
func (in input) atGate(gate canary.HookType, answer HookAnswer) (Decision, bool) {
	if in.gateLate() {
		return in.gateExpired(gate)
	}
	next := *in.st
	next.Gate = gate
	if next.GateSince.IsZero() {
		next.GateSince = in.obs.Now
	}
	d := Decision{Next: next, Reason: Reason{GateClosed, in.gateDetail(answer)}, WakeAt: in.obs.Now.Add(in.spec.Interval)}
	if ends := in.gateEnds(&d.Next); !ends.IsZero() {
		d.WakeAt = ends
	}
	if answer.Verdict == Unknown || next.Held {
		return d, true
	}
	d.Next.Held, d.Next.HeldSince = true, in.obs.Now // said once
	if ends := in.gateEnds(&d.Next); !ends.IsZero() {
		d.WakeAt = ends
	}
	if in.st.Step > 0 {
		d.WakeAt = in.obs.Now // for the window that runs while it waits
	}
	halt := "Halt " + in.spec.Name + " advancement waiting for "
	switch gate {
	case canary.HookConfirmPromotion:
		d.Next.Phase = WaitingPromotion
		d.Events = []Event{{Warning: true, Message: halt + "promotion approval " + answer.Message}}
	case GroupGate:
		d.Next.Phase = WaitingPromotion
		d.Events = []Event{{Message: halt + "the other canaries of its group"}}
	default:
		d.Events = []Event{{Warning: true, Message: halt + "approval " + in.gateDetail(answer)}}
	}
	return d, true
}

// gateExpired ends the wait at a gate in the way that was asked for.
func (in input) gateExpired(gate canary.HookType) (Decision, bool) {
	detail := string(gate) + " did not open within " + in.spec.GateTimeout.String()
	if in.spec.GateHold {
		return Decision{Next: in.asleep(), Reason: Reason{GateExpired, detail}, Outcome: Gated}, true
	}
	return in.rollBack(*in.st, GateExpired, detail)
}
