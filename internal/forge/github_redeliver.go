package forge

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/google/go-github/v60/github"
)

// mostAttempts is how often one event is sent: what was refused that often will be refused again.
const mostAttempts = 5

// delivered is what became of one event.
type delivered struct {
	last     int64 // the newest attempt
	attempts int
	arrived  bool
}

// Redeliver lets GitHub send those events again that it sent since then and that nobody took, as nobody does while the
// server is down: GitHub does not do that by itself. It returns how many it asked for. They come with the id that they had
// at first. GitHub keeps events for three days, and for seven on a server of one's own.
func (a *GitHubApp) Redeliver(ctx context.Context, since time.Time) (int, error) {
	order, events, err := a.deliveries(ctx, since)
	if err != nil {
		return 0, err
	}
	n := 0
	var problems []error
	for _, guid := range order {
		d := events[guid]
		if d.arrived || d.attempts >= mostAttempts {
			continue
		}
		err := a.self.call(ctx, "ask for an event again", func(ctx context.Context) error {
			_, _, err := a.self.api.Apps.RedeliverHookDelivery(ctx, d.last)
			if accepted := (*github.AcceptedError)(nil); errors.As(err, &accepted) {
				return nil // 202 is GitHub's yes, which the library takes for an error
			}
			return err
		})
		if limited := (*LimitError)(nil); errors.As(err, &limited) || ctx.Err() != nil {
			return n, errors.Join(append(problems, err)...)
		}
		if err != nil { // one that is too old keeps no other one back
			problems = append(problems, err)
			continue
		}
		n++
	}
	return n, errors.Join(problems...)
}

// deliveries reads the attempts since then, the newest first, and returns the events with the oldest first.
func (a *GitHubApp) deliveries(ctx context.Context, since time.Time) ([]string, map[string]*delivered, error) {
	events := map[string]*delivered{}
	var order []string
	opts := &github.ListCursorOptions{PerPage: pageSize}
	for range maxPages {
		var some []*github.HookDelivery
		var next string
		err := a.self.call(ctx, "read the deliveries of the webhook", func(ctx context.Context) error {
			list, resp, err := a.self.api.Apps.ListHookDeliveries(ctx, opts)
			if err == nil {
				some, next = list, resp.Cursor
			}
			return err
		})
		if err != nil {
			return nil, nil, err
		}
		for _, one := range some {
			if one.GetDeliveredAt().Before(since) {
				next = ""
				break
			}
			d := events[one.GetGUID()]
			if d == nil {
				d = &delivered{last: one.GetID()}
				events[one.GetGUID()] = d
				order = append([]string{one.GetGUID()}, order...)
			}
			d.attempts++
			d.arrived = d.arrived || one.GetStatusCode() >= http.StatusOK && one.GetStatusCode() < http.StatusMultipleChoices
		}
		if next == "" || next == opts.Cursor {
			return order, events, nil
		}
		opts.Cursor = next
	}
	return nil, nil, fmt.Errorf("read the deliveries of the webhook: there are more than %d", maxPages*pageSize)
}
