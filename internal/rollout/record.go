package rollout

import (
	"encoding/json"
	"slices"
	"time"
)

// historyLimit bounds the record: it lives in a ConfigMap, which holds 1 MiB.
const historyLimit = 200

// samplesLimit is how many of the newest entries keep the samples of their comparisons, which take more room than all else.
const samplesLimit = 20

// Record is what the cluster keeps of a rollout, in the ConfigMap penstock-<canary>. It is written only by the run that
// holds the lease.
type Record struct {
	ID       string `json:"id"`    // of the run that wrote it
	Epoch    int64  `json:"epoch"` // of the lease under which it was written; a lower one may not write
	Target   string `json:"target,omitempty"`
	Image    string `json:"image,omitempty"` // of the revision under analysis
	RunURL   string `json:"runURL,omitempty"`
	Commit   string `json:"commit,omitempty"`
	SpecHash string `json:"specHash,omitempty"`
	// ApprovalPolicy is the hash of the policy by which people approve; empty when nobody has to.
	ApprovalPolicy string `json:"approvalPolicy,omitempty"`
	// Plan is what it takes to bring the rollout to a safe end without the files of its run. It holds no secret, and no
	// rule reads it.
	Plan json.RawMessage `json:"plan,omitempty"`

	Started time.Time `json:"started,omitzero"`
	Updated time.Time `json:"updated,omitzero"`
	Status  Status    `json:"status"`
	History []Entry   `json:"history,omitempty"` // oldest first; the oldest are dropped
	Past    []Ended   `json:"past,omitempty"`    // the rollouts before this one, oldest first; the oldest are dropped
}

// pastLimit is how many rollouts before its own a record remembers.
const pastLimit = 20

// Ended is what is remembered of a rollout that is over once the record is another one's.
type Ended struct {
	ID       string    `json:"id"`
	Image    string    `json:"image,omitempty"`
	Revision string    `json:"revision,omitempty"`
	Commit   string    `json:"commit,omitempty"`
	RunURL   string    `json:"runURL,omitempty"`
	Phase    Phase     `json:"phase"` // a terminal one
	Halted   bool      `json:"halted,omitempty"`
	Reason   Reason    `json:"reason,omitzero"`
	Started  time.Time `json:"started,omitzero"`
	Updated  time.Time `json:"updated,omitzero"` // when it ended
}

// Follow remembers the rollout of the record before this one, if that is over, and what that one remembers.
func (r *Record) Follow(old Record) {
	r.Past = slices.Clone(old.Past)
	if st := &old.Status; st.Phase.Terminal() {
		r.Past = append(r.Past, Ended{
			ID: old.ID, Image: old.Image, Revision: st.Revision, Commit: old.Commit, RunURL: old.RunURL,
			Phase: st.Phase, Halted: st.Halted, Reason: st.Reason, Started: old.Started, Updated: old.Updated,
		})
	}
	r.Past = r.Past[max(0, len(r.Past)-pastLimit):]
}

// Append adds an entry to the history and drops the oldest beyond the limit, and the samples of those that are not new any
// more. What the entries share with others is left as it is.
func (r *Record) Append(e Entry) {
	r.History = append(r.History, e)
	if old := len(r.History) - 1 - samplesLimit; old >= 0 {
		r.History[old].Checks = withoutSamples(r.History[old].Checks)
	}
	if extra := len(r.History) - historyLimit; extra > 0 {
		r.History = append([]Entry(nil), r.History[extra:]...)
	}
}

func withoutSamples(checks []CheckResult) []CheckResult {
	checks = slices.Clone(checks)
	for i := range checks {
		if c := checks[i].Comparison; c != nil {
			short := *c
			short.Canary, short.Primary = nil, nil
			checks[i].Comparison = &short
		}
	}
	return checks
}
