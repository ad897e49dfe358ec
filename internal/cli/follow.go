package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/utils/clock"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/follow"
	"github.com/penstock-dev/penstock/internal/kube"
	"github.com/penstock-dev/penstock/internal/report"
	"github.com/penstock-dev/penstock/internal/runner"
)

// driverInputs say who drives the rollout.
type driverInputs struct {
	Driver string `input:"driver" default:"penstock" help:"penstock: this run drives the rollout; follow: a Flagger controller does, and this run sets the image and follows it to its end"`
}

// follows checks --driver and reports whether somebody else drives.
func (in *runInputs) follows() (bool, error) {
	switch in.Driver {
	case "penstock":
		return false, nil
	case "follow":
	default:
		return false, badInput(fmt.Errorf("driver: %q is not known; allowed are penstock and follow", in.Driver))
	}
	var problems []error
	if in.Uninstall {
		problems = append(problems, errors.New("uninstall: not with --driver follow; what a Flagger controller has made is its own to remove"))
	}
	if in.DryRun {
		problems = append(problems, errors.New("dry-run: not with --driver follow; all that a run changes is the image of the target"))
	}
	for _, idle := range []struct {
		input string
		given bool
	}{
		{"on-no-data", in.OnNoData != "fail"}, {"min-requests", in.MinRequests != 0}, {"consecutive", in.Consecutive != 0},
		{"on-failure", in.OnFailure != "rollback"}, {"on-gate-timeout", in.OnGateTimeout != "rollback"},
		{"provider", in.Provider != ""}, {"metrics-server", in.MetricsServer != ""}, {"reach", in.Reach != "auto"},
	} {
		if idle.given {
			problems = append(problems, fmt.Errorf("%s: not with --driver follow; Flagger decides by the Canary in the cluster", idle.input))
		}
	}
	if len(problems) > 0 {
		return false, badInput(errors.Join(problems...))
	}
	return true, nil
}

// follow follows the rollout of one canary that a Flagger controller drives.
func (a *App) follow(ctx context.Context, in *runInputs, f *follower, b *bulletin) error {
	metrics, err := a.openMetrics(ctx, in.metricsInputs)
	if err != nil {
		return err
	}
	defer metrics.close()
	screen, p := a.screen(f.clock), b.poster(ctx, f.canary, true)
	f.reporters = append([]runner.Reporter{screenReporter{screen}, p}, metrics.reporters(f.canary)...)
	result, err := f.run(ctx)
	if closeErr := screen.Close(); err == nil && closeErr != nil {
		err = unfinished(closeErr)
	}
	p.close(ctx, err)
	if err != nil {
		return err
	}
	return a.conclude(p, result, in.Output)
}

// follower is everything that it takes to follow a rollout.
type follower struct {
	canary    *canary.Canary // as in the files
	client    *kube.Client
	clock     clock.Clock
	images    map[string]string
	gate      time.Duration // how long Flagger may wait at a gate
	stop      <-chan struct{}
	reporters []runner.Reporter
}

// run checks everything that can be checked, sets the images and follows what Flagger does.
func (f *follower) run(ctx context.Context) (runner.Result, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	before := &drive{stop: f.stop}
	started := before.untilStarted(cancel)
	defer started()
	flagger, err := kube.FollowFlagger(ctx, f.client, f.canary)
	if err != nil {
		return runner.Result{}, before.classify(err)
	}
	if err := flagger.Preflight(ctx); err != nil {
		return runner.Result{}, before.classify(err)
	}
	defer flagger.Stop()
	defer cancel()
	if err := flagger.Start(ctx, startLimit); err != nil {
		return runner.Result{}, before.classify(err)
	}
	live := flagger.Canary()
	seen, err := flagger.Observe(f.clock.Now())
	switch {
	case err != nil:
		return runner.Result{}, before.classify(err)
	case !seen.Target.Exists:
		return runner.Result{}, badInput(fmt.Errorf("spec.targetRef: %s %q does not exist in namespace %q",
			live.Spec.TargetRef.Kind, live.Spec.TargetRef.Name, live.Namespace))
	}
	if err := flagger.CheckImages(f.images); err != nil {
		return runner.Result{}, badInput(err)
	}
	started()
	run := &follow.Run{
		Canary: live, Images: f.images, Cluster: flagger, Reporters: f.reporters, Clock: f.clock, Stop: f.stop,
		GiveUp: live.ProgressDeadline(), Gate: f.gate,
		Snapshot: report.Snapshot{Canary: live.Name, Namespace: live.Namespace, Provider: live.Spec.Provider},
	}
	for _, image := range f.images {
		run.Snapshot.Image = image
	}
	result, err := run.Do(ctx)
	switch {
	case errors.Is(err, follow.ErrStopped):
		return result, &exitError{ExitCancelled, err}
	case err != nil:
		return result, unfinished(err)
	}
	return result, nil
}
