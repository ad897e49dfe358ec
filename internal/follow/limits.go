package follow

import (
	"time"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/rollout"
)

// shortestTick is the least time between two looks of Flagger, whatever the interval of the analysis.
const shortestTick = 10 * time.Second

// grace is what every wait for Flagger has beyond what Flagger's own timing explains.
const grace = time.Minute

// limits are the bounds of the waits for Flagger, each since its status has last moved.
type limits struct {
	interval time.Duration // between two looks of Flagger
	act      time.Duration // until it has seen a change
	stall    time.Duration // without any movement
	gate     time.Duration // at a gate
	gated    bool          // a gate may hold each step, not only the first and the last
}

func limitsOf(c *canary.Canary, gate time.Duration) limits {
	if gate <= 0 {
		gate = DefaultGate
	}
	l := limits{interval: shortestTick, gate: gate}
	if a := c.Spec.Analysis; a != nil {
		l.interval = max(l.interval, a.EffectiveInterval())
		for i := range a.Webhooks {
			l.gated = l.gated || a.Webhooks[i].EffectiveType() == canary.HookConfirmTrafficIncrease
		}
	}
	l.act = 2*l.interval + grace
	l.stall = c.ProgressDeadline() + l.act
	l.gate = max(l.gate, l.act)
	return l
}

// of is how long a phase may last without a movement.
func (l *limits) of(p rollout.Phase) time.Duration {
	switch p {
	case rollout.Waiting, rollout.WaitingPromotion:
		return l.gate
	case rollout.Progressing:
		if l.gated {
			return max(l.gate, l.stall)
		}
	case "":
		return l.act
	case rollout.Initializing, rollout.Initialized, rollout.Promoting, rollout.Finalising, rollout.RollingBack,
		rollout.Succeeded, rollout.Failed, rollout.Terminating, rollout.Terminated:
	}
	return l.stall
}
