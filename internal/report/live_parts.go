package report

import (
	"fmt"
	"strings"

	"charm.land/lipgloss/v2"

	"github.com/penstock-dev/penstock/internal/rollout"
)

// traffic is the weight bar: the primary's share from the left, the canary's from the right, in two patterns.
func (f *frame) traffic() []string {
	w := f.s.weight()
	cells := f.width() - labelWidth
	canary := int(w) * cells / 100
	if w > 0 && canary == 0 {
		canary = 1 // a share that is there must be seen
	}
	if w < 100 && canary == cells {
		canary--
	}
	bar := f.paint(primaryInk, strings.Repeat(f.glyph("█", "="), cells-canary)) +
		f.paint(canaryInk, strings.Repeat(f.glyph("▒", "#"), canary))
	left := f.paint(primaryInk, "primary") + " " + percent(100-w)
	right := f.paint(canaryInk, "canary") + " " + percent(w)
	if wanted := f.s.Status.Weight; wanted != w && f.s.Status.Routed {
		right += " " + f.glyph("→", "->") + " " + percent(wanted) // not taken up by the router yet
	}
	if gap := cells - lipgloss.Width(left) - lipgloss.Width(right); gap > 0 {
		left += strings.Repeat(" ", gap)
	}
	lines := []string{f.label("traffic", bar), f.label("", left+right)}
	if note := f.routeNote(); note != "" {
		lines = append(lines, f.label("", f.paint(faint, note)))
	}
	return lines
}

// routeNote says what a bar cannot: requests that are copied or matched.
func (f *frame) routeNote() string {
	n := f.s.Status.Step
	if n == 0 || n > len(f.s.Spec.Steps) || f.s.Status.Phase != rollout.Progressing {
		return ""
	}
	switch step := f.s.Spec.Steps[n-1]; {
	case step.Mirror > 0:
		return "copies of " + percent(step.Mirror) + " of the requests go to the canary"
	case step.Match:
		return "requests that match spec.analysis.match go to the canary"
	}
	return ""
}

// steps shows each step with its weight, or, when they do not fit in two lines, how many are done and left.
func (f *frame) steps() []string {
	all := f.s.Spec.Steps
	if len(all) == 0 {
		return nil
	}
	parts := make([]string, len(all))
	done := 0
	for i := range all {
		symbol, ink := f.stepMark(i + 1)
		if ink == good {
			done++
		}
		text := percent(all[i].Weight)
		if all[i].Match || all[i].Mirror > 0 || all[i].Weight == 0 {
			text = fmt.Sprintf("#%d", i+1)
		}
		if ink == strong {
			text = f.paint(strong, text)
		}
		parts[i] = f.paint(ink, symbol) + " " + text
	}
	if lines := f.flow("steps", parts, "  "); len(lines) <= 2 {
		return lines
	}
	return []string{f.label("steps", fmt.Sprintf("%d done, %d left, last at %s",
		done, len(all)-done, percent(all[len(all)-1].Weight)))}
}

// stepMark returns the symbol of step n, counted from one, and its ink: good for one that was passed.
func (f *frame) stepMark(n int) (string, ink) {
	st := &f.s.Status
	over := st.Phase == rollout.RollingBack || st.Phase == rollout.Failed
	passed := st.Phase == rollout.Promoting || st.Phase == rollout.Finalising || st.Phase == rollout.Succeeded
	switch {
	case passed && st.Step > 0, n < st.Step:
		return f.glyph("✓", "+"), good
	case n == st.Step && over:
		return f.glyph("✗", "x"), bad
	case n == st.Step:
		return f.glyph("●", "*"), strong
	}
	return f.glyph("·", "."), faint
}

// flow sets parts behind a label, on as many lines as they need.
func (f *frame) flow(label string, parts []string, sep string) []string {
	var lines []string
	line := ""
	for _, p := range parts {
		if line != "" && lipgloss.Width(line)+lipgloss.Width(sep)+lipgloss.Width(p) > f.width()-labelWidth {
			lines = append(lines, f.label(label, line))
			label, line = "", ""
		}
		if line != "" {
			line += sep
		}
		line += p
	}
	return append(lines, f.label(label, line))
}

func (f *frame) pods() []string {
	lines := f.flow("pods", []string{f.side("primary", &f.s.Primary), f.side("canary", &f.s.Target)}, "   ")
	var scalers []string
	for _, of := range []struct{ what, scaler string }{{"primary ", f.s.Primary.Scaler}, {"canary ", f.s.Target.Scaler}} {
		if of.scaler != "" {
			scalers = append(scalers, of.what+f.text(of.scaler))
		}
	}
	if len(scalers) > 0 {
		lines = append(lines, f.flow("scalers", scalers, "   ")...)
	}
	for _, w := range []*rollout.Workload{&f.s.Primary, &f.s.Target} {
		message := f.text(w.Message)
		if w.Ready || message == "" || strings.Contains(f.text(f.s.Reason), message) {
			continue
		}
		for _, part := range f.wrap(message, f.width()-labelWidth, 2) {
			lines = append(lines, f.label("", f.paint(faint, part)))
		}
	}
	return lines
}

// side says how one workload is.
func (f *frame) side(what string, w *rollout.Workload) string {
	what += " "
	switch {
	case !w.Exists:
		return f.paint(faint, f.glyph("·", ".")) + " " + what + "none yet"
	case w.Broken:
		return f.paint(bad, f.glyph("✗", "x")) + " " + what + "broken"
	case w.Replicas == 0:
		return f.paint(faint, f.glyph("·", ".")) + " " + what + "scaled to 0"
	case w.Ready:
		return f.paint(good, f.glyph("✓", "+")) + " " + what + fmt.Sprintf("%d ready", w.Replicas)
	}
	text := fmt.Sprintf("%d wanted, not ready", w.Replicas)
	if w.Serving {
		text = fmt.Sprintf("%d wanted, some ready", w.Replicas)
	}
	return f.paint(warn, f.glyph("…", "~")) + " " + what + text
}
