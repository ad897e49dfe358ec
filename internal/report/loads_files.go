package report

import (
	"fmt"
	"slices"
	"strings"
)

// The load in the files that a run leaves: a table of report.html, and test cases of report.junit.xml.

// mostWebLoads is how many rows of load report.html shows: those that were made last.
const mostWebLoads = 200

// webLoad is a row of the table of the load.
type webLoad struct {
	Step, Webhook, Task, Requests, Rate string
	P50, P95, P99, Slowest              string
	Answers, Why, Class                 string
	Notes                               []string
}

// webLoads are the rows, and how many are left out before them.
func webLoads(r *Result) (rows []webLoad, before int) {
	before = max(0, len(r.Loads)-mostWebLoads)
	for i := range r.Loads[before:] {
		l := &r.Loads[before+i]
		row := webLoad{
			Step: l.at(), Webhook: short(Clean(l.Webhook), cellName), Task: short(Clean(l.Task), cellName),
			Requests: fmt.Sprint(l.Requests), Rate: perSecond(l.Rate),
			P50: latency(l.P50), P95: latency(l.P95), P99: latency(l.P99), Slowest: latency(l.Slowest),
			Answers: short(Clean(l.answers()), cellName),
		}
		if i > 0 && r.Loads[before+i-1].Webhook == l.Webhook && r.Loads[before+i-1].Task == l.Task {
			row.Task = "" // stands above
		}
		if !l.Passed {
			row.Why, row.Class = "not passed: "+short(Clean(l.Message), cellName), "fail"
		}
		for _, note := range l.Notes {
			row.Notes = append(row.Notes, short(Clean(note), cellName))
		}
		rows = append(rows, row)
	}
	return rows, before
}

// at is the number of the step; nothing before the first.
func (l *Load) at() string {
	if l.Step == 0 {
		return ""
	}
	return fmt.Sprint(l.Step)
}

func perSecond(rate float64) string { return fmt.Sprintf("%.1f/s", rate) }

// loadCases are the load of a step, each webhook's as last made, like the checks. label names the step.
func loadCases(r *Result, step int, label string, names caseNames) []junitCase {
	var cases []junitCase
	var seen []string
	for i := range r.Loads {
		if r.Loads[i].Step != step || slices.Contains(seen, r.Loads[i].Webhook) {
			continue
		}
		seen = append(seen, r.Loads[i].Webhook)
		last := &r.Loads[i]
		for j := range r.Loads[i:] {
			if later := &r.Loads[i+j]; later.Step == step && later.Webhook == last.Webhook {
				last = later
			}
		}
		c := junitCase{
			ClassName: clip(name(r.Namespace, r.Canary), maxPageText), Time: junitTime(last.Elapsed),
			Name: names.once(label + ": load " + clip(Clean(last.Webhook), 500)), Output: clip(last.figures(), maxPageText),
		}
		if !last.Passed {
			c.Failure = &junitCause{Message: clip(Clean(last.Message), maxPageText), Type: "LoadFailed"}
		}
		cases = append(cases, c)
	}
	return cases
}

// figures tells a load in lines.
func (l *Load) figures() string {
	lines := []string{Clean(l.Task), fmt.Sprintf("%d requests, %s", l.Requests, perSecond(l.Rate))}
	if l.P50 > 0 {
		lines = append(lines, fmt.Sprintf("p50 %s, p95 %s, p99 %s, slowest %s", latency(l.P50), latency(l.P95), latency(l.P99), latency(l.Slowest)))
	}
	lines = append(lines, "answers: "+Clean(l.answers()))
	for _, note := range l.Notes {
		lines = append(lines, Clean(note))
	}
	return "\n" + strings.Join(lines, "\n") + "\n"
}
