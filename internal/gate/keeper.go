package gate

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"k8s.io/utils/clock"

	"github.com/penstock-dev/penstock/internal/approval"
	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/forge"
)

// brakeTime is how long the brakes of a rollout of Flagger's are listened to after it was last asked for them.
const brakeTime = 24 * time.Hour

// Shelf keeps the notices of the gates that Flagger asks about.
type Shelf interface {
	All() []approval.Notice
	// Keep writes what change makes of the notice that is there; nil when there is none. It may be called several times.
	Keep(ctx context.Context, n approval.Notice, change func(old *approval.Notice) approval.Notice) (approval.Notice, error)
}

// KeeperConfig is what a Keeper is made of.
type KeeperConfig struct {
	Shelf   Shelf
	Ledger  func(approval.Notice) Ledger
	Change  func(approval.Notice) (Forum, error)
	Policy  approval.Policy
	Find    func(context.Context, forge.Sought) ([]approval.Source, error) // the requests that a commit belongs to
	Allowed func(platform approval.Platform, repository int64) bool        // whose people may be asked
	Prefix  string                                                         // of commands
	// File returns the policy of the repository's own, and nil when it has none. A nil File asks no repository.
	File  func(context.Context, approval.Notice) (*approval.Policy, error)
	Clock clock.PassiveClock
}

// Keeper answers Flagger at the gates that people open by a comment. It makes the notice that a run would make, so that a
// Desk reads the comments, and all that it knows is in the cluster: it works beside others.
type Keeper struct{ KeeperConfig }

// NewKeeper makes no request. Nobody has started a rollout of Flagger's, so that the policy's ban on who has means nothing.
func NewKeeper(c KeeperConfig) *Keeper {
	c.Policy.Bans.Actor = false
	return &Keeper{c}
}

// Ask answers whether a gate is open, or for the rollback gate whether people ask for a rollback, and why. The error is one
// of bad metadata when it is a *BadAsk, and otherwise says what could not be found out: then nothing is open.
func (k *Keeper) Ask(ctx context.Context, ask canary.GateAsk) (open bool, why string, err error) {
	about, err := ask.Approval()
	if err != nil {
		return false, "", &BadAsk{err}
	}
	n, err := k.notice(ctx, ask, about)
	if err != nil {
		return false, "", err
	}
	if ask.Rollback {
		return k.stopped(ctx, ask, about)
	}
	verdict, err := k.judge(ctx, n)
	if err == nil && verdict.Open { // by what is known; the change may be another one by now
		verdict, err = k.again(ctx, n)
	}
	if err != nil {
		return false, "", err
	}
	return verdict.Open, says(&verdict), nil
}

// BadAsk is what those who deploy can mend, such as metadata of a webhook that say too little.
type BadAsk struct{ Err error }

func (e *BadAsk) Error() string { return e.Err.Error() }

// BadAsk tells it apart from what could not be found out.
func (e *BadAsk) BadAsk() bool { return true }

func says(v *approval.Verdict) string {
	if v.Open {
		return "Approved"
	}
	return "Forbidden: lacks " + strings.Join(v.Missing, ", ")
}

// rollout is the id of what is approved at one gate: whatever in it changes is approved anew.
func (k *Keeper) rollout(ask canary.GateAsk, about canary.Approval) string {
	text, err := json.Marshal([]any{ask.Namespace, ask.Name, ask.Checksum, about, k.Policy.Hash()})
	if err != nil {
		panic(err) // text and numbers can always be marshalled
	}
	sum := sha256.Sum256(text)
	return "flagger-" + hex.EncodeToString(sum[:8])
}

// notice returns the notice of a gate. A gate that nobody has asked about yet, or whose time is over, opens to votes anew.
func (k *Keeper) notice(ctx context.Context, ask canary.GateAsk, about canary.Approval) (approval.Notice, error) {
	id, now := k.rollout(ask, about), k.Clock.Now()
	current := func(n *approval.Notice) bool {
		return n.Flagger && n.Namespace == ask.Namespace && n.Canary == ask.Name && n.Gate.Name == string(about.Hook) &&
			n.Gate.Rollout == id && now.Before(n.Gate.ExpiresAt)
	}
	for _, n := range k.Shelf.All() {
		if current(&n) {
			return n, nil
		}
	}
	n := approval.Notice{Namespace: ask.Namespace, Canary: ask.Name, Flagger: true, Path: about.Path, Prefix: k.Prefix, Policy: k.Policy}
	n.Gate = approval.Gate{
		Source: approval.Source{Platform: approval.Platform(about.Platform), Change: about.Change}, Name: string(about.Hook), Rollout: id, Number: 1,
		SHA: about.Commit, PolicyHash: k.Policy.Hash(), Started: justBefore(now), ExpiresAt: now.UTC().Add(brakeTime),
	}
	change, err := k.change(ctx, &n)
	if err != nil {
		return n, err
	}
	if n.Gate = renewed(n.Gate, &change); !ask.Rollback {
		n.Gate.OpenedAt, n.Gate.ExpiresAt = n.Gate.Started, now.UTC().Add(n.Policy.Deadline)
	}
	n.Gate.Void = "" // asked anew whenever the gate would open
	return k.Shelf.Keep(ctx, n, func(old *approval.Notice) approval.Notice {
		next := n
		if old != nil && current(old) {
			return *old // another replica was faster
		}
		if old != nil {
			next.Gate.Number = old.Gate.Number + 1
		}
		b := approval.Binding{Rollout: id, Gate: next.Gate.Number, Repository: change.Repository, SHA: about.Commit, SpecHash: ask.Checksum}
		next.Gate.Nonce = approval.Bind([]byte(rand.Text()), b)
		return next
	})
}

// change reads the request on which people are asked, by what the policy needs to know, and enters both into the notice.
func (k *Keeper) change(ctx context.Context, n *approval.Notice) (forge.Change, error) {
	of, err := k.source(ctx, n)
	if err != nil {
		return forge.Change{}, err
	}
	n.Gate.Change = of.Change
	if err := k.policy(ctx, n); err != nil {
		return forge.Change{}, err
	}
	forum, err := k.Change(*n)
	if err != nil {
		return forge.Change{}, &BadAsk{err}
	}
	change, err := forum.Read(ctx)
	switch {
	case err != nil:
		return change, err
	case change.Number == 0, of.Repository != 0 && of.Repository != change.Repository:
		return change, ErrNoChange
	case !k.Allowed(of.Platform, change.Repository):
		return change, &BadAsk{fmt.Errorf("metadata %s: number %d of %s is none of those that --repository lists", canary.AskRepository, change.Repository, forge.Platform(of.Platform).Title())}
	}
	n.Gate.Repository = change.Repository
	return change, nil
}

// source is the request that the metadata name, and otherwise the one that the commit belongs to.
func (k *Keeper) source(ctx context.Context, n *approval.Notice) (approval.Source, error) {
	if n.Gate.Change != 0 {
		return n.Gate.Source, nil
	}
	found, err := k.Find(ctx, forge.Sought{Platform: n.Gate.Platform, Repository: n.Path, Commit: n.Gate.SHA})
	switch {
	case err != nil:
		return approval.Source{}, err
	case len(found) == 0:
		return approval.Source{}, ErrNoChange
	case len(found) > 1:
		return approval.Source{}, &BadAsk{fmt.Errorf("the commit belongs to the requests %d and %d of %s; want the number of one as metadata %s",
			found[0].Change, found[1].Change, n.Path, canary.AskChange)}
	}
	return found[0], nil
}

// policy lets the repository's own policy ask for more than that of the server. It is read when the gate is asked about for
// the first time, and what it says then holds for the gate.
func (k *Keeper) policy(ctx context.Context, n *approval.Notice) error {
	if k.File == nil {
		return nil
	}
	own, err := k.File(ctx, *n)
	if err != nil || own == nil {
		return err
	}
	n.Policy = approval.Join(k.Policy, *own)
	n.Policy.Bans.Actor = false // as in NewKeeper
	n.Gate.PolicyHash = n.Policy.Hash()
	return nil
}

// judge says what the gate says by what has been decided.
func (k *Keeper) judge(ctx context.Context, n approval.Notice) (approval.Verdict, error) {
	log, err := k.Ledger(n).Update(ctx, func(l approval.Log) approval.Log { return l })
	if err != nil {
		return approval.Verdict{}, err
	}
	return approval.Judge(n.Gate, n.Policy, log, k.Clock.Now()), nil
}

// again judges by what the forge says now about the change.
func (k *Keeper) again(ctx context.Context, n approval.Notice) (approval.Verdict, error) {
	forum, err := k.Change(n)
	if err != nil {
		return approval.Verdict{}, err
	}
	change, err := forum.Read(ctx)
	if err == nil {
		err = sameChange(&n.Gate, &change)
	}
	if err != nil {
		return approval.Verdict{}, err
	}
	n.Gate = renewed(n.Gate, &change)
	return k.judge(ctx, n)
}

// stopped reports whether somebody has rejected one of the gates, or has aborted the rollout.
func (k *Keeper) stopped(ctx context.Context, ask canary.GateAsk, about canary.Approval) (bool, string, error) {
	ids := map[string]bool{}
	for _, about.Hook = range []canary.HookType{canary.HookRollback, canary.HookConfirmTrafficIncrease, canary.HookConfirmPromotion} {
		ids[k.rollout(ask, about)] = true
	}
	for _, n := range k.Shelf.All() {
		if !n.Flagger || n.Namespace != ask.Namespace || n.Canary != ask.Name || !ids[n.Gate.Rollout] {
			continue
		}
		verdict, err := k.judge(ctx, n)
		if err != nil {
			return false, "", err
		}
		if verdict.Aborted || verdict.Rejected {
			return true, "Approved: people ask for a rollback", nil
		}
	}
	return false, "Forbidden: nobody asks for a rollback", nil
}
