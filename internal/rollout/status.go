package rollout

import (
	"time"

	"github.com/penstock-dev/penstock/internal/canary"
)

// Weight is a share of the traffic in percent, 0 to 100.
type Weight int

// Phase is where a rollout stands. The names are Flagger's, but for RollingBack, which Flagger shows as Progressing.
type Phase string

// The phases. The zero value is a canary that has never been seen.
const (
	Initializing     Phase = "Initializing"
	Initialized      Phase = "Initialized"
	Waiting          Phase = "Waiting"
	Progressing      Phase = "Progressing"
	WaitingPromotion Phase = "WaitingPromotion"
	Promoting        Phase = "Promoting"
	Finalising       Phase = "Finalising"
	RollingBack      Phase = "RollingBack"
	Succeeded        Phase = "Succeeded"
	Failed           Phase = "Failed"
	Terminating      Phase = "Terminating"
	Terminated       Phase = "Terminated"
)

// Terminal reports whether a rollout in this phase is over.
func (p Phase) Terminal() bool {
	switch p {
	case Succeeded, Failed, Terminated:
		return true
	case Initializing, Initialized, Waiting, Progressing, WaitingPromotion, Promoting, Finalising, RollingBack, Terminating:
		return false
	}
	return false
}

// Over reports whether there is nothing left to finish: it was never begun, has ended, or stands where nothing is analysed.
func (st *Status) Over() bool {
	return st.Phase == "" || st.Phase == Initialized || st.Phase.Terminal()
}

// Status is all that a rollout must remember. It is saved before the world is touched, and what the world should look
// like is derived from it (see Want), so that the two cannot disagree.
type Status struct {
	Phase    Phase  `json:"phase,omitempty"`
	Revision string `json:"revision,omitempty"` // the revision of the target under analysis
	Promoted string `json:"promoted,omitempty"` // the revision that the primary was last told to run

	Step      int    `json:"step"`                // analysis steps taken: 0 is none, n means Spec.Steps[n-1] is in force
	Promotion int    `json:"promotion,omitempty"` // promotion steps taken
	Weight    Weight `json:"weight"`              // the canary's wanted share of the traffic
	Routed    bool   `json:"routed,omitempty"`    // the routes are Penstock's to write
	Failed    int    `json:"failedChecks"`        // failed checks of this rollout; never reset during it
	Streak    int    `json:"streak,omitempty"`    // failed checks in a row
	Hooked    bool   `json:"hooked,omitempty"`    // the pre-rollout hooks have passed
	Probed    bool   `json:"probed,omitempty"`    // every check was asked once, before any traffic
	Handed    bool   `json:"handed,omitempty"`    // the route is the target's again: the canary is being uninstalled

	Gate      canary.HookType `json:"gate,omitempty"`     // the gate at which the rollout waits; its last window passed
	Opened    canary.HookType `json:"opened,omitempty"`   // the last gate that has opened for the next move
	GateSince time.Time       `json:"gateSince,omitzero"` // since when the next move waits for its gates
	Held      bool            `json:"held,omitempty"`     // it was said that the gate is closed
	Skip      bool            `json:"skip,omitempty"`     // people who may said to skip the remaining steps
	Paused    time.Time       `json:"paused,omitzero"`    // since when somebody wants the rollout to stay at its weight
	HeldSince time.Time       `json:"heldSince,omitzero"` // when this run was told so first
	Suspended time.Time       `json:"suspended,omitzero"` // since when it stands still at its gate, with no run at work
	Until     time.Time       `json:"until,omitzero"`     // when a suspended rollout is rolled back; zero: when somebody says so

	Session  string `json:"session,omitempty"`  // value of the session cookie that keeps users on this canary
	Previous string `json:"previous,omitempty"` // that of the rollout before, to be taken back from browsers

	Window time.Time `json:"window,omitzero"`  // start of the analysis window; zero until the world has converged on the step
	Moved  time.Time `json:"moved,omitzero"`   // when the rollout last moved: a phase, a step or a judged window
	Since  time.Time `json:"since,omitzero"`   // when the phase last changed
	Taken  time.Time `json:"taken,omitzero"`   // since when the router reports the wanted route; only where it has to settle
	Lost   bool      `json:"lost,omitempty"`   // the canary lost its readiness while it had traffic
	Halted bool      `json:"halted,omitempty"` // given up with the traffic left where it is safest; a person must look
	Cancel bool      `json:"cancel,omitempty"` // the rollback was asked for by cancelling the run
	Reason Reason    `json:"reason,omitzero"`  // why the last decision was taken
}

// BeginUnder is Begin for a run of this spec: with spec.suspend, a rollout that stands still at its gate is not taken up.
func BeginUnder(spec *Spec, st Status, now time.Time) Status {
	if spec.asleep(&st) {
		return st
	}
	return Begin(st, now)
}

// Begin prepares the saved status for a run that starts now. An unfinished rollout is taken up at its step, with a fresh
// analysis window and a fresh deadline, since nobody watched in between; a suspended one, too, and then its gate. After a finished one the next starts over: a
// failed revision is retried. A halted one is looked at as if for the first time, so that its working canary keeps the
// traffic until the primary works.
func Begin(st Status, now time.Time) Status {
	switch {
	case !st.Phase.Terminal():
		st.Taken, st.Paused = noTime, noTime
		st.Window, st.Lost = noTime, false
		st = st.wake(now)
		if !st.Moved.IsZero() {
			st.Moved = now
		}
		return st
	case st.Halted, !st.Routed, st.Phase == Terminated:
		return Status{Session: st.Session}
	}
	return Status{
		Phase: Initialized, Revision: st.Promoted, Promoted: st.Promoted, Routed: true, Since: st.Since, Moved: now,
		Session: st.Session,
	}
}
