package report

import (
	"fmt"
	"slices"

	"charm.land/lipgloss/v2"

	"github.com/penstock-dev/penstock/internal/rollout"
)

// checks draws one line per check: verdict, name, value, threshold, and where there is room the course of its values and
// the verdict as a word. Columns that do not fit go, from the right.
func (f *frame) checks(limit int) []string {
	results := f.s.judged()
	hidden := 0
	if len(results) > limit {
		// What passed can be hidden first.
		slices.SortStableFunc(results, func(a, b rollout.CheckResult) int { return urgency(b.Verdict) - urgency(a.Verdict) })
		hidden = len(results) - limit + 1
		results = results[:len(results)-hidden]
	}
	const sparkWidth, wordWidth = 8, 7
	names, values, bounds := 0, 0, 0
	const longestValue, longestBound = 14, 24 // one odd unit must not take the room of all names
	for i := range results {
		names = max(names, lipgloss.Width(f.text(results[i].Name)))
		values = min(max(values, lipgloss.Width(f.text(valueText(&results[i])))), longestValue)
		bounds = min(max(bounds, lipgloss.Width(f.text(f.thresholdText(&results[i])))), min(longestBound, f.width()/4))
	}
	room := f.width() - 2 - 2 - values - 2 - bounds
	names = min(names, max(room, 8))
	spark := room-names >= 2+sparkWidth
	word := room-names >= 2+sparkWidth+2+wordWidth
	lines := f.judgedAt()
	for i := range results {
		c := &results[i]
		symbol, ink := f.mark(c.Verdict)
		value := f.paint(ink, padLeft(f.cut(f.text(valueText(c)), values), values))
		bound := pad(f.cut(f.thresholdText(c), bounds), bounds)
		line := f.paint(ink, symbol) + " " + pad(f.cut(f.text(c.Name), names), names) + "  " + value + "  " +
			f.paint(faint, bound)
		if spark {
			line += "  " + f.paint(canaryInk, pad(f.sparkline(f.s.values(c.Name, sparkWidth), c), sparkWidth))
		}
		if word {
			line += "  " + f.paint(ink, verdictWord(c.Verdict))
		}
		lines = append(lines, f.cut(line, f.width()))
	}
	if hidden > 0 {
		lines = append(lines, f.paint(faint, fmt.Sprintf("  and %d more", hidden)))
	}
	return lines
}

// urgency orders verdicts by how much a person should see them.
func urgency(v rollout.Verdict) int {
	switch v {
	case rollout.Fail:
		return 4
	case rollout.Error:
		return 3
	case rollout.NoData:
		return 2
	case rollout.Unknown:
		return 1
	case rollout.Pass:
	}
	return 0
}

// judgedAt heads the checks: what is shown was measured during an earlier window, perhaps of an earlier step.
func (f *frame) judgedAt() []string {
	if len(f.s.judged()) == 0 {
		return []string{f.label("checks", "none")}
	}
	steps := Steps(f.s.History)
	for i := len(steps) - 1; i >= 0; i-- {
		if len(steps[i].Checks) > 0 {
			return []string{f.label("checks", fmt.Sprintf("as judged at step %d, %s", i+1, percent(steps[i].Weight)))}
		}
	}
	if len(f.s.Checks) > 0 {
		return []string{f.label("checks", "as last judged")}
	}
	return []string{f.label("checks", "not judged yet")}
}

// verdictWord is the verdict as the views say it.
func verdictWord(v rollout.Verdict) string {
	if v == rollout.Unknown {
		return "pending"
	}
	return v.String()
}
