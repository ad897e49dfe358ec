package approval

import "fmt"

// Verdict is what a gate says. Its zero value keeps the gate closed.
type Verdict struct {
	Open     bool `json:"open"`
	Rejected bool `json:"rejected"`
	Expired  bool `json:"expired"` // see Policy.OnExpiry
	Aborted  bool `json:"aborted"` // of the rollout, at whatever gate
	Paused   bool `json:"paused"`  // of the rollout; a paused rollout's gates stay closed
	Promote  bool `json:"promote"` // open, and everybody who was needed asked to skip the remaining steps
	Tampered bool `json:"tampered"`

	Missing []string     `json:"missing,omitempty"` // what the gate still lacks, in words, such as "1 more of group sre"
	Votes   []VoteResult `json:"votes,omitempty"`   // one per comment, oldest first
}

// VoteResult says what became of one comment and why.
type VoteResult struct {
	Actor   Actor  `json:"actor"`
	Verb    Verb   `json:"verb"`
	URL     string `json:"url,omitempty"`
	Counted bool   `json:"counted"`
	Reason  Reason `json:"reason"`
	Group   string `json:"group,omitempty"` // that the person counts in
}

// nouns are what the verbs make.
func nouns() map[Verb]string {
	return map[Verb]string{Approve: "approval", Promote: "promotion", Reject: "rejection",
		Pause: "pause", Resume: "resumption", Abort: "abort"}
}

// Sentence says it in plain words, without markdown.
func (v VoteResult) Sentence() string {
	noun, ok := nouns()[v.Verb]
	if !ok {
		noun = "comment"
	}
	text := fmt.Sprintf("%s's %s %s", plainLogin(v.Actor.Login), noun, v.Reason.Sentence())
	if v.Group != "" {
		text += fmt.Sprintf(" for group %s", v.Group)
	}
	return text
}
