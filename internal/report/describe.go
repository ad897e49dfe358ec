package report

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/penstock-dev/penstock/internal/approval"
)

// describeLimit is how many lines of the history, and of the decisions, a page shows. All of them are in the JSON form.
const describeLimit = 20

// Describe returns all that is known of a canary as a page, as kubectl describe writes one.
func (l Look) Describe(s Standing, now time.Time) string {
	var blocks []string
	add := func(text string) {
		if text = strings.TrimRight(text, "\n"); text != "" {
			blocks = append(blocks, text)
		}
	}
	add(l.describeHead(&s, now))
	add(l.describeGate(&s, now))
	if steps := Steps(s.Record.History); len(steps) > 0 {
		add("Steps:\n" + l.Table(Result{Steps: steps}))
	}
	add(l.describeHistory(&s, now))
	add(l.describeDecisions(&s, now))
	add(l.describeEarlier(&s, now))
	return seal(strings.Split(strings.Join(blocks, "\n\n"), "\n"))
}

func (l Look) describeHead(s *Standing, now time.Time) string {
	r := &s.Record
	rows := [][2]string{
		{"Name", l.text(s.Canary)},
		{"Namespace", l.text(s.Namespace)},
		{"Target", l.text(r.Target)},
		{"Status", l.paint(l.stateInk(s), s.state())},
		{"Problem", l.text(s.Problem)},
		{"Reason", l.text(s.reason())},
		{"Weight", fmt.Sprintf("%s of the traffic is for the canary", percent(r.Status.Weight))},
		{"Step", s.step()},
		{"Failed", failedText(r.Status.Failed)},
		{"Image", l.text(r.Image)},
		{"Revision", l.text(r.Status.Revision)},
		{"Promoted", l.text(r.Status.Promoted)},
		{"Commit", l.text(r.Commit)},
		{"Run", s.runText(now)},
		{"Run URL", l.text(r.RunURL)},
		{"Started", stamp(r.Started, now)},
		{"Updated", stamp(r.Updated, now)},
	}
	var b strings.Builder
	for _, row := range rows {
		if row[1] != "" && (row[0] != "Problem" || row[1] != l.text(s.reason())) {
			fmt.Fprintf(&b, "%-12s %s\n", row[0]+":", row[1])
		}
	}
	return b.String()
}

func (l Look) stateInk(s *Standing) ink {
	switch s.state() {
	case "Succeeded", "Initialized":
		return good
	case "Failed", "Halted", "Unreadable":
		return bad
	case "WaitingPromotion", "Waiting":
		return warn
	default:
		return strong
	}
}

// runText says whether anybody drives the rollout. One that nobody drives, and that is not over, stands still.
func (s *Standing) runText(now time.Time) string {
	switch {
	case s.Run == Attended:
		return fmt.Sprintf("%s is at work", Clean(s.Holder))
	case s.Run == AttendanceUnknown:
		return "not known: the lease may not be read"
	case s.Record.Status.Phase.Terminal() || s.Record.Status.Phase == "" || s.Record.Status.Phase == "Initialized":
		return "none is at work"
	case s.Holder != "":
		return fmt.Sprintf("none is at work: %s ended %s ago without a word; the next run goes on from here", Clean(s.Holder), age(s.HeldUntil, now))
	default:
		return "none is at work; the next run goes on from here"
	}
}

func stamp(t, now time.Time) string {
	if t.IsZero() {
		return ""
	}
	return fmt.Sprintf("%s (%s ago)", t.UTC().Format(time.RFC3339), age(t, now))
}

func (l Look) describeGate(s *Standing, now time.Time) string {
	gate, st := s.Gate, &s.Record.Status
	if gate == nil && st.Gate == "" {
		return ""
	}
	if gate == nil {
		return fmt.Sprintf("Gate:\n  %s has not opened, waited for since %s", l.text(string(st.Gate)), stamp(st.GateSince, now))
	}
	lines := []string{"Gate:", "  " + l.text(gate.Name) + " waits for people"}
	if who := l.text(gate.Who); who != "" {
		lines = append(lines, "  may approve:  "+who)
	}
	for _, lacking := range s.Lacks {
		lines = append(lines, "  lacks:        "+l.text(lacking))
	}
	if !gate.Until.IsZero() {
		lines = append(lines, "  until:        "+gate.Until.UTC().Format(time.RFC3339))
	}
	lines = append(lines, "  to approve:   "+l.text(gate.Command))
	if s.Notice != nil && s.Notice.Policy.Operators { // whoever sees this may have what it takes
		lines = append(lines, fmt.Sprintf("  or:           penstock %s %s -n %s", gate.Verb, l.text(s.Canary), l.text(s.Namespace)))
	}
	return strings.Join(lines, "\n")
}

func (l Look) describeHistory(s *Standing, now time.Time) string {
	entries := s.Record.History
	skipped := max(0, len(entries)-describeLimit)
	rows := [][]string{{"AGE", "STATUS", "STEP", "WEIGHT", "FAILED", "REASON"}}
	for i := skipped; i < len(entries); i++ {
		e := &entries[i]
		rows = append(rows, []string{
			age(e.Time, now), Clean(string(e.Phase)), fmt.Sprintf("%d/%d", e.Step, e.Steps), percent(e.Weight), fmt.Sprint(e.Failed), l.text(e.Reason),
		})
	}
	return section("History", rows, skipped)
}

func (l Look) describeDecisions(s *Standing, now time.Time) string {
	all := s.Decisions.Decisions
	skipped := max(0, len(all)-describeLimit)
	rows := [][]string{{"AGE", "WHO", "SAID", "COUNTED", "WHY"}}
	for i := skipped; i < len(all); i++ {
		d := &all[i]
		counted := "no"
		if d.Counted {
			counted = "yes"
		}
		why := d.Why
		if !d.Counted {
			why = d.Reason.Sentence()
		}
		rows = append(rows, []string{age(d.Observed, now), l.text(d.Actor.Login), orNone(string(d.Verb)), counted, l.text(why)})
	}
	text := section("Decisions", rows, skipped)
	if err := approval.Verify(s.Decisions); err != nil {
		text += "  " + l.paint(bad, "NOT TO BE TRUSTED: ") + l.text(err.Error()) + "\n"
	}
	return text
}

func (l Look) describeEarlier(s *Standing, now time.Time) string {
	rows := [][]string{{"AGE", "STATUS", "REVISION", "IMAGE", "REASON"}}
	for _, e := range s.earlier() {
		r := &e.Record
		rows = append(rows, []string{age(r.Updated, now), e.state(), orNone(r.Status.Revision), orNone(r.Image), l.text(e.reason())})
	}
	return section("Earlier rollouts", rows, 0)
}

// section writes rows under a title, or nothing when there is only the row of headers.
func section(title string, rows [][]string, skipped int) string {
	if len(rows) == 1 {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s:\n", title)
	if skipped > 0 {
		fmt.Fprintf(&b, "  (%d earlier: see -o json)\n", skipped)
	}
	w := tabwriter.NewWriter(&b, 0, 4, 2, ' ', 0)
	for _, row := range rows {
		_, _ = fmt.Fprintln(w, "  "+strings.Join(row, "\t"))
	}
	_ = w.Flush() // into memory
	return b.String()
}
