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
	Codes      map[string]int64 `json:"codes,omitempty"`  // answers of gRPC by their code, such as OK
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
		rows = append(rows, []string{
			l.at(), code(p.cut(l.Webhook)), fmt.Sprint(l.Requests), perSecond(l.Rate), latency(l.P50), latency(l.P95), latency(l.P99),
			prose(p.cut(l.answers())),
		})
	}
	table := markdownTable(rows)
	if n := len(p.s.Loads) - len(loads); n > 0 {
		table += fmt.Sprintf("\n\n_%d earlier loads are in report.json._", n)
	}
	return table
}

// answers says what the requests were answered with, such as "990 × 200, 10 without an answer (connection refused)".
func (l *Load) answers() string {
	var parts []string
	for _, status := range slices.Sorted(maps.Keys(l.Status)) {
		parts = append(parts, fmt.Sprintf("%d × %d", l.Status[status], status))
	}
	for _, code := range slices.Sorted(maps.Keys(l.Codes)) {
		parts = append(parts, fmt.Sprintf("%d × %s", l.Codes[code], code))
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
			one.at(), l.cut(l.text(one.Webhook), 40), fmt.Sprint(one.Requests), perSecond(one.Rate),
			latency(one.P50), latency(one.P99), l.cut(l.answers(one), 60),
		})
	}
	return l.grid([]string{"Step", "Load", "Requests", "Rate", "p50", "p99", "Answers"}, rows,
		map[int]bool{0: true, 2: true, 3: true, 4: true, 5: true})
}

// answers are those of a load as the terminal can show them.
func (l Look) answers(one *Load) string {
	return l.text(strings.ReplaceAll(one.answers(), " × ", l.glyph(" × ", " x ")))
}

// loadList takes its place where it does not fit.
func (l Look) loadList(loads []Load) string {
	var lines []string
	for i := range loads[max(0, len(loads)-mostLoads):] {
		one := &loads[max(0, len(loads)-mostLoads)+i]
		where := "before step 1"
		if one.Step > 0 {
			where = "step " + one.at()
		}
		text := fmt.Sprintf("%s: %s: %d requests, %s, ", where, l.text(one.Webhook), one.Requests, perSecond(one.Rate))
		if one.P99 > 0 {
			text += "p99 " + latency(one.P99) + ", "
		}
		lines = append(lines, l.cut(text+l.answers(one), l.width()))
	}
	return strings.Join(lines, "\n")
}
