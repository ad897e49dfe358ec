package metric

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/prometheus/common/model"

	"github.com/penstock-dev/penstock/internal/canary"
)

// Inputs are what a canary's metrics refer to.
type Inputs struct {
	// Provider is the traffic router whose builtin queries are used when the canary's spec.provider is empty.
	Provider string

	// MetricsServer is the address of the Prometheus that answers the builtin and inline queries when the canary's
	// spec.metricsServer is empty.
	MetricsServer string

	// MinRequests is how many requests a builtin check needs in its window; with fewer it has no data. 0 asks for none.
	MinRequests int

	// Templates looks a MetricTemplate up.
	Templates func(namespace, name string) (*canary.MetricTemplate, bool)
}

// Plan compiles the metrics of a canary into checks, in their order. Every problem of every metric is in the error, which
// names the field; the checks that have none are returned with it. The queries are not parsed: that is Lint.
func Plan(c *canary.Canary, in Inputs) ([]Check, error) {
	if c.Spec.Analysis == nil {
		return nil, nil
	}
	var checks []Check
	var problems []error
	seen := map[string]int{}
	server := checkServer(c, in)
	if server != nil && slices.ContainsFunc(c.Spec.Analysis.Metrics, func(m canary.Metric) bool { return m.TemplateRef == nil }) {
		problems = append(problems, server)
	}
	for i := range c.Spec.Analysis.Metrics {
		m := &c.Spec.Analysis.Metrics[i]
		p := planner{canary: c, in: in, metric: m}
		if first, twice := seen[m.Name]; twice {
			p.problem("", "there are two metrics of this name; the other is metrics[%d]", first)
		} else {
			seen[m.Name] = i
		}
		check := p.check()
		for _, err := range p.problems {
			problems = append(problems, fmt.Errorf("spec.analysis.metrics[%d]%w", i, err))
		}
		if len(p.problems) == 0 && (server == nil || p.metric.TemplateRef != nil) {
			checks = append(checks, check)
		}
	}
	return checks, errors.Join(problems...)
}

// planner compiles one metric.
type planner struct {
	canary   *canary.Canary
	in       Inputs
	metric   *canary.Metric
	problems []error
}

// problem notes what is wrong with a field, such as ".query"; the empty field is the metric itself.
func (p *planner) problem(field, format string, args ...any) {
	p.problems = append(p.problems, fmt.Errorf("%s (%s): %w", field, p.metric.Name, fmt.Errorf(format, args...)))
}

func (p *planner) check() Check {
	m := p.metric
	c := Check{Name: m.Name, Provider: "prometheus"}
	v := p.vars()
	c.Interval, v.Interval = p.interval()
	if m.Name == "" {
		p.problem(".name", "a metric needs a name")
	}
	switch {
	case m.TemplateRef != nil && m.Query != "":
		p.problem("", "templateRef and query are both set; keep one")
	case m.TemplateRef != nil:
		p.template(&c, v)
	case m.Query != "":
		p.server(&c)
		p.render(&c, ".query", func() (string, error) { return Render(m.Query, v) })
	default:
		p.builtin(&c, v)
	}
	p.bounds(&c)
	return c
}

func (p *planner) vars() Vars {
	spec := &p.canary.Spec
	v := Vars{
		Name: p.canary.Name, Namespace: p.canary.Namespace, Kind: spec.TargetRef.Kind, Target: spec.TargetRef.Name,
		Service: p.canary.ServiceName(),
		Ingress: spec.TargetRef.Name, Route: spec.TargetRef.Name, Variables: p.metric.TemplateVariables,
	}
	if spec.IngressRef != nil {
		v.Ingress = spec.IngressRef.Name
	}
	if spec.RouteRef != nil {
		v.Route = spec.RouteRef.Name
	}
	if p.canary.Knative() {
		v.Route = lateRevision
	}
	return v
}

// interval returns the metric's window, and how PromQL writes it. What the user wrote is kept where PromQL reads it, as
// Flagger does; Go's other spellings, such as 1.5m, are translated.
func (p *planner) interval() (time.Duration, string) {
	text := p.metric.Interval
	if text == "" {
		return canary.DefaultMetricInterval, model.Duration(canary.DefaultMetricInterval).String()
	}
	d, err := model.ParseDuration(text)
	if err != nil {
		var parsed time.Duration
		parsed, err = time.ParseDuration(text)
		d, text = model.Duration(parsed), model.Duration(parsed).String()
	}
	if err != nil || time.Duration(d) < time.Millisecond {
		p.problem(".interval", "%q is not a duration of at least 1ms, such as 30s or 1m", p.metric.Interval)
		return canary.DefaultMetricInterval, model.Duration(canary.DefaultMetricInterval).String()
	}
	return time.Duration(d), text
}

func (p *planner) builtin(c *Check, v Vars) {
	if c.Name != SuccessRate && c.Name != Duration {
		if c.Name != "" {
			p.problem("", "this is not a builtin metric (%s, %s), so it needs a templateRef", SuccessRate, Duration)
		}
		return
	}
	p.server(c)
	b, err := BuiltinFor(cmp.Or(p.canary.Spec.Provider, p.in.Provider))
	if err != nil {
		p.problem(".name", "%w", err)
		return
	}
	query := b.SuccessRate
	c.Unit, c.Means = "%", cmp.Or(b.SuccessMeans, "requests not answered by a 5xx")
	if c.Name == Duration {
		query, c.Unit, c.Means = b.Duration, "ms", b.DurationMeans
	}
	p.render(c, ".name", func() (string, error) { return renderBuiltin(query, v) })
	if p.in.MinRequests > 0 {
		c.AtLeast = float64(p.in.MinRequests)
		if c.Count, err = renderBuiltin(b.Count, v); err != nil {
			p.problem(".name", "%w", err)
		}
	}
}

func (p *planner) template(c *Check, v Vars) {
	ref := p.metric.TemplateRef
	namespace := cmp.Or(ref.Namespace, p.canary.Namespace)
	if ref.Name == "" {
		p.problem(".templateRef.name", "the name of a MetricTemplate is missing")
		return
	}
	var t *canary.MetricTemplate
	found := false
	if p.in.Templates != nil {
		t, found = p.in.Templates(namespace, ref.Name)
	}
	if !found || t == nil {
		p.problem(".templateRef", "there is no MetricTemplate %q in namespace %q", ref.Name, namespace)
		return
	}
	at := fmt.Sprintf(".templateRef: MetricTemplate %q", namespace+"/"+ref.Name)
	from := t.Spec.Provider
	c.Provider = from.Type
	c.Source = Source{Address: from.Address, Headers: from.Headers, Region: from.Region, InsecureSkipVerify: from.InsecureSkipVerify}
	if from.SecretRef != nil {
		c.Secret = &SecretRef{Namespace: namespace, Name: from.SecretRef.Name}
		if from.SecretRef.Name == "" {
			p.problem(at+": spec.provider.secretRef.name", "the name of a Secret is missing")
		}
	}
	if codec, err := ProviderFor(from.Type); err != nil {
		p.problem(at+": spec.provider.type", "%w", err)
	} else {
		for _, err := range codec.Needs.check(c.Source, c.Secret != nil) {
			p.problem(at+": spec.provider", "%w", err)
		}
		if least := codec.Needs.Least; c.Interval < least {
			p.problem(".interval", "%s is too short for %s: a window of at least %s is sure to hold a whole point", c.Interval, from.Type, least)
		}
	}
	p.render(c, at+": spec.query", func() (string, error) { return Render(t.Spec.Query, v) })
	if c.Provider == "load" {
		c.Unit = loadUnit(c.Query)
	}
}

// server sets the Prometheus of the builtin and inline queries.
func (p *planner) server(c *Check) {
	c.Source.Address = cmp.Or(p.canary.Spec.MetricsServer, p.in.MetricsServer)
}

// checkServer reports what is wrong with that server, once for all metrics that ask it.
func checkServer(c *canary.Canary, in Inputs) error {
	name, address := "spec.metricsServer", c.Spec.MetricsServer
	if address == "" {
		name, address = "metrics-server", in.MetricsServer
	}
	if problems := prometheusNeeds.check(Source{Address: address}, false); len(problems) > 0 {
		return fmt.Errorf("%s: %w", name, errors.Join(problems...))
	}
	return nil
}

func (p *planner) render(c *Check, field string, render func() (string, error)) {
	query, err := render()
	if err != nil {
		p.problem(field, "%w", err)
	}
	c.Query = query
}
