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
	"github.com/penstock-dev/penstock/internal/rollout"
	"github.com/penstock-dev/penstock/internal/runner"
)

// guard ends the rollouts that are abandoned. It is penstock finalize --expired, told by a watch when it is time.
type guard struct {
	app    *App
	client *kube.Client
	log    *slog.Logger
	in     *finalizeInputs
	dog    *kube.Watchdog
	office *officeOf // nil when the server may not write to a forge

	// refuse tells whoever waits for a suspended rollout that it was ended; nil when nobody can be told.
	refuse func(ctx context.Context, namespace, canary string, record *rollout.Record) error
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
	g.dog.Serves(s.hooks.duties())
	return g, nil
}

// end brings one rollout to its safe end, or says why not.
func (g *guard) end(ctx context.Context, x kube.Abandoned) error {
	name := x.Namespace + "/" + x.Canary
	log := g.log.With("canary", name, "run", x.Record.ID)
	log.Info("a rollout is abandoned", "job-over", x.JobOver, "phase", string(x.Record.Status.Phase), "weight", int(x.Record.Status.Weight), "url", x.Record.RunURL)
	return g.finish(ctx, ending{was: x.Lease, jobOver: x.JobOver}, log, x.Namespace, x.Canary, &x.Record)
}

// finish brings a rollout to its end by what its run has kept.
func (g *guard) finish(ctx context.Context, e ending, log *slog.Logger, namespace, name string, record *rollout.Record) error {
	e.bulletin = &bulletin{app: g.app, id: runID(), office: g.office}
	e.say = func(text string) { log.Info(text) }
	e.show = func(*drive) (runner.Reporter, func() error) {
		return &logReporter{log: log}, func() error { return nil }
	}
	err := g.app.end(ctx, g.in, e.byKept(g.client, namespace, name, record), &metrics{stop: func() {}})
	if err != nil && ctx.Err() == nil {
		log.Error("a rollout could not be ended, and is tried again", "error", report.Clean(err.Error()))
	}
	if err == nil && g.refuse != nil {
		if err := g.refuse(ctx, namespace, name, record); err != nil {
			log.Warn("the job that waits for the rollout is not told that it was ended", "error", report.Clean(err.Error()))
		}
	}
	return err
}

// reject ends a suspended rollout that people have rejected, and tells why.
func (g *guard) reject(ctx context.Context, s *report.Standing, why string) error {
	log := g.log.With("canary", s.Namespace+"/"+s.Canary, "run", s.Record.ID)
	log.Info("a suspended rollout is ended", "why", report.Clean(why), "url", s.Record.RunURL)
	return g.finish(ctx, ending{said: why, asleep: s.Record.Suspension()}, log, s.Namespace, s.Canary, &s.Record)
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
