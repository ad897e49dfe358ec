package follow

import (
	"context"
	"strings"
	"time"

	"github.com/penstock-dev/penstock/internal/kube"
	"github.com/penstock-dev/penstock/internal/rollout"
	"github.com/penstock-dev/penstock/internal/runner"
)

// report shows what Flagger does as a decision of a run is shown.
func (c *chase) report(ctx context.Context, seen *kube.Driven, d *verdict, now time.Time) {
	s := c.Snapshot
	s.Spec, s.Target, s.Primary, s.Now, s.WakeAt, s.Outcome = c.spec, seen.Target, seen.Primary, now, d.wakeAt, d.outcome
	var shown *rollout.Status
	if c.last.Canary != "" {
		shown = &c.last.Status
	}
	s.Status = c.track.status(&c.spec, seen, shown)
	s.Status.Reason, s.Reason = d.reason, d.reason.String()
	s.Status.Moved = c.track.moved
	if shown == nil || shown.Phase != s.Status.Phase {
		s.Status.Since = now
	} else {
		s.Status.Since = shown.Since
	}
	if d.outcome == rollout.Halted {
		s.Status.Halted = true
	}
	if d.outcome != rollout.Running {
		s.WakeAt = time.Time{}
	} else if s.Status.Phase == rollout.Progressing && c.track.begun {
		// Flagger looks once an interval, and its status moves with each look that decides something.
		s.Status.Window, s.WakeAt = c.track.moved, c.track.moved.Add(c.limits.interval)
	}
	if c.track.begun && (shown == nil || steps(shown) != steps(&s.Status)) || d.outcome != rollout.Running {
		c.history = append(c.history, rollout.Entry{
			Time: now, Phase: s.Status.Phase, Step: s.Status.Step, Steps: len(c.spec.Steps), Weight: s.Status.Weight,
			Failed: s.Status.Failed, Reason: s.Reason,
		})
	}
	s.History = c.history
	same := shown != nil && *shown == s.Status && c.last.Outcome == s.Outcome && c.last.Target == s.Target && c.last.Primary == s.Primary
	c.last = s
	if !same || len(seen.Events) > 0 {
		c.tell(ctx, runner.Update{Snapshot: s, Events: seen.Events})
	}
}

// moment is what of a status makes a line of the history.
type moment struct {
	phase        rollout.Phase
	step, failed int
	weight       rollout.Weight
}

func steps(st *rollout.Status) moment { return moment{st.Phase, st.Step, st.Failed, st.Weight} }

// again says that the cluster is in trouble.
func (c *chase) again(ctx context.Context, err error, now time.Time) {
	s := c.last
	if s.Canary == "" {
		s = c.Snapshot
		s.Spec = c.spec
	}
	reason := "trying again: " + strings.TrimSpace(err.Error())
	if s.Reason == reason {
		return
	}
	s.Now, s.Reason, s.WakeAt = now, reason, now.Add(time.Second)
	s.Status.Reason = rollout.Reason{Detail: reason}
	c.last.Reason = reason
	c.tell(ctx, runner.Update{Snapshot: s})
}

func (c *chase) tell(ctx context.Context, u runner.Update) {
	ctx, cancel := context.WithTimeout(ctx, reportLimit)
	defer cancel()
	for _, r := range c.Reporters {
		r.Report(ctx, u)
	}
}

func (c *chase) result(d verdict) runner.Result {
	s := c.last
	if s.Canary == "" {
		s = c.Snapshot
		s.Spec, s.Now = c.spec, c.Clock.Now()
	}
	return runner.Result{Outcome: d.outcome, Reason: d.reason, Snapshot: s, Record: rollout.Record{
		Target: c.Canary.Spec.TargetRef.Name, Image: s.Image, Started: c.started, Updated: s.Now, Status: s.Status, History: c.history,
	}}
}

// status shows Flagger's status as a rollout's. before is what was shown last, or nil.
func (t *track) status(spec *rollout.Spec, seen *kube.Driven, before *rollout.Status) rollout.Status {
	if seen.Canary == nil {
		if before != nil {
			return *before
		}
		return rollout.Status{}
	}
	live := &seen.Canary.Status
	st := rollout.Status{
		Phase: rollout.Phase(live.Phase), Revision: live.LastAppliedSpec, Promoted: live.LastPromotedSpec, Failed: live.FailedChecks,
		Weight: rollout.Weight(min(max(live.CanaryWeight, 0), 100)), Routed: live.Phase != "",
	}
	known := before != nil && t.begun && before.Revision == st.Revision
	switch st.Phase {
	case rollout.WaitingPromotion: // Flagger writes a weight of 0 there; the traffic stays where it is
		st.Step = len(spec.Steps)
		if known {
			st.Weight = max(st.Weight, before.Weight)
		}
	case rollout.Promoting, rollout.Finalising, rollout.Succeeded:
		if t.begun {
			st.Step = len(spec.Steps)
		}
	case rollout.Failed:
		if known {
			st.Step = before.Step
		}
	case rollout.Waiting, rollout.Progressing:
		st.Step = step(spec, st.Weight, live.Iterations)
	case "", rollout.Initializing, rollout.Initialized, rollout.RollingBack, rollout.Terminating, rollout.Terminated:
	}
	return st
}

// step is how many steps of the plan Flagger has taken: it counts iterations, or only knows the weight.
func step(spec *rollout.Spec, weight rollout.Weight, iterations int) int {
	if iterations > 0 {
		return min(iterations, len(spec.Steps))
	}
	taken := 0
	for i := range spec.Steps {
		if w := spec.Steps[i].Weight; w > 0 && w <= weight {
			taken = i + 1
		}
	}
	if taken == 0 && weight > 0 && len(spec.Steps) > 0 {
		return 1
	}
	return taken
}
