package metric

import (
	"math"
	"strings"
)

// bounds sets the bounds. Flagger's deprecated threshold is a minimum for the rate of success and a maximum otherwise. A
// metric without any is an error: Flagger takes it as zero, which a rate of success always passes and a duration never.
func (p *planner) bounds(c *Check) {
	m := p.metric
	switch {
	case m.ThresholdRange != nil:
		c.Min, c.Max = m.ThresholdRange.Min, m.ThresholdRange.Max
	case m.Threshold != nil && m.Name == SuccessRate:
		c.Min = m.Threshold
	case m.Threshold != nil:
		c.Max = m.Threshold
	}
	if c.Min == nil && c.Max == nil {
		p.problem(".thresholdRange", "set min, max or both: without a bound nothing is judged")
		return
	}
	for _, b := range []struct {
		name  string
		value *float64
	}{{"min", c.Min}, {"max", c.Max}} {
		if b.value != nil && (math.IsNaN(*b.value) || math.IsInf(*b.value, 0)) {
			p.problem(".thresholdRange."+b.name, "%v is not a finite number", *b.value)
		}
	}
	if c.Min != nil && c.Max != nil && *c.Min > *c.Max {
		p.problem(".thresholdRange", "min %s is above max %s: no value can pass", exact(*c.Min), exact(*c.Max))
	}
	if c.Unit == "%" && c.Min != nil && *c.Min > 100 {
		p.problem(".thresholdRange.min", "%s is above 100 %%: no value can pass", exact(*c.Min))
	}
}

// Label returns what a check asks for, as one line for people: "request-success-rate at least 99 %".
func (c Check) Label() string {
	parts := []string{c.Name, c.bounds()}
	if c.Means != "" {
		parts = append(parts, "("+c.Means+")")
	}
	return strings.Join(parts, " ")
}
