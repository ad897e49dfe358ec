package forge

import (
	"time"

	"github.com/penstock-dev/penstock/internal/approval"
)

// Change is the pull or merge request of a run, as the platform has it now.
type Change struct {
	Number     int64 // 0: the commit belongs to none
	Author     int64
	LastPusher int64 // 0: the platform does not say
	Starters   []int64
	Head       string
	Merged     bool
	Closed     bool // and not merged
}

// Note is a comment on the change, as the platform has it now.
type Note struct {
	ID               int64
	URL              string
	Actor            approval.Actor
	Created, Updated time.Time
	Body             string
}

// Reaction is a short answer to a comment.
type Reaction string

// The reactions.
const (
	Seen    Reaction = "eyes"
	Counts  Reaction = "+1"
	Refused Reaction = "-1"
)
