package rollout

// uninstalling gives the traffic back to the target, as it was before there was a canary: the target is scaled up and
// becomes ready, gets all of the traffic, then the route names it as the user's own objects do, and only then does what
// was made for the canary go away. One that an earlier run has begun is finished, whatever this run is for.
func uninstalling(in input) (Decision, bool) {
	asked := in.spec.Uninstall || in.obs.Deleted && in.spec.Revert
	if !asked && in.st.Phase != Terminating {
		return Decision{}, false
	}
	next, target := *in.st, &in.obs.Target
	switch {
	case in.st.Phase == Terminated:
		return in.end(Uninstalled, HandedOver, "")
	case !target.Exists:
		return in.end(Halted, TargetMissing, "")
	case in.st.Phase != Terminating:
		next.Phase, next.Window, next.Gate, next.Paused, next.Routed, next.Halted = Terminating, noTime, "", noTime, true, false
		if in.st.Phase == "" && !in.obs.Primary.Exists { // it was uninstalled before: there is no traffic to be taken from anybody
			next.Weight, next.Handed = 100, true
		}
		d := in.to(next, HandingOver, "")
		d.Events = []Event{{Message: "Terminating canary " + in.spec.Name}}
		return d, true
	case !target.Ready && in.late():
		return in.end(Halted, CanaryNotReady, target.Message)
	case !target.Ready:
		return in.hold(CanaryNotReady, target.Message), true
	case in.st.Weight < 100:
		next.Weight = 100
		return in.to(next, HandingOver, ""), true
	case !in.routed() && in.late():
		return in.end(Halted, RouterNotSettled, in.obs.Route.Message)
	case !in.routed():
		return in.hold(in.unrouted()), true
	case !in.st.Handed:
		next.Handed = true
		return in.to(next, HandingOver, ""), true
	}
	next.Phase = Terminated
	d := in.to(next, HandedOver, "")
	if asked { // otherwise see uninstalled
		d.Outcome = Uninstalled
	}
	d.Events = []Event{{Message: "Terminated canary " + in.spec.Name}}
	return d, true
}

// uninstalled starts over, as if there had never been a canary: the uninstall was an earlier run's, and this one is here to
// roll something out.
func uninstalled(in input) (Decision, bool) {
	if in.st.Phase != Terminated {
		return Decision{}, false
	}
	return in.to(Status{Session: in.st.Session}, HandedOver, ""), true
}

// canaryDeleted stops: Kubernetes takes away what the Canary owned, the primary too, and no decision can keep it.
func canaryDeleted(in input) (Decision, bool) {
	if !in.obs.Deleted {
		return Decision{}, false
	}
	return in.end(Halted, CanaryDeleted, "")
}
