package runner

import (
	"context"
	"sync"
	"time"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/rollout"
)

// DefaultGateEvery is how often a gate is asked, so that its opening feels immediate.
const DefaultGateEvery = 2 * time.Second

// Hooks calls the canary's webhooks of one type, in their order, and answers within a bound. st is the status at the time
// of the call.
type Hooks interface {
	Call(ctx context.Context, hook canary.HookType, st *rollout.Status) rollout.HookAnswer
}

// calls keeps the calls under way that the rollout has asked for. They run beside the loop, which they wake.
type calls struct {
	hooks Hooks
	every time.Duration
	loop  *loop
	woken chan struct{} // holds one token when there is an answer that the loop has not seen

	mu       sync.Mutex
	status   rollout.Status // of the last decision
	once     call           // the hooks of a window
	gate     call
	rollback call
	running  sync.WaitGroup
}

// call is one question, with the last answer to it.
type call struct {
	hook   canary.HookType
	about  time.Time
	cancel context.CancelFunc
	answer rollout.HookAnswer
	nudge  chan struct{} // asks again at once
}

func (l *loop) newCalls() *calls {
	every := l.GateEvery
	if every <= 0 {
		every = DefaultGateEvery
	}
	return &calls{hooks: l.Hooks, every: every, loop: l, woken: make(chan struct{}, 1)}
}

// ask makes the calls under way those that are asked for, and returns what is known so far.
func (c *calls) ask(ctx context.Context, asks rollout.Asks, st *rollout.Status) (hook, gate, rollback rollout.HookAnswer) {
	if c.hooks == nil {
		return hook, gate, rollback
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.status = *st
	roll := canary.HookType("")
	if asks.Rollback {
		roll = canary.HookRollback
	}
	c.match(ctx, &c.once, call{hook: asks.Hook, about: asks.For}, c.askOnce)
	c.match(ctx, &c.gate, call{hook: asks.Gate, about: asks.Since}, c.askOften)
	c.match(ctx, &c.rollback, call{hook: roll}, c.askOften)
	return c.once.answer, c.gate.answer, c.rollback.answer
}

// match ends a call that nobody asks for any more and starts the one that is asked for. The lock is held.
func (c *calls) match(ctx context.Context, have *call, want call, start func(context.Context, *call, call)) {
	if have.hook == want.hook && have.about.Equal(want.about) {
		return
	}
	if have.cancel != nil {
		have.cancel()
	}
	if *have = want; want.hook == "" {
		return
	}
	ctx, have.cancel = context.WithCancel(ctx)
	have.nudge = make(chan struct{}, 1)
	mine := *have
	c.running.Go(func() { start(ctx, have, mine) })
}

func (c *calls) askOnce(ctx context.Context, have *call, mine call) { c.store(ctx, have, mine) }

// askOften asks until the answer is yes.
func (c *calls) askOften(ctx context.Context, have *call, mine call) {
	for {
		if c.store(ctx, have, mine) == rollout.Pass {
			return
		}
		timer := c.loop.clock.NewTimer(c.every)
		select {
		case <-timer.C():
		case <-mine.nudge:
			timer.Stop()
		case <-ctx.Done():
			timer.Stop()
			return
		}
	}
}

// store makes one call and keeps its answer, if it is still asked for.
func (c *calls) store(ctx context.Context, have *call, mine call) rollout.Verdict {
	c.mu.Lock()
	st := c.status
	c.mu.Unlock()
	answer := c.hooks.Call(ctx, mine.hook, &st)
	answer.Hook, answer.For = mine.hook, mine.about
	if ctx.Err() != nil {
		return rollout.Unknown // what a call says that was broken off is no answer
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if have.hook != mine.hook || !have.about.Equal(mine.about) {
		return rollout.Unknown
	}
	news := have.answer.Verdict != answer.Verdict || have.answer.Message != answer.Message || have.answer.Paused != answer.Paused
	have.answer = answer
	if news {
		select {
		case c.woken <- struct{}{}:
		default:
		}
	}
	return answer.Verdict
}

// nudge asks the gates again at once.
func (c *calls) nudge() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, call := range []*call{&c.gate, &c.rollback} {
		select {
		case call.nudge <- struct{}{}:
		default: // it is nobody's, or asked already
		}
	}
}

// close breaks off all calls and waits for them.
func (c *calls) close() {
	c.mu.Lock()
	for _, call := range []*call{&c.once, &c.gate, &c.rollback} {
		if call.cancel != nil {
			call.cancel()
		}
	}
	c.mu.Unlock()
	c.running.Wait()
}

// postRollout calls the hooks that come after a rollout, when this run has ended one. What they answer changes nothing.
func (l *loop) postRollout(ctx context.Context, d *rollout.Decision) {
	if l.Hooks == nil || !l.Spec.Hooked(canary.HookPostRollout) {
		return
	}
	switch d.Outcome {
	case rollout.Promoted, rollout.RolledBack, rollout.Halted, rollout.Cancelled:
	case rollout.Running, rollout.Initialised, rollout.Unchanged, rollout.Suspended, rollout.Superseded, rollout.Gated,
		rollout.Uninstalled:
		return
	}
	answer := l.Hooks.Call(ctx, canary.HookPostRollout, &d.Next)
	event := rollout.Event{Message: "Post-rollout check passed"}
	if answer.Verdict != rollout.Pass {
		event = rollout.Event{Warning: true, Message: "Post-rollout hook failed " + answer.Message}
	}
	l.tell(Update{Snapshot: l.last, Events: []rollout.Event{event}})
}
