package gate

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/penstock-dev/penstock/internal/forge"
	"github.com/penstock-dev/penstock/internal/report"
	"github.com/penstock-dev/penstock/internal/rollout"
)

// start is one try to start the run of one rollout.
type start struct {
	*Resumer
	s       *report.Standing
	answer  answered
	name    string
	starter forge.Starter
	taken   bool // this one has taken the start up, and nobody else
}

// try does what there is to do now.
func (r *Resumer) try(ctx context.Context, s *report.Standing, answer answered) outcome {
	t := &start{Resumer: r, s: s, answer: answer, name: s.Namespace + "/" + s.Canary}
	if !answer.open && r.End != nil { // it has a bound of its own: the traffic has to move
		if err := r.End(ctx, s, answer.why); err != nil {
			return t.again(ctx, err)
		}
		return outcome{}
	}
	ctx, cancel := context.WithTimeout(ctx, resumeLimit)
	defer cancel()
	var err error
	switch t.starter, err = r.Starter(s, answer.why); {
	case err != nil:
		return t.giveUp(ctx, err.Error())
	case t.starter == nil:
		return outcome{}
	}
	why, err := t.starter.Ready(ctx)
	switch {
	case forge.Hopeless(err):
		return t.giveUp(ctx, err.Error())
	case err != nil:
		return t.again(ctx, err)
	case why != "":
		return outcome{again: true}
	}
	return t.take(ctx)
}

// take marks the start, and makes it.
func (t *start) take(ctx context.Context) outcome {
	step, mark := rollout.LeaveIt, rollout.Resumption{}
	err := t.mark(ctx, func(was rollout.Resumption) rollout.Resumption {
		mark, step = was.Take(t.answer.suspension, t.answer.gate, t.Clock.Now())
		return mark
	})
	switch {
	case err != nil:
		return t.again(ctx, err)
	case step == rollout.TellIt:
		return t.tell(ctx, mark.Problem)
	case step == rollout.LookFirst:
		t.taken = true
		return t.look(ctx, mark)
	case step == rollout.StartIt:
		t.taken = true
		return t.start(ctx)
	case mark.State == rollout.Asked: // somebody else is at it; should they die, look what they have reached
		return outcome{again: true, after: mark.Left(t.answer.suspension, t.Clock.Now())}
	}
	return outcome{}
}

// errTakenUp means that the rollout is not what it was: there is nothing to start any more.
var errTakenUp = errors.New("the rollout was taken up, or is over")

// mark writes the mark of this very suspension.
func (t *start) mark(ctx context.Context, change func(rollout.Resumption) rollout.Resumption) error {
	there := false
	err := t.Marks.Resume(ctx, t.s.Namespace, t.s.Canary, func(record rollout.Record, was rollout.Resumption) rollout.Resumption {
		if there = record.Suspension() == t.answer.suspension; !there {
			return was
		}
		return change(was)
	})
	if err == nil && !there {
		return errTakenUp
	}
	return err
}

// look finds out whether a run was started by whoever has not said so. Where nobody can tell, none is started: two would
// be worse than none.
func (t *start) look(ctx context.Context, mark rollout.Resumption) outcome {
	found, err := t.starter.Look(ctx, mark.Since)
	switch {
	case err != nil:
		return t.again(ctx, err)
	case found == forge.Started:
		return t.settle(ctx, rollout.Called, "")
	case found == forge.Nothing:
		return t.start(ctx)
	}
	return t.giveUp(ctx, "the forge has not said whether the run was started, and nobody can tell it from others")
}

func (t *start) start(ctx context.Context) outcome {
	err := t.starter.Start(ctx)
	switch {
	case err == nil:
		t.Say(t.name, "the run that takes the rollout up was started, after "+t.answer.why)
		return t.settle(ctx, rollout.Called, "")
	case forge.Unanswered(err): // the mark stays: whoever comes after it looks first
		t.Warn(t.name, fmt.Errorf("it is not known whether a run was started: %w", err))
		return outcome{again: true, after: rollout.ResumptionPatience}
	case forge.Hopeless(err):
		return t.giveUp(ctx, err.Error())
	}
	t.settle(ctx, "", "")
	return t.again(ctx, err)
}

// settle enters what has come of the start. What cannot be written is looked at when the patience is over.
func (t *start) settle(ctx context.Context, state rollout.ResumptionState, problem string) outcome {
	err := t.mark(ctx, func(was rollout.Resumption) rollout.Resumption {
		return was.Settle(t.answer.suspension, state, problem)
	})
	if err != nil && !errors.Is(err, errTakenUp) {
		t.Warn(t.name, err)
		return outcome{again: true, after: rollout.ResumptionPatience}
	}
	return outcome{}
}

// giveUp enters that nobody starts the run, and tells people; of several who find that out, one does. While somebody else is at
// it, what looks hopeless from here may be what they have just done, such as the attempt that they have started.
func (t *start) giveUp(ctx context.Context, problem string) outcome {
	mine, busy := false, time.Duration(0)
	err := t.mark(ctx, func(was rollout.Resumption) rollout.Resumption {
		mine, busy = false, 0
		if !t.taken {
			busy = was.Left(t.answer.suspension, t.Clock.Now())
		}
		if busy > 0 {
			return was
		}
		next := was
		if was.Rollout != t.answer.suspension {
			next, _ = was.Take(t.answer.suspension, t.answer.gate, t.Clock.Now())
		}
		mine = was.Rollout != t.answer.suspension || was.State == "" || was.State == rollout.Asked
		if next.State == "" {
			next.State = rollout.Asked
		}
		return next.Settle(t.answer.suspension, rollout.GaveUp, problem)
	})
	switch {
	case err != nil:
		return t.again(ctx, err)
	case busy > 0:
		return outcome{again: true, after: busy}
	case !mine:
		return outcome{}
	}
	return t.tell(ctx, problem)
}

// tell is best effort: the mark in the cluster and the log say it as well.
func (t *start) tell(ctx context.Context, problem string) outcome {
	byHand := "start the job of the rollout again"
	if t.starter != nil {
		byHand = t.starter.ByHand()
	}
	t.Warn(t.name, fmt.Errorf("nobody starts the run that takes the rollout up: %s; by hand: %s", problem, byHand))
	if err := t.Tell(ctx, t.s, problem, byHand); err != nil {
		t.Warn(t.name, fmt.Errorf("people are not told that they have to start the run: %w", err))
	}
	return outcome{}
}

// again says why it has to be tried once more.
func (t *start) again(ctx context.Context, err error) outcome {
	if errors.Is(err, errTakenUp) {
		return outcome{}
	}
	if ctx.Err() == nil {
		t.Warn(t.name, fmt.Errorf("the run that takes the rollout up is not started yet: %w", err))
	}
	return outcome{again: true}
}
