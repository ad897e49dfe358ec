package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/spf13/pflag"

	"github.com/penstock-dev/penstock/internal/kube"
	"github.com/penstock-dev/penstock/internal/manifest"
	"github.com/penstock-dev/penstock/internal/report"
	"github.com/penstock-dev/penstock/internal/runner"
)

// guard ends the rollouts that are abandoned. It is penstock finalize --expired, told by a watch when it is time.
type guard struct {
	app    *App
	client *kube.Client
	log    *slog.Logger
	in     *finalizeInputs
	dog    *kube.Watchdog
}

// watchdog prepares the watch over the rollouts of the namespaces that are served. It is nil without a cluster, and when it
// is off. What it takes to find them is asked for here; what it takes to end one, when that is due.
func (a *App) watchdog(ctx context.Context, s *serving) (*guard, error) {
	if !s.watchdog || s.client == nil {
		return nil, nil //nolint:nilnil // nobody watches
	}
	var problems []error
	for _, namespace := range s.namespaces {
		problems = append(problems, s.client.Require(ctx, manifest.WatchdogNeeds(namespace)))
	}
	if err := errors.Join(problems...); err != nil {
		return nil, classify(fmt.Errorf("watchdog: %w", err))
	}
	g := &guard{client: s.client, log: s.log, in: &finalizeInputs{}}
	bind(pflag.NewFlagSet("", pflag.ContinueOnError), g.in) // the defaults
	g.in.Expired = true
	quiet := *a
	quiet.warned = func(err error) { s.log.Warn("watchdog", "error", report.Clean(err.Error())) }
	g.app = &quiet
	g.dog = kube.NewWatchdog(s.client, s.namespaces, quiet.warned)
	return g, nil
}

// end brings one rollout to its safe end, or says why not.
func (g *guard) end(ctx context.Context, x kube.Abandoned) error {
	name := x.Namespace + "/" + x.Canary
	log := g.log.With("canary", name, "run", x.Record.ID)
	log.Info("a rollout is abandoned", "phase", string(x.Record.Status.Phase), "weight", int(x.Record.Status.Weight), "url", x.Record.RunURL)
	e := ending{
		bulletin: &bulletin{app: g.app, id: runID()}, was: x.Lease,
		say: func(text string) { log.Info(text) },
		show: func(*drive) (runner.Reporter, func() error) {
			return &logReporter{log: log}, func() error { return nil }
		},
	}.byKept(g.client, x.Namespace, x.Canary, &x.Record)
	err := g.app.end(ctx, g.in, e, &metrics{stop: func() {}})
	if err != nil && ctx.Err() == nil {
		log.Error("an abandoned rollout could not be ended, and is tried again", "error", report.Clean(err.Error()))
	}
	return err
}

// logReporter writes each new decision of a rollout to a server's log.
type logReporter struct {
	log  *slog.Logger
	mu   sync.Mutex
	last report.Snapshot
}

// Report implements runner.Reporter.
func (r *logReporter) Report(_ context.Context, u runner.Update) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if line := report.Line(r.last, u.Snapshot); line != "" {
		st := &u.Snapshot.Status
		r.log.Info("decision", "phase", string(st.Phase), "step", st.Step, "weight", int(st.Weight), "reason", report.Clean(u.Snapshot.Reason))
	}
	r.last = u.Snapshot
}

// guarded is a listener with a watchdog beside it, or without.
type guarded struct {
	listener
	guard *guard // nil when nobody watches
}

// Run implements listener. A rollout that is being ended when ctx ends is left to another replica, or to the next start.
func (g guarded) Run(ctx context.Context) error {
	if g.guard == nil {
		return g.listener.Run(ctx)
	}
	watching, stop := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() { g.guard.dog.Run(watching, g.guard.end) })
	defer running.Wait()
	defer stop()
	return g.listener.Run(ctx)
}
