package fleet

import (
	"context"
	"sync"
	"time"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/rollout"
	"github.com/penstock-dev/penstock/internal/runner"
)

// Join makes a run that has not begun a member's: its group gate is answered, its decisions are noted, and it rolls back
// when the group is broken. The run's Spec must have Group set. What it returns is to be called when the run is over.
func (m *Member) Join(ctx context.Context, r *runner.Run) (leave func()) {
	r.Hooks = groupHooks{m, r.Hooks}
	r.Cluster = groupCluster{r.Cluster, m}
	r.Journal = groupJournal{r.Journal, m}
	r.Analyst = groupAnalyst{r.Analyst, m}
	others := r.Nudge
	r.Nudge = m.woken
	if others == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	var forwarding sync.WaitGroup
	forwarding.Go(func() { m.forward(ctx, others) })
	return func() { cancel(); forwarding.Wait() }
}

// forward passes the wake-ups of others on.
func (m *Member) forward(ctx context.Context, others <-chan struct{}) {
	for {
		select {
		case <-ctx.Done():
			return
		case _, more := <-others:
			if !more {
				return
			}
		}
		select {
		case m.woken <- struct{}{}:
		default:
		}
	}
}

// groupHooks answers the group gate itself.
type groupHooks struct {
	member *Member
	hooks  runner.Hooks // nil when the canary has no webhooks
}

func (h groupHooks) Call(ctx context.Context, hook canary.HookType, st *rollout.Status) rollout.HookAnswer {
	switch {
	case hook == rollout.GroupGate:
		return h.member.answer()
	case h.hooks == nil:
		return rollout.HookAnswer{Hook: hook, Verdict: rollout.Error, Message: "the canary has no such webhook"}
	}
	return h.hooks.Call(ctx, hook, st)
}

// groupCluster asks the rollout to roll back when the group is broken.
type groupCluster struct {
	runner.Cluster
	member *Member
}

func (c groupCluster) Observe(now time.Time) (rollout.Observation, error) {
	o, err := c.Cluster.Observe(now)
	if why := c.member.stop(); why != "" && o.Stop == rollout.StopNone {
		o.Stop, o.StopWhy = rollout.StopRollback, why
	}
	return o, err
}

// Changed is asked for when a turn is over and the run waits: whatever the checks have said is decided and saved by now.
func (c groupCluster) Changed() <-chan struct{} {
	c.member.judges(false)
	return c.Cluster.Changed()
}

// groupJournal sees every decision before the world is touched.
type groupJournal struct {
	runner.Journal
	member *Member
}

func (j groupJournal) Save(ctx context.Context, record rollout.Record) error {
	err := j.Journal.Save(ctx, record)
	if err == nil {
		j.member.saved(&record.Status)
	}
	return err
}

// groupAnalyst keeps the gate from opening while a member at it is being judged: its checks may fail.
type groupAnalyst struct {
	runner.Analyst
	member *Member
}

func (a groupAnalyst) Check(ctx context.Context, now time.Time) []rollout.CheckResult {
	a.member.judges(true)
	return a.Analyst.Check(ctx, now)
}
