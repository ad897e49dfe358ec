package report

import (
	"fmt"
	"strings"
	"time"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/rollout"
)

// Plan says what a run would do, for --dry-run: the first decision, the steps, and what would end it. s names the canary
// and the image; d is the first decision.
func Plan(s Snapshot, spec rollout.Spec, d rollout.Decision) string {
	first := Clean(d.Reason.String())
	if d.Outcome != rollout.Running {
		first += " (" + outcomeWords(d.Outcome) + ")"
	}
	lines := []string{strings.TrimRight(name(s.Namespace, s.Canary)+"  "+Clean(s.Provider), " ")}
	row := func(label, text string) {
		if text != "" {
			lines = append(lines, "  "+pad(label, 10)+text)
		}
	}
	row("image", Clean(s.Image))
	row("first", first)
	if spec.Skip {
		row("steps", "none: spec.skipAnalysis")
	} else {
		row("steps", planSteps(&spec))
		row("checks", planChecks(&spec))
		row("promotion", planPromotion(&spec))
	}
	row("gates", planGates(&spec))
	row("waits", fmt.Sprintf("up to %s for the cluster to follow a decision, then the rollout ends", seconds(spec.Deadline)))
	return toASCII(seal(lines))
}

func planSteps(spec *rollout.Spec) string {
	var parts []string
	judged := 0
	for _, step := range spec.Steps {
		parts = append(parts, shareText(step.Weight, step.Mirror, step.Match))
		if !step.Bare {
			judged++
		}
	}
	if len(parts) == 0 {
		return "none"
	}
	least := time.Duration(judged) * spec.Interval
	return fmt.Sprintf("%s; each is analysed for %s, %s in all", strings.Join(parts, ", "), seconds(spec.Interval), seconds(least))
}

func planChecks(spec *rollout.Spec) string {
	if len(spec.Checks) == 0 {
		return "none: only the readiness of the pods is watched"
	}
	checks := make([]string, len(spec.Checks))
	for i, c := range spec.Checks {
		checks[i] = Clean(c)
	}
	failures := failedText(spec.Threshold)
	return fmt.Sprintf("%s; rolled back at %s", strings.Join(checks, ", "), failures)
}

// planGates names what a person or another system has to confirm.
func planGates(spec *rollout.Spec) string {
	var parts []string
	for _, hook := range []canary.HookType{
		canary.HookConfirmRollout, canary.HookConfirmTrafficIncrease, canary.HookConfirmPromotion,
	} {
		if spec.Hooked(hook) {
			parts = append(parts, string(hook))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return strings.Join(parts, ", ") + "; each is waited for up to " + seconds(spec.GateTimeout)
}

// shareText says what of the traffic a step gives to the canary.
func shareText(weight, mirror rollout.Weight, match bool) string {
	switch {
	case mirror > 0:
		return "mirror " + percent(mirror)
	case match:
		return "matched requests"
	}
	return percent(weight)
}

func planPromotion(spec *rollout.Spec) string {
	if len(spec.Promotion) == 0 {
		return "all traffic back to the primary at once"
	}
	parts := make([]string, len(spec.Promotion))
	for i, w := range spec.Promotion {
		parts[i] = percent(100 - w)
	}
	return "traffic back to the primary by " + strings.Join(parts, ", ") + ", 100%"
}
