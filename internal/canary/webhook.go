package canary

import "time"

// HookType says when a webhook is called.
type HookType string

// The types of webhooks. An empty type is HookRollout.
const (
	HookConfirmRollout         HookType = "confirm-rollout"
	HookPreRollout             HookType = "pre-rollout"
	HookRollout                HookType = "rollout"
	HookConfirmTrafficIncrease HookType = "confirm-traffic-increase"
	HookConfirmPromotion       HookType = "confirm-promotion"
	HookPostRollout            HookType = "post-rollout"
	HookRollback               HookType = "rollback"
	HookEvent                  HookType = "event"
)

// Webhook is called at a point of the analysis. A gate is a webhook whose answer holds the rollout.
type Webhook struct {
	Name       string            `json:"name"`
	Type       HookType          `json:"type,omitempty"`
	URL        string            `json:"url"`
	Timeout    string            `json:"timeout,omitempty"`
	Retries    int               `json:"retries,omitempty"`
	Metadata   map[string]string `json:"metadata,omitempty"`
	MuteAlert  bool              `json:"muteAlert,omitempty"`
	DisableTLS bool              `json:"disableTLS,omitempty"` // skips the verification of the certificate
}

// InProcess is the URL of a webhook whose task is done by the run itself, in place of a load tester in the cluster.
const InProcess = "penstock://loadtest"

// InProcess reports whether the task of the webhook is done by the run itself.
func (w *Webhook) InProcess() bool { return w.URL == InProcess }

// EffectiveType is the type of the webhook; without one it runs during the rollout.
func (w *Webhook) EffectiveType() HookType {
	if w.Type == "" {
		return HookRollout
	}
	return w.Type
}

// EffectiveTimeout is how long one call of the webhook may take.
func (w *Webhook) EffectiveTimeout() time.Duration {
	return durationOr(w.Timeout, DefaultWebhookTimeout)
}
