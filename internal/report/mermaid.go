package report

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/penstock-dev/penstock/internal/rollout"
)

// GitLab draws a diagram of more than 2,000 characters, and a page with more than 5,000 in diagrams, only on a click. The
// number of points keeps one diagram below that.
const (
	maxDiagrams = 4800 // bytes of all diagrams
	maxPoints   = 40
)

// palette colours what was measured blue and what it is held to red: the first colour of the default one is hardly seen.
const palette = `%%{init: {"themeVariables": {"xyChart": {"plotColorPalette": "#3b82f6, #ef4444, #ef4444"}}}}%%`

// chartBlock is the weight over the steps and each check against its bounds, folded away.
func (p *page) chartBlock() string {
	var charts []string
	size, missing := 0, 0
	add := func(chart string) {
		switch {
		case chart == "":
		case size+len(chart) > maxDiagrams:
			missing++
		default:
			charts, size = append(charts, chart), size+len(chart)
		}
	}
	add(p.weightChart())
	results := p.s.judged()
	for i := range results {
		add(p.checkChart(&results[i]))
	}
	if len(charts) == 0 {
		return ""
	}
	if missing > 0 {
		charts = append(charts, fmt.Sprintf("The charts of %d more checks are left out.", missing))
	}
	return "<details>\n<summary>Charts</summary>\n\n" + strings.Join(charts, "\n\n") + "\n\n</details>"
}

// weightChart has a bar for each step of the plan.
func (p *page) weightChart() string {
	steps := p.s.Spec.Steps
	if len(steps) < 2 || len(steps) > maxPoints {
		return ""
	}
	weights := make([]float64, len(steps))
	for i := range steps {
		weights[i] = float64(steps[i].Weight)
	}
	reached := make([]float64, len(steps))
	for i := range reached {
		if i < p.s.Status.Step {
			reached[i] = weights[i]
		}
	}
	lines := []string{"bar " + series(reached), "line " + series(weights)}
	return plot{title: "Weight of the canary by step, reached as bars", x: "Step", y: "Percent", hi: 100, lines: lines}.mermaid()
}

// checkChart has the values of a check, and a line at each bound.
func (p *page) checkChart(c *rollout.CheckResult) string {
	var values []float64
	for _, v := range p.s.values(c.Name, maxPoints) {
		if v != nil && finiteValue(*v) {
			values = append(values, *v)
		}
	}
	if len(values) < 2 {
		return ""
	}
	lines := []string{"line " + series(values)}
	lo, hi := values[0], values[0]
	for _, v := range values {
		lo, hi = min(lo, v), max(hi, v)
	}
	title := label(c.Name)
	if title == "" {
		title = "check"
	}
	if primary := p.s.primaries(c.Name, maxPoints); len(primary) == len(values) {
		lines = append(lines, "line "+series(primary))
		lo, hi = min(lo, slices.Min(primary)), max(hi, slices.Max(primary))
	}
	for _, bound := range []*float64{c.Min, c.Max} {
		if bound == nil || !finiteValue(*bound) {
			continue
		}
		lo, hi = min(lo, *bound), max(hi, *bound)
		flat := make([]float64, len(values))
		for i := range flat {
			flat[i] = *bound
		}
		lines = append(lines, "line "+series(flat))
	}
	if bounds, ok := strings.CutPrefix(wanted(c), ", "); ok {
		title += ", " + label(bounds)
	}
	pad := (hi - lo) / 10
	if pad == 0 {
		pad = max(math.Abs(hi)/10, 1)
	}
	if !finiteValue(lo-pad) || !finiteValue(hi+pad) {
		return ""
	}
	return plot{title: title, x: "Judgement", y: label(c.Unit), lo: lo - pad, hi: hi + pad, lines: lines}.mermaid()
}

func finiteValue(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// plot is one diagram: its texts, the range of its vertical axis, and its lines and bars as Mermaid writes them.
type plot struct {
	title, x, y string
	lo, hi      float64
	lines       []string
}

func (p plot) mermaid() string {
	n := strings.Count(p.lines[0], ",") + 1
	names := make([]string, n)
	for i := range names {
		names[i] = strconv.Itoa(i + 1)
	}
	y := p.y
	if y != "" { // an empty text is an error
		y = `"` + y + `" `
	}
	text := fmt.Sprintf("```mermaid\n%s\nxychart-beta\n  title \"%s\"\n  x-axis \"%s\" [%s]\n  y-axis %s%s --> %s\n",
		palette, p.title, p.x, strings.Join(names, ", "), y, decimal(p.lo), decimal(p.hi))
	for _, line := range p.lines {
		text += "  " + line + "\n"
	}
	return text + "```"
}

func series(values []float64) string {
	parts := make([]string, len(values))
	for i, v := range values {
		parts[i] = decimal(v)
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

// decimal writes a number without an exponent, which the diagrams do not read, and with no more digits than are seen.
func decimal(v float64) string {
	digits := 4
	if size := math.Abs(v); size > 0 && size < 1 {
		digits = min(4-int(math.Floor(math.Log10(size))), 18)
	}
	text := strconv.FormatFloat(v, 'f', digits, 64)
	if strings.Contains(text, ".") {
		text = trimZeros(text)
	}
	if text == "-0" {
		return "0"
	}
	return text
}

// label keeps of a text what can stand between quotes in a diagram: letters, digits and a few marks. Everything else could
// end the text, or is a direction to the drawing program.
func label(text string) string {
	out := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', strings.ContainsRune(" -_./%≤≥", r):
			return r
		case r > 0x7f:
			return r
		}
		return '_'
	}, Clean(text))
	return strings.TrimSpace(short(out, 60))
}
