package gate

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/penstock-dev/penstock/internal/approval"
)

// errGone means that somebody has taken decisions away.
var errGone = errors.New("the decisions that were kept are gone")

// look finds out what has been decided, and judges the gate. What others have decided is known without asking; the forge
// is asked when it is time to, and before a gate opens. The lock is held.
func (a *Approvals) look(ctx context.Context) {
	now := a.Clock.Now()
	if due := !now.Before(a.next); !due && !a.heard(now) {
		return
	}
	// The jitter keeps many runs from asking at the same moment.
	a.next = now.Add(a.Every + time.Duration(now.UnixNano())%(a.Every/2+1))
	err := a.read(ctx, now)
	if err == nil {
		a.trouble = ""
		return
	}
	if ctx.Err() != nil {
		a.next = time.Time{} // broken off: it tells nothing
		return
	}
	a.verdict = approval.Verdict{} // what cannot be read may have changed
	if text := err.Error(); text != a.trouble {
		a.trouble = text
		a.warn(fmt.Errorf("read the approvals: %w", err))
	}
}

// heard takes up what others have decided meanwhile. It reports whether the gate would open by it: for that, the forge
// has to be asked whether the change is still the one that was approved.
func (a *Approvals) heard(now time.Time) bool {
	if a.Decided == nil || a.trouble != "" || a.gate.Change == 0 {
		return false
	}
	log, known, err := a.Decided.Log()
	if !known || err != nil || log.Head == a.log.Head || !log.Extends(a.log.Head) {
		return false // nothing new; or older than what this run has written itself
	}
	verdict := approval.Judge(a.gate, a.Policy, log, now)
	if verdict.Open {
		return true
	}
	a.log, a.verdict = log, verdict
	return false
}

func (a *Approvals) warn(err error) {
	if a.Warn != nil {
		a.Warn(err)
	}
}

// read asks the forge, and judges.
func (a *Approvals) read(ctx context.Context, now time.Time) error {
	gate, log, err := a.take(ctx)
	if err != nil {
		return err
	}
	if a.gate.Void != "" {
		gate.Void = a.gate.Void // it stays so until another gate opens
	}
	if a.gate = gate; !log.Extends(a.log.Head) {
		return errGone
	}
	a.log, a.verdict = log, approval.Judge(a.gate, a.Policy, log, now)
	if err := a.post(ctx); err != nil || a.Served {
		return err
	}
	a.answer(ctx)
	return nil
}

// answerLimit is how long a run takes to answer questions: it has a rollout to look after.
const answerLimit = 5 * time.Second

// answer is best effort. What fails is tried again with the next look.
func (a *Approvals) answer(ctx context.Context) {
	limit, cancel := context.WithTimeout(ctx, answerLimit)
	defer cancel()
	if err := a.tally.Answer(limit, a.gate); err != nil && !errors.Is(err, errTaken) && ctx.Err() == nil {
		a.warn(err)
	}
}

// take reads the comments, or only the change where a server reads them.
func (a *Approvals) take(ctx context.Context) (approval.Gate, approval.Log, error) {
	if !a.Served {
		return a.tally.Take(ctx, a.gate, a.Policy)
	}
	change, err := a.Change.Read(ctx)
	if err != nil {
		return a.gate, approval.Log{}, err
	}
	if err := sameChange(&a.gate, &change); err != nil {
		return a.gate, approval.Log{}, err
	}
	log, known, err := a.Decided.Log()
	if err == nil && !known {
		err = errors.New("the decisions were not read yet")
	}
	return renewed(a.gate, &change), log, err
}

// post tells the server at which gate the run waits. Without one, nobody needs to know.
func (a *Approvals) post(ctx context.Context) error {
	if a.Board == nil {
		return nil
	}
	err := a.Board.Post(ctx, approval.Notice{Path: a.Path, Prefix: a.Prefix, Gate: a.gate, Policy: a.Policy})
	if err == nil || a.Served {
		return err
	}
	if ctx.Err() == nil {
		a.warn(err) // this run reads the comments itself
	}
	return nil
}

// Close says that the rollout no longer listens to anybody. It is best effort: what is said to a rollout that is over
// changes nothing.
func (a *Approvals) Close(ctx context.Context) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.Board != nil && a.gate.Change != 0 {
		_ = a.Board.Post(ctx, approval.Notice{Path: a.Path, Prefix: a.Prefix, Gate: a.gate, Policy: a.Policy, Over: true})
	}
}
