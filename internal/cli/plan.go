package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/gate"
	"github.com/penstock-dev/penstock/internal/metric"
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
	checks []metric.Check
}

// planInputs are what a canary leaves to the command line.
type planInputs struct {
	provider      string
	metricsServer string
	policy        policy
	templates     func(namespace, name string) (*canary.MetricTemplate, bool)
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
		p.checks, err = metric.Plan(c, metric.Inputs{Provider: c.Spec.Provider, MetricsServer: server, MinRequests: in.policy.minRequests, Templates: in.templates})
		add(err)
	}
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
	for _, problem := range unsupported(c) {
		add(errors.New(problem))
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

// unsupported lists what a canary asks for that this version cannot do. Leaving it out silently would run another
// rollout than the one that was asked for.
func unsupported(c *canary.Canary) []string {
	var problems []string
	say := func(field, why string) { problems = append(problems, field+": "+why) }
	if a := c.Spec.Analysis; a != nil {
		for i, alert := range a.Alerts {
			say(fmt.Sprintf("spec.analysis.alerts[%d]", i), fmt.Sprintf("alert %q: alerts are not supported yet", alert.Name))
		}
	}
	return problems
}
