package cli

import (
	"strings"
	"testing"

	"github.com/penstock-dev/penstock/internal/canary"
)

func TestTheEventWebhookIsForCanariesThatHaveNone(t *testing.T) {
	t.Parallel()
	in := eventInputs{EventWebhook: "https://events.example.com/s3cr3t"}
	own := canary.Webhook{Name: "own", Type: canary.HookEvent, URL: "http://own/"}
	load := canary.Webhook{Name: "load", URL: "http://load/"} // of type rollout
	for name, tt := range map[string]struct {
		analysis *canary.Analysis
		want     string
	}{
		"none":        {&canary.Analysis{}, "event-webhook"},
		"another":     {&canary.Analysis{Webhooks: []canary.Webhook{load}}, "load event-webhook"},
		"its own":     {&canary.Analysis{Webhooks: []canary.Webhook{own}}, "own"},
		"no analysis": {nil, ""},
	} {
		c := &canary.Canary{}
		c.Spec.Analysis = tt.analysis
		if err := in.addTo(c); err != nil {
			t.Fatal(err)
		}
		var names []string
		if c.Spec.Analysis != nil {
			for _, w := range c.Spec.Analysis.Webhooks {
				names = append(names, w.Name)
			}
		}
		if got := strings.Join(names, " "); got != tt.want {
			t.Errorf("%s: the webhooks are %q, want %q", name, got, tt.want)
		}
	}
	bad := eventInputs{EventWebhook: "s3cr3t.example.com"}
	if err := bad.addTo(&canary.Canary{}); err == nil || strings.Contains(err.Error(), "s3cr3t") {
		t.Errorf("an address that is none: %v", err)
	}
}
