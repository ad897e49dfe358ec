package gate

import (
	"context"
	"errors"
	"maps"
	"strconv"
	"sync"
	"time"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/rollout"
)

// Event is something that has happened in a rollout.
type Event struct {
	About
	At      time.Time // zero is now
	Message string    // as Flagger words it
	Warning bool
}

// Event sends an event to every webhook of type event, to all of them at once. The error names those that did not take
// it.
func (c *Caller) Event(ctx context.Context, e Event) error {
	var (
		all  sync.WaitGroup
		errs = make([]error, len(c.hooks))
	)
	for i, h := range c.hooks {
		if h.EffectiveType() == canary.HookEvent {
			all.Go(func() { errs[i] = c.send(ctx, h, e) })
		}
	}
	all.Wait()
	return errors.Join(errs...)
}

// send sends an event to one webhook.
func (c *Caller) send(ctx context.Context, h *hook, e Event) error {
	if e.At.IsZero() {
		e.At = c.Clock.Now()
	}
	kind := "Normal" // the type of the Kubernetes event, as in Flagger
	if e.Warning {
		kind = "Warning"
	}
	metadata := map[string]string{}
	maps.Copy(metadata, h.Metadata)
	// What the event says of itself is not the webhook's to replace.
	metadata["eventMessage"] = e.Message
	metadata["eventType"] = kind
	metadata["timestamp"] = strconv.FormatInt(e.At.UnixMilli(), 10)
	if verdict, message := c.ask(ctx, h, c.payload(e.About, metadata)); verdict != rollout.Pass {
		return errors.New(message)
	}
	return nil
}
