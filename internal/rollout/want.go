package rollout

import "time"

// Want derives the world from a status. It never asks for traffic to move and for a workload to go away at the same
// time: each such pair is two phases.
func Want(spec *Spec, st *Status) World {
	w := World{Touch: true, Primary: st.Promoted, Route: Route{Managed: st.Routed, Canary: st.Weight}}
	switch st.Phase {
	case Initializing:
		w.Canary = ScaleLeave
	case Progressing, WaitingPromotion:
		w.Canary = ScaleUp
		if st.Step > 0 && st.Step <= len(spec.Steps) {
			step := spec.Steps[st.Step-1]
			w.Route.Mirror, w.Route.Match = step.Mirror, step.Match
		}
	case Promoting, Finalising:
		w.Canary = ScaleUp
	case RollingBack:
		w.Canary = ScaleLeave // what has traffic is left alone until the traffic is gone
	case Initialized, Waiting, Succeeded, Failed, Terminating, Terminated:
		w.Canary = ScaleZero
		if st.Halted || !st.Routed {
			w.Canary = ScaleLeave
		}
	default:
		w.Touch = false
	}
	return w
}

// Asks says what must be found out before the next decision.
type Asks struct {
	Checks bool      // the checks of the analysis, once
	Due    time.Time // not before this time
	Window time.Time // the window that they judge
}

// Ask returns what matters now: while an analysis window is open, its checks at its end.
func Ask(spec *Spec, st *Status) Asks {
	if st.Phase != Progressing || st.Window.IsZero() || st.Lost || len(spec.Checks) == 0 || spec.Skip {
		return Asks{}
	}
	return Asks{Checks: true, Window: st.Window, Due: st.Window.Add(spec.Interval)}
}
