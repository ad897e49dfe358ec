package rollout

import (
	"hash/fnv"
	"strconv"
	"time"

	"github.com/penstock-dev/penstock/internal/canary"
)

// rollBack starts the way back. The traffic moves first; the canary stays up until the router has reported that it has
// none.
func (in input) rollBack(next Status, code Code, detail string) (Decision, bool) {
	next.Phase, next.Window, next.Lost, next.Gate, next.Paused = RollingBack, noTime, false, "", noTime
	if in.obs.Primary.Serving { // otherwise rollingBack waits for it: no traffic to a workload that does not serve
		next.Weight = 0
	}
	d := in.to(next, code, detail)
	d.Events = []Event{{Warning: true, Message: in.rollBackMessage(code, next.Failed, detail)}}
	return d, true
}

func (in input) rollBackMessage(code Code, failed int, detail string) string {
	message := "Rolling back " + in.spec.Name + " "
	switch {
	case failed >= in.spec.Threshold && failed > in.st.Failed:
		return message + "failed checks threshold reached " + strconv.Itoa(failed)
	case code == StopAsked && in.obs.Stop == StopRollback:
		return message + "manual webhook invoked"
	case code == CanaryNotReady, code == PrimaryNotReady, code == RouterNotSettled, code == CanaryBroken:
		return message + "progress deadline exceeded " + detail
	}
	return message + Reason{code, detail}.String()
}

// rollingBack keeps the reason that the rollback started with: it is the verdict.
func rollingBack(in input) (Decision, bool) {
	if in.st.Phase != RollingBack {
		return Decision{}, false
	}
	why, next := in.st.Reason, *in.st
	// Who only brings the end that the gate's time has brought already has not cancelled anything.
	next.Cancel = next.Cancel || in.obs.Stop == StopCancel && why.Code != GateExpired
	switch {
	case in.st.Weight > 0 && in.obs.Primary.Serving:
		next.Weight = 0
		return in.to(next, why.Code, why.Detail), true
	case in.st.Weight == 0 && in.routed() && in.obs.Primary.Serving:
		return in.fail(next, why.Code, why.Detail)
	case in.late():
		return in.halt(next, why.Code, why.Detail)
	}
	return Decision{Next: next, Reason: why}, true
}

func stopRequested(in input) (Decision, bool) {
	nothing := in.st.Phase == Initialized && in.obs.Target.Revision == in.st.Promoted
	if in.obs.Stop == StopNone || in.obs.Stop == StopRollback && nothing {
		return Decision{}, false // there is nothing to roll back: see unchanged
	}
	next := *in.st
	next.Cancel = in.obs.Stop == StopCancel
	if next.Cancel && (in.st.Phase == Initialized || in.st.Phase == Waiting) {
		return in.end(Cancelled, StopAsked, "")
	}
	if next.Cancel && in.spec.HoldOnCancel {
		return in.end(Cancelled, StopAsked, "the traffic stays where it is")
	}
	return in.rollBack(next, StopAsked, in.obs.StopWhy)
}

// trapped reports whether the canary has traffic that the primary could not take.
func (in input) trapped() bool {
	return (in.st.Weight > 0 || in.want.Route.Match) && !in.obs.Primary.Serving
}

// restart begins the analysis of the target's present revision at weight 0.
func (in input) restart(next Status) (Decision, bool) {
	again := next.Phase != Initialized
	next = Status{
		Phase: Progressing, Revision: in.obs.Target.Revision, Promoted: next.Promoted, Routed: next.Routed, Since: in.obs.Now,
		Previous: next.Session,
	}
	if in.spec.Affinity {
		next.Session = session(next.Revision, in.obs.Now)
	}
	event := Event{Message: "New revision detected! Scaling up " + in.spec.Target}
	if again {
		event.Message = "New revision detected! Restarting analysis for " + in.spec.Target
	}
	if in.spec.Hooked(canary.HookConfirmRollout) {
		next.Gate, next.GateSince = canary.HookConfirmRollout, in.obs.Now
		next.Phase = Waiting // who let an earlier revision begin has not seen this one
		event.Message = "New revision detected! Waiting for approval to scale up " + in.spec.Target
	}
	d := in.to(next, NewRevision, in.obs.Target.Changed)
	d.Events = []Event{event}
	return d, true
}

// session makes the value of a session cookie: ten letters, another one for each rollout.
func session(revision string, now time.Time) string {
	const letters = "abcdefghijklmnopqrstuvwxyz"
	h := fnv.New64a()
	_, _ = h.Write([]byte(revision))
	_, _ = h.Write(strconv.AppendInt(nil, now.UnixNano(), 10))
	value := make([]byte, 10)
	for i, sum := 0, h.Sum64(); i < len(value); i++ {
		value[i], sum = letters[sum%26], sum/26
	}
	return string(value)
}

func newRevision(in input) (Decision, bool) {
	switch {
	case in.trapped():
		return Decision{}, false // notConverged waits for the primary, deadlineExceeded ends the wait
	case in.obs.Target.Revision == in.st.Revision && in.st.Phase != Initialized:
		return Decision{}, false
	case in.obs.Target.Revision != in.st.Promoted:
		return in.restart(*in.st)
	case in.st.Phase == Initialized:
		return Decision{}, false // nothing new: see unchanged
	}
	return in.rollBack(*in.st, RevisionWithdrawn, "")
}

func unchanged(in input) (Decision, bool) {
	if in.st.Phase != Initialized {
		return Decision{}, false
	}
	return in.end(Unchanged, NothingNew, "")
}

func deadlineExceeded(in input) (Decision, bool) {
	code, detail := in.blocked()
	if code == "" || !in.late() { // what has converged at last may go on, or finish its window
		return Decision{}, false
	}
	return in.rollBack(*in.st, code, detail)
}

func canaryBroken(in input) (Decision, bool) {
	if !in.obs.Target.Broken {
		return Decision{}, false
	}
	return in.rollBack(*in.st, CanaryBroken, in.obs.Target.Message)
}
