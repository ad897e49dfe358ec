package gate

import (
	"context"
	"errors"
	"fmt"

	"github.com/penstock-dev/penstock/internal/approval"
	"github.com/penstock-dev/penstock/internal/forge"
	"github.com/penstock-dev/penstock/internal/report"
)

// Speaker answers comments on a change.
type Speaker interface {
	Reply(ctx context.Context, r forge.Reply) error
}

// Forum is a change on which people are answered.
type Forum interface {
	Change
	Speaker
}

// Notebook keeps which questions about a canary were answered, for everybody who reads them. change is pure, and may be
// called several times.
type Notebook interface {
	Answers(ctx context.Context, change func(approval.Answers) approval.Answers) error
}

// Answering is how questions about a rollout are answered.
type Answering struct {
	Speaker  Speaker
	Notebook Notebook
	// Standing reads what the cluster keeps of the canary; nil where that is nothing, and nobody is told how it stands.
	Standing func(ctx context.Context) (report.Standing, error)
}

// question is the newest comment that asks for something that a reply tells.
type question struct {
	verb    approval.Verb // Help or Status
	note    forge.Note
	problem string // why it is no command, where it means to be one
}

// asks returns what a comment asks for, and whether it asks at all. Machines are not answered, and neither is what Penstock
// has written itself.
func asks(g *approval.Gate, n *forge.Note, command approval.Command, problem *approval.Problem) (question, bool) {
	q := question{verb: command.Verb, note: *n}
	switch {
	case n.Actor.Bot, n.Actor.App, n.Kind == approval.Review, forge.Own(n.Body), n.ID <= 0:
		return q, false
	case problem != nil:
		q.verb, q.problem = approval.Help, problem.Message
		return q, true
	case command.Verb == approval.Status:
		// One that names another rollout is answered by that one, unless there is no other.
		other := command.Target != approval.Target{} && command.Target.Rollout != approval.Short(g.Rollout)
		return q, !other || g.Alone
	}
	return q, command.Verb == approval.Help
}

// Answer answers what the comments that Take has read ask for: the newest question of each kind, and with it those before.
// It does nothing when there is no Answering, or when somebody else has answered. An error means that it has to be called
// again after another Take.
func (t *Tally) Answer(ctx context.Context, g approval.Gate) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.Answering == nil {
		return nil
	}
	var problems []error
	for _, verb := range []approval.Verb{approval.Help, approval.Status} {
		q, asked := t.questions[verb]
		if !asked || t.told[verb] >= q.note.ID || verb == approval.Status && t.Answering.Standing == nil {
			continue
		}
		reply, err := t.reply(ctx, g, q)
		if err == nil {
			err = t.once(ctx, g, verb, reply)
		}
		if err == nil {
			t.told[verb] = q.note.ID
			continue
		}
		problems = append(problems, fmt.Errorf("answer the question for %s: %w", verb, err))
	}
	return errors.Join(problems...)
}

// errTaken means that somebody else is about to answer.
var errTaken = errors.New("somebody else has taken it up and has not answered yet")

// once writes a reply, if nobody has and nobody else is about to.
func (t *Tally) once(ctx context.Context, g approval.Gate, verb approval.Verb, reply forge.Reply) error {
	ours, done, now := false, false, t.Clock.Now()
	err := t.Answering.Notebook.Answers(ctx, func(a approval.Answers) approval.Answers {
		a, ours = a.Take(verb, g.Source, reply.Question, now)
		done = a[verb].Done
		return a
	})
	switch {
	case err != nil:
		return err
	case !ours && done:
		return nil
	case !ours:
		return errTaken
	}
	if err := t.Answering.Speaker.Reply(ctx, reply); err != nil {
		return err
	}
	return t.Answering.Notebook.Answers(ctx, func(a approval.Answers) approval.Answers { return a.Settle(verb, g.Source, reply.Question) })
}

// reply writes the answer. The help is the same for every rollout of a change, and there is one.
func (t *Tally) reply(ctx context.Context, g approval.Gate, q question) (forge.Reply, error) {
	asked := report.Asked{Platform: string(g.Platform), Login: q.note.Actor.Login, URL: q.note.URL, Problem: q.problem}
	if q.verb == approval.Help {
		return forge.Reply{Kind: "help", Question: q.note.ID, Body: report.HelpReply(asked, t.Prefix)}, nil
	}
	s, err := t.Answering.Standing(ctx)
	if err != nil {
		return forge.Reply{}, err
	}
	kind := "status " + s.Namespace + "/" + s.Canary
	return forge.Reply{Kind: kind, Question: q.note.ID, Body: report.StatusReply(asked, &s, t.Clock.Now())}, nil
}

// Show tells people on the change how a gate of Flagger's stands and what opens it, in one comment for each gate.
func (t *Tally) Show(ctx context.Context, n approval.Notice, log approval.Log) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	verdict, seen := approval.Judge(n.Gate, n.Policy, log, t.Clock.Now()), int64(0)
	for i := range log.Decisions {
		if log.Decisions[i].Rollout == n.Gate.Rollout {
			seen++
		}
	}
	const most = 100_000 // decisions about one gate; what the comment shows grows with them
	return t.once(ctx, n.Gate, approval.Verb("gate "+n.Gate.Name), forge.Reply{
		Kind:     fmt.Sprintf("flagger %s/%s %s", n.Namespace, n.Canary, n.Gate.Name),
		Question: int64(n.Gate.Number)*most + min(seen, most-1), Body: report.FlaggerGate(&n, &verdict),
	})
}
