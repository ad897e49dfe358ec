package report

import (
	"fmt"
	"slices"
	"strings"

	"charm.land/lipgloss/v2"

	"github.com/penstock-dev/penstock/internal/rollout"
)

// FleetLine is one canary of several in a live view.
type FleetLine struct {
	Snapshot Snapshot // of one that has not started: its name and its reason alone
	Waits    bool     // it has not started
	Over     bool     // its run has ended, and stays as it is
}

// Fleet returns the frame that a terminal shows of several rollouts: one line per canary, in the order that they have.
// When the look limits the height, those that need no eye on them are left out first, and the frame says how many.
func (l Look) Fleet(lines []FleetLine) string {
	out := []string{l.paint(strong, l.cut(fleetHead(lines), l.width())), ""}
	shown := l.chosen(lines)
	widest := 0
	for _, i := range shown {
		widest = max(widest, lipgloss.Width(l.text(name(lines[i].Snapshot.Namespace, lines[i].Snapshot.Canary))))
	}
	widest = min(widest, l.width()*2/5)
	for _, i := range shown {
		out = append(out, l.fleetLine(&lines[i], widest))
	}
	if left := len(lines) - len(shown); left > 0 {
		out = append(out, l.paint(faint, fmt.Sprintf("and %d more", left)))
	}
	return seal(out)
}

// chosen are the lines for which there is room, in their order.
func (l Look) chosen(lines []FleetLine) []int {
	all := make([]int, len(lines))
	for i := range all {
		all[i] = i
	}
	const around = 4 // the heading, the line below it, the line that counts the rest, and the row of the cursor
	room := len(lines)
	if l.Height > 0 && len(lines)+around-1 > l.Height {
		room = max(1, l.Height-around)
	}
	slices.SortStableFunc(all, func(a, b int) int { return lines[a].rank() - lines[b].rank() })
	all = all[:room]
	slices.Sort(all)
	return all
}

// rank is lower for what needs an eye on it more.
func (f *FleetLine) rank() int {
	o := f.Snapshot.Outcome
	switch {
	case f.Waits:
		return 3
	case o == rollout.RolledBack, o == rollout.Halted, f.Over && o == rollout.Running:
		return 0
	case f.Over:
		return 2
	}
	return 1
}

func fleetHead(lines []FleetLine) string {
	running, waiting, skipped, over := 0, 0, 0, map[rollout.Outcome]int{}
	for i := range lines {
		switch f := &lines[i]; {
		case f.Waits && f.Over:
			skipped++
		case f.Waits:
			waiting++
		case f.Over:
			over[f.Snapshot.Outcome]++
		default:
			running++
		}
	}
	parts := []string{fmt.Sprintf("%d canaries: %d running", len(lines), running)}
	if waiting > 0 {
		parts = append(parts, fmt.Sprintf("%d not started", waiting))
	}
	if skipped > 0 {
		parts = append(parts, fmt.Sprintf("%d skipped", skipped))
	}
	for o := rollout.Running; o <= rollout.Uninstalled; o++ {
		word := outcomeWords(o)
		if o == rollout.Running {
			word = "without an end"
		}
		if n := over[o]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, word))
		}
	}
	return strings.Join(parts, ", ")
}

func (l Look) fleetLine(f *FleetLine, widest int) string {
	s := &f.Snapshot
	symbol, ink := l.glyph("●", "*"), plain
	switch {
	case f.Waits:
		symbol, ink = l.glyph("·", "."), faint
	case s.Outcome != rollout.Running:
		symbol, ink = l.verdict(s.Outcome)
	case f.Over:
		symbol, ink = l.glyph("✗", "x"), bad
	case s.Status.Phase == rollout.RollingBack:
		ink = bad
	}
	line := l.paint(ink, symbol) + " " + pad(l.cut(l.text(name(s.Namespace, s.Canary)), widest), widest) + "  "
	if f.Waits {
		return l.cut(line+l.paint(faint, l.text(s.Reason)), l.width())
	}
	line += pad(phaseText(s), len(rollout.WaitingPromotion)) + "  "
	step := ""
	if n := len(s.Spec.Steps); n > 0 {
		step = fmt.Sprintf("%d/%d", s.Status.Step, n)
	}
	line += padLeft(step, 5) + " " + padLeft(percent(s.weight()), 4)
	if s.Status.Failed > 0 {
		line += "  " + l.paint(bad, fmt.Sprintf("%d failed", s.Status.Failed))
	}
	return l.cut(line+"  "+l.text(s.Reason), l.width())
}
