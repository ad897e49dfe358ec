package gate

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/utils/clock"

	"github.com/penstock-dev/penstock/internal/approval"
	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/report"
	"github.com/penstock-dev/penstock/internal/rollout"
	"github.com/penstock-dev/penstock/internal/runner"
)

// Decided is what has been decided so far, by whomever, and is kept up to date.
type Decided interface {
	Log() (log approval.Log, known bool, err error)
}

// Board is where a run says at which gate it waits.
type Board interface {
	Post(ctx context.Context, n approval.Notice) error
}

// ApprovalConfig is what Approvals is made of.
type ApprovalConfig struct {
	Webhooks runner.Hooks      // of the canary; nil when it has none
	Called   []canary.HookType // the types of webhooks that it has
	Gates    []canary.HookType // at which people approve
	Policy   approval.Policy
	Source   approval.Source // the change's number is filled in
	Binding  approval.Binding
	Key      []byte // random, of this run: nobody can compute the targets of its gates
	Change   Change
	Ledger   Ledger
	Decided  Decided // what others decide meanwhile; nil when nobody else does
	Board    Board   // tells others at which gate the run waits; nil when nobody needs to know
	Path     string  // of the repository, for them
	Served   bool    // a server reads the comments, and this run only what it has decided
	Clock    clock.Clock
	Every    time.Duration // how often the forge is asked, at most; some jitter comes on top
	Prefix   string        // of commands; see approval.ParsePrefix
	Alone    bool          // no other rollout of this run waits on the change
	Answer   *Answering    // how questions are answered; nil for a reaction alone
	Warn     func(error)   // told of each new reason why comments cannot be read; may be nil
	Posted   *Posted       // the gate that this run comes back to; nil when there is none
}

// Posted is the gate at which a rollout was suspended, as its run has posted it, and what that run has saved. What people
// have said about it meanwhile counts, as long as it is the same gate: of the same commit, revision, failures and policy.
type Posted struct {
	Gate   approval.Gate
	Status rollout.Status
}

// Approvals answers the gates at which people approve by comments, and calls the webhooks for everything else. A gate
// that has both opens when both say so. It reads the comments itself, or lets a server read them, or both: all enter what
// they find in the same decisions, which are watched.
//
// A rejection and an abort answer the rollback hook, which the rollout must have for that; see HookTypes.
type Approvals struct {
	ApprovalConfig
	hash  string // of the policy
	tally Tally

	shown atomic.Pointer[report.Gate]

	mu      sync.Mutex
	started time.Time
	gate    approval.Gate
	of      opening
	number  int
	next    time.Time // when the forge is asked again
	log     approval.Log
	verdict approval.Verdict
	trouble string // why the last look failed
}

// opening is what makes a gate another one.
type opening struct {
	hook     canary.HookType
	since    time.Time
	revision string
	failed   int
}

// NewApprovals returns Approvals. It makes no request.
func NewApprovals(c ApprovalConfig) *Approvals {
	a := &Approvals{ApprovalConfig: c, hash: c.Policy.Hash()}
	a.tally = Tally{Change: c.Change, Ledger: c.Ledger, Clock: c.Clock, Prefix: c.Prefix, Via: approval.Poll, Warn: c.Warn, Answering: c.Answer}
	a.started = justBefore(c.Clock.Now())
	b := a.Binding
	b.Gate = 1
	a.gate.Nonce = approval.Bind(a.Key, b) // a rollout that is paused between gates is resumed by it
	a.gate = a.blank()
	if c.Posted != nil {
		a.adopt(c.Posted)
	}
	return a
}

// adopt makes the posted gate the one that waits, unless it is about something else. When the rollout comes to another gate
// instead, or to another revision, that one is opened in its place.
func (a *Approvals) adopt(p *Posted) {
	g, st := &p.Gate, &p.Status
	same := g.Name == string(st.Gate) && g.SHA == a.Binding.SHA && g.PolicyHash == a.hash && g.Alone == a.Alone &&
		g.Platform == a.Source.Platform && g.Repository == a.Source.Repository
	if st.Suspended.IsZero() || !same || g.Void != "" || g.OpenedAt.IsZero() {
		return
	}
	a.gate, a.number, a.of = *g, g.Number, openingOf(st.Gate, st)
}

func openingOf(hook canary.HookType, st *rollout.Status) opening {
	return opening{hook: hook, since: st.GateSince.UTC().Round(0), revision: st.Revision, failed: st.Failed}
}

// HookTypes adds to the types of webhooks those that a rollout with approvals asks for besides.
func HookTypes(hooks, gates []canary.HookType) []canary.HookType {
	all := slices.Clone(hooks)
	for _, hook := range append(slices.Clone(gates), canary.HookRollback) {
		if !slices.Contains(all, hook) {
			all = append(all, hook)
		}
	}
	return all
}

// justBefore is a time that every comment of the same second comes after: forges write full seconds.
func justBefore(t time.Time) time.Time { return t.UTC().Truncate(time.Second).Add(-time.Nanosecond) }

// Call implements runner.Hooks.
func (a *Approvals) Call(ctx context.Context, hook canary.HookType, st *rollout.Status) rollout.HookAnswer {
	answer := rollout.HookAnswer{Hook: hook, Verdict: rollout.Fail}
	switch {
	case hook == canary.HookRollback:
		if answer = a.stopped(ctx); answer.Verdict == rollout.Pass || !slices.Contains(a.Called, hook) {
			return answer
		}
		called := a.Webhooks.Call(ctx, hook, st)
		called.Paused = answer.Paused
		return called
	case !slices.Contains(a.Gates, hook):
		if a.Webhooks == nil {
			return rollout.HookAnswer{Hook: hook}
		}
		return a.Webhooks.Call(ctx, hook, st)
	}
	if answer = a.vote(ctx, hook, st); answer.Verdict == rollout.Pass && slices.Contains(a.Called, hook) {
		called := a.Webhooks.Call(ctx, hook, st)
		called.Skip = answer.Skip
		return called
	}
	return answer
}

// vote answers a gate. Only a verdict about comments that were read for this very gate opens it: another gate starts
// without one.
func (a *Approvals) vote(ctx context.Context, hook canary.HookType, st *rollout.Status) rollout.HookAnswer {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.open(hook, st)
	a.look(ctx)
	a.show()
	answer := rollout.HookAnswer{Hook: hook, Verdict: rollout.Fail, Message: a.says()}
	switch {
	case a.trouble != "":
		answer.Verdict, answer.Message = rollout.Error, "comments cannot be read: "+a.trouble
	case a.verdict.Open:
		answer.Verdict, answer.Skip = rollout.Pass, a.verdict.Promote
	}
	return answer
}

// stopped passes when somebody has rejected the gate or aborted the rollout. A gate that has opened can be rejected until
// the next one waits.
func (a *Approvals) stopped(ctx context.Context) rollout.HookAnswer {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.look(ctx)
	a.show()
	answer := rollout.HookAnswer{Hook: canary.HookRollback, Verdict: rollout.Fail, Message: "nobody asks for a rollback"}
	if a.verdict.Paused {
		answer.Paused = "paused"
	}
	for _, v := range a.verdict.Votes {
		if v.Counted && v.Verb == approval.Pause && a.verdict.Paused {
			answer.Paused = "paused by " + v.Actor.Login
		}
		if v.Counted && (v.Verb == approval.Reject && a.verdict.Rejected || v.Verb == approval.Abort && a.verdict.Aborted) {
			answer.Verdict, answer.Message = rollout.Pass, fmt.Sprintf("%s by %s", v.Verb, v.Actor.Login)
		}
	}
	return answer
}

// open makes the gate that is asked for the one that people vote on. What was said about another one, or before the
// analysis failed once more, is about something else.
func (a *Approvals) open(hook canary.HookType, st *rollout.Status) {
	of := openingOf(hook, st)
	if of == a.of {
		return
	}
	since := st.GateSince
	if since.IsZero() {
		since = a.Clock.Now()
	}
	a.of, a.number = of, a.number+1
	a.gate = a.blank()
	a.gate.Name, a.gate.Number = string(hook), a.number
	a.gate.OpenedAt, a.gate.ExpiresAt = justBefore(a.Clock.Now()), since.UTC().Add(a.Policy.Deadline)
	b := a.Binding
	b.Gate, b.Digest = a.number, b.Digest+" "+st.Revision
	a.gate.Nonce = approval.Bind(a.Key, b)
	a.verdict, a.next = approval.Verdict{}, time.Time{}
}

// blank is the rollout without a gate that waits. Of the change and its people only what was read last is known.
func (a *Approvals) blank() approval.Gate {
	g := approval.Gate{
		Source: a.Source, Rollout: a.Binding.Rollout, SHA: a.Binding.SHA, PolicyHash: a.hash, Started: a.started, Alone: a.Alone,
		Number: max(1, a.number), Nonce: a.gate.Nonce, People: a.gate.People,
	}
	g.Change = a.gate.Change
	return g
}

// says what the gate still lacks, who has approved, and why others do not count.
func (a *Approvals) says() string {
	var parts, yes, no []string
	for _, v := range a.verdict.Votes {
		switch {
		case v.Counted && (v.Verb == approval.Approve || v.Verb == approval.Promote):
			yes = append(yes, v.Actor.Login)
		case !v.Counted:
			no = append(no, v.Sentence())
		}
	}
	if len(yes) > 0 {
		parts = append(parts, "approved by "+strings.Join(yes, ", "))
	}
	if len(a.verdict.Missing) > 0 {
		parts = append(parts, "lacks "+strings.Join(a.verdict.Missing, ", "))
	}
	// The target comes first: whoever shows this shows it anew when the line to copy is another one.
	return a.gate.Target().String() + " " + strings.Join(append(parts, no[max(0, len(no)-3):]...), "; ")
}

// Gate returns what a page tells people about the gate that waits, and nil when none does. It never waits itself.
func (a *Approvals) Gate() *report.Gate { return a.shown.Load() }

// show makes the gate the one that pages tell about. The lock is held.
func (a *Approvals) show() {
	a.shown.Store(report.GateOf(&approval.Notice{Prefix: a.Prefix, Gate: a.gate, Policy: a.Policy}, &a.verdict))
}
