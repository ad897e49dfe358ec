package cli

import (
	"context"
	"fmt"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/gate"
	"github.com/penstock-dev/penstock/internal/kube"
	"github.com/penstock-dev/penstock/internal/notify"
	"github.com/penstock-dev/penstock/internal/runner"
)

// alertProviders looks an AlertProvider up in the files, and after that among those of the cluster that the canary names.
func (a *App) alertProviders(ctx context.Context, client *kube.Client, set *canary.Set, c *canary.Canary) (notify.Lookup, error) {
	found := map[canary.ObjectRef]*canary.AlertProvider{}
	for _, p := range set.Providers {
		found[canary.ObjectRef{Namespace: p.Namespace, Name: p.Name}] = p
	}
	if c.Spec.Analysis != nil {
		for _, alert := range c.Spec.Analysis.Alerts {
			ref := c.Locate(alert.ProviderRef)
			key := canary.ObjectRef{Namespace: ref.Namespace, Name: ref.Name}
			if found[key] != nil {
				continue
			}
			p, err := client.AlertProvider(ctx, ref.Namespace, ref.Name)
			if err != nil {
				return nil, classify(err)
			}
			if p != nil {
				found[key] = p
			}
		}
	}
	return func(ref canary.ObjectRef) *canary.AlertProvider {
		return found[canary.ObjectRef{Namespace: ref.Namespace, Name: ref.Name}]
	}, nil
}

// alerting returns a reporter for each entry of spec.analysis.alerts. It calls nobody yet.
func (d *drive) alerting() (reporters []runner.Reporter, closeAll func(), err error) {
	var all []*gate.Alerts
	for _, route := range d.alerts {
		alerts, err := gate.NewAlerts(gate.AlertConfig{
			Canary: d.canary, Route: route, Clock: d.clock, Version: d.version, RunURL: d.runURL, Secret: d.secret, Failed: d.warn,
			Through: d.through,
		})
		if err != nil {
			return nil, nil, badInput(err)
		}
		all, reporters = append(all, alerts), append(reporters, alerts)
	}
	return reporters, func() {
		for _, alerts := range all {
			alerts.Close()
		}
	}, nil
}

// warner says what people should know and what changes nothing of the rollout.
func (a *App) warner(c *canary.Canary) func(error) {
	return func(err error) { a.warn(fmt.Errorf("%s/%s: %w", c.Namespace, c.Name, err)) }
}
