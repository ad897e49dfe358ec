package cli

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/utils/clock"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/kube"
	"github.com/penstock-dev/penstock/internal/reach"
	"github.com/penstock-dev/penstock/internal/report"
	"github.com/penstock-dev/penstock/internal/runner"
)

// memoryLimit makes the garbage collector keep a run small: it shares the machine with other jobs. It is a soft limit.
const memoryLimit = 48 << 20 // bytes

func (a *App) runCommand() *cobra.Command {
	in := &runInputs{}
	cmd := &cobra.Command{
		Use:   "run [CANARY] -f FILE...",
		Short: "Run a rollout from start to finish and exit with its verdict",
		Long: `Run the rollout of one canary on a cluster, from start to finish.

The first run makes the primary from what the target runs. Every later run analyses what has changed: a new image
(--image), or a change of the pod template or of its configuration that is already in the target. Without a name, all
canaries of the files run side by side.

Exit codes: 0 promoted, initialised, nothing to do, uninstalled, suspended or waiting at a gate; 1 rolled back;
2 bad input, nothing touched; 3 could not finish, or not begin, a re-run does; 4 superseded by another run; 130 cancelled, after
the safe end.`,
		Example: `  penstock run -f canary.yaml --image app=ghcr.io/example/app:1.2.3
  penstock run podinfo -f deploy/ -n shop --dry-run
  penstock run -f deploy/ --image app=ghcr.io/example/app:1.2.3 --after web=api
  penstock run -f canary.yaml --image app=ghcr.io/example/app:1.2.3 --driver follow`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := fromEnvironment(cmd.Flags(), a.Getenv); err != nil {
				return err
			}
			return a.run(cmd.Context(), in, args)
		},
	}
	bind(cmd.Flags(), in)
	return cmd
}

func (a *App) run(ctx context.Context, in *runInputs, args []string) (problem error) {
	b, err := a.bulletin(in.forgeInputs)
	if err != nil {
		return err
	}
	b.remember()
	defer func() { b.rememberEnd(codeOf(problem)) }()
	o, err := a.order(in, args, b)
	if err != nil {
		return b.found(ctx, err)
	}
	client, err := a.home(&o.set, in.clusterInputs)
	if err != nil {
		return err
	}
	if err := o.ask(ctx); err != nil {
		return err
	}
	if !o.one() {
		return a.runFleet(ctx, in, &fleetRun{client: client, order: o})
	}
	c, err := choose(&o.set, o.name)
	if err != nil {
		return err
	}
	if o.follows {
		return a.follow(ctx, in, &follower{
			canary: c, client: client, clock: clock.RealClock{}, images: o.images, gate: o.policy.gateTimeout, stop: a.Stop,
		}, b)
	}
	return a.runAlone(ctx, in, client, o, c)
}

// runAlone runs the only canary of an order, or says what a run would do.
func (a *App) runAlone(ctx context.Context, in *runInputs, client *kube.Client, o *order, c *canary.Canary) error {
	prepare := func() (*drive, error) {
		return a.drive(ctx, in, client, &o.set, driveInputs{canary: c, policy: o.policy, images: o.images, people: o.people})
	}
	if in.DryRun {
		d, err := prepare()
		if err != nil {
			return err
		}
		return a.dryRun(ctx, d)
	}
	still := o.bulletin.resuming(client, c)
	if still != nil { // before a page is opened: it may be the last one of a rollout that is over
		if err := still(ctx); err != nil {
			return err
		}
	}
	p := o.bulletin.poster(ctx, c, true)
	d, err := prepare()
	if err != nil {
		p.close(ctx, err)
		return err
	}
	d.confirm = still
	result, err := a.runOne(ctx, in, d, p)
	p.close(ctx, err)
	if err != nil {
		p.broken(result, err, true)
		return err
	}
	return a.conclude(p, result, in.Output)
}

// conclude publishes the result of the only canary, and ends with its exit code.
func (a *App) conclude(p *poster, result runner.Result, output string) error {
	r := report.Summarise(result.Snapshot)
	r.ExitCode = exitCode(result.Outcome)
	p.ended(r, result.Snapshot, true)
	return a.finish(r, result, output)
}

// broken publishes what is known of a rollout that its run could not finish. The only one of a run is alone.
func (p *poster) broken(result runner.Result, err error, alone bool) {
	s := result.Snapshot
	if s.Canary == "" || !errors.Is(err, runner.ErrUnfinished) {
		return // it was not begun
	}
	s.Reason = err.Error()
	r := report.Summarise(s)
	r.ExitCode = codeOf(err)
	p.ended(r, s, alone)
}

// driveInputs are what a canary's run is made of.
type driveInputs struct {
	canary *canary.Canary
	policy policy
	images map[string]string
	people *approvals
}

// drive prepares the run of one canary. It touches nothing.
func (a *App) drive(ctx context.Context, in *runInputs, client *kube.Client, set *canary.Set, of driveInputs) (*drive, error) {
	c := of.canary
	templates, err := a.templates(ctx, client, set, c)
	if err != nil {
		return nil, err
	}
	if err := a.detect(ctx, client, c, in.Provider); err != nil {
		return nil, err
	}
	way, err := in.mode(client, a.Getenv)
	if err != nil {
		return nil, err
	}
	if way == reach.ServiceProxy {
		if err := unproxied(c); err != nil {
			return nil, badInput(fmt.Errorf("canary %q: %w", c.Name, err))
		}
	}
	providers, err := a.alertProviders(ctx, client, set, c)
	if err != nil {
		return nil, err
	}
	if err := in.addTo(c); err != nil {
		return nil, err
	}
	secrets, err := in.ofJob(a.Getenv)
	if err != nil {
		return nil, err
	}
	p, err := compile(c, planInputs{
		provider: in.Provider, metricsServer: in.MetricsServer, policy: of.policy, templates: templates, providers: providers,
		comparisons: set.ComparisonsOf(c), loadShell: in.LoadShell,
	})
	if err != nil {
		return nil, err
	}
	return &drive{
		plan: p, client: client, clock: clock.RealClock{}, scale: func(d time.Duration) time.Duration { return d },
		busy: of.policy.busy, standing: of.policy.standing, images: of.images, version: a.Version, stop: a.Stop, warn: a.warner(c), approvals: of.people, mask: a.masker(), secrets: secrets, env: a.Getenv, way: way, loadShell: in.LoadShell,
	}, nil
}

// runOne runs one canary and shows it.
func (a *App) runOne(ctx context.Context, in *runInputs, d *drive, p *poster) (runner.Result, error) {
	if a.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryLimit)
	}
	metrics, err := a.openMetrics(ctx, in.metricsInputs)
	if err != nil {
		return runner.Result{}, err
	}
	defer metrics.close()
	screen := a.screen(d.clock)
	d.gated, d.links = p.gated, p.links
	p.bulletin.identify(d)
	d.reporters = append([]runner.Reporter{screenReporter{screen}, p}, metrics.reporters(d.canary)...)
	result, err := d.run(ctx)
	if closeErr := screen.Close(); err == nil && closeErr != nil {
		err = unfinished(closeErr)
	}
	return result, err
}

func (a *App) connect(in clusterInputs) (*kube.Client, error) {
	credentials, err := a.credentials(in.credentialInputs)
	if err != nil {
		return nil, err
	}
	client, err := kube.Connect(kube.Options{
		Credentials: credentials,
		Kubeconfig:  in.Kubeconfig, KubeconfigData: in.KubeconfigData, Context: in.Context, Namespace: in.Namespace,
		UserAgent: "penstock/" + a.Version,
	})
	if err != nil {
		return nil, badInput(err)
	}
	a.hideAll(client.Secrets())
	return client, nil
}

// home connects to the cluster that the canaries are for. Its namespace is that of canaries that name none.
func (a *App) home(set *canary.Set, in clusterInputs) (*kube.Client, error) {
	client, err := a.connect(in)
	if err != nil {
		return nil, err
	}
	set.DefaultNamespace(client.Namespace)
	if err := set.Check(); err != nil {
		return nil, badInput(err)
	}
	return client, nil
}

// templates looks a MetricTemplate up in the files, and after that among those of the cluster that the canary names.
func (a *App) templates(
	ctx context.Context, client *kube.Client, set *canary.Set, c *canary.Canary,
) (func(namespace, name string) (*canary.MetricTemplate, bool), error) {
	found := map[canary.ObjectRef]*canary.MetricTemplate{}
	for _, t := range set.Templates {
		found[canary.ObjectRef{Namespace: t.Namespace, Name: t.Name}] = t
	}
	if c.Spec.Analysis != nil {
		for _, m := range c.Spec.Analysis.Metrics {
			if m.TemplateRef == nil {
				continue
			}
			ref := c.Locate(*m.TemplateRef)
			key := canary.ObjectRef{Namespace: ref.Namespace, Name: ref.Name}
			if found[key] != nil {
				continue
			}
			t, err := client.Template(ctx, ref.Namespace, ref.Name)
			if err != nil {
				return nil, classify(err)
			}
			if t != nil {
				found[key] = t
			}
		}
	}
	return func(namespace, name string) (*canary.MetricTemplate, bool) {
		t := found[canary.ObjectRef{Namespace: namespace, Name: name}]
		return t, t != nil
	}, nil
}

// finish prints the result and ends with its exit code.
func (a *App) finish(r report.Result, result runner.Result, output string) error {
	r.ExitCode = exitCode(result.Outcome)
	look := ScreenOf(a.Stderr, a.Getenv).Look // the window may have another size by now
	a.say(fmt.Sprintf("\n%s\n%s", look.Table(r), look.Closing(r)))
	if output == "json" {
		body, err := r.JSON()
		if err != nil {
			return unfinished(fmt.Errorf("print the result: %w", err))
		}
		if _, err := a.Stdout.Write(body); err != nil {
			return unfinished(fmt.Errorf("print the result: %w", err))
		}
	}
	if r.ExitCode != ExitOK {
		return &exitError{code: r.ExitCode}
	}
	return nil
}
