package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/penstock-dev/penstock/internal/rollout"
)

// Where the plot of a chart is, in units of which the page has 640 by 200 for it; the labels are on its left and below. The
// template has the same numbers.
const (
	plotLeft, plotRight               = 66.0, 632.0
	plotTop, plotBottom               = 10.0, 172.0
	sparkWidth, sparkHeight, sparkGap = 96.0, 22.0, 3.0
)

// chart is a drawing as data: the template turns it into SVG, so that all text in it is escaped in one place.
type chart struct {
	Title   string
	Summary string // the same in words, for those who do not see it
	Area    string // points of a filled shape; may be empty
	Lines   []string
	Primary []string // lines of the primary, beside those of the canary
	Dots    []dot
	Bounds  []bound
	X, Y    []tick
}

type dot struct {
	X, Y  string
	Class string // pass, fail, nodata or error
	Label string
}

// bound is a threshold, and the side of it where values fail.
type bound struct {
	Y, LabelY   string
	Label       string
	Top, Height string // of the failing side
}

// tick is a label of an axis. Anchor is the end of a text that lies at the tick, so that the outer ones stay in the picture.
type tick struct{ At, Text, Anchor string }

// sample is one value at one time. A nil value breaks the line.
type sample struct {
	at     time.Time
	value  *float64
	result *rollout.CheckResult
}

// weightChart draws the canary's wanted share as stairs: it holds until the next decision.
func weightChart(history []rollout.Entry, end time.Time, final rollout.Weight) *chart {
	if len(history) < 2 {
		return nil
	}
	a := axes{from: history[0].Time, to: latest(end, history[len(history)-1].Time), lo: 0, hi: 100}
	var line []string
	peak := rollout.Weight(0)
	for i := range history {
		x, y := a.x(history[i].Time), a.y(float64(history[i].Weight))
		if i > 0 {
			line = append(line, point(x, a.y(float64(history[i-1].Weight))))
		}
		line = append(line, point(x, y))
		peak = max(peak, history[i].Weight)
	}
	line = append(line, point(plotRight, a.y(float64(history[len(history)-1].Weight))), point(plotRight, a.y(float64(final))))
	c := &chart{
		Title: "Weight of the canary", Summary: "At most " + percent(peak) + " of the traffic went to the canary.",
		Lines: []string{strings.Join(line, " ")}, X: a.times(),
		Area: point(plotLeft, plotBottom) + " " + strings.Join(line, " ") + " " + point(plotRight, plotBottom),
	}
	for v := 0; v <= 100; v += 25 {
		c.Y = append(c.Y, tick{At: unit(a.y(float64(v))), Text: strconv.Itoa(v) + "%"})
	}
	return c
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// checkChart draws the values of a check against its bounds; nil when it never had one.
func checkChart(last *rollout.CheckResult, samples []sample, a axes) *chart {
	a.lo, a.hi = math.Inf(1), math.Inf(-1)
	n := 0
	widen := func(v *float64) bool {
		if v == nil || !finiteValue(*v) {
			return false
		}
		a.lo, a.hi = min(a.lo, *v), max(a.hi, *v)
		return true
	}
	for i := range samples {
		if widen(samples[i].value) {
			n++
			widen(primaryValue(samples[i].result))
		}
	}
	if n == 0 {
		return nil
	}
	widen(last.Min)
	widen(last.Max)
	a.lo, a.hi = roomy(a.lo, a.hi, last.Unit)
	if !finiteValue(a.hi - a.lo) {
		return nil
	}
	c := &chart{Title: Clean(last.Name), X: a.times(), Y: a.values(last.Unit), Bounds: a.bounds(last)}
	c.Summary = fmt.Sprintf("%d values; the last: %s.", n, valueText(last)+wanted(last))
	c.Lines, c.Dots = a.course(samples)
	c.Primary = a.primaryCourse(samples)
	return c
}

// roomy widens a range so that no value lies on the edge. There is little to see above all of a whole.
func roomy(lo, hi float64, unit string) (float64, float64) {
	pad := (hi - lo) / 8
	if pad == 0 {
		pad = max(math.Abs(hi)/8, 0.5)
	}
	if unit == "%" && hi <= 100 {
		return max(lo-pad, min(lo, 0)-1), min(hi+pad, 101)
	}
	return lo - pad, hi + pad
}

// course draws lines between values that follow one another, and a dot for each answer; one without a value lies at the
// bottom.
func (a axes) course(samples []sample) (lines []string, dots []dot) {
	var line []string
	end := func() {
		if len(line) > 1 {
			lines = append(lines, strings.Join(line, " "))
		}
		line = nil
	}
	for i := range samples {
		s := &samples[i]
		y := plotBottom
		if s.value == nil || !finiteValue(*s.value) {
			end()
		} else {
			y = a.y(*s.value)
			line = append(line, point(a.x(s.at), y))
		}
		dots = append(dots, dot{
			X: unit(a.x(s.at)), Y: unit(y), Class: verdictClass(s.result.Verdict),
			Label: s.at.UTC().Format("15:04:05") + " " + valueText(s.result) + " (" + verdictWord(s.result.Verdict) + ")",
		})
	}
	end()
	return lines, dots
}

func verdictClass(v rollout.Verdict) string {
	switch v {
	case rollout.Pass:
		return "pass"
	case rollout.Fail:
		return "fail"
	case rollout.Error:
		return "error"
	case rollout.NoData:
		return "nodata"
	case rollout.Unknown:
	}
	return "pending"
}

// spark is the small drawing beside a check; empty with fewer than two values.
func spark(values []*float64, c *rollout.CheckResult) string {
	lo, hi := math.Inf(1), math.Inf(-1)
	for _, v := range append([]*float64{c.Min, c.Max}, values...) {
		if v != nil && finiteValue(*v) {
			lo, hi = min(lo, *v), max(hi, *v)
		}
	}
	var points []string
	for i, v := range values {
		if v == nil || !finiteValue(*v) {
			continue
		}
		y := sparkHeight / 2
		if span := hi - lo; span > 0 && finiteValue(span) {
			y = sparkHeight - sparkGap - (*v-lo)/span*(sparkHeight-2*sparkGap)
		}
		points = append(points, point(sparkGap+float64(i)*(sparkWidth-2*sparkGap)/float64(max(len(values)-1, 1)), y))
	}
	if len(points) < 2 {
		return ""
	}
	return strings.Join(points, " ")
}
