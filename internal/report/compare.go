package report

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/penstock-dev/penstock/internal/rollout"
)

// primaryValue is what the canary was held to; nil when the check is no comparison, or had too few samples.
func primaryValue(c *rollout.CheckResult) *float64 {
	if c == nil || c.Comparison == nil || c.Comparison.Measure == "" || c.Value == nil {
		return nil
	}
	return &c.Comparison.Value
}

// primaries are the primary's values beside the last n answers of one check, oldest first.
func (s *Snapshot) primaries(check string, n int) []float64 {
	var out []float64
	for i := range s.History {
		for j := range s.History[i].Checks {
			if c := &s.History[i].Checks[j]; c.Name == check {
				if v := primaryValue(c); v != nil && finiteValue(*v) {
					out = append(out, *v)
				}
			}
		}
	}
	return out[max(0, len(out)-n):]
}

// primaryText says what the primary had, such as "primary 99.9%".
func primaryText(c *rollout.CheckResult) string {
	v := primaryValue(c)
	if v == nil {
		return ""
	}
	beside := rollout.CheckResult{Value: v, Unit: c.Unit}
	text := valueText(&beside)
	if text == valueText(c) && *v != *c.Value {
		text = boundText(*v, c.Unit) // two values that differ must not read the same
	}
	return "primary " + text
}

// queries are what was asked: of a comparison, that for the canary and that for the primary.
func queries(c *rollout.CheckResult) string {
	if c.Query == "" || c.Comparison == nil || c.Comparison.Query == "" {
		return c.Query
	}
	return c.Query + "\n\nand of the primary:\n\n" + c.Comparison.Query
}

// finiteComparison leaves out a comparison that JSON cannot express.
func finiteComparison(c *rollout.Comparison) *rollout.Comparison {
	if c == nil {
		return nil
	}
	for _, values := range [][]float64{{c.Value, c.P, c.Effect}, c.Canary, c.Primary} {
		if slices.ContainsFunc(values, func(v float64) bool { return !finiteValue(v) }) {
			return nil
		}
	}
	return c
}

// nextOfComparison says what a person can do when a comparison did not pass.
func nextOfComparison(c *rollout.CheckResult) string {
	if c.Verdict == rollout.NoData {
		return "There were too few samples to compare. See that canary and primary have traffic in every sample, and that their " +
			"metrics are scraped at least twice in each: a longer sampleInterval of the Comparison " + Clean(c.Name) + " helps."
	}
	return "Look at what the canary did at that time that the primary did not. If the revision is good and the difference one " +
		"that you expect, change the tolerance of the Comparison " + Clean(c.Name) + "."
}

// primaryCourse draws the primary's values between judgements that follow one another.
func (a axes) primaryCourse(samples []sample) (lines []string) {
	var line []string
	for i := range samples {
		if v := primaryValue(samples[i].result); v != nil && finiteValue(*v) {
			line = append(line, point(a.x(samples[i].at), a.y(*v)))
			continue
		}
		lines, line = closed(lines, line), nil
	}
	return closed(lines, line)
}

func closed(lines, line []string) []string {
	if len(line) < 2 {
		return lines
	}
	return append(lines, strings.Join(line, " "))
}

// comparisonChart draws the samples of both sides of the last window, in their order; nil without any. Those that were
// left out because nobody sent a request leave no gap, for no time is kept with a sample.
func comparisonChart(c *rollout.CheckResult) *chart {
	all := finiteComparison(c.Comparison)
	if all == nil || len(all.Canary)+len(all.Primary) == 0 {
		return nil
	}
	a := axes{lo: math.Inf(1), hi: math.Inf(-1)}
	for _, v := range slices.Concat(all.Canary, all.Primary) {
		a.lo, a.hi = min(a.lo, v), max(a.hi, v)
	}
	if a.lo, a.hi = roomy(a.lo, a.hi, c.Unit); !finiteValue(a.hi - a.lo) {
		return nil
	}
	most := max(len(all.Canary), len(all.Primary))
	across := func(i int) float64 { return plotLeft + (float64(i)+0.5)/float64(most)*(plotRight-plotLeft) }
	drawn := &chart{Title: Clean(c.Name) + ": samples of the last window; the primary's are dashed", Y: a.values(c.Unit)}
	drawn.Summary = fmt.Sprintf("%d samples of the canary and %d of the primary. %s", len(all.Canary), len(all.Primary), clip(because(c), maxPageText))
	course := func(values []float64) []string {
		points := make([]string, len(values))
		for i, v := range values {
			points[i] = point(across(i), a.y(v))
		}
		return closed(nil, points)
	}
	drawn.Lines, drawn.Primary = course(all.Canary), course(all.Primary)
	for i, v := range all.Canary {
		drawn.Dots = append(drawn.Dots, dot{X: unit(across(i)), Y: unit(a.y(v)), Class: verdictClass(c.Verdict), Label: fmt.Sprintf("sample %d: %s", i+1, withUnit(number(v), c.Unit))})
	}
	for i, v := range all.Primary {
		drawn.Dots = append(drawn.Dots, dot{X: unit(across(i)), Y: unit(a.y(v)), Class: "pending", Label: fmt.Sprintf("sample %d of the primary: %s", i+1, withUnit(number(v), c.Unit))})
	}
	return drawn
}
