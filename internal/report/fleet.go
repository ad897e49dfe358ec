package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"charm.land/lipgloss/v2"

	"github.com/penstock-dev/penstock/internal/rollout"
)

// Fleet is a finished run of several canaries. Its JSON form is what --output json prints.
type Fleet struct {
	SchemaVersion int           `json:"schemaVersion"` // filled in by JSON
	ExitCode      int           `json:"exitCode"`      // what the process exits with: the worst of all
	Canaries      []FleetMember `json:"canaries"`      // in the order of the files
}

// FleetMember is how one of several canaries ended.
type FleetMember struct {
	Result
	Skipped string `json:"skipped,omitempty"` // why it was never started
	Error   string `json:"error,omitempty"`   // why it could not be finished
}

// document is a member as JSON shows it: as its result, but for the outcome of one that has none, which is skipped or
// unfinished.
type document struct {
	FleetMember
	Outcome string `json:"outcome"` // in place of the result's
}

func (m *FleetMember) word() string {
	switch {
	case m.Skipped != "":
		return "skipped"
	case rollout.Outcome(m.Outcome) == rollout.Running:
		return "unfinished"
	}
	return outcomeWords(rollout.Outcome(m.Outcome))
}

// why is one line about a member that did not end well.
func (m *FleetMember) why() string {
	switch {
	case m.Skipped != "":
		return Clean(m.Skipped)
	case m.Error != "":
		return Clean(m.Error)
	}
	switch rollout.Outcome(m.Outcome) {
	case rollout.Promoted, rollout.Initialised, rollout.Unchanged, rollout.Uninstalled:
		return ""
	case rollout.Running, rollout.RolledBack, rollout.Halted, rollout.Suspended, rollout.Superseded, rollout.Cancelled, rollout.Gated:
	}
	return m.Result.why()
}

// JSON returns the results as one indented document with a final line break. See Result.JSON.
func (f Fleet) JSON() ([]byte, error) {
	doc := struct {
		Fleet
		Canaries []document `json:"canaries"` // in place of the fleet's
	}{Fleet: f}
	doc.SchemaVersion = SchemaVersion
	for _, m := range f.Canaries {
		m.Result = m.Result.plain()
		doc.Canaries = append(doc.Canaries, document{m, strings.ReplaceAll(m.word(), " ", "-")})
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(doc); err != nil {
		return nil, fmt.Errorf("write results as JSON: %w", err)
	}
	return escapeJSON(b.Bytes()), nil
}

// plain is a result that JSON can express.
func (r Result) plain() Result {
	r.SchemaVersion = SchemaVersion
	steps := make([]Step, len(r.Steps))
	for i, s := range r.Steps {
		s.Checks = finite(s.Checks)
		steps[i] = s
	}
	r.Steps = steps
	return r
}

// FleetTable returns one row per canary. No line is wider than the look: the reasons are cut, and where the table does
// not fit at all, a list takes its place.
func (l Look) FleetTable(f Fleet) string {
	room := l.width() - lipgloss.Width(l.fleetGrid(&f, 0)) - len("Why")
	if room >= len("because of it") {
		return seal(strings.Split(l.fleetGrid(&f, room+len("Why")), "\n"))
	}
	return seal(l.fleetList(&f))
}

// fleetGrid draws the table with so many columns for the reasons.
func (l Look) fleetGrid(f *Fleet, room int) string {
	var rows [][]string
	for i := range f.Canaries {
		m := &f.Canaries[i]
		symbol, ink := l.memberMark(m)
		rows = append(rows, []string{
			l.cut(l.text(name(m.Namespace, m.Canary)), 40), l.paint(ink, symbol+" "+m.word()), percent(m.Weight), strconv.Itoa(len(m.Steps)),
			strconv.Itoa(m.FailedChecks), m.length(), l.cut(l.text(m.why()), room),
		})
	}
	headers := []string{"Canary", "Outcome", "Weight", "Steps", "Failed", "Time", "Why"}
	return l.grid(headers, rows, map[int]bool{2: true, 3: true, 4: true, 5: true})
}

func (l Look) fleetList(f *Fleet) []string {
	var lines []string
	for i := range f.Canaries {
		m := &f.Canaries[i]
		symbol, ink := l.memberMark(m)
		lines = append(lines, l.cut(l.paint(ink, symbol)+" "+l.text(name(m.Namespace, m.Canary)), l.width()))
		about := fmt.Sprintf("  %s, %s on the canary, %s", m.word(), percent(m.Weight), m.length())
		lines = append(lines, l.cut(about, l.width()))
		for _, part := range l.wrap(l.text(m.why()), l.width()-2, 2) {
			lines = append(lines, "  "+part)
		}
	}
	return lines
}

func (l Look) memberMark(m *FleetMember) (string, ink) {
	switch {
	case m.Skipped != "":
		return l.glyph("·", "."), faint
	case m.Error != "":
		return l.glyph("✗", "x"), bad
	}
	return l.verdict(rollout.Outcome(m.Outcome))
}

func (m *FleetMember) length() string {
	if m.Started.IsZero() || !m.Finished.After(m.Started) {
		return "-"
	}
	return seconds(m.Finished.Sub(m.Started))
}

// FleetClosing returns the verdict on all canaries in one sentence, and below it, for each that did not end well, its
// sentence and what to do.
func (l Look) FleetClosing(f Fleet) string {
	symbol, ink := l.glyph("✓", "+"), good
	if f.ExitCode != 0 {
		symbol, ink = l.glyph("✗", "x"), bad
	}
	lines := []string{l.paint(ink, l.cut(fmt.Sprintf("%s %d canaries: %s.", symbol, len(f.Canaries), f.counts()), l.width()))}
	for i := range f.Canaries {
		m := &f.Canaries[i]
		switch {
		case m.Skipped != "":
		case m.Error != "":
			lines = append(lines, "")
			text := l.glyph("✗", "x") + " " + l.text(name(m.Namespace, m.Canary)) + ": " + l.text(m.Error)
			lines = append(lines, l.wrap(text, l.width(), 6)...)
		case m.ExitCode != 0:
			lines = append(lines, "", l.paint(strong, l.cut(l.text(name(m.Namespace, m.Canary)), l.width())))
			lines = append(lines, strings.Split(strings.TrimRight(l.Closing(m.Result), "\n"), "\n")...)
		}
	}
	return seal(lines)
}

// counts says how many ended in which way, the most first.
func (f *Fleet) counts() string {
	n := map[string]int{}
	var words []string
	for i := range f.Canaries {
		w := f.Canaries[i].word()
		if n[w]++; n[w] == 1 {
			words = append(words, w)
		}
	}
	slices.SortStableFunc(words, func(a, b string) int { return n[b] - n[a] })
	for i, w := range words {
		words[i] = strconv.Itoa(n[w]) + " " + w
	}
	return strings.Join(words, ", ")
}
