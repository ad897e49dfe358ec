package cli

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/gate"
	"github.com/penstock-dev/penstock/internal/kube"
	"github.com/penstock-dev/penstock/internal/notify"
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

// lastWords is how long the alerts of a run that could not finish may take; lastGasp is that of a cancelled one, which is
// killed soon.
const (
	lastWords = 10 * time.Second
	lastGasp  = time.Second
)

// alerting returns the alerts of each entry of spec.analysis.alerts. It calls nobody yet.
func (d *drive) alerting() (all []*gate.Alerts, closeAll func(), err error) {
	for _, route := range d.alerts {
		alerts, err := gate.NewAlerts(gate.AlertConfig{
			Canary: d.canary, Route: route, Clock: d.clock, Version: d.version, Links: d.links, Secret: d.secret, Failed: d.warn,
			Through: d.through,
		})
		if err != nil {
			return nil, nil, badInput(err)
		}
		all = append(all, alerts)
	}
	return all, func() {
		for _, alerts := range all {
			alerts.Close()
		}
	}, nil
}

// unfinished tells the chats that the run ended before its rollout did.
func (d *drive) unfinished(ctx context.Context, all []*gate.Alerts, why error) {
	limit := lastWords
	select {
	case <-d.stop:
		limit = lastGasp
	default:
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	defer cancel()
	var told sync.WaitGroup
	for _, alerts := range all {
		told.Go(func() { alerts.Unfinished(ctx, why) })
	}
	told.Wait()
}

// warner says what people should know and what changes nothing of the rollout.
func (a *App) warner(c *canary.Canary) func(error) {
	return func(err error) { a.warn(fmt.Errorf("%s/%s: %w", c.Namespace, c.Name, err)) }
}
