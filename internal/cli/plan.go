package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/gate"
	"github.com/penstock-dev/penstock/internal/metric"
	"github.com/penstock-dev/penstock/internal/notify"
	"github.com/penstock-dev/penstock/internal/rollout"
	"github.com/penstock-dev/penstock/internal/traffic"
	"github.com/penstock-dev/penstock/internal/workload"
)

// defaultMetricsServer is Flagger's.
const defaultMetricsServer = "http://prometheus:9090"

// plan is a canary compiled for running: everything that can be known before the cluster is touched.
type plan struct {
	canary *canary.Canary
	router traffic.Router
	spec   rollout.Spec
	called []canary.HookType // the types of webhooks of the canary itself
	checks []metric.Check
	alerts []notify.Route
}

// planInputs are what a canary leaves to the command line.
type planInputs struct {
	provider      string
	metricsServer string
	policy        policy
	templates     func(namespace, name string) (*canary.MetricTemplate, bool)
	providers     notify.Lookup // of alerts; nil leaves them out
	comparisons   []*canary.Comparison
	loadShell     bool // the run's own load tests may start processes
	offline       bool // a canary without a router is one whose router only the cluster tells
}

// compile makes the plan of a canary, or returns every problem at once.
func compile(c *canary.Canary, in planInputs) (plan, error) {
	if c.Spec.Provider == "" {
		c.Spec.Provider = in.provider
	}
	var problems []error
	add := func(err error) {
		if err != nil {
			problems = append(problems, err)
		}
	}
	p := plan{canary: c, spec: rollout.Plan(c)}
	var err error
	switch p.router, err = traffic.For(c.Spec.Provider); {
	case c.Spec.Provider == "" && in.offline:
	case c.Spec.Provider == "":
		add(fmt.Errorf("spec.provider: is missing and --provider is not given; supported are %s", strings.Join(traffic.List(), ", ")))
	case err != nil:
		add(fmt.Errorf("spec.%w", err))
	default:
		for _, problem := range p.router.Refuse(c) {
			add(errors.New(problem))
		}
		server := in.metricsServer
		if server == "" {
			server = defaultMetricsServer
		}
		from := metric.Inputs{Provider: c.Spec.Provider, MetricsServer: server, MinRequests: in.policy.minRequests, Templates: in.templates}
		p.checks, err = metric.Plan(c, from)
		add(err)
		compared, err := metric.PlanComparisons(c, in.comparisons, from)
		add(err)
		p.checks = append(metric.Replaced(p.checks, in.comparisons), compared...)
	}
	p.spec.Compare(in.comparisons)
	p.called = p.spec.Hooks
	add(in.policy.apply(&p.spec, p.router.Settle))
	if _, err = workload.RefsFor(c); err == nil {
		_, err = workload.ScalersFor(c)
	}
	add(err)
	for _, check := range p.checks {
		add(metric.Lint(check))
	}
	_, err = gate.New(gate.Config{Canary: c}) // it calls nobody
	add(err)
	add(checkLoads(c, in.loadShell || in.offline))
	if in.providers != nil {
		var wrong []string
		p.alerts, wrong = notify.Plan(c, in.providers)
		for _, problem := range wrong {
			add(errors.New(problem))
		}
	}
	if len(problems) > 0 {
		name := c.Name
		if c.Namespace != "" {
			name = c.Namespace + "/" + name
		}
		return p, badInput(fmt.Errorf("canary %q cannot be run:\n%w", name, errors.Join(problems...)))
	}
	return p, nil
}
