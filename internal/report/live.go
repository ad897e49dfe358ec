package report

import (
	"fmt"
	"slices"
	"strings"

	"charm.land/lipgloss/v2"

	"github.com/penstock-dev/penstock/internal/rollout"
)

// labelWidth is the width of the labels on the left, the blank after them included.
const labelWidth = 9

// Live returns the live frame for a terminal of so many columns. See Look.Live.
func Live(s Snapshot, width int, colour bool) string {
	return Look{Width: width, Colour: colour}.Live(s)
}

// Live returns the frame that a terminal shows of a running rollout: several lines, none wider than the look, each ended
// by a line break. When the look limits the height, checks are left out, and the frame says how many.
func (l Look) Live(s Snapshot) string {
	f := frame{Look: l, s: &s}
	head, tail := f.head(), f.tail()
	room := len(s.judged())
	if l.Height > 0 {
		// One row is the heading of the checks, and one stays free: the cursor stands below the frame.
		left := func() int { return l.Height - len(head) - len(tail) - 2 }
		if left() < room {
			head, tail = dense(head), dense(tail)
		}
		room = min(room, max(1, left()))
	}
	lines := append(head, f.checks(room)...)
	return seal(append(lines, tail...))
}

// frame draws one snapshot.
type frame struct {
	Look
	s *Snapshot
}

func (f *frame) head() []string {
	lines := []string{f.spread(f.paint(strong, f.text(name(f.s.Namespace, f.s.Canary))), f.paint(faint, f.text(f.s.Provider)))}
	lines = append(lines, f.images()...)
	lines = append(lines, "", f.phase(), "")
	lines = append(lines, f.traffic()...)
	lines = append(lines, f.steps()...)
	lines = append(lines, f.pods()...)
	return append(lines, "")
}

// tail is what comes below the checks: failed checks and the reason.
func (f *frame) tail() []string {
	var lines []string
	if f.s.Spec.Threshold > 0 && (f.s.Status.Failed > 0 || len(f.s.Spec.Checks) > 0) {
		lines = append(lines, "", f.label("failed", f.failed()))
	}
	i := plain
	if f.s.Outcome == rollout.RolledBack || f.s.Outcome == rollout.Halted {
		i = bad
	}
	label := "why"
	if f.s.Outcome == rollout.Running {
		label = "now"
	}
	for _, part := range f.wrap(f.now(), f.width()-labelWidth, 3) {
		lines = append(lines, f.label(label, f.paint(i, part)))
		label = ""
	}
	return lines
}

// now is the reason, said in full where the bare code says little.
func (f *frame) now() string {
	reason := f.text(f.s.Reason)
	switch f.s.Status.Reason.Code {
	case rollout.CheckFailed, rollout.ChecksUnknown:
		if said := f.text(failures(f.s, reason)); said != reason {
			return "check failed: " + said
		}
	case rollout.StepTaken:
		return fmt.Sprintf("step %d: the canary gets %s", f.s.Status.Step, percent(f.s.Status.Weight))
	case rollout.WindowOpen:
		if f.s.counting() && f.s.left() > 0 && f.s.Status.Phase == rollout.Progressing {
			return reason + " for " + seconds(f.s.Spec.Interval)
		}
	}
	return reason
}

// dense leaves out the empty lines.
func dense(lines []string) []string {
	return slices.DeleteFunc(lines, func(line string) bool { return line == "" })
}

// label puts content behind a label, cut to the width.
func (f *frame) label(label, content string) string {
	return f.cut(f.paint(faint, pad(label, labelWidth))+content, f.width())
}

// images says what is replaced by what; a part that both share is said once when the line would be too long.
func (f *frame) images() []string {
	before, after := f.text(f.s.OldImage), f.text(f.s.Image)
	arrow := " " + f.glyph("→", "->") + " "
	switch {
	case after == "":
		return nil
	case before == "" || before == after:
		return []string{f.cut(after, f.width())}
	}
	if repo := strings.LastIndexByte(before, ':'); repo > 0 && strings.HasPrefix(after, before[:repo+1]) {
		after = after[repo+1:]
	}
	if line := before + arrow + after; lipgloss.Width(line) <= f.width() {
		return []string{before + arrow + f.paint(strong, after)}
	}
	return []string{f.cut(before, f.width()), f.cut(strings.TrimLeft(arrow, " ")+f.paint(strong, after), f.width())}
}

func (f *frame) phase() string {
	symbol, i := f.glyph("●", "*"), plain
	text := phaseText(f.s)
	switch f.s.Outcome {
	case rollout.Promoted, rollout.Initialised, rollout.Unchanged, rollout.Uninstalled:
		symbol, i = f.glyph("✓", "+"), good
	case rollout.RolledBack, rollout.Halted, rollout.Cancelled:
		symbol, i = f.glyph("✗", "x"), bad
	case rollout.Suspended, rollout.Superseded, rollout.Gated:
		symbol, i = f.glyph("■", "#"), warn
	case rollout.Running:
		if f.s.Status.Phase == rollout.RollingBack {
			i = bad
		}
	}
	if f.s.Outcome != rollout.Running && f.s.Outcome != rollout.Initialised {
		text += " (" + outcomeWords(f.s.Outcome) + ")"
	}
	left := f.paint(i, symbol) + " " + f.paint(strong, text)
	if n := len(f.s.Spec.Steps); f.s.Status.Step > 0 && n > 0 {
		left += fmt.Sprintf("  step %d of %d", f.s.Status.Step, n)
	}
	return f.spread(left, f.countdown(f.width()-lipgloss.Width(left)-2))
}

// countdown is the time to the next decision; with room for it, as a shrinking bar too.
func (f *frame) countdown(room int) string {
	const cells = 10
	due := f.s.due()
	if due == "" || !f.s.counting() || f.s.Spec.Interval <= 0 || room < lipgloss.Width(due)+cells+1 {
		return due
	}
	part := float64(f.s.WakeAt.Sub(f.s.Now)) / float64(f.s.Spec.Interval)
	n := min(max(int(part*cells+0.999), 0), cells)
	return due + " " + f.paint(canaryInk, strings.Repeat(f.glyph("▰", "="), n)) +
		f.paint(faint, strings.Repeat(f.glyph("▱", "."), cells-n))
}

func (f *frame) failed() string {
	n, limit := f.s.Status.Failed, f.s.Spec.Threshold
	text := fmt.Sprintf("%d of %d", n, limit)
	if limit <= 10 {
		full := min(max(n, 0), limit)
		text = f.paint(bad, strings.Repeat(f.glyph("■", "#"), full)) +
			f.paint(faint, strings.Repeat(f.glyph("□", "."), limit-full)) + " " + text
	}
	if n == 0 || n >= limit {
		return text
	}
	return text + f.paint(faint, fmt.Sprintf(" (rolled back at %d)", limit))
}
