package cli

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/penstock-dev/penstock/internal/analysis"
	"github.com/penstock-dev/penstock/internal/gate"
	"github.com/penstock-dev/penstock/internal/kube"
	"github.com/penstock-dev/penstock/internal/rollout"
	"github.com/penstock-dev/penstock/internal/runner"
)

// crew is whom a rollout asks and tells, and what it writes down. All of it is ready before the lease is claimed.
type crew struct {
	record    rollout.Record
	journal   runner.Journal
	analyst   *analysis.Analyst
	hooks     runner.Hooks // nil when nobody has to be asked
	reporters []runner.Reporter
	voters    *voting // nil when nobody has to approve
	alerts    []*gate.Alerts

	closers []func()
}

// close ends what was opened, the last first.
func (c *crew) close() {
	for _, end := range slices.Backward(c.closers) {
		end()
	}
}

// gather opens everything that a rollout of this canary needs beside the cluster. It changes nothing.
func (d *drive) gather(ctx context.Context, world *kube.World, f *fence) (*crew, error) {
	c := &crew{record: rollout.Record{
		ID: cmp.Or(d.id, runID()), Target: d.canary.Spec.TargetRef.Name, Image: world.Image(d.images), RunURL: d.runURL, Commit: d.commit,
		Plan: d.kept(),
	}}
	err := d.fill(ctx, c, world)
	if err == nil && d.checked != nil {
		err = d.checked(ctx)
	}
	if err == nil && d.approvals != nil {
		err = d.vote(ctx, c, f)
	}
	if err != nil {
		c.close()
		return nil, err
	}
	found := &finding{Journal: kube.NewJournal(d.client, d.canary)}
	c.journal, c.hooks = found, d.standing.over(c.hooks, d.asked(), found)
	return c, nil
}

// fill opens the ways to the metrics servers, webhooks and chats. What it has opened when it fails is in the crew.
func (d *drive) fill(ctx context.Context, c *crew, world *kube.World) error {
	way, err := d.openWay()
	if err != nil {
		return err
	}
	c.closers = append(c.closers, way.Close)
	closeLoad, err := d.openLoad(ctx)
	if err != nil {
		return err
	}
	c.closers = append(c.closers, closeLoad)
	if c.analyst, err = d.analyst(world); err != nil {
		return err
	}
	c.closers = append(c.closers, c.analyst.Close)
	hooks, err := d.webhooks(world.TrackedConfigs)
	if err != nil {
		return err
	}
	c.closers = append(c.closers, hooks.close)
	alerts, closeAlerts, err := d.alerting()
	if err != nil {
		return err
	}
	c.closers = append(c.closers, closeAlerts)
	c.hooks, c.reporters, c.alerts = hooks.hooks, slices.Clone(hooks.reporters), alerts
	for _, one := range alerts {
		c.reporters = append(c.reporters, one)
	}
	return nil
}

// vote lets people answer the gates.
func (d *drive) vote(ctx context.Context, c *crew, f *fence) (err error) {
	posted, err := d.posted(ctx)
	if err != nil {
		return d.classify(fmt.Errorf("read the gate at which the rollout was suspended: %w", err))
	}
	people := d.approvals.over(d, c.record.ID, c.hooks, posted)
	if c.voters, err = d.approvals.listen(ctx, d, f, people); err != nil {
		return err
	}
	c.closers = append(c.closers, c.voters.stop)
	c.hooks, c.record.ApprovalPolicy = people, d.approvals.policy.Hash()
	if d.gated != nil {
		d.gated(people)
	}
	return nil
}
