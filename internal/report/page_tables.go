package report

import (
	"fmt"
	"strings"

	"github.com/penstock-dev/penstock/internal/rollout"
)

// checkTable shows each check with its latest value.
func (p *page) checkTable() string {
	results := p.s.judged()
	if len(results) == 0 || p.checks == 0 {
		return ""
	}
	const sparks = 12
	rows := [][]string{{"Check", "Value", "Threshold", "Verdict", "Course"}, {":--", "--:", ":--", ":--", ":--"}}
	for i := range results {
		if i == p.checks {
			rows = append(rows, []string{fmt.Sprintf("…and %d more", len(results)-i), "", "", "", ""})
			break
		}
		c := &results[i]
		rows = append(rows, []string{
			code(p.cut(c.Name)), prose(p.cut(valueText(c))), prose(p.cut((Look{}).thresholdText(c))), verdictMark(c.Verdict),
			code((Look{}).sparkline(p.s.values(c.Name, sparks), c)),
		})
	}
	return markdownTable(rows)
}

// stepTable shows the steps of the plan: what each took, and what its checks said.
func (p *page) stepTable() string {
	if len(p.s.Spec.Steps) == 0 || p.steps == 0 {
		return ""
	}
	went := p.went()
	rows := [][]string{{"Step", "Weight", "Time", "Failed checks", "Checks"}, {"--:", "--:", "--:", "--:", ":--"}}
	from, to := p.window()
	for n := from; n <= to; n++ {
		plan := p.s.Spec.Steps[n-1]
		row := []string{p.stepMark(n), shareText(plan.Weight, plan.Mirror, plan.Match), "", "", ""}
		if s := went[n]; s != nil {
			row[2] = s.length()
			row[3] = fmt.Sprint(s.FailedChecks)
			row[4] = p.values(s.Checks)
		}
		rows = append(rows, row)
	}
	return markdownTable(rows)
}

// went are the steps as they went, by their number; one that was taken twice is shown as it went last.
func (p *page) went() map[int]*Step {
	went := map[int]*Step{}
	for i := range p.r.Steps {
		went[p.r.Steps[i].Number] = &p.r.Steps[i]
	}
	return went
}

// window is the range of steps that is shown: up to the end of the plan when all fit, else up to the step in force.
func (p *page) window() (from, to int) {
	to = len(p.s.Spec.Steps)
	if to > p.steps {
		to = min(to, max(p.s.Status.Step+1, p.steps))
	}
	return max(1, to-p.steps+1), to
}

// stepMark is the number of a step with what became of it.
func (p *page) stepMark(n int) string {
	symbol, i := (&frame{s: p.s}).stepMark(n)
	if last := len(p.r.Steps) - 1; p.s.Outcome != rollout.Running && last >= 0 && p.r.Steps[last].Number == n {
		symbol, _ = stepState(&p.r, last) // a live frame knows the phase only, the result also the reason
	}
	if i == faint {
		return fmt.Sprint(n)
	}
	return symbol + " " + fmt.Sprint(n)
}

// values are the answers of a step in one cell.
func (p *page) values(checks []rollout.CheckResult) string {
	var parts []string
	for i := range checks {
		if i == p.checks {
			parts = append(parts, fmt.Sprintf("and %d more", len(checks)-i))
			break
		}
		c := &checks[i]
		symbol, _ := (Look{}).mark(c.Verdict)
		part := symbol + " " + code(p.cut(c.Name)) + " " + prose(p.cut(valueText(c)))
		if primary := primaryText(c); primary != "" {
			part += " (" + prose(p.cut(primary)) + ")"
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, ", ")
}

// cut makes a text short enough for a cell.
func (p *page) cut(text string) string { return short(Clean(text), min(p.text, 120)) }

// leftOut says what the page does not show.
func (p *page) leftOut() string {
	var parts []string
	if !p.charts {
		parts = append(parts, "charts")
	}
	if n := len(p.s.Spec.Steps); n > p.steps {
		from, to := p.window()
		switch {
		case p.steps == 0:
			parts = append(parts, "steps")
		case from > 1 && to < n:
			parts = append(parts, fmt.Sprintf("steps 1 to %d and %d to %d", from-1, to+1, n))
		case from > 1:
			parts = append(parts, fmt.Sprintf("steps 1 to %d", from-1))
		default:
			parts = append(parts, fmt.Sprintf("steps %d to %d", to+1, n))
		}
	}
	if p.checks == 0 && len(p.s.judged()) > 0 {
		parts = append(parts, "checks")
	}
	if len(parts) == 0 {
		return ""
	}
	return "_Left out to fit: " + strings.Join(parts, ", ") + "._"
}

func verdictMark(v rollout.Verdict) string {
	switch v {
	case rollout.Pass:
		return "✅ pass"
	case rollout.Fail:
		return "❌ fail"
	case rollout.Error:
		return "❌ error"
	case rollout.NoData:
		return "❔ no data"
	case rollout.Unknown:
	}
	return "⏳ pending"
}

// markdownTable writes rows; the second one is the rule under the headings.
func markdownTable(rows [][]string) string {
	lines := make([]string, len(rows))
	for i, row := range rows {
		cells := make([]string, len(row))
		for j, c := range row {
			cells[j] = cell(c)
		}
		lines[i] = "| " + strings.Join(cells, " | ") + " |"
	}
	return strings.Join(lines, "\n")
}
