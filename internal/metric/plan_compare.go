package metric

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"github.com/penstock-dev/penstock/internal/canary"
)

// PlanComparisons compiles the comparisons of a canary, in their order, as Plan does its metrics. What the router cannot
// tell apart, and what the provider cannot be asked for, is among the problems.
func PlanComparisons(c *canary.Canary, comparisons []*canary.Comparison, in Inputs) ([]Check, error) {
	if c.Spec.Analysis == nil {
		return nil, nil
	}
	var checks []Check
	var problems []error
	server := checkServer(c, in)
	for _, x := range comparisons {
		p := planner{canary: c, in: in, metric: &canary.Metric{Name: x.Name}}
		check := p.comparison(x)
		if x.Spec.Metric != "" && server != nil {
			p.problems = append(p.problems, fmt.Errorf(": %w", server))
		}
		for _, err := range p.problems {
			problems = append(problems, fmt.Errorf("comparison %q%w", x.Name, err))
		}
		if len(p.problems) == 0 {
			checks = append(checks, check)
		}
	}
	return checks, errors.Join(problems...)
}

// Replaced leaves out the checks that a comparison takes the place of.
func Replaced(checks []Check, comparisons []*canary.Comparison) []Check {
	return slices.DeleteFunc(slices.Clone(checks), func(c Check) bool {
		return slices.ContainsFunc(comparisons, func(x *canary.Comparison) bool { return x.Spec.Replaces == c.Name })
	})
}

func (p *planner) comparison(x *canary.Comparison) Check {
	s, window := &x.Spec, p.canary.Spec.Analysis.EffectiveInterval()
	v := &Versus{
		Every: s.EffectiveSampleInterval(window), Direction: s.EffectiveDirection(),
		Confidence: s.EffectiveConfidence(), Effect: s.EffectiveEffectSize(), MinSamples: s.EffectiveMinSamples(),
	}
	v.Relative, v.Absolute = s.EffectiveTolerance()
	c := Check{Name: x.Name, Provider: "prometheus", Interval: window, Versus: v}
	switch {
	case v.Every <= 0 || window/v.Every > canary.MaxComparisonSamples:
		p.problem(".spec.sampleInterval", "%s is not between a %dth of the analysis interval of %s and all of it", v.Every, canary.MaxComparisonSamples, window)
	case s.Metric != "":
		p.compareBuiltin(&c, s.Metric)
	default:
		p.compareOwn(&c, x)
	}
	return c
}

// sides returns the values of a query template for the canary and for the primary. The own workload of each side is its
// target, and the queries are of the time that one sample is of.
func (p *planner) sides(every time.Duration) (ofCanary, ofPrimary Vars) {
	ofCanary = p.vars()
	ofCanary.Interval = model.Duration(every).String()
	ofPrimary = ofCanary
	ofPrimary.Target = p.canary.PrimaryName()
	return ofCanary, ofPrimary
}

func (p *planner) compareBuiltin(c *Check, name string) {
	p.server(c)
	provider := cmp.Or(p.canary.Spec.Provider, p.in.Provider)
	b, err := BuiltinFor(provider)
	if err != nil {
		p.problem(".spec.metric", "%w", err)
		return
	}
	if b.ofPrimary == nil {
		p.problem(".spec.metric", "with the router %q the metrics do not tell the primary from the canary; write provider, query and primaryQuery", provider)
		return
	}
	query := b.SuccessRate
	c.Unit, c.Means = "%", cmp.Or(b.SuccessMeans, "requests not answered by a 5xx")
	if name == Duration {
		query, c.Unit, c.Means = b.Duration, "ms", b.DurationMeans
	}
	ofCanary, ofPrimary := p.sides(c.Versus.Every)
	p.render(c, ".spec.metric", func() (string, error) { return renderBuiltin(query, ofCanary) })
	primary := func(text *string, query string, v Vars) {
		var err error
		if *text, err = renderBuiltin(b.ofPrimary.Replace(query), v); err != nil {
			p.problem(".spec.metric", "%w", err)
		}
	}
	primary(&c.Versus.Query, query, ofPrimary)
	if p.in.MinRequests > 0 {
		c.AtLeast = float64(p.in.MinRequests)
		whole := model.Duration(c.Interval).String()
		ofCanary.Interval, ofPrimary.Interval = whole, whole
		if c.Count, err = renderBuiltin(b.Count, ofCanary); err != nil {
			p.problem(".spec.metric", "%w", err)
		}
		primary(&c.Versus.Count, b.Count, ofPrimary)
	}
}

func (p *planner) compareOwn(c *Check, x *canary.Comparison) {
	from := x.Spec.Provider
	if from == nil {
		p.problem(".spec.provider", "is missing")
		return
	}
	c.Provider = from.Type
	c.Source = Source{Address: from.Address, Headers: from.Headers, Region: from.Region, InsecureSkipVerify: from.InsecureSkipVerify}
	if from.SecretRef != nil {
		c.Secret = &SecretRef{Namespace: cmp.Or(x.Namespace, p.canary.Namespace), Name: from.SecretRef.Name}
	}
	switch codec, err := ProviderFor(from.Type); {
	case err != nil:
		p.problem(".spec.provider.type", "%w", err)
	case !codec.Rows:
		p.problem(".spec.provider.type", "%q cannot be asked for a row of samples", from.Type)
	default:
		for _, err := range codec.Needs.check(c.Source, c.Secret != nil) {
			p.problem(".spec.provider", "%w", err)
		}
	}
	// Both queries see the same values: which workload each is about is for them to say.
	v, _ := p.sides(c.Versus.Every)
	p.render(c, ".spec.query", func() (string, error) { return Render(x.Spec.Query, v) })
	var err error
	if c.Versus.Query, err = Render(x.Spec.PrimaryQuery, v); err != nil {
		p.problem(".spec.primaryQuery", "%w", err)
	}
}

// swap makes the query for the primary from that for the canary, by exchanging the labels that only the requests of one of
// them have. A query that names its workload by {{ target }} or {{ pods }} alone needs no exchange.
func swap(canary, primary string) *strings.Replacer { return strings.NewReplacer(canary, primary) }

// together is a router with which the primary cannot be asked: its metrics count both versions as one, or name the primary
// by what is not known before.
func together(b Builtin) Builtin {
	b.ofPrimary = nil
	return b
}

// byTarget is the swap of a router whose queries name their workload by the target.
var byTarget = strings.NewReplacer()
