package approval

// Reason is a stable code for why a vote counts or does not. The zero Reason is none and counts nothing.
type Reason string

// Why a vote counts or does not.
const (
	Counted           Reason = "Counted"
	WrongRepository   Reason = "WrongRepository"
	WrongChange       Reason = "WrongChange"
	ClosedUnmerged    Reason = "ClosedUnmerged"
	Bot               Reason = "Bot"
	ViaApp            Reason = "ViaApp"
	Deleted           Reason = "Deleted"
	Edited            Reason = "Edited"
	Dismissed         Reason = "Dismissed"
	Incomplete        Reason = "Incomplete"
	NoGate            Reason = "NoGate"
	BeforeGate        Reason = "BeforeGate"
	AfterDeadline     Reason = "AfterDeadline"
	MissingTarget     Reason = "MissingTarget"
	WrongTarget       Reason = "WrongTarget"
	WrongRevision     Reason = "WrongRevision"
	BareApproval      Reason = "BareApproval"
	Author            Reason = "Author"
	StartedRun        Reason = "Actor"
	LastPusher        Reason = "LastPusher"
	Committer         Reason = "Committer"
	PermissionUnknown Reason = "PermissionUnknown"
	NotEligible       Reason = "NotEligible"
	Superseded        Reason = "Superseded" // by a newer vote of the same person
	Withdrawn         Reason = "Withdrawn"  // by a newer rejection of the same person
	Tampered          Reason = "Tampered"   // edited, deleted or otherwise changed after it had counted
	Voided            Reason = "Void"       // the gate no longer asks for what was approved
	NotNeeded         Reason = "NotNeeded"  // counts, but the groups that the person is in are full
)

// reasons are the codes with their sentences, which follow upon "alice's approval".
func reasons() map[Reason]string {
	return map[Reason]string{
		Counted:           "counts",
		WrongRepository:   "does not count: it was written in another repository",
		WrongChange:       "does not count: it was written on another change",
		ClosedUnmerged:    "does not count: the change is closed and was not merged",
		Bot:               "does not count: a bot wrote it",
		ViaApp:            "does not count: an application wrote it in somebody's name",
		Deleted:           "does not count: the comment was deleted",
		Edited:            "does not count: the comment was edited; write a new one",
		Dismissed:         "does not count: the review was dismissed",
		Incomplete:        "does not count: the forge did not say who wrote what, and when",
		NoGate:            "does not count: no gate is waiting",
		BeforeGate:        "does not count: it was written before the gate opened",
		AfterDeadline:     "does not count: it came after the deadline",
		MissingTarget:     "does not count: it names no target; copy the whole line from the comment that asks for approval",
		WrongTarget:       "does not count: its target is another rollout or another gate",
		WrongRevision:     "does not count: it is for another revision",
		BareApproval:      "does not count: the short form works on GitHub only, where the policy allows it and exactly one gate waits",
		Author:            "does not count: whoever wrote the change may not approve it",
		StartedRun:        "does not count: whoever started the run may not approve it",
		LastPusher:        "does not count: whoever pushed last may not approve it",
		Committer:         "does not count: whoever committed to the change may not approve it",
		PermissionUnknown: "does not count yet: the forge did not say what this person may do",
		NotEligible:       "does not count: this person may not do that here",
		Superseded:        "does not count: the same person voted again later",
		Withdrawn:         "does not count: the same person rejected later",
		Tampered:          "no longer counts: its comment was changed after it had counted; write a new one",
		Voided:            "does not count any more: the gate asks for something else now",
		NotNeeded:         "is valid, and was not needed: others already stand for this person's groups",
	}
}

// Sentence says the reason in words that follow upon "alice's approval".
func (r Reason) Sentence() string {
	if s, ok := reasons()[r]; ok {
		return s
	}
	return "does not count"
}

// passing reports whether the reason says something about the sight of a comment rather than about the comment: another
// sight of it may still count.
func (r Reason) passing() bool { return r == PermissionUnknown || r == AfterDeadline }

// changed reports whether the reason says that the comment is no longer what it was.
func (r Reason) changed() bool { return r == Edited || r == Deleted || r == Dismissed }
