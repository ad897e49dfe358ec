package cli

import (
	"errors"
	"net/url"
	"slices"

	"github.com/penstock-dev/penstock/internal/canary"
)

// eventInputs say who gets the events of canaries that name nobody.
type eventInputs struct {
	EventWebhook string `input:"event-webhook" help:"URL that gets the events of canaries that have no webhook of type event, with the payload of Flagger's"`
}

// addTo gives a canary the webhook, unless it has one of its own: that takes its place, as with Flagger. The URL may hold a
// token and is not repeated.
func (in *eventInputs) addTo(c *canary.Canary) error {
	if in.EventWebhook == "" {
		return nil
	}
	if u, err := url.Parse(in.EventWebhook); err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" {
		return badInput(errors.New("event-webhook: it is not an http:// or https:// URL (its text is not shown)"))
	}
	a := c.Spec.Analysis
	if a == nil || slices.ContainsFunc(a.Webhooks, func(w canary.Webhook) bool { return w.EffectiveType() == canary.HookEvent }) {
		return nil
	}
	a.Webhooks = append(slices.Clip(a.Webhooks), canary.Webhook{Name: "event-webhook", Type: canary.HookEvent, URL: in.EventWebhook})
	return nil
}
