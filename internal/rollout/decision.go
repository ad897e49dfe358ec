package rollout

import "time"

// Outcome is how a run ends.
type Outcome int8

// The zero value means that the rollout goes on.
const (
	Running     Outcome = iota
	Initialised         // the first run: the target became the primary, nothing was analysed
	Unchanged           // the target runs what was promoted already
	Promoted            // the revision passed and the primary runs it
	RolledBack          // the revision was rejected and all traffic is on the primary
	Halted              // given up with the traffic where it is safest; a person must look
	Suspended           // spec.suspend, or a gate that is closed: the rollout stands still until the next run
	Superseded          // another run has taken over
	Cancelled           // the run was cancelled, and brought to its safe end
	Gated               // a gate did not open in time; the rollout stands still until the next run
	Uninstalled         // the target has its traffic back and nothing of the canary is left
)

// Decision is what Decide returns.
type Decision struct {
	Next    Status    // to be saved before the world is touched
	Want    World     // derived from Next
	Reason  Reason    // why
	WakeAt  time.Time // when to look again, if nothing changes before; zero when the run is over
	Outcome Outcome   // Running until the run is over
	Events  []Event   // what happened, in Flagger's words
}

// Entry is one line of a rollout's history: a decision that moved it, with the checks behind it.
type Entry struct {
	Time   time.Time     `json:"time"`
	Phase  Phase         `json:"phase"`
	Step   int           `json:"step"`
	Steps  int           `json:"steps"`
	Weight Weight        `json:"weight"`
	Failed int           `json:"failedChecks"`
	Reason string        `json:"reason"`
	Checks []CheckResult `json:"checks,omitempty"`
}
