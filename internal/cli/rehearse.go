package cli

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/spf13/cobra"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/kube"
	"github.com/penstock-dev/penstock/internal/metric"
	"github.com/penstock-dev/penstock/internal/rehearsal"
	"github.com/penstock-dev/penstock/internal/report"
	"github.com/penstock-dev/penstock/internal/rollout"
	"github.com/penstock-dev/penstock/internal/runner"
)

// The pace of a rehearsal when --speed is not given: about targetLength in all, but windows no shorter than leastWindow,
// or they would hold too few requests to judge.
const (
	targetLength = 12 * time.Second
	leastWindow  = time.Second

	leastCompared = 4 * time.Second // of a window that is cut into the samples of a comparison
)

func (a *App) rehearseCommand() *cobra.Command {
	in := &rehearseInputs{}
	cmd := &cobra.Command{
		Use:   "rehearse [CANARY] [-f FILE...]",
		Short: "Run a whole rollout on an embedded cluster, with faults of your choice",
		Long: `Run the whole rollout of a canary with no cluster: real HTTP requests through a weighted proxy, real PromQL over
real samples, and the very engine that runs on a real cluster. With faults you learn, before production, whether your
thresholds would have caught them.

With --trials no request is sent: as many rollouts of a healthy release and of several bad ones are played in virtual
time, and a table tells how often each is rolled back, after how long, and how many requests of users had failed by then.

What the canary refers to and the files do not contain is stood in for, and the result says what.
Exit codes: 0 promoted, 1 rolled back, 2 bad input, 130 cancelled.`,
		Example: `  penstock rehearse
  penstock rehearse --fault errors=5%
  penstock rehearse -f canary.yaml --fault latency=800ms@30 --speed 20
  penstock rehearse -f canary.yaml --trials 1000 --rps 50`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := fromEnvironment(cmd.Flags(), a.Getenv); err != nil {
				return err
			}
			return a.rehearse(cmd.Context(), in, append(args, "")[0])
		},
	}
	bind(cmd.Flags(), in)
	return cmd
}

// play is a rehearsal that has passed every check of its input.
type play struct {
	plan
	loadShell bool
	stage     *rehearsal.Stage
	faults    rehearsal.Faults
	speed     float64
}

func (a *App) rehearse(ctx context.Context, in *rehearseInputs, name string) error {
	b, err := a.bulletin(forgeInputs{Forge: "none", reportInputs: in.reportInputs})
	if err != nil {
		return err
	}
	p, err := a.prepare(in, name)
	if err != nil {
		return err
	}
	if in.Trials > 0 {
		return a.try(ctx, in, &p.plan)
	}
	cluster, err := rehearsal.Start(ctx, rehearsal.Options{
		Canary: p.canary, Router: p.router, Objects: p.stage.Objects, Container: p.stage.Container, NewImage: p.stage.NewImage,
		Speed: p.speed, RPS: float64(in.RPS), Faults: p.faults, Seed: in.Seed,
		Shortest: shortest(p.checks),
	})
	if err != nil {
		return unfinished(fmt.Errorf("start the embedded cluster: %w", err))
	}
	hooks, err := rehearsal.StartWebhooks(ctx)
	if err != nil {
		return errors.Join(unfinished(err), cluster.Close())
	}
	p.stage.StandIns = append(p.stage.StandIns, hooks.StandIn(p.canary)...)
	result, err := a.perform(ctx, cluster, p)
	if closeErr := hooks.Close(); err == nil && closeErr != nil {
		err = unfinished(fmt.Errorf("stop the stand-in of the webhooks: %w", closeErr))
	}
	traffic := cluster.Traffic()
	if closeErr := cluster.Close(); err == nil && closeErr != nil {
		err = unfinished(fmt.Errorf("stop the embedded cluster: %w", closeErr))
	}
	if err != nil {
		return err
	}
	r := report.Summarise(result.Snapshot)
	r.StandIns = p.stage.StandIns
	for _, fault := range p.faults {
		r.Faults = append(r.Faults, fault.String())
	}
	addTraffic(&r, traffic)
	r.ExitCode = exitCode(result.Outcome)
	(&poster{bulletin: b, dir: b.in.ReportDir}).ended(r, result.Snapshot, true) // nothing is shown on a forge
	return a.finish(r, result, in.Output)
}

// prepare reads and checks everything before the embedded cluster is built.
func (a *App) prepare(in *rehearseInputs, name string) (*play, error) {
	faults, faultErr := rehearsal.ParseFaults(in.Faults)
	_, trialErr := in.trialInputs.parse(in)
	if err := errors.Join(faultErr, checkPace(in), trialErr); err != nil {
		return nil, badInput(err)
	}
	if err := parseOutput(in.Output); err != nil {
		return nil, err
	}
	policy, err := in.policyInputs.parse()
	if err != nil {
		return nil, err
	}
	set, err := a.rehearsed(in.Files)
	if err != nil {
		return nil, err
	}
	set.DefaultNamespace("default")
	if err := set.Check(); err != nil {
		return nil, badInput(err)
	}
	c, err := choose(&set, name)
	if err != nil {
		return nil, err
	}
	if c.Spec.Provider == "" {
		c.Spec.Provider = in.Provider
	}
	templates := map[canary.ObjectRef]*canary.MetricTemplate{}
	for _, t := range set.Templates {
		templates[canary.ObjectRef{Namespace: t.Namespace, Name: t.Name}] = t
	}
	stage, err := rehearsal.NewStage(c, set.Others, templates)
	if err != nil {
		return nil, badInput(err)
	}
	p, err := compile(c, planInputs{policy: policy, loadShell: in.LoadShell, comparisons: set.ComparisonsOf(c), templates: func(namespace, name string) (*canary.MetricTemplate, bool) {
		t := templates[canary.ObjectRef{Namespace: namespace, Name: name}]
		return t, t != nil
	}})
	if err != nil {
		return nil, err
	}
	return &play{loadShell: in.LoadShell, plan: p, stage: stage, faults: faults, speed: pace(in.Speed, &p)}, nil
}

func (a *App) rehearsed(files []string) (canary.Set, error) {
	if len(files) > 0 {
		return a.read(files)
	}
	set, err := canary.Parse([]canary.File{{Name: "bundled.yaml", Data: rehearsal.Bundled}})
	if err != nil {
		return set, unfinished(fmt.Errorf("read the bundled canary: %w", err))
	}
	return set, nil
}

func checkPace(in *rehearseInputs) error {
	var problems []error
	if in.Speed < 0 || math.IsNaN(in.Speed) || in.Speed > 1000 {
		problems = append(problems, fmt.Errorf("speed: %v is not between 0 and 1000; 0 or nothing chooses one", in.Speed))
	}
	if in.RPS < 0 || in.RPS > rehearsal.MaxRPS {
		problems = append(problems, fmt.Errorf("rps: %d is not between 0 and %d", in.RPS, rehearsal.MaxRPS))
	}
	return errors.Join(problems...)
}

// pace returns the speed to use.
func pace(asked float64, p *plan) float64 {
	spec, least := &p.spec, leastWindow
	if shortest(p.checks) > 0 {
		least = leastCompared
	}
	if asked > 0 {
		return asked
	}
	length := spec.Interval * time.Duration(len(spec.Steps)+len(spec.Promotion))
	speed := min(float64(length)/float64(targetLength), float64(spec.Interval)/float64(least))
	return max(speed, 1)
}

// shortest returns the shortest time that a sample of a comparison is of; 0 when nothing is compared.
func shortest(checks []metric.Check) time.Duration {
	var least time.Duration
	for _, c := range checks {
		if c.Versus != nil && (least == 0 || c.Versus.Every < least) {
			least = c.Versus.Every
		}
	}
	return least
}

// perform runs the rollout on the embedded cluster, with the engine of a real one.
func (a *App) perform(ctx context.Context, cluster *rehearsal.Cluster, p *play) (runner.Result, error) {
	client, err := kube.New(cluster.Config(), p.canary.Namespace)
	if err != nil {
		return runner.Result{}, unfinished(err)
	}
	for i := range p.checks {
		if p.checks[i].Provider != "prometheus" {
			continue // it is asked of the run itself
		}
		p.checks[i].Source.Address = cluster.MetricsURL()
		p.checks[i].Secret = nil
	}
	screen := a.screen(cluster.Clock)
	d := &drive{
		plan: p.plan, client: client, clock: cluster.Clock, images: map[string]string{p.stage.Container: p.stage.NewImage}, oldImage: p.stage.OldImage, version: a.Version, stop: a.Stop, warn: a.warner(p.canary),
		scale:     func(d time.Duration) time.Duration { return time.Duration(float64(d) * cluster.Clock.Speed()) },
		reporters: []runner.Reporter{screenReporter{screen}}, loadShell: p.loadShell, standIn: true, address: cluster.Address, loadThrough: cluster.Through,
	}
	result, err := d.run(ctx)
	if closeErr := screen.Close(); err == nil && closeErr != nil {
		err = unfinished(closeErr)
	}
	return result, err
}

// addTraffic puts what the users saw into the result: in all, and at each step.
func addTraffic(r *report.Result, t rehearsal.Traffic) {
	r.Traffic = &report.Traffic{
		Primary: int(t.Primary.Requests), Canary: int(t.Canary.Requests),
		PrimaryErrors: int(t.Primary.Errors), CanaryErrors: int(t.Canary.Errors),
	}
	r.Users, r.UsersWithErrors = t.Users, t.Failed
	for i := range r.Steps {
		step := &r.Steps[i]
		for _, period := range t.Periods {
			if rollout.Weight(period.Weight) != step.Weight || period.Since.Before(step.Entered) ||
				!step.Left.IsZero() && !period.Since.Before(step.Left) {
				continue
			}
			if step.Traffic == nil {
				step.Traffic = &report.Traffic{}
			}
			step.Traffic.Primary += int(period.Primary.Requests)
			step.Traffic.Canary += int(period.Canary.Requests)
			step.Traffic.PrimaryErrors += int(period.Primary.Errors)
			step.Traffic.CanaryErrors += int(period.Canary.Errors)
		}
	}
}
