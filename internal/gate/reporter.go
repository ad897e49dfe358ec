package gate

import (
	"context"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/rollout"
	"github.com/penstock-dev/penstock/internal/runner"
)

// Teller says what webhooks are told about a rollout; see AboutStatus.
type Teller func(st *rollout.Status) About

// Hooks calls the webhooks as the runner asks for them.
type Hooks struct {
	Caller *Caller
	About  Teller
}

// Call calls the webhooks of a type; see Caller.Call.
func (h Hooks) Call(ctx context.Context, kind canary.HookType, st *rollout.Status) rollout.HookAnswer {
	return h.Caller.Call(ctx, kind, h.About(st))
}

// Reporter sends the events of a rollout to one webhook of type event, in their order. It is best effort: an event that
// is not taken within the webhook's timeout and retries is left behind.
type Reporter struct {
	caller *Caller
	hook   *hook
	about  Teller
	failed string // why the last event was not taken
}

// Reporters returns a Reporter for each webhook of type event. The runner feeds every reporter for itself, so that a
// webhook that does not answer keeps the events from no other one, and never holds up the rollout.
func (c *Caller) Reporters(about Teller) []runner.Reporter {
	var reporters []runner.Reporter
	for _, h := range c.hooks {
		if h.EffectiveType() == canary.HookEvent {
			reporters = append(reporters, &Reporter{caller: c, hook: h, about: about})
		}
	}
	return reporters
}

// Report sends the events of an update.
func (r *Reporter) Report(ctx context.Context, u runner.Update) {
	about := r.about(&u.Snapshot.Status)
	for _, e := range u.Events {
		err := r.caller.send(ctx, r.hook, Event{About: about, At: u.Snapshot.Now, Message: e.Message, Warning: e.Warning})
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			r.failed = ""
		case err.Error() != r.failed:
			r.failed = err.Error()
			if r.caller.EventFailed != nil {
				r.caller.EventFailed(err)
			}
		}
	}
}
