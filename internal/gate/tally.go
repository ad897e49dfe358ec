package gate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"k8s.io/utils/clock"

	"github.com/penstock-dev/penstock/internal/approval"
	"github.com/penstock-dev/penstock/internal/forge"
)

const (
	skew    = time.Minute     // by which the forge's clock may be behind
	patient = 5 * time.Minute // for which somebody without any rights is not asked about again
)

// ErrNoChange means that the commit belongs to no change, so that nobody could approve.
var ErrNoChange = errors.New("the commit belongs to no pull or merge request on which somebody could approve")

// Change is the pull or merge request on which people approve.
type Change interface {
	Read(ctx context.Context) (forge.Change, error)
	Comments(ctx context.Context, since time.Time) ([]forge.Note, error)
	Permission(ctx context.Context, who approval.Actor, teams []string) (approval.Permission, error)
	React(ctx context.Context, comment int64, r forge.Reaction) error
}

// Ledger keeps the decisions about comments. add is pure, and may be called several times.
type Ledger interface {
	Update(ctx context.Context, add func(approval.Log) approval.Log) (approval.Log, error)
}

// Tally reads what people say on one change and enters in the ledger what it means for one rollout. All that it knows is
// asked anew each time, so that it does not matter who tells it to look, how often, and who looks besides. The run that
// polls and the server that was told by a webhook both use it.
type Tally struct {
	Change Change
	Ledger Ledger
	Clock  clock.PassiveClock
	Prefix string // of commands; see approval.ParsePrefix
	Via    approval.Via
	Warn   func(error) // told what an answer to a comment has failed by; may be nil

	Answering *Answering // nil when questions are answered by a reaction alone

	mu        sync.Mutex
	asked     map[int64]asked // by the number of the person
	reacted   map[int64]forge.Reaction
	questions map[approval.Verb]question // what was asked last, by what it is about
	told      map[approval.Verb]int64    // the comment that was answered last
}

// asked is the permission of somebody who wrote a command.
type asked struct {
	permission approval.Permission
	at         time.Time
}

// sight is what a comment is now.
type sight struct {
	approval.Event
	asks bool // for something that changes the rollout; otherwise it matters only if it once did
}

// sameChange says what is wrong with a change, or nothing: its repository is known by its number, since names move.
func sameChange(g *approval.Gate, change *forge.Change) error {
	switch {
	case change.Number == 0:
		return ErrNoChange
	case change.Repository != 0 && change.Repository != g.Repository:
		return fmt.Errorf("the repository of that name is number %d now, and not %d", change.Repository, g.Repository)
	}
	return nil
}

// renewed returns the gate with what the forge says now about the change and the people around it.
func renewed(g approval.Gate, change *forge.Change) approval.Gate {
	g.Change = change.Number
	g.People.Author, g.People.LastPusher, g.People.Committers = change.Author, change.LastPusher, change.Committers
	if len(change.Starters) > 0 { // a server does not know them; the run that waits does
		g.People.Actors = change.Starters
	}
	if !change.Merged && change.Head != g.SHA {
		g.Void = approval.NewCommit
	}
	return g
}

// Take reads the change and its comments, and enters them. It returns the gate with what the forge says about it now, and
// all decisions. Comments are answered by a reaction, once each, by whoever has entered them.
func (t *Tally) Take(ctx context.Context, g approval.Gate, p approval.Policy) (approval.Gate, approval.Log, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.questions == nil {
		t.questions, t.told = map[approval.Verb]question{}, map[approval.Verb]int64{}
	}
	change, notes, err := t.read(ctx, &g)
	if err != nil {
		return g, approval.Log{}, err
	}
	g = renewed(g, &change)
	now := t.Clock.Now()
	sights, err := t.sights(ctx, look{gate: &g, policy: &p, change: &change, now: now}, notes)
	if err != nil {
		return g, approval.Log{}, err
	}
	var fresh []approval.Decision
	log, err := t.Ledger.Update(ctx, func(l approval.Log) approval.Log {
		before := len(l.Decisions)
		l = enter(l, g, p, sights, now)
		fresh = l.Decisions[min(before, len(l.Decisions)):]
		return l
	})
	if err != nil {
		return g, approval.Log{}, err
	}
	t.react(ctx, fresh)
	return g, log, nil
}

// read asks for the change and its comments at the same time, since somebody waits for it.
func (t *Tally) read(ctx context.Context, g *approval.Gate) (forge.Change, []forge.Note, error) {
	var notes []forge.Note
	var unheard error
	var listening sync.WaitGroup
	listening.Go(func() { notes, unheard = t.Change.Comments(ctx, g.Started.Add(-skew)) })
	change, err := t.Change.Read(ctx)
	listening.Wait()
	if err == nil {
		err = sameChange(g, &change)
	}
	return change, notes, cmp.Or(err, unheard)
}

// enter adds what the comments say, and which of those that the log knows are gone.
func enter(l approval.Log, g approval.Gate, p approval.Policy, sights []sight, now time.Time) approval.Log {
	known, there := map[text]bool{}, map[text]bool{}
	for _, d := range l.Decisions {
		known[text{d.Kind, d.Comment}] = known[text{d.Kind, d.Comment}] || d.Rollout == g.Rollout
	}
	for i := range sights {
		this := text{sights[i].Kind, sights[i].ID}
		there[this] = true
		if sights[i].asks || known[this] {
			l = approval.Reduce(l, g, p, sights[i].Event)
		}
	}
	for _, d := range slices.Clone(l.Decisions) {
		if d.Rollout == g.Rollout && d.Source == g.Source && !there[text{d.Kind, d.Comment}] {
			there[text{d.Kind, d.Comment}] = true
			l = approval.Reduce(l, g, p, approval.Gone(d, now))
		}
	}
	return l
}

// text is a comment or a review: each kind has numbers of its own.
type text struct {
	kind approval.Kind
	id   int64
}

// votes reports whether a review is a vote, whatever its text says. An approval whose text holds a command that is not
// understood is none: what it approves is not clear.
func votes(n *forge.Note, problem *approval.Problem) bool {
	return n.Kind == approval.Review && (n.State == approval.ReviewChanges || n.State == approval.ReviewApproved && problem == nil)
}

// look is one reading of a change.
type look struct {
	gate   *approval.Gate
	policy *approval.Policy
	change *forge.Change
	now    time.Time
}

// sights are the comments since the rollout started, oldest first.
func (t *Tally) sights(ctx context.Context, of look, notes []forge.Note) ([]sight, error) {
	var all []sight
	for i := range notes {
		n := &notes[i]
		command, err := approval.Parse(n.Body, t.Prefix)
		var problem *approval.Problem
		if err != nil && !errors.As(err, &problem) {
			return nil, err
		}
		e := approval.Event{
			Source: of.gate.Source, Kind: n.Kind, Review: n.State, ID: n.ID, URL: n.URL, Actor: n.Actor, CreatedAt: n.Created, Edited: n.Updated.After(n.Created),
			BodyHash: approval.HashBody(n.Body), Command: command, Merged: of.change.Merged, Closed: of.change.Closed, Observed: of.now, Via: t.Via,
		}
		if e.SHA = n.SHA; n.Kind == approval.Comment && !of.change.Merged { // the head of a merged change is not what is rolled out
			e.SHA = of.change.Head
		}
		info, _ := approval.VerbFor(command.Verb)
		s := sight{Event: e, asks: info.Class == approval.Mutating || info.Class == approval.Brake || votes(n, problem)}
		if s.asks = s.asks && n.Created.After(of.gate.Started); s.asks {
			if s.Live, err = t.permission(ctx, n.Actor, of); err != nil {
				return nil, err
			}
		} else if n.Created.After(of.gate.Started) {
			t.answerReader(ctx, n, command, problem)
			if q, asks := asks(of.gate, n, command, problem); asks && q.note.ID > t.questions[q.verb].note.ID {
				t.questions[q.verb] = q
			}
		}
		all = append(all, s)
	}
	slices.SortFunc(all, func(x, y sight) int { return int(x.ID - y.ID) })
	return all, nil
}

// permission asks anew each time about people with rights, and now and then about those without: everybody can comment
// on a public repository, and should not use up the rate limit.
func (t *Tally) permission(ctx context.Context, who approval.Actor, of look) (approval.Permission, error) {
	last, ok := t.asked[who.ID]
	if ok && (last.at.Equal(of.now) || last.permission.Known && last.permission.Role < approval.RoleTriage && of.now.Sub(last.at) < patient) {
		return last.permission, nil
	}
	if who.Bot || who.ID <= 0 {
		return approval.Permission{}, nil // it does not count, whoever it is
	}
	var teams []string
	for _, g := range of.policy.Groups {
		teams = append(teams, g.Teams...)
	}
	slices.Sort(teams)
	p, err := t.Change.Permission(ctx, who, slices.Compact(teams))
	if err == nil {
		if t.asked == nil {
			t.asked = map[int64]asked{}
		}
		t.asked[who.ID] = asked{permission: p, at: of.now}
	}
	return p, err
}

// answerReader says that a comment was seen that asks for nothing that changes the rollout, or that is not understood.
func (t *Tally) answerReader(ctx context.Context, n *forge.Note, command approval.Command, problem *approval.Problem) {
	switch {
	case n.Actor.Bot, n.Kind == approval.Review, forge.Own(n.Body): // a review takes no reaction
	case problem != nil:
		t.answer(ctx, n.ID, forge.Refused)
	case command.Verb != "":
		t.answer(ctx, n.ID, forge.Seen)
	}
}

// react tells the writers of commands at once whether they count.
func (t *Tally) react(ctx context.Context, fresh []approval.Decision) {
	for _, d := range fresh {
		switch {
		case d.Reason == approval.Deleted, d.Kind == approval.Review:
		case d.Counted:
			t.answer(ctx, d.Comment, forge.Counts)
		default:
			t.answer(ctx, d.Comment, forge.Refused)
		}
	}
}

// answer is best effort, and tried once.
func (t *Tally) answer(ctx context.Context, id int64, r forge.Reaction) {
	if t.reacted[id] == r {
		return
	}
	if t.reacted == nil {
		t.reacted = map[int64]forge.Reaction{}
	}
	t.reacted[id] = r
	if err := t.Change.React(ctx, id, r); err != nil && ctx.Err() == nil && t.Warn != nil {
		t.Warn(fmt.Errorf("answer a comment: %w", err))
	}
}
