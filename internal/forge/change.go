package forge

import (
	"time"

	"github.com/penstock-dev/penstock/internal/approval"
)

// Change is the pull or merge request of a run, as the platform has it now.
type Change struct {
	Repository int64 // by number: a name can be somebody else's by now
	Number     int64 // 0: the commit belongs to none
	Author     int64
	LastPusher int64 // 0: the platform does not say
	Starters   []int64
	Committers []int64 // when they are asked for; empty: not all of them are known
	Head       string
	Merged     bool
	Closed     bool // and not merged
}

// Note is a comment on the change, as the platform has it now.
type Note struct {
	Kind             approval.Kind
	ID               int64 // each kind has numbers of its own
	URL              string
	Actor            approval.Actor
	Created, Updated time.Time // Updated is later than Created when somebody has edited the text
	Body             string
	State            approval.ReviewState // of a review
	SHA              string               // that was reviewed
}

// Reaction is a short answer to a comment.
type Reaction string

// The reactions.
const (
	Seen    Reaction = "eyes"
	Counts  Reaction = "+1"
	Refused Reaction = "-1"
)
