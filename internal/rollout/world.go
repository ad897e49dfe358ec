package rollout

import "time"

// Scale is what is wanted of the canary's replicas.
type Scale int8

// The zero value leaves the canary as it is.
const (
	ScaleLeave Scale = iota
	ScaleUp          // as many replicas as the primary, unless it has some of its own
	ScaleZero
)

// World is what the cluster should look like. Applying it is idempotent.
type World struct {
	Touch   bool   // false: leave everything alone
	Route   Route  // where the traffic goes
	Canary  Scale  // the canary's replicas
	Primary string // the revision that the primary runs; copied from the target when they differ
	Remove  bool   // what was made for the canary goes away
}

// Route says where the traffic goes. The primary gets what the canary does not.
type Route struct {
	Managed bool   // false: the routes are not ours to write yet
	Canary  Weight // share of the requests that goes to the canary
	Mirror  Weight // share of the requests that is copied to the canary, its answers thrown away
	Match   bool   // requests that match spec.analysis.match go to the canary

	Session  string // value of the cookie that keeps a user on the canary; empty: nobody is kept
	Previous string // value of the rollout before, which browsers may still send
	Handover bool   // the apex serves the target again, as if there had never been a canary
}

// RouteReport is what a router says of itself.
type RouteReport struct {
	Route
	Known   bool   // the router objects exist and could be read
	Settled bool   // the router has taken up what its objects say
	Message string // when not settled or not known: what is missing
}

// Workload is what the cluster says of the target or of the primary.
type Workload struct {
	Exists   bool
	Revision string // hash of the pod template, the same for a target and for its copy
	Replicas int    // wanted
	Ready    bool   // as many pods as the threshold asks for run the present revision and are available
	Serving  bool   // at least one pod of it is available
	Broken   bool   // it cannot become ready without a change
	Message  string // when not ready: which pod, and why
	Changed  string // what of it differs from what was promoted, in words; empty when that is not known
	Scaler   string // its autoscaler, with its bounds and what it wants; empty without one
	Stale    bool   // what it asks for has changed and was not taken up yet, so that Revision may be the one before
	Resizing bool   // not ready only because its autoscaler has changed its size; every pod that was well still is
}

// Stop is a request to end the rollout early.
type Stop int8

// The zero value asks for nothing.
const (
	StopNone     Stop = iota
	StopRollback      // a rollback hook or an operator asked for it
	StopCancel        // the run was cancelled
)

// Observation is one snapshot of everything that a decision depends on, the time included.
type Observation struct {
	Now        time.Time
	Superseded bool // another run holds the lease
	Stop       Stop
	Target     Workload // the user's workload, which runs the canary
	Primary    Workload
	Route      RouteReport
	StopWhy    string    // in words, when there is more to say
	Deleted    bool      // the Canary object is being deleted, or gone
	Window     time.Time // the window that Checks judge
	Probe      bool      // Checks are the first look at every query, before any traffic
	Checks     []CheckResult
	Gate       HookAnswer // of the gate that was asked
	Paused     string     // who wants the rollout to stay at its weight; empty when nobody does
	Hook       HookAnswer // of the hooks that were called
}

// Verdict is the answer of a check. Only Pass advances a rollout.
type Verdict int8

// The zero value is no answer at all.
const (
	Unknown Verdict = iota
	Pass
	Fail
	NoData
	Error
)

// String returns the verdict in words.
func (v Verdict) String() string {
	switch v {
	case Pass:
		return "pass"
	case Fail:
		return "fail"
	case NoData:
		return "no data"
	case Error:
		return "error"
	case Unknown:
		return "unknown"
	}
	return "unknown"
}

// MarshalText writes the verdict in words.
func (v Verdict) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// UnmarshalText reads what MarshalText wrote; anything else is Unknown, which never advances a rollout.
func (v *Verdict) UnmarshalText(text []byte) error {
	*v = Unknown
	for _, known := range []Verdict{Pass, Fail, NoData, Error} {
		if known.String() == string(text) {
			*v = known
		}
	}
	return nil
}

// CheckResult is what one check answered.
type CheckResult struct {
	Name    string   `json:"name"`
	Verdict Verdict  `json:"verdict"`
	Value   *float64 `json:"value,omitempty"` // nil when there was none
	Min     *float64 `json:"min,omitempty"`   // bounds that the value was held to
	Max     *float64 `json:"max,omitempty"`
	Unit    string   `json:"unit,omitempty"`    // "%", "ms" or empty
	Query   string   `json:"query,omitempty"`   // as sent
	Raw     string   `json:"raw,omitempty"`     // what came back, capped
	Message string   `json:"message,omitempty"` // why it is not a pass

	Comparison *Comparison `json:"comparison,omitempty"` // of a check that holds the canary to the primary; nil for all others
}

// Comparison is what a check saw that holds the canary to the primary over the same window. Without enough samples it has
// no more than the samples.
type Comparison struct {
	Measure string    `json:"measure,omitempty"` // median or mean: what the check's value is, and Value of the primary
	Value   float64   `json:"value"`
	P       float64   `json:"p"`      // probability of so large a difference by chance (Mann-Whitney U)
	Effect  float64   `json:"effect"` // Cliff's delta: 1 when every sample of the canary is above every one of the primary
	Canary  []float64 `json:"canary,omitempty"`
	Primary []float64 `json:"primary,omitempty"`
	Query   string    `json:"primaryQuery,omitempty"` // as sent
}
