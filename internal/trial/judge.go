package trial

import (
	"math"
	"time"

	"github.com/penstock-dev/penstock/internal/metric"
	"github.com/penstock-dev/penstock/internal/rollout"
)

// Simulated reports whether a trial knows what a check measures. The queries of users ask for what no model has; a trial
// takes them as passing, which makes what it says of bad releases too dark and what it says of healthy ones too bright.
func Simulated(c *metric.Check) bool { return c.Means != "" && (c.Unit == "%" || c.Unit == "ms") }

// judge answers every check from the ticks that there are.
func (t *trial) judge() []rollout.CheckResult {
	results := make([]rollout.CheckResult, len(t.plan.Checks))
	for i := range t.plan.Checks {
		c := &t.plan.Checks[i]
		switch {
		case !Simulated(c):
			results[i] = rollout.CheckResult{Name: c.Name, Verdict: rollout.Pass}
		case c.Versus != nil:
			results[i] = t.compare(c)
		default:
			results[i] = t.hold(c)
		}
	}
	return results
}

func (t *trial) hold(c *metric.Check) rollout.CheckResult {
	canaries, _ := t.last(c.Interval, 0)
	return metric.Enough(*c, metric.Judge(*c, t.answer(c, &canaries)), count(&canaries))
}

func (t *trial) compare(c *metric.Check) rollout.CheckResult {
	var x, y []float64
	for i := range int(c.Interval / c.Versus.Every) {
		canaries, primaries := t.last(c.Versus.Every, time.Duration(i)*c.Versus.Every)
		if a := t.answer(c, &canaries); a.Outcome == metric.Number {
			x = append(x, a.Value)
		}
		if a := t.answer(c, &primaries); a.Outcome == metric.Number {
			y = append(y, a.Value)
		}
	}
	canaries, primaries := t.last(c.Interval, 0)
	r := metric.Compare(*c, metric.Answer{Outcome: metric.Row, Row: x}, metric.Answer{Outcome: metric.Row, Row: y})
	if c.Count == "" {
		return r
	}
	return metric.EnoughOfBoth(*c, r, count(&canaries), count(&primaries))
}

// last adds up what was answered in a span of time that ended some time before now. The spans of real queries begin and end
// anywhere; here they are whole ticks.
func (t *trial) last(span, before time.Duration) (canaries, primaries side) {
	for i := len(t.ticks) - 1; i >= 0 && span > 0; i-- {
		k := &t.ticks[i]
		if before >= k.length/2 && before > 0 {
			before -= k.length
			continue
		}
		canaries.add(&k.canary)
		primaries.add(&k.primary)
		if span -= k.length; span < k.length/2 {
			break
		}
	}
	return canaries, primaries
}

// answer is what the builtin query of a check would be told.
func (t *trial) answer(c *metric.Check, s *side) metric.Answer {
	value := math.NaN()
	if c.Unit == "ms" {
		value = quantile(0.99, t.plan.Traffic.Buckets, s.buckets)
	} else if s.requests > 0 {
		value = 100 - 100*float64(s.errors)/float64(s.requests)
	}
	if math.IsNaN(value) {
		return metric.Answer{Outcome: metric.NoData, Message: "no data: there were no requests"}
	}
	return metric.Answer{Outcome: metric.Number, Value: value}
}

func count(s *side) metric.Answer {
	return metric.Answer{Outcome: metric.Number, Value: float64(s.requests)}
}
