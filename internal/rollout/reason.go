package rollout

import "strconv"

// Code names a reason in one CamelCase word, for machines.
type Code string

// The reasons.
const (
	OtherRun          Code = "OtherRun"
	SpecSuspend       Code = "SpecSuspend"
	TargetMissing     Code = "TargetMissing"
	TargetStale       Code = "TargetStale"
	FirstRun          Code = "FirstRun"
	FirstRunDone      Code = "FirstRunDone"
	Adopted           Code = "Adopted"
	NothingNew        Code = "NothingNew"
	NewRevision       Code = "NewRevision"
	RevisionWithdrawn Code = "RevisionWithdrawn"
	TargetChanged     Code = "TargetChanged"
	StopAsked         Code = "StopAsked"
	CanaryBroken      Code = "CanaryBroken"
	CanaryNotReady    Code = "CanaryNotReady"
	CanaryBack        Code = "CanaryBack"
	PrimaryBroken     Code = "PrimaryBroken"
	PrimaryNotReady   Code = "PrimaryNotReady"
	PrimaryReady      Code = "PrimaryReady"
	RouterNotSettled  Code = "RouterNotSettled"
	RouterSettling    Code = "RouterSettling"
	AnalysisSkipped   Code = "AnalysisSkipped"
	WindowOpen        Code = "WindowOpen"
	CheckFailed       Code = "CheckFailed"
	ChecksUnknown     Code = "ChecksUnknown"
	ChecksPending     Code = "ChecksPending"
	StepTaken         Code = "StepTaken"
	StepsTaken        Code = "StepsTaken"
	AllPassed         Code = "AllPassed"
	CopyPending       Code = "CopyPending"
	PromotionStep     Code = "PromotionStep"
	HookFailed        Code = "HookFailed"
	ProbeFailed       Code = "ProbeFailed"
	HooksPending      Code = "HooksPending"
	GateClosed        Code = "GateClosed"
	GateOpened        Code = "GateOpened"
	GateExpired       Code = "GateExpired"
	PauseAsked        Code = "PauseAsked"
	PauseEnded        Code = "PauseEnded"
	PauseExpired      Code = "PauseExpired"
	StepsSkipped      Code = "StepsSkipped"
	GateSuspended     Code = "GateSuspended"
	NoDataYet         Code = "NoDataYet"
	Probed            Code = "Probed"
	CanaryDeleted     Code = "CanaryDeleted"
	HandingOver       Code = "HandingOver"
	HandedOver        Code = "HandedOver"
	Undecided         Code = "Undecided"
)

var sentences = map[Code]string{
	OtherRun:          "another run has taken over",
	SpecSuspend:       "the canary is suspended (spec.suspend: true)",
	TargetMissing:     "the target does not exist",
	TargetStale:       "the last change of the target was not taken up yet",
	FirstRun:          "first run: making the primary from the target",
	FirstRunDone:      "initialised: the primary serves what the target ran; the next change is analysed",
	Adopted:           "the primary that exists is taken over as it is",
	NothingNew:        "nothing to do: the target runs what was promoted already",
	NewRevision:       "new revision of the target",
	RevisionWithdrawn: "the target was changed back to the promoted revision",
	TargetChanged:     "the target changed again; the promoted primary gets all traffic",
	StopAsked:         "asked to stop",
	CanaryBroken:      "the canary cannot become ready",
	CanaryNotReady:    "the canary is not ready",
	CanaryBack:        "the canary is ready again; its analysis window starts over",
	PrimaryBroken:     "the primary cannot become ready",
	PrimaryNotReady:   "the primary is not ready",
	PrimaryReady:      "the primary is ready and gets the traffic",
	RouterNotSettled:  "the router has not taken up the weight yet",
	RouterSettling:    "the router reports the weight and is given time to settle",
	AnalysisSkipped:   "spec.skipAnalysis: promoting the ready canary",
	WindowOpen:        "analysing",
	CheckFailed:       "a check failed",
	ChecksUnknown:     "a check has no answer",
	ChecksPending:     "waiting for the checks",
	StepTaken:         "next step",
	StepsTaken:        "all steps passed: copying the revision to the primary",
	AllPassed:         "the revision passed and the primary runs it",
	CopyPending:       "copying the revision to the primary",
	PromotionStep:     "giving traffic back to the primary",
	HookFailed:        "a webhook failed",
	ProbeFailed:       "a check cannot be made; no traffic has moved",
	HooksPending:      "waiting for the webhooks",
	GateClosed:        "waiting at the gate",
	GateOpened:        "the gate has opened",
	GateExpired:       "the gate stayed closed",
	PauseAsked:        "paused at this weight; the analysis goes on",
	PauseEnded:        "the rollout goes on",
	PauseExpired:      "paused for too long",
	StepsSkipped:      "the remaining steps are skipped, as was asked for: promoting the ready canary",
	GateSuspended:     "the gate is closed; the next run of this revision goes on from here",
	NoDataYet:         "waiting for data",
	Probed:            "every check can be asked",
	CanaryDeleted:     "the Canary was deleted; Kubernetes removes what it owned, the primary too",
	HandingOver:       "giving the traffic back to the target",
	HandedOver:        "the target has its traffic back; nothing of the canary is left",
	Undecided:         "nothing to decide",
}

// Reason says why a decision was taken. The zero value is no reason.
type Reason struct {
	Code   Code   `json:"code,omitempty"`
	Detail string `json:"detail,omitempty"` // the cluster's or a check's own words
}

// String returns the reason as a plain sentence.
func (r Reason) String() string {
	text := sentences[r.Code]
	switch {
	case text == "":
		return r.Detail
	case r.Detail == "":
		return text
	}
	return text + ": " + r.Detail
}

// Event is something that users and dashboards are told, with Flagger's message.
type Event struct {
	Warning bool
	Message string
}

// advanced is Flagger's message about a step: what is "canary weight" or the like.
func (s *Spec) advanced(what string, n int) string {
	return "Advance " + s.Name + " " + what + " " + strconv.Itoa(n)
}
