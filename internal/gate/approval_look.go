package gate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/penstock-dev/penstock/internal/approval"
	"github.com/penstock-dev/penstock/internal/forge"
)

const (
	skew    = time.Minute     // by which the forge's clock may be behind
	patient = 5 * time.Minute // for which somebody without any rights is not asked about again
)

// people are the permissions of those who wrote commands.
type people struct{ asked map[int64]asked }

type asked struct {
	permission approval.Permission
	at         time.Time
}

// look reads the comments, when it is time to, and judges the gate. The lock is held.
func (a *Approvals) look(ctx context.Context) {
	now := a.Clock.Now()
	if now.Before(a.next) {
		return
	}
	// The jitter keeps many runs from asking at the same moment.
	a.next = now.Add(a.Every + time.Duration(now.UnixNano())%(a.Every/2+1))
	err := a.read(ctx, now)
	if err == nil {
		a.trouble = ""
		a.react(ctx)
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

func (a *Approvals) warn(err error) {
	if a.Warn != nil {
		a.Warn(err)
	}
}

func (a *Approvals) read(ctx context.Context, now time.Time) error {
	change, err := a.Change.Read(ctx)
	if err != nil {
		return err
	}
	if change.Number == 0 {
		return errors.New("the commit belongs to no pull or merge request on which somebody could approve")
	}
	g := &a.gate
	g.Change = change.Number
	g.People = approval.People{Author: change.Author, Actors: change.Starters, LastPusher: change.LastPusher}
	if !change.Merged && change.Head != g.SHA {
		g.Void = approval.NewCommit // and it stays so until another gate opens
	}
	notes, err := a.Change.Comments(ctx, a.started.Add(-skew))
	if err != nil {
		return err
	}
	events, err := a.events(ctx, &change, notes, now)
	if err != nil {
		return err
	}
	log, err := a.Ledger.Update(ctx, func(l approval.Log) approval.Log {
		for _, e := range events {
			l = approval.Reduce(l, *g, a.Policy, e)
		}
		return l
	})
	if err != nil {
		return err
	}
	if !log.Extends(a.log.Head) {
		return errors.New("the decisions that were kept are gone")
	}
	a.log, a.verdict = log, approval.Judge(*g, a.Policy, log, now)
	return nil
}

// events are the comments that ask for something, and those that once did.
func (a *Approvals) events(ctx context.Context, change *forge.Change, notes []forge.Note, now time.Time) ([]approval.Event, error) {
	source := a.Source
	source.Change = change.Number
	there := map[int64]bool{}
	var events []approval.Event
	for i := range notes {
		n := &notes[i]
		there[n.ID] = true
		command, err := approval.Parse(n.Body, a.Prefix)
		var problem *approval.Problem
		if err != nil && !errors.As(err, &problem) {
			return nil, err
		}
		_, before := a.notes[n.ID]
		if !before && !n.Created.After(a.started) {
			continue // it was for an earlier run
		}
		info, _ := approval.VerbFor(command.Verb)
		if !before && info.Class != approval.Mutating && info.Class != approval.Brake {
			a.answerReader(n, command, problem)
			continue
		}
		e := approval.Event{
			Source: source, ID: n.ID, URL: n.URL, Actor: n.Actor, CreatedAt: n.Created, Edited: n.Updated.After(n.Created),
			BodyHash: approval.HashBody(n.Body), Command: command, Merged: change.Merged, Closed: change.Closed, Observed: now, Via: approval.Poll,
		}
		if !change.Merged { // the head of a merged change is not the commit that is rolled out
			e.SHA = change.Head
		}
		if e.Live, err = a.permission(ctx, n.Actor, now); err != nil {
			return nil, err
		}
		a.notes[n.ID] = e
		events = append(events, e)
	}
	for id, e := range a.notes {
		if !there[id] {
			e.Deleted, e.Observed = true, now
			events = append(events, e)
		}
	}
	slices.SortFunc(events, func(x, y approval.Event) int { return int(x.ID - y.ID) })
	return events, nil
}

// permission asks anew each time about people with rights, and now and then about those without: everybody can comment
// on a public repository, and should not use up the rate limit.
func (a *Approvals) permission(ctx context.Context, who approval.Actor, now time.Time) (approval.Permission, error) {
	last, ok := a.people.asked[who.ID]
	if ok && (last.at.Equal(now) || last.permission.Known && last.permission.Role < approval.RoleTriage && now.Sub(last.at) < patient) {
		return last.permission, nil
	}
	if who.Bot || who.ID <= 0 {
		return approval.Permission{}, nil // it does not count, whoever it is
	}
	var teams []string
	for _, g := range a.Policy.Groups {
		teams = append(teams, g.Teams...)
	}
	slices.Sort(teams)
	p, err := a.Change.Permission(ctx, who, slices.Compact(teams))
	if err == nil {
		a.people.asked[who.ID] = asked{permission: p, at: now}
	}
	return p, err
}

// answerReader says that a comment was seen that asks for nothing that changes the rollout, or that is not understood.
func (a *Approvals) answerReader(n *forge.Note, command approval.Command, problem *approval.Problem) {
	switch {
	case n.Actor.Bot:
	case problem != nil:
		a.answer(n.ID, forge.Refused)
	case command.Verb != "":
		a.answer(n.ID, forge.Seen)
	}
}

func (a *Approvals) answer(id int64, r forge.Reaction) {
	if _, done := a.reacted[id]; !done {
		a.reacted[id] = r
	}
}

// react tells the writers of commands at once whether they count. It is best effort, once for each comment.
func (a *Approvals) react(ctx context.Context) {
	for _, d := range a.log.Decisions {
		if _, mine := a.notes[d.Comment]; !mine || d.Rollout != a.Binding.Rollout {
			continue
		}
		if d.Counted {
			a.answer(d.Comment, forge.Counts)
		} else {
			a.answer(d.Comment, forge.Refused)
		}
	}
	for id, r := range a.reacted {
		if r == "" {
			continue
		}
		a.reacted[id] = "" // said, or tried
		if err := a.Change.React(ctx, id, r); err != nil && ctx.Err() == nil {
			a.warn(err)
		}
	}
}
