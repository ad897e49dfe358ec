package report

import (
	"fmt"
	"strings"

	"github.com/penstock-dev/penstock/internal/rollout"
)

// Line returns the one plain line of a decision, for logs: ASCII only, fields two blanks apart, and nothing in it that a
// terminal or a CI runner would obey. prev is the snapshot before, or the zero value. It is empty when next says nothing
// that prev did not say: a watch that fires while the rollout waits is no news.
func Line(prev, next Snapshot) string {
	if prev.Canary != "" && !news(&prev, &next) {
		return ""
	}
	fields := []string{
		strings.TrimRight(next.Now.Format("15:04:05")+" "+name(next.Namespace, next.Canary), " "),
		phaseText(&next),
	}
	st := &next.Status
	if steps := len(next.Spec.Steps); st.Step > 0 && steps > 0 {
		fields = append(fields, fmt.Sprintf("step %d/%d", st.Step, steps))
	}
	if st.Step > 0 || st.Weight > 0 {
		fields = append(fields, percent(st.Weight))
	}
	fields = append(fields, story(&prev, &next)...)
	// How long a wait may take is news when the wait begins, not while all goes well; "now" is none at all.
	moved := !next.Status.Moved.Equal(prev.Status.Moved)
	if due := next.due(); due != "" && next.left() > 0 && (next.counting() || !moved) {
		fields = append(fields, due)
	}
	return disarm(toASCII(strings.Join(fields, "  ")))
}

// news reports whether anything but the time differs.
func news(prev, next *Snapshot) bool {
	a, b := &prev.Status, &next.Status
	return prev.Canary != next.Canary || prev.Namespace != next.Namespace ||
		a.Phase != b.Phase || a.Revision != b.Revision || a.Step != b.Step || a.Promotion != b.Promotion ||
		a.Weight != b.Weight || a.Failed != b.Failed ||
		!a.Window.Equal(b.Window) || !a.Moved.Equal(b.Moved) ||
		prev.Reason != next.Reason || prev.Outcome != next.Outcome
}

func phaseText(s *Snapshot) string {
	if s.Status.Phase == "" {
		return "New"
	}
	return Clean(string(s.Status.Phase))
}

// story says what happened: a failed check, the values that the decision rests on, or the reason.
func story(prev, next *Snapshot) []string {
	var out []string
	reason := Clean(next.Reason)
	st := &next.Status
	switch moved := !st.Moved.Equal(prev.Status.Moved); {
	case failedNow(prev, next):
		out = append(out, fmt.Sprintf("FAILED CHECK %d/%d %s", st.Failed, next.Spec.Threshold, failures(next, reason)))
	case moved && len(next.Checks) > 0 && st.Reason.Code == rollout.StepTaken:
		out = append(out, checkList(next.Checks)) // the values are the reason
	case moved && len(next.Checks) > 0 && st.Phase != rollout.RollingBack && st.Phase != rollout.Failed:
		out = append(out, checkList(next.Checks), reason)
	default:
		out = append(out, reason)
	}
	if next.Outcome != rollout.Running {
		out = append(out, strings.ToUpper(outcomeWords(next.Outcome)))
	}
	kept := out[:0]
	for _, s := range out {
		if s != "" {
			kept = append(kept, s)
		}
	}
	return kept
}

// failedNow reports whether this decision counted a failed check. A new revision starts to count at zero.
func failedNow(prev, next *Snapshot) bool {
	before := prev.Status.Failed
	if prev.Status.Revision != next.Status.Revision {
		before = 0
	}
	return next.Status.Failed > before
}

// failures names every check that did not pass, or gives the reason when it was something else that failed.
func failures(s *Snapshot, reason string) string {
	var out []string
	for i := range s.Checks {
		if s.Checks[i].Verdict != rollout.Pass {
			out = append(out, because(&s.Checks[i]))
		}
	}
	if code := s.Status.Reason.Code; len(out) == 0 || (code != rollout.CheckFailed && code != rollout.ChecksUnknown) {
		return reason
	}
	return strings.Join(out, ", ")
}

func checkList(checks []rollout.CheckResult) string {
	out := make([]string, len(checks))
	look := Look{ASCII: true}
	for i := range checks {
		c := &checks[i]
		out[i] = strings.TrimRight(Clean(c.Name)+" "+valueText(c)+" "+look.thresholdText(c), " ")
		if c.Verdict != rollout.Pass && c.Value != nil {
			out[i] += " (" + c.Verdict.String() + ")"
		}
	}
	return strings.Join(out, ", ")
}
