package report

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Load is what the load of a webhook has come to. Times print in nanoseconds in JSON, as those of Go.
type Load struct {
	Step    int           `json:"step,omitempty"` // at which it was made; 0 before the first
	Webhook string        `json:"webhook"`
	Task    string        `json:"task"` // without secrets
	Passed  bool          `json:"passed"`
	Message string        `json:"message,omitempty"` // why it has not passed
	Notes   []string      `json:"notes,omitempty"`
	Elapsed time.Duration `json:"elapsedNanoseconds"`

	Requests   int64            `json:"requests"`
	Unanswered int64            `json:"unanswered"` // of them
	Rate       float64          `json:"rate"`       // requests a second
	Mean       time.Duration    `json:"meanNanoseconds"`
	P50        time.Duration    `json:"p50Nanoseconds"`
	P95        time.Duration    `json:"p95Nanoseconds"`
	P99        time.Duration    `json:"p99Nanoseconds"`
	Slowest    time.Duration    `json:"slowestNanoseconds"`
	Status     map[int]int64    `json:"status,omitempty"` // answers by their HTTP status
	Errors     map[string]int64 `json:"errors,omitempty"` // what the unanswered met
}

// mostLoads is how many rows of load a page shows: those that were made last.
const mostLoads = 20

// loadTable shows the load that the run has made.
func (p *page) loadTable() string {
	if len(p.s.Loads) == 0 || p.checks == 0 {
		return ""
	}
	rows := [][]string{{"Step", "Load", "Requests", "Rate", "p50", "p95", "p99", "Answers"}, {"--:", ":--", "--:", "--:", "--:", "--:", "--:", ":--"}}
	loads := p.s.Loads[max(0, len(p.s.Loads)-mostLoads):]
	for i := range loads {
		l := &loads[i]
		step := ""
		if l.Step > 0 {
			step = fmt.Sprint(l.Step)
		}
		rows = append(rows, []string{
			step, code(p.cut(l.Webhook)), fmt.Sprint(l.Requests), fmt.Sprintf("%.1f/s", l.Rate), latency(l.P50), latency(l.P95), latency(l.P99),
			prose(p.cut(l.answers())),
		})
	}
	return markdownTable(rows)
}

// answers says what the requests were answered with, such as "990 × 200, 10 without an answer (connection refused)".
func (l *Load) answers() string {
	var parts []string
	for _, status := range slices.Sorted(maps.Keys(l.Status)) {
		parts = append(parts, fmt.Sprintf("%d × %d", l.Status[status], status))
	}
	if l.Unanswered > 0 {
		parts = append(parts, fmt.Sprintf("%d without an answer (%s)", l.Unanswered, l.often()))
	}
	if len(parts) == 0 {
		return "none"
	}
	return strings.Join(parts, ", ")
}

// often is what most of the unanswered requests met.
func (l *Load) often() string {
	most := ""
	for _, text := range slices.Sorted(maps.Keys(l.Errors)) {
		if l.Errors[text] > l.Errors[most] {
			most = text
		}
	}
	return most
}

// latency writes a duration to three digits; nothing when it is not known.
func latency(d time.Duration) string {
	switch {
	case d <= 0:
		return ""
	case d < time.Millisecond:
		return d.Round(time.Microsecond).String()
	case d < time.Second:
		return d.Round(100 * time.Microsecond).String()
	}
	return d.Round(10 * time.Millisecond).String()
}

// loadGrid is the table of the load for a terminal.
func (l Look) loadGrid(loads []Load) string {
	var rows [][]string
	for i := range loads[max(0, len(loads)-mostLoads):] {
		one := &loads[max(0, len(loads)-mostLoads)+i]
		rows = append(rows, []string{
			fmt.Sprint(one.Step), short(Clean(one.Webhook), 40), fmt.Sprint(one.Requests), fmt.Sprintf("%.1f/s", one.Rate),
			latency(one.P50), latency(one.P99), short(Clean(one.answers()), 60),
		})
	}
	return l.grid([]string{"Step", "Load", "Requests", "Rate", "p50", "p99", "Answers"}, rows,
		map[int]bool{0: true, 2: true, 3: true, 4: true, 5: true})
}

// loadList takes its place where it does not fit.
func (l Look) loadList(loads []Load) string {
	var lines []string
	for i := range loads[max(0, len(loads)-mostLoads):] {
		one := &loads[max(0, len(loads)-mostLoads)+i]
		lines = append(lines, short(Clean(fmt.Sprintf("step %d: %s: %d requests, %.1f/s, p99 %s, %s", one.Step, one.Webhook, one.Requests,
			one.Rate, latency(one.P99), one.answers())), l.width()))
	}
	return strings.Join(lines, "\n")
}
