package canary

import "time"

// ServiceName is the name of the apex Service: spec.service.name, or the target's name.
func (c *Canary) ServiceName() string {
	if c.Spec.Service.Name != "" {
		return c.Spec.Service.Name
	}
	return c.Spec.TargetRef.Name
}

// PrimaryName is the name of the primary workload.
func (c *Canary) PrimaryName() string { return c.Spec.TargetRef.Name + "-primary" }

// ProgressDeadline is how long a phase may wait for the cluster before the rollout is given up.
func (c *Canary) ProgressDeadline() time.Duration {
	if s := c.Spec.ProgressDeadlineSeconds; s != nil {
		return time.Duration(*s) * time.Second
	}
	return DefaultProgressDeadline
}

// EffectiveInterval is the analysis window of a step. Flagger raises anything below 10s; Penstock keeps what is written.
func (a *Analysis) EffectiveInterval() time.Duration { return durationOr(a.Interval, DefaultInterval) }

// EffectiveThreshold is the number of failed checks at which the rollout is rolled back.
func (a *Analysis) EffectiveThreshold() int { return positiveOr(a.Threshold, DefaultThreshold) }

// EffectiveMaxWeight is the highest canary weight of the analysis, in percent.
func (a *Analysis) EffectiveMaxWeight() int { return positiveOr(a.MaxWeight, DefaultMaxWeight) }

// PrimaryReady is the percentage of primary pods that must be ready.
func (a *Analysis) PrimaryReady() int {
	return pointerOr(a.PrimaryReadyThreshold, DefaultReadyThreshold)
}

// CanaryReady is the percentage of canary pods that must be ready.
func (a *Analysis) CanaryReady() int { return pointerOr(a.CanaryReadyThreshold, DefaultReadyThreshold) }

// EffectiveInterval is the look-back window of the metric's query.
func (m *Metric) EffectiveInterval() time.Duration {
	return durationOr(m.Interval, DefaultMetricInterval)
}

func durationOr(text string, fallback time.Duration) time.Duration {
	if d, err := time.ParseDuration(text); err == nil && d > 0 {
		return d
	}
	return fallback
}

func positiveOr(n, fallback int) int {
	if n > 0 {
		return n
	}
	return fallback
}

func pointerOr(n *int, fallback int) int {
	if n != nil {
		return *n
	}
	return fallback
}
