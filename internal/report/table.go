package report

import (
	"fmt"
	"strconv"
	"strings"

	"charm.land/lipgloss/v2"
	"charm.land/lipgloss/v2/table"
)

// Table returns the tables at the end of a run for a terminal of so many columns. See Look.Table.
func Table(r Result, width int, colour bool) string {
	return Look{Width: width, Colour: colour}.Table(r)
}

// Table returns the steps with their checks, and for a rehearsal the requests that each version got at each step and how
// many users saw an error. No line is wider than the look: where the tables do not fit, lists take their place.
func (l Look) Table(r Result) string {
	var blocks []string
	if len(r.Steps) > 0 {
		blocks = append(blocks, l.fits(l.stepTable(&r), func() string { return l.stepList(&r) }))
	}
	if len(r.Loads) > 0 {
		blocks = append(blocks, l.fits(l.loadGrid(r.Loads), func() string { return l.loadList(r.Loads) }))
	}
	if r.Traffic != nil {
		blocks = append(blocks,
			l.fits(l.trafficTable(&r), func() string { return l.trafficList(&r) })+"\n"+l.users(&r))
	}
	if len(blocks) == 0 {
		return ""
	}
	return seal(strings.Split(strings.Join(blocks, "\n\n"), "\n"))
}

func (l Look) fits(text string, otherwise func() string) string {
	if lipgloss.Width(text) <= l.width() {
		return text
	}
	return otherwise()
}

// grid draws rows under headers. The columns that hold numbers are set to the right.
func (l Look) grid(headers []string, rows [][]string, numbers map[int]bool) string {
	border := lipgloss.RoundedBorder()
	if l.ASCII {
		border = lipgloss.ASCIIBorder()
	}
	for i, h := range headers {
		headers[i] = l.paint(strong, h)
	}
	t := table.New().Border(border).BorderRow(false).Wrap(false).Headers(headers...).Rows(rows...).
		StyleFunc(func(_, col int) lipgloss.Style {
			style := lipgloss.NewStyle().Padding(0, 1)
			if numbers[col] {
				style = style.Align(lipgloss.Right)
			}
			return style
		})
	if l.Colour {
		t = t.BorderStyle(lipgloss.NewStyle().Faint(true))
	}
	return t.String()
}

func (l Look) stepTable(r *Result) string {
	var rows [][]string
	first := "Step"
	longest := l.nameRoom(r, first)
	if longest < r.longestName() {
		first = "#"
		longest = l.nameRoom(r, first)
	}
	for i := range r.Steps {
		s := &r.Steps[i]
		lead := []string{strconv.Itoa(i + 1), shareText(s.Weight, s.Mirror, s.Match), s.length()}
		if len(s.Checks) == 0 {
			rows = append(rows, append(lead, "none", "", "", ""))
		}
		for j := range s.Checks {
			c := &s.Checks[j]
			symbol, ink := l.mark(c.Verdict)
			rows = append(rows, append(lead, l.cut(l.text(c.Name), longest), valueText(c), l.thresholdText(c),
				l.paint(ink, symbol+" "+verdictWord(c.Verdict))))
			lead = []string{"", "", ""}
		}
		if s.FailedChecks > 0 {
			rows = append(rows, []string{"", "", "", l.paint(faint, failedText(s.FailedChecks)), "", "", ""})
		}
	}
	headers := []string{first, "Weight", "Time", "Check", "Value", "Threshold", "Verdict"}
	return l.grid(headers, rows, map[int]bool{0: true, 1: true, 2: true, 4: true})
}

func (r *Result) longestName() int {
	n := 0
	for i := range r.Steps {
		for j := range r.Steps[i].Checks {
			n = max(n, lipgloss.Width(Clean(r.Steps[i].Checks[j].Name)))
		}
	}
	return n
}

// nameRoom is what the other columns of the step table leave for the names of the checks.
func (l Look) nameRoom(r *Result, first string) int {
	value, bound, time, verdict, share := len("Value"), len("Threshold"), len("Time"), len("Verdict"), len("Weight")
	for i := range r.Steps {
		time = max(time, len(r.Steps[i].length()))
		share = max(share, len(shareText(r.Steps[i].Weight, r.Steps[i].Mirror, r.Steps[i].Match)))
		for j := range r.Steps[i].Checks {
			c := &r.Steps[i].Checks[j]
			value, bound = max(value, lipgloss.Width(valueText(c))), max(bound, lipgloss.Width(l.thresholdText(c)))
			verdict = max(verdict, len("x ")+len(verdictWord(c.Verdict)))
		}
	}
	const columns = 7
	others := len(first) + share + time + value + bound + verdict
	return max(12, l.width()-others-columns*2-columns-1)
}

func failedText(n int) string {
	if n == 1 {
		return "1 failed check"
	}
	return strconv.Itoa(n) + " failed checks"
}

// length is how long the step was in force.
func (s *Step) length() string {
	if s.Left.IsZero() || s.Entered.IsZero() {
		return "-"
	}
	return seconds(s.Left.Sub(s.Entered))
}

func (l Look) trafficTable(r *Result) string {
	var rows [][]string
	for i := range r.Steps {
		if t := r.Steps[i].Traffic; t != nil {
			rows = append(rows, append([]string{strconv.Itoa(i + 1), percent(r.Steps[i].Weight)}, l.counts(t)...))
		}
	}
	rows = append(rows, append([]string{"all", ""}, l.counts(r.Traffic)...))
	headers := []string{"Step", "Weight", "Requests", "Primary got", "Canary got", "Errors"}
	numbers := map[int]bool{0: true, 1: true, 2: true, 3: true, 4: true, 5: true}
	return l.grid(headers, rows, numbers)
}

func (l Look) counts(t *Traffic) []string {
	all := t.Requests()
	errors := strconv.Itoa(t.Errors())
	if t.Errors() > 0 {
		errors = l.paint(bad, errors+" ("+share(t.Errors(), all)+")")
	}
	return []string{
		strconv.Itoa(all),
		strconv.Itoa(t.Primary) + " (" + share(t.Primary, all) + ")",
		strconv.Itoa(t.Canary) + " (" + share(t.Canary, all) + ")",
		errors,
	}
}

// share is n of all in percent, to a tenth; a small one that is not nothing does not read as nothing.
func share(n, all int) string {
	if all == 0 {
		return "0%"
	}
	p := float64(n) / float64(all) * 100
	if n > 0 && p < 0.05 {
		return "<0.1%"
	}
	return strconv.FormatFloat(p, 'f', 1, 64) + "%"
}

func (l Look) users(r *Result) string {
	text := fmt.Sprintf("%d of %d users saw an error (%s).", r.UsersWithErrors, r.Users, share(r.UsersWithErrors, r.Users))
	switch {
	case r.Users == 0:
		return "No user sent a request."
	case r.UsersWithErrors == 0:
		return l.paint(good, l.glyph("✓", "+")) + " " + fmt.Sprintf("None of %d users saw an error.", r.Users)
	}
	return l.paint(bad, l.glyph("✗", "x")) + " " + text
}
