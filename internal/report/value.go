package report

import (
	"math"
	"strconv"
	"strings"

	"github.com/penstock-dev/penstock/internal/rollout"
)

// number writes a measured value as people read it: whole from a hundred on, with two decimals at most below, and with
// more only where they are all there is.
func number(v float64) string {
	size := math.Abs(v)
	switch {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return strconv.FormatFloat(v, 'f', -1, 64)
	case size >= 1e7 || (size > 0 && size < 0.01):
		return strconv.FormatFloat(v, 'g', 3, 64)
	case size >= 100:
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return trimZeros(strconv.FormatFloat(v, 'f', 2, 64))
}

// boundText writes a threshold exactly as it was set.
func boundText(v float64, unit string) string {
	if size := math.Abs(v); size >= 1e12 || (size > 0 && size < 1e-6) {
		return withUnit(strconv.FormatFloat(v, 'g', -1, 64), unit)
	}
	return withUnit(strconv.FormatFloat(v, 'f', -1, 64), unit)
}

func trimZeros(s string) string { return strings.TrimSuffix(strings.TrimRight(s, "0"), ".") }

func withUnit(n, unit string) string {
	unit = Clean(unit)
	if unit == "" || unit == "%" || unit == "ms" || unit == "s" {
		return n + unit
	}
	return n + " " + unit
}

// valueText returns the value of a check with its unit, or what there was instead. A value that rounding would turn into
// its own bound, or into all, is written out: "99% is below 99%" helps nobody.
func valueText(c *rollout.CheckResult) string {
	if c.Value == nil {
		if c.Verdict == rollout.Unknown {
			return "-"
		}
		return c.Verdict.String()
	}
	text := number(*c.Value)
	if c.Unit == "ms" && math.Abs(*c.Value) >= 10 && math.Abs(*c.Value) < 1e7 {
		text = strconv.FormatFloat(*c.Value, 'f', 0, 64)
	}
	if text == "100" && *c.Value < 100 && c.Unit == "%" {
		text = strconv.FormatFloat(*c.Value, 'g', 6, 64) // all is not the same as nearly all
	}
	for _, bound := range []*float64{c.Min, c.Max} {
		if bound != nil && *bound != *c.Value && boundText(*bound, "") == text {
			text = strconv.FormatFloat(*c.Value, 'g', 8, 64)
		}
	}
	return withUnit(text, c.Unit)
}

// thresholdText returns what a check is held to: its bounds, such as ">= 99%", or the primary's value.
func (l Look) thresholdText(c *rollout.CheckResult) string {
	switch {
	case c.Comparison != nil:
		return primaryText(c)
	case c.Min != nil && c.Max != nil:
		return boundText(*c.Min, c.Unit) + " to " + boundText(*c.Max, c.Unit)
	case c.Min != nil:
		return l.glyph("≥", ">=") + " " + boundText(*c.Min, c.Unit)
	case c.Max != nil:
		return l.glyph("≤", "<=") + " " + boundText(*c.Max, c.Unit)
	}
	return ""
}

// wanted is the end of a sentence about a value: what the check asks for, or what the primary had.
func wanted(c *rollout.CheckResult) string {
	text := (Look{}).thresholdText(c)
	switch {
	case text == "":
		return ""
	case c.Comparison != nil:
		return ", " + text
	}
	return ", wanted " + text
}

// because says in one sentence why a check is not a pass; it always names the check.
func because(c *rollout.CheckResult) string {
	name, message := Clean(c.Name), Clean(c.Message)
	switch {
	case message != "" && strings.Contains(message, name):
		return message
	case message != "" && message[0] >= '0' && message[0] <= '9':
		return name + " " + message // begins with the value
	case message != "":
		return name + ": " + message
	case c.Value != nil && c.Min != nil && *c.Value < *c.Min:
		return name + " " + valueText(c) + " is below " + boundText(*c.Min, c.Unit)
	case c.Value != nil && c.Max != nil && *c.Value > *c.Max:
		return name + " " + valueText(c) + " is above " + boundText(*c.Max, c.Unit)
	}
	return name + ": " + c.Verdict.String()
}

// mark is the symbol of a verdict and its ink.
func (l Look) mark(v rollout.Verdict) (string, ink) {
	switch v {
	case rollout.Pass:
		return l.glyph("✓", "+"), good
	case rollout.Fail:
		return l.glyph("✗", "x"), bad
	case rollout.NoData:
		return "?", warn
	case rollout.Error:
		return "!", bad
	case rollout.Unknown:
	}
	return l.glyph("·", "."), faint
}

// sparkline draws values between the smallest and the largest of them and of the check's bounds; one that is missing
// is a question mark.
func (l Look) sparkline(values []*float64, c *rollout.CheckResult) string {
	levels := []rune(l.glyph("▁▂▃▄▅▆▇█", "_.:-=+*#"))
	lo, hi := math.Inf(1), math.Inf(-1)
	for _, v := range append([]*float64{c.Min, c.Max}, values...) {
		if v != nil && !math.IsNaN(*v) && !math.IsInf(*v, 0) {
			lo, hi = min(lo, *v), max(hi, *v)
		}
	}
	var b strings.Builder
	for _, v := range values {
		if v == nil || math.IsNaN(*v) || math.IsInf(*v, 0) {
			b.WriteByte('?')
			continue
		}
		at := len(levels) / 2
		if span := hi - lo; span > 0 && !math.IsInf(span, 0) {
			at = int((*v - lo) / span * float64(len(levels)-1))
		}
		b.WriteRune(levels[min(max(at, 0), len(levels)-1)])
	}
	return b.String()
}
