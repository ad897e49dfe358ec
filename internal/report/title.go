package report

import (
	"fmt"
	"math"
	"strings"
	"unicode/utf8"

	"github.com/penstock-dev/penstock/internal/rollout"
)

// titleLength is what the shortest place for a title holds, in characters: the description of a commit status.
const titleLength = 140

// Title says in one line of at most 140 characters where a rollout stands, such as
// "30% · step 3/5 · request-success-rate 99.8% · next in 40s", or how it ended. It is plain text, not markdown.
func Title(s Snapshot) string {
	if s.Outcome != rollout.Running {
		return short(Sentence(Summarise(s)), titleLength)
	}
	var parts []string
	switch phase := s.Status.Phase; {
	case atGate(&s):
		parts = append(parts, "waiting at the gate "+Clean(string(s.Status.Gate)))
	case phase != rollout.Progressing:
		parts = append(parts, phaseText(&s))
	}
	if s.Status.Step > 0 || s.Status.Weight > 0 {
		parts = append(parts, shareNow(&s))
	}
	if n := len(s.Spec.Steps); s.Status.Step > 0 && n > 0 {
		parts = append(parts, fmt.Sprintf("step %d/%d", s.Status.Step, n))
	}
	switch c := nearest(s.judged()); {
	case c != nil && s.Status.Window.IsZero() && !atGate(&s):
		parts = append(parts, Clean(s.Reason)) // what it waits for matters more than what was measured before
	case c != nil:
		parts = append(parts, Clean(c.Name)+" "+valueText(c))
	case s.Reason != "":
		parts = append(parts, Clean(s.Reason))
	}
	// The due time must survive the cut, so that a long name does not hide it.
	due := s.due()
	room := titleLength
	if due != "" {
		room -= utf8.RuneCountInString(" · " + due)
		return strings.TrimPrefix(short(strings.Join(parts, " · "), room)+" · "+due, " · ")
	}
	return short(strings.Join(parts, " · "), room)
}

// short cuts text to n characters.
func short(text string, n int) string {
	if utf8.RuneCountInString(text) <= n {
		return text
	}
	return strings.TrimRight(string([]rune(text)[:n-1]), " ") + "…"
}

// atGate reports whether the rollout waits at a gate.
func atGate(s *Snapshot) bool { return s.Status.Gate != "" }

// shareNow is what the canary gets now.
func shareNow(s *Snapshot) string {
	if n := s.Status.Step; n > 0 && n <= len(s.Spec.Steps) && s.Status.Phase == rollout.Progressing {
		if step := s.Spec.Steps[n-1]; step.Mirror > 0 || step.Match {
			return shareText(step.Weight, step.Mirror, step.Match)
		}
	}
	return percent(s.weight())
}

// nearest returns the check to look at first: one that does not pass, else the one nearest to its bound; nil when none was
// judged.
func nearest(checks []rollout.CheckResult) *rollout.CheckResult {
	var found *rollout.CheckResult
	for i := range checks {
		c := &checks[i]
		if c.Verdict == rollout.Unknown {
			continue
		}
		if found == nil || urgency(c.Verdict) > urgency(found.Verdict) ||
			urgency(c.Verdict) == urgency(found.Verdict) && margin(c) < margin(found) {
			found = c
		}
	}
	return found
}

// margin is how far a value is from the nearer of its bounds: 0 at it, 1 for a share of all or none. Without a bound or a
// value there is nothing to be near to.
func margin(c *rollout.CheckResult) float64 {
	nearest := math.Inf(1)
	if c.Value == nil || math.IsNaN(*c.Value) {
		return nearest
	}
	near := func(distance, scale float64) {
		if scale = math.Abs(scale); scale > 0 {
			distance /= scale
		}
		nearest = min(nearest, distance)
	}
	if c.Min != nil {
		scale := *c.Min
		if c.Unit == "%" && *c.Min < 100 {
			scale = 100 - *c.Min // from 99% there is no more than 1 to go
		}
		near(*c.Value-*c.Min, scale)
	}
	if c.Max != nil {
		near(*c.Max-*c.Value, *c.Max)
	}
	return nearest
}
