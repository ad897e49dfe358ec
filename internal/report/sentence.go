package report

import (
	"fmt"
	"strings"

	"github.com/penstock-dev/penstock/internal/rollout"
)

// Sentence says in one line how the run ended, such as "Promoted: podinfo 6.0.1 passed 5 steps in 52s."
func Sentence(r Result) string {
	what, why := r.subject(), strings.TrimRight(r.why(), ".")
	switch rollout.Outcome(r.Outcome) {
	case rollout.Promoted:
		return "Promoted: " + what + r.passed() + r.took() + "."
	case rollout.RolledBack:
		return "Rolled back" + r.where() + ": " + why + r.failed() + "."
	case rollout.Halted:
		return fmt.Sprintf("Halted with %s of the traffic on the canary: %s.", percent(r.Weight), why)
	case rollout.Cancelled:
		if r.Weight > 0 {
			return fmt.Sprintf("Cancelled with %s of the traffic on the canary.", percent(r.Weight))
		}
		return "Cancelled: all traffic is on the primary."
	case rollout.Initialised:
		return "Initialised: the primary serves " + what + "; the next change is analysed."
	case rollout.Unchanged:
		return "Nothing to do: " + what + " was promoted already."
	case rollout.Suspended:
		if r.Reason == rollout.GateSuspended {
			return fmt.Sprintf("Suspended with %s of the traffic on the canary: %s.", percent(r.Weight), why)
		}
		return "Suspended: spec.suspend of " + name(r.Namespace, r.Canary) + " is true; nothing was changed."
	case rollout.Gated:
		return fmt.Sprintf("Waiting with %s of the traffic on the canary: %s; the next run goes on from here.", percent(r.Weight), why)
	case rollout.Uninstalled:
		return "Uninstalled: the target of " + name(r.Namespace, r.Canary) + " has all of its traffic back."
	case rollout.Superseded:
		return "Superseded: another run has taken over " + name(r.Namespace, r.Canary) + "."
	case rollout.Running:
	}
	return fmt.Sprintf("Not finished, with %s of the traffic on the canary: %s.", percent(r.Weight), why)
}

// subject is what was rolled out: the canary with the tag of its image, or with its revision.
func (r *Result) subject() string {
	image := Clean(r.Image)
	if at := strings.LastIndexByte(image, ':'); at > strings.LastIndexByte(image, '/') && !strings.Contains(image, "@") {
		return Clean(r.Canary) + " " + image[at+1:]
	}
	if r.Revision != "" {
		return Clean(r.Canary) + " revision " + Clean(r.Revision)
	}
	return Clean(r.Canary)
}

func (r *Result) passed() string {
	switch n := len(r.Steps); {
	case r.Reason == rollout.AnalysisSkipped || n == 0:
		return " without analysis"
	case n == 1:
		return " passed 1 step"
	default:
		return fmt.Sprintf(" passed %d steps", n)
	}
}

func (r *Result) took() string {
	if r.Started.IsZero() || !r.Finished.After(r.Started) {
		return ""
	}
	return " in " + seconds(r.Finished.Sub(r.Started))
}

// where is the weight at which the canary was rejected.
func (r *Result) where() string {
	if n := len(r.Steps); n > 0 && r.Steps[n-1].Weight > 0 {
		return " at " + percent(r.Steps[n-1].Weight)
	}
	if len(r.Steps) > 0 {
		return ""
	}
	return " before it got traffic"
}

// why prefers the checks' own words to the reason that repeats them.
func (r *Result) why() string {
	if r.Reason == rollout.CheckFailed || r.Reason == rollout.ChecksUnknown {
		var out []string
		for _, c := range r.culprits() {
			out = append(out, because(&c))
		}
		if len(out) > 0 {
			return strings.Join(out, ", ")
		}
	}
	return Clean(r.Message)
}

// culprits are the checks of the last step that did not pass.
func (r *Result) culprits() []rollout.CheckResult {
	if len(r.Steps) == 0 {
		return nil
	}
	var out []rollout.CheckResult
	for _, c := range r.Steps[len(r.Steps)-1].Checks {
		if c.Verdict != rollout.Pass {
			out = append(out, c)
		}
	}
	return out
}

func (r *Result) failed() string {
	if r.FailedChecks == 0 {
		return ""
	}
	return " (" + failedText(r.FailedChecks) + ")"
}
