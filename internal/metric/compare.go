package metric

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/rollout"
)

// Versus is what a check that holds the canary to the primary has in place of bounds.
type Versus struct {
	Query string // rendered, for the primary
	Count string // rendered query for the number of the primary's requests in the window; empty when nobody asks for it

	Every              time.Duration // what one sample is of
	Direction          canary.Direction
	Relative, Absolute float64 // tolerance; the larger of the two counts
	Confidence         float64 // 0.5 to below 1
	Effect             float64 // smallest Cliff's delta that counts, 0 to 1
	MinSamples         int     // on each side
}

// Compare holds the samples of the canary to those of the primary. The canary fails when it is worse by all of three
// measures: its samples lie so that chance alone has a probability of at most 1 - confidence (Mann-Whitney U), the size of
// the effect is at least the asked one (Cliff's delta), and it is further from the primary than the tolerance by median or
// by mean. The median does not see failures that are too few to be in most samples, and the mean of the primary can be
// moved by one outlier until it hides those of the canary; whichever sees a difference counts.
//
// With fewer samples than asked for on either side the result has no data, which is no pass. An answer that is no row of
// samples is an Error.
func Compare(c Check, canaries, primaries Answer) rollout.CheckResult {
	r := rollout.CheckResult{Name: c.Name, Unit: c.Unit, Query: c.Query, Raw: canaries.Raw, Verdict: rollout.Error}
	for _, side := range []struct {
		whose  string
		answer Answer
	}{{"canary", canaries}, {"primary", primaries}} {
		if a := side.answer; a.Outcome != Row && a.Outcome != NoData {
			r.Raw = a.Raw
			r.Message = fmt.Sprintf("%s: the samples of the %s: %s", c.Name, side.whose, said(a.Message))
			return r
		}
		if slices.ContainsFunc(side.answer.Row, func(v float64) bool { return math.IsNaN(v) || math.IsInf(v, 0) }) {
			r.Message = fmt.Sprintf("%s: the samples of the %s are not all numbers", c.Name, side.whose)
			return r
		}
	}
	x, y := canaries.Row, primaries.Row
	r.Comparison = &rollout.Comparison{Canary: rounded(x), Primary: rounded(y), Query: c.Versus.Query}
	if least := max(c.Versus.MinSamples, 1); len(x) < least || len(y) < least {
		r.Verdict = rollout.NoData
		r.Message = fmt.Sprintf("%s: inconclusive: %s of the canary and %d of the primary in the last %s, at least %d of each are asked for",
			c.Name, samples(len(x)), len(y), lasting(c.Interval), least)
		if len(x) == 0 || len(y) == 0 {
			r.Message += fmt.Sprintf("; each sample is of %s, in which there must be requests and at least two scrapes of the metrics", lasting(c.Versus.Every))
		}
		return r
	}
	found := c.Versus.compare(x, y)
	r.Comparison.Measure, r.Comparison.Value, r.Comparison.P, r.Comparison.Effect = found.measure, found.primary, found.p, found.delta
	r.Value = &found.canary
	r.Verdict, r.Message = rollout.Pass, c.Name+": "+c.describe(found)
	if found.worse {
		r.Verdict = rollout.Fail
	}
	return r
}

// Foresee adds a warning to a probe that passed, when the samples that the primary has before there is a canary are fewer
// than a comparison needs.
func Foresee(c Check, r rollout.CheckResult, primaries Answer) rollout.CheckResult {
	if n := len(primaries.Row); (primaries.Outcome == Row || primaries.Outcome == NoData) && n < c.Versus.MinSamples {
		r.Message += fmt.Sprintf(" (warning: the primary has %s of %s in the last %s, and at least %d are needed; in each there must be requests and two scrapes of the metrics)",
			samples(n), lasting(c.Versus.Every), lasting(c.Interval), c.Versus.MinSamples)
	}
	return r
}

// finding is what a comparison found, in the worse direction.
type finding struct {
	measure         string // median or mean
	canary, primary float64
	p, delta        float64
	real            bool // the difference is not chance, and large enough
	beyond          bool // further than the tolerance
	worse           bool // all of it
}

func (v *Versus) compare(x, y []float64) finding {
	ranks := rank(x, y)
	f := finding{measure: "median", canary: median(x), primary: median(y), delta: ranks.Delta}
	sign := 1.0 // of a difference that is worse
	switch v.Direction {
	case canary.DirectionIncrease:
		f.p = ranks.Higher
	case canary.DirectionDecrease:
		f.p, sign = ranks.Lower, -1
	case canary.DirectionEither:
		f.p = min(1, 2*min(ranks.Higher, ranks.Lower))
		sign = math.Copysign(1, ranks.Delta)
	}
	f.real = f.p <= 1-v.Confidence+1e-12 && sign*f.delta >= v.Effect && f.delta != 0
	f.beyond = v.beyond(sign, f.canary, f.primary)
	if cm, pm := mean(x), mean(y); !f.beyond && v.beyond(sign, cm, pm) {
		f.measure, f.canary, f.primary, f.beyond = "mean", cm, pm, true
	}
	f.worse = f.real && f.beyond
	return f
}

// beyond reports whether a value of the canary is worse than the primary's by more than the tolerance.
func (v *Versus) beyond(sign, ofCanary, ofPrimary float64) bool {
	return sign*(ofCanary-ofPrimary) > max(v.Absolute, v.Relative*math.Abs(ofPrimary))
}

// describe says what was found as people say it.
func (c Check) describe(f finding) string {
	evidence := fmt.Sprintf("p %s, Cliff's delta %.2f, %s", probability(f.p), f.delta, EffectWord(f.delta))
	both := fmt.Sprintf("%s %s", f.measure, c.show(f.canary, f.primary))
	primary := c.show(f.primary, f.canary)
	where := "below"
	if f.canary > f.primary {
		where = "above"
	}
	switch {
	case f.worse:
		return fmt.Sprintf("%s is %s the primary's %s by more than %s (%s)", both, where, primary, c.tolerated(), evidence)
	case f.beyond:
		return fmt.Sprintf("%s against the primary's %s may be chance (%s)", both, primary, evidence)
	}
	return fmt.Sprintf("%s is no worse than the primary's %s by more than %s (%s)", both, primary, c.tolerated(), evidence)
}

// tolerated writes the tolerance, such as "10 %" or "10 % or 3 ms".
func (c Check) tolerated() string {
	v := c.Versus
	relative := exact(math.Round(v.Relative*1e6)/1e4) + " % of it"
	switch {
	case v.Relative > 0 && v.Absolute > 0:
		return relative + " and " + c.points(v.Absolute)
	case v.Relative > 0:
		return relative
	}
	return c.points(v.Absolute)
}

// points writes a difference: one of two percentages is no percentage.
func (c Check) points(d float64) string {
	if c.Unit == "%" {
		return exact(d) + " percentage points"
	}
	return c.unit(exact(d))
}

func probability(p float64) string {
	if p < 0.0001 {
		return "< 0.0001"
	}
	return strconv.FormatFloat(p, 'f', 4, 64)
}

// EffectWord says how large a Cliff's delta is, by the limits of J. Romano et al., "Appropriate statistics for ordinal level
// data", 2006.
func EffectWord(delta float64) string {
	switch size := math.Abs(delta); {
	case size < 0.147:
		return "negligible"
	case size < 0.33:
		return "small"
	case size < 0.474:
		return "medium"
	}
	return "large"
}

func samples(n int) string {
	if n == 1 {
		return "1 sample"
	}
	return strconv.Itoa(n) + " samples"
}

// rounded is a copy for the record, of no more samples and digits than a chart can show.
func rounded(values []float64) []float64 {
	out := make([]float64, 0, min(len(values), canary.MaxComparisonSamples))
	for _, v := range values[:min(len(values), canary.MaxComparisonSamples)] {
		short, err := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 5, 64), 64)
		if err != nil {
			short = v // it was rounded up beyond all numbers
		}
		out = append(out, short)
	}
	return out
}
