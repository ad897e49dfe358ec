package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/forge"
	"github.com/penstock-dev/penstock/internal/kube"
	"github.com/penstock-dev/penstock/internal/report"
	"github.com/penstock-dev/penstock/internal/rollout"
)

// lintInputs are the inputs of lint.
type lintInputs struct {
	clusterInputs
	secretInputs
	reachInputs
	Provider      string `input:"provider" help:"traffic router of canaries that name none in spec.provider"`
	Cluster       bool   `input:"cluster" help:"also look whether the cluster, the metrics servers, the webhooks and the forge have everything that a run will need; changes nothing"`
	MetricsServer string `input:"metrics-server" help:"with --cluster: address of the Prometheus of canaries that name none in spec.metricsServer"`
	Output        string `input:"output" short:"o" help:"with --cluster, json: print the result as one JSON document"`
	CodeQuality   string `input:"code-quality" help:"file to write the problems to as a code quality report of GitLab, which shows them in the merge request"`
}

// preflightLimit bounds everything that is asked for one canary.
const preflightLimit = time.Minute

// lintCluster looks for everything that runs of the canaries will need, and prints one table of it. It writes nothing.
func (a *App) lintCluster(ctx context.Context, in *lintInputs, set *canary.Set) error {
	client, err := a.home(set, in.clusterInputs)
	if err != nil {
		return err
	}
	if _, err := in.mode(client, a.Getenv); err != nil {
		return err
	}
	var all []report.Requirement
	for _, c := range set.Canaries {
		p := &preflight{canary: c, name: c.Namespace + "/" + c.Name}
		bounded, cancel := context.WithTimeout(ctx, preflightLimit)
		a.preflight(bounded, in, client, set, p)
		cancel()
		all = append(all, p.found...)
	}
	all = append(all, a.forgeRequirement(ctx)...)
	text := report.RenderRequirements(all)
	if in.Output == "json" {
		body, err := report.RequirementsJSON(all)
		if err != nil {
			return unfinished(err)
		}
		text = string(body)
	}
	if _, err := io.WriteString(a.Stdout, text); err != nil {
		return unfinished(fmt.Errorf("print the requirements: %w", err))
	}
	switch missing, unknown := report.Unmet(all); {
	case missing > 0:
		return badInput(fmt.Errorf("%s missing; a run would be refused or could not go on", counted(missing, "thing is", "things are")))
	case unknown > 0:
		return unfinished(fmt.Errorf("%s could not be looked at", counted(unknown, "thing", "things")))
	}
	return nil
}

// preflight is what was found out about one canary.
type preflight struct {
	canary *canary.Canary
	name   string
	found  []report.Requirement
}

func (p *preflight) add(r report.Requirement) {
	r.Canary = p.name
	p.found = append(p.found, r)
}

// trouble adds what an error says. Only what the cluster refuses is known to be missing.
func (p *preflight) trouble(r report.Requirement, err error) {
	if r.Found = err.Error(); r.Met == "" {
		r.Met = report.MetUnknown
		if exit := (*exitError)(nil); errors.Is(err, kube.ErrRefused) || errors.As(err, &exit) && exit.code == ExitBadInput {
			r.Met = report.MetNo
		}
	}
	p.add(r)
}

func (a *App) preflight(ctx context.Context, in *lintInputs, client *kube.Client, set *canary.Set, p *preflight) {
	run := &runInputs{secretInputs: in.secretInputs, reachInputs: in.reachInputs, Provider: in.Provider, MetricsServer: in.MetricsServer}
	d, err := a.drive(ctx, run, client, set, driveInputs{canary: p.canary, policy: policy{gateTimeout: time.Hour}})
	if err != nil {
		p.trouble(report.Requirement{Kind: "canary", Name: p.canary.Name, Fix: "mend the canary, or what it refers to"}, err)
		return
	}
	p.add(report.Requirement{Kind: "canary", Name: p.canary.Name, Met: report.MetYes, Found: "router " + d.canary.Spec.Provider})
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	way, err := d.openWay()
	if err != nil {
		p.trouble(report.Requirement{Kind: "reach", Name: string(d.way)}, err)
		return
	}
	defer way.Close()
	p.reach(ctx, d, way, d.asks(set, in.MetricsServer))
	world := p.world(ctx, d)
	if world == nil {
		return
	}
	defer world.Stop()
	defer cancel()
	p.metrics(ctx, d, world)
	p.hooks(ctx, d)
}

// world looks at the cluster: permissions, kinds of objects, the target and the route. It returns nil when there is
// nothing to ask anybody else about.
func (p *preflight) world(ctx context.Context, d *drive) *kube.World {
	view, err := kube.FindView(ctx, d.client, d.canary)
	switch {
	case err != nil:
		p.trouble(report.Requirement{Kind: "driver", Name: "one driver", Fix: "suspend the Canary in the cluster, or run with --driver follow"}, err)
	case view == nil:
		p.add(report.Requirement{Kind: "driver", Name: "one driver", Met: report.MetYes, Found: "the cluster has no Canary object to keep the status of; none is needed"})
	default:
		p.add(report.Requirement{Kind: "driver", Name: "one driver", Met: report.MetYes, Found: "no controller acts on the Canary; its status is kept"})
	}
	world, err := kube.NewWorld(d.client, d.canary, d.router, (&fence{}).Fence)
	if err != nil {
		p.trouble(report.Requirement{Kind: "object", Name: "target", Met: report.MetNo}, err)
		return nil
	}
	if !p.permissions(ctx, world) {
		p.add(report.Requirement{Kind: "object", Name: "target and route", Found: "not looked at without the permissions"})
		return world
	}
	if err := world.Start(ctx, startLimit); err != nil {
		p.trouble(report.Requirement{Kind: "object", Name: "kinds and configuration", Fix: "install the CRDs of the router, and grant what `penstock render rbac` prints"}, err)
		return world
	}
	p.objects(d, world)
	return world
}

func (p *preflight) permissions(ctx context.Context, world *kube.World) bool {
	grants, err := world.Granted(ctx)
	if err != nil {
		p.trouble(report.Requirement{Kind: "permission", Name: "all"}, err)
		return false
	}
	granted := 0
	for i := range grants {
		if g := &grants[i]; g.Allowed {
			granted++
		} else {
			p.add(report.Requirement{
				Kind: "permission", Name: g.String(), Met: report.MetNo, Found: "not granted" + g.Why,
				Fix: "grant the role that `penstock render rbac` prints to whoever runs this",
			})
		}
	}
	if granted > 0 {
		p.add(report.Requirement{Kind: "permission", Name: counted(granted, "permission", "permissions"), Met: report.MetYes, Found: "granted"})
	}
	return granted == len(grants)
}

func (p *preflight) objects(d *drive, world *kube.World) {
	target := report.Requirement{Kind: "object", Name: d.canary.Spec.TargetRef.Kind + " " + d.canary.Spec.TargetRef.Name}
	observed, err := world.Observe(d.clock.Now())
	switch {
	case err != nil:
		p.trouble(target, err)
		return
	case !observed.Target.Exists:
		target.Met, target.Found, target.Fix = report.MetNo, "does not exist", "apply the target; a run rolls out what is there"
	case observed.Target.Broken:
		target.Met, target.Found, target.Fix = report.MetNo, observed.Target.Message, "mend the pods of the target"
	default:
		target.Met, target.Found = report.MetYes, "exists"
	}
	p.add(target)
	route := report.Requirement{Kind: "object", Name: "route and Services", Met: report.MetYes, Found: "can be written"}
	if _, err := world.Preview(rollout.World{Touch: true, Route: rollout.Route{Managed: true}}); err != nil {
		route.Met, route.Fix = report.MetNo, "apply what the route is made from, such as the Ingress or the gateway that the canary names"
		p.trouble(route, err)
		return
	}
	p.add(route)
}

func (p *preflight) metrics(ctx context.Context, d *drive, world *kube.World) {
	analyst, err := d.analyst(world)
	if err != nil {
		p.trouble(report.Requirement{Kind: "metric", Name: "all"}, err)
		return
	}
	defer analyst.Close()
	for _, result := range analyst.Probe(ctx, d.clock.Now()) {
		p.add(report.CheckRequirement(p.name, result))
	}
}

func (p *preflight) hooks(ctx context.Context, d *drive) {
	hooks, err := d.webhooks(func() map[string]string { return nil })
	if err != nil {
		p.trouble(report.Requirement{Kind: "hook", Name: "all"}, err)
		return
	}
	defer hooks.close()
	for _, reached := range hooks.caller.Reach(ctx) {
		r := report.Requirement{Kind: "hook", Name: reached.Name + " (" + reached.Type + ")", Met: report.MetYes, Found: "its server answers; it was not called"}
		if reached.Own {
			r.Found = "the run does it itself; it was not begun"
		}
		if reached.Err != nil {
			r.Met, r.Found = report.MetNo, reached.Err.Error()
			r.Fix = "make the server of the webhook reachable from where the run is"
		}
		p.add(r)
	}
}

// forgeRequirement asks the forge of this job, if there is one, for what a run reads there.
func (a *App) forgeRequirement(ctx context.Context) []report.Requirement {
	b, err := a.bulletin(forgeInputs{Forge: "auto"})
	if err != nil || b.ci.Platform == "" {
		return nil // no job of a forge
	}
	r := report.Requirement{Canary: "-", Kind: "forge", Name: string(b.ci.Platform)}
	if b.github == nil {
		r.Found = "not looked at: only GitHub is asked, and only with a token in GITHUB_TOKEN"
		return []report.Requirement{r}
	}
	ctx, cancel := context.WithTimeout(ctx, forgeTimeout)
	defer cancel()
	change, err := b.github.Change(forge.Ask{}).Read(ctx)
	switch {
	case err != nil:
		r.Found, r.Fix = err.Error(), "give the job the permissions pull-requests: write, checks: write and statuses: write"
	case change.Number == 0:
		r.Met, r.Found = report.MetYes, "the token reads the repository; the commit belongs to no pull request"
	default:
		r.Met, r.Found = report.MetYes, fmt.Sprintf("the token reads pull request #%d", change.Number)
	}
	return []report.Requirement{r}
}
