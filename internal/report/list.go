package report

import (
	"fmt"
	"strings"

	"charm.land/lipgloss/v2"

	"github.com/penstock-dev/penstock/internal/rollout"
)

// stepList is the step table for a narrow terminal.
func (l Look) stepList(r *Result) string {
	var lines []string
	for i := range r.Steps {
		s := &r.Steps[i]
		head := fmt.Sprintf("step %d  %s  %s", i+1, shareText(s.Weight, s.Mirror, s.Match), s.length())
		if s.FailedChecks > 0 {
			head += "  " + failedText(s.FailedChecks)
		}
		lines = append(lines, l.cut(l.paint(strong, head), l.width()))
		for j := range s.Checks {
			lines = append(lines, l.checkItem(&s.Checks[j])...)
		}
	}
	return strings.Join(lines, "\n")
}

// checkItem keeps the value in sight whatever the length of the name.
func (l Look) checkItem(c *rollout.CheckResult) []string {
	symbol, ink := l.mark(c.Verdict)
	value := strings.TrimRight(valueText(c)+" "+l.thresholdText(c), " ")
	head := "  " + l.paint(ink, symbol) + " " + l.text(c.Name)
	if lipgloss.Width(head)+1+lipgloss.Width(value) <= l.width() {
		return []string{head + " " + l.paint(ink, value)}
	}
	return []string{l.cut(head, l.width()), l.cut("    "+l.paint(ink, value), l.width())}
}

func (l Look) trafficList(r *Result) string {
	var lines []string
	item := func(head string, t *Traffic) {
		all := t.Requests()
		errors := fmt.Sprintf("%d errors", t.Errors())
		if t.Errors() > 0 {
			errors = l.paint(bad, errors)
		}
		lines = append(lines, l.cut(fmt.Sprintf("%s  %d requests, %s", l.paint(strong, head), all, errors), l.width()))
		got := []string{"primary got", "canary got"}
		for i, n := range []int{t.Primary, t.Canary} {
			lines = append(lines, l.cut(fmt.Sprintf("  %-12s %d (%s)", got[i], n, share(n, all)), l.width()))
		}
	}
	for i := range r.Steps {
		if t := r.Steps[i].Traffic; t != nil {
			item(fmt.Sprintf("step %d  %s", i+1, percent(r.Steps[i].Weight)), t)
		}
	}
	item("all", r.Traffic)
	return strings.Join(lines, "\n")
}
