package server

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"time"

	"github.com/penstock-dev/penstock/internal/approval"
)

// Subject is what to look at: a change, which is a pull request or a merge request, or a run of jobs.
type Subject struct {
	Platform   approval.Platform `json:"platform"`
	Repository int64             `json:"repository"` // by number: names move
	Path       string            `json:"path"`       // owner/name as the last delivery had it, for the addresses of the API
	Change     int64             `json:"change"`
	Run        int64             `json:"run,omitempty"` // a workflow run or a pipeline, where it is no change
}

// String is such as "github shop/web#12", for logs.
func (s Subject) String() string {
	if s.Run != 0 {
		return fmt.Sprintf("%s %s run %d", s.Platform, s.Path, s.Run)
	}
	return fmt.Sprintf("%s %s#%d", s.Platform, s.Path, s.Change)
}

// key is what a subject is told apart by. The path is not in it: a repository that was renamed is the same.
func (s Subject) key() string {
	key := string(s.Platform) + "/" + strconv.FormatInt(s.Repository, 10) + "/" + strconv.FormatInt(s.Change, 10)
	if s.Run != 0 {
		key += "/" + strconv.FormatInt(s.Run, 10)
	}
	return key
}

// Delivery is one webhook request that is worth a look.
type Delivery struct {
	Key     string // see deliveryKey
	Subject Subject
	At      time.Time // when it came
}

// deliveryKey tells deliveries apart: the same platform, number and body is the same delivery. The number alone would
// not do, because GitHub does not sign it: whoever may send one delivery could otherwise hide the next.
func deliveryKey(platform approval.Platform, id string, body []byte) string {
	content := sha256.Sum256(body)
	all := sha256.Sum256(fmt.Appendf(nil, "%s\n%d %s\n%x", platform, len(id), id, content))
	return hex.EncodeToString(all[:])
}

// Pending is a subject that has deliveries without a look.
type Pending struct {
	Subject Subject   `json:"subject"`
	Mark    uint64    `json:"mark"`  // the Store's number of its last delivery
	Since   time.Time `json:"since"` // when the first of them came
}

// Batch is what is written at once.
type Batch struct {
	Add  []Delivery
	Done []Pending // each up to its mark
}

// Receipt is what became of one added delivery.
type Receipt struct {
	New     bool    // false when the Store had the delivery already
	Pending Pending // its subject's, when it is new
}

// Store keeps deliveries, so that they outlive the process. Several replicas may share one.
type Store interface {
	// Commit writes a batch durably, all of it or nothing, and returns a receipt for each added delivery. Every new
	// delivery gives its subject a mark above all marks before. A subject is done when its mark is not above the one
	// that is given: deliveries that came during a look stay pending.
	Commit(ctx context.Context, b Batch) ([]Receipt, error)
	// Pending lists the subjects that are not done.
	Pending(ctx context.Context) ([]Pending, error)
}

// Looker looks at a change: it reads the truth from the forge and writes what follows from it. It may be asked for the
// same again, also by another replica at the same time. An error means that it has to look again.
type Looker interface {
	Look(ctx context.Context, s Subject) error
}
