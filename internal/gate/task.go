package gate

import (
	"context"
	"fmt"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/rollout"
)

// Tasks does the tasks of webhooks whose URL is canary.InProcess.
type Tasks interface {
	// Do does the task of a webhook. The message says how it ended, without secrets. It ends when ctx does.
	Do(ctx context.Context, hook *canary.Webhook, about About) (rollout.Verdict, string)
}

// one asks one webhook, wherever it is.
func (c *Caller) one(ctx context.Context, h *hook, about About) (rollout.Verdict, string) {
	if !h.InProcess() {
		return c.ask(ctx, h, c.payload(about, h.Metadata))
	}
	if c.Tasks == nil {
		return rollout.Error, fmt.Sprintf("hook %q: nobody does the tasks of %s here", h.Name, canary.InProcess)
	}
	ctx, cancel := context.WithTimeout(ctx, h.EffectiveTimeout())
	defer cancel()
	verdict, message := c.Tasks.Do(ctx, h.Webhook, about)
	return verdict, fmt.Sprintf("hook %q: %s", h.Name, h.show(message))
}
