package rollout

import (
	"strconv"
	"time"
)

// Resumption is how far somebody is with starting the run that takes up a suspended rollout. It stands beside the record
// and is written by compare-and-swap with it, before anything is started: of several who see the gate open one starts the
// run, and nobody starts one for a rollout that was taken up meanwhile.
type Resumption struct {
	Rollout string          `json:"rollout"` // which suspension: see Record.Suspension
	Gate    string          `json:"gate"`    // the target of the gate that was answered
	State   ResumptionState `json:"state,omitempty"`
	Starts  int             `json:"starts"`            // for this gate
	Since   time.Time       `json:"since,omitzero"`    // when a run was to be started first for this suspension
	At      time.Time       `json:"at,omitzero"`       // when somebody last took it up
	Problem string          `json:"problem,omitempty"` // why nobody goes on
}

// ResumptionState says how it stands. The zero value is that nobody is at it.
type ResumptionState string

// The states.
const (
	Asked  ResumptionState = "asked" // the forge is being asked, or its answer did not come
	Called ResumptionState = "started"
	GaveUp ResumptionState = "failed" // a person has to start the run
)

// ResumptionStep is what whoever has taken a resumption up does.
type ResumptionStep int

// The steps. The zero value is to do nothing.
const (
	LeaveIt ResumptionStep = iota
	StartIt
	LookFirst // a start was tried before, and it is not known what came of it
	TellIt    // nobody starts a run any more: tell people so
)

const (
	// ResumptionPatience is how long whoever has taken it up is given, before somebody else looks.
	ResumptionPatience = time.Minute

	// mostStarts is how many runs are started for one gate: one that opens and does not let them through would start them
	// for ever.
	mostStarts = 3
)

// Suspension names the suspension of a rollout that stands still at its gate; nothing when it does not.
func (r *Record) Suspension() string {
	if r.Status.Suspended.IsZero() || r.Status.Phase.Terminal() {
		return ""
	}
	return r.ID + "/" + strconv.FormatInt(r.Epoch, 10)
}

// Left returns for how long whoever is at the start for a suspension is still given; nothing when nobody is.
func (r Resumption) Left(suspension string, now time.Time) time.Duration {
	if r.Rollout != suspension || r.State != Asked {
		return 0
	}
	return max(0, r.At.Add(ResumptionPatience).Sub(now))
}

// Take takes up what there is to do for a suspension whose gate has been answered. What it returns has to be written before
// the step is taken.
func (r Resumption) Take(suspension, gate string, now time.Time) (Resumption, ResumptionStep) {
	now = now.UTC().Round(0)
	if r.Rollout != suspension {
		next := Resumption{Rollout: suspension, Gate: gate, State: Asked, Starts: 1, Since: now, At: now}
		if r.Gate == gate {
			next.Starts = r.Starts + 1
		}
		if next.Starts > mostStarts {
			next.Starts, next.State = r.Starts, GaveUp
			next.Problem = strconv.Itoa(mostStarts) + " runs were started for this gate, and none of them went on"
			return next, TellIt
		}
		return next, StartIt
	}
	next := r
	next.State, next.At = Asked, now
	switch r.State {
	case "":
		return next, StartIt
	case Asked:
		if r.Left(suspension, now) == 0 {
			return next, LookFirst
		}
	case Called, GaveUp:
	}
	return r, LeaveIt
}

// Settle enters what has come of it. What was settled already, or is about another suspension, stays.
func (r Resumption) Settle(suspension string, state ResumptionState, problem string) Resumption {
	if r.Rollout != suspension || r.State != Asked {
		return r
	}
	r.State, r.Problem = state, problem
	return r
}
