package rollout

// promotionPending copies the analysed revision to the primary and waits until it is ready. Whatever happens, the
// rollout ends with the traffic on workloads that work.
func promotionPending(in input) (Decision, bool) {
	if in.st.Phase != Promoting {
		return Decision{}, false
	}
	p, target := &in.obs.Primary, &in.obs.Target
	copied := p.Exists && p.Revision == in.st.Revision
	next := *in.st
	switch {
	case !copied && target.Revision != in.st.Revision && !in.trapped():
		// What passed is gone before it was copied. Nothing was promoted, so this is a change like any other.
		next.Promoted = p.Revision
		if target.Revision == p.Revision {
			return in.rollBack(next, RevisionWithdrawn, "")
		}
		return in.restart(next)
	case !copied && !in.late():
		return in.hold(CopyPending, ""), true
	case !copied: // the primary is still what it was
		next.Promoted = p.Revision
		return in.rollBack(next, CopyPending, p.Message)
	case target.Revision != in.st.Revision && next.Weight > 0 && p.Serving:
		next.Weight, next.Window = 0, noTime // what the canary runs now was never analysed: no more traffic to it
		return in.to(next, TargetChanged, ""), true
	case copied && p.Ready && target.Revision != in.st.Revision:
		return in.finalise(next, TargetChanged)
	case copied && p.Ready:
		return in.promotionStep(next)
	case !p.Broken && !in.late():
		return in.hold(PrimaryNotReady, p.Message), true
	}
	return in.promotionFailed(next)
}

// promotionFailed moves the traffic to the canary, which passed its analysis, and leaves it there.
func (in input) promotionFailed(next Status) (Decision, bool) {
	p, target := &in.obs.Primary, &in.obs.Target
	if target.Ready && target.Revision == in.st.Revision {
		next.Weight = 100
	}
	d, ok := in.halt(next, PrimaryBroken, p.Message)
	d.Events = []Event{{Warning: true, Message: "Promotion of " + in.spec.Target + " failed, primary not ready"}}
	return d, ok
}

// promotionStep gives the traffic back to the ready primary, all at once or by stepWeightPromotion, one per interval.
func (in input) promotionStep(next Status) (Decision, bool) {
	if in.st.Promotion >= len(in.spec.Promotion) {
		if in.st.Promotion > 0 && !in.windowDone() {
			return in.promotionWindow(next)
		}
		return in.finalise(next, PrimaryReady)
	}
	if in.st.Promotion > 0 && !in.windowDone() {
		return in.promotionWindow(next)
	}
	next.Weight = in.spec.Promotion[in.st.Promotion]
	next.Promotion++
	next.Window = noTime
	d := in.to(next, PromotionStep, "")
	d.Events = []Event{{Message: in.spec.advanced("primary weight", int(100-next.Weight))}}
	return d, true
}

func (in input) promotionWindow(next Status) (Decision, bool) {
	switch {
	case in.late():
		return in.halt(next, RouterNotSettled, in.obs.Route.Message)
	case !in.routed():
		return in.hold(in.unrouted()), true
	case in.st.Window.IsZero():
		next.Window = in.obs.Now
		d := in.to(next, WindowOpen, "")
		d.WakeAt = in.obs.Now.Add(in.spec.Interval)
		return d, true
	}
	d := in.hold(WindowOpen, "")
	d.WakeAt = in.st.Window.Add(in.spec.Interval)
	return d, true
}

func (in input) finalise(next Status, code Code) (Decision, bool) {
	next.Phase, next.Weight, next.Window = Finalising, 0, noTime
	d := in.to(next, code, "")
	d.Events = []Event{{Message: "Routing all traffic to primary"}}
	return d, true
}

func finalising(in input) (Decision, bool) {
	if in.st.Phase != Finalising {
		return Decision{}, false
	}
	p := &in.obs.Primary
	switch {
	case p.Broken, in.late() && !p.Ready:
		return in.promotionFailed(*in.st)
	case in.late():
		return in.halt(*in.st, RouterNotSettled, in.obs.Route.Message)
	case !p.Ready:
		return in.hold(PrimaryNotReady, p.Message), true
	case !in.routed():
		return in.hold(in.unrouted()), true
	}
	next := *in.st
	next.Phase = Succeeded
	d := in.to(next, AllPassed, "")
	d.Outcome = Promoted
	d.Events = []Event{{Message: "Promotion completed! Scaling down " + in.spec.Target}}
	if in.spec.Skip || in.st.Skip {
		d.Events[0].Message = "Promotion completed! Canary analysis was skipped for " + in.spec.Target
	}
	return d, true
}
