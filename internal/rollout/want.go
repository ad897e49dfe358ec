package rollout

import (
	"time"

	"github.com/penstock-dev/penstock/internal/canary"
)

// Want derives the world from a status. It never asks for traffic to move and for a workload to go away at the same
// time: each such pair is two phases.
func Want(spec *Spec, st *Status) World {
	w := World{Touch: true, Primary: st.Promoted}
	w.Route = Route{Managed: st.Routed, Canary: st.Weight, Previous: st.Previous, Handover: st.Handed}
	if st.Weight > 0 && st.Weight < 100 && !st.Phase.Terminal() && st.Phase != RollingBack {
		w.Route.Session = st.Session // with all or nothing on the canary there is nobody to keep there
	}
	switch st.Phase {
	case Initializing:
		w.Canary = ScaleLeave
	case Progressing, WaitingPromotion:
		w.Canary = ScaleUp
		w.Route.step(spec, st)
	case Promoting:
		w.Canary = ScaleUp
		if st.Promotion == 0 {
			w.Route.Match = spec.matched(st) // who tests the canary stays there until the primary is ready
		}
	case Finalising:
		w.Canary = ScaleUp
	case RollingBack:
		w.Canary = ScaleLeave // what has traffic is left alone until the traffic is gone
	case Waiting:
		w.Canary = ScaleLeave // it may still have traffic of an earlier revision
	case Initialized, Succeeded, Failed:
		w.Canary = ScaleZero
		if st.Halted || !st.Routed {
			w.Canary = ScaleLeave
		}
		if st.Halted && st.Promoted != st.Revision {
			w.Route.step(spec, st)
		}
	case Terminating:
		w.Canary, w.Primary = ScaleUp, ""
	case Terminated:
		w.Canary, w.Primary, w.Remove = ScaleLeave, "", true
	default:
		w.Touch = false
	}
	return w
}

// step adds what only the step in force asks of the route.
func (r *Route) step(spec *Spec, st *Status) {
	if st.Step > 0 && st.Step <= len(spec.Steps) {
		step := spec.Steps[st.Step-1]
		r.Mirror, r.Match = step.Mirror, step.Match
	}
}

// matched reports whether the step in force sends matching requests to the canary.
func (s *Spec) matched(st *Status) bool {
	return st.Step > 0 && st.Step <= len(s.Steps) && s.Steps[st.Step-1].Match
}

// Asks says what must be found out before the next decision.
type Asks struct {
	Checks bool      // the checks of the analysis, once
	Probe  bool      // the same, as the first look before any traffic
	Due    time.Time // the checks: not before this time
	Window time.Time // the window that they judge

	Hook canary.HookType // hooks to be called once for HookFor; the checks wait for their answer
	For  time.Time

	Gate     canary.HookType // a gate to be asked until it opens
	Since    time.Time       // since when this move asks it: an answer of an earlier move does not count
	Rollback bool            // the rollback hooks are asked like a gate; open means: roll back
}

// Ask returns what matters now: hooks at the start of an analysis window, the checks at its end, and the gate at which
// the rollout waits.
func Ask(spec *Spec, st *Status) Asks {
	if spec.asleep(st) {
		return Asks{}
	}
	asks := Asks{Gate: st.Gate, Since: st.GateSince}
	switch st.Phase {
	case Waiting:
		asks.Gate = canary.HookConfirmRollout
	case Progressing, WaitingPromotion:
		asks.analysis(spec, st)
	case "", Initializing, Initialized, Promoting, Finalising, RollingBack, Succeeded, Failed, Terminating, Terminated:
		return Asks{}
	}
	asks.Rollback = spec.Hooked(canary.HookRollback)
	return asks
}

func (a *Asks) analysis(spec *Spec, st *Status) {
	open := !st.Window.IsZero() && !st.Lost
	switch {
	case spec.Skip, st.Skip:
	case st.Step > 0:
		if open && spec.Hooked(canary.HookRollout) {
			a.Hook, a.For = canary.HookRollout, st.Window
		}
		if open && len(spec.Checks) > 0 {
			a.Checks, a.Window, a.Due = true, st.Window, st.Window.Add(spec.Interval)
		}
	case !st.Hooked && spec.Hooked(canary.HookPreRollout):
		if open {
			a.Hook, a.For = canary.HookPreRollout, st.Window
		}
	case !st.Probed && open && len(spec.Checks) > 0:
		a.Checks, a.Probe, a.Window, a.Due = true, true, st.Window, st.Window
		if st.Streak > 0 { // after a failed look
			a.Due = st.Window.Add(spec.Interval)
		}
	}
}
