package report

import (
	"fmt"
	"strings"

	"github.com/penstock-dev/penstock/internal/rollout"
)

// Closing returns the closing sentence, and for a failure what a person needs next: for each check that did not pass its
// query and the answer as it came, and what to do. For a rehearsal it also says what was stood in for, and whether the
// faults that were asked for were caught.
func (l Look) Closing(r Result) string {
	symbol, i := l.verdict(rollout.Outcome(r.Outcome))
	lines := l.wrap(symbol+" "+l.text(Sentence(r)), l.width(), 6)
	for n := range lines {
		lines[n] = l.paint(i, lines[n])
	}
	if o := rollout.Outcome(r.Outcome); o == rollout.RolledBack || o == rollout.Halted || o == rollout.Running {
		lines = append(lines, l.evidence(&r)...)
		lines = append(lines, l.block("next", next(&r))...)
	}
	for _, of := range []struct{ what, scaler string }{{"primary's", r.PrimaryScaler}, {"canary's", r.CanaryScaler}} {
		if of.scaler != "" {
			lines = append(lines, l.wrap(l.text("The "+of.what+" autoscaler: "+of.scaler+"."), l.width(), 2)...)
		}
	}
	if about := l.rehearsed(&r); len(about) > 0 {
		lines = append(append(lines, ""), about...)
	}
	return seal(lines)
}

func (l Look) verdict(o rollout.Outcome) (string, ink) {
	switch o {
	case rollout.Promoted, rollout.Initialised, rollout.Unchanged, rollout.Uninstalled:
		return l.glyph("✓", "+"), good
	case rollout.RolledBack, rollout.Halted, rollout.Cancelled:
		return l.glyph("✗", "x"), bad
	case rollout.Suspended, rollout.Superseded, rollout.Running, rollout.Gated:
	}
	return l.glyph("■", "#"), warn
}

// block sets text behind a label, indented where it goes on.
func (l Look) block(label, text string) []string {
	parts := l.wrap(l.text(text), l.width()-labelWidth-2, 10)
	lines := make([]string, len(parts))
	for i, p := range parts {
		lines[i] = "  " + l.paint(faint, pad(label, labelWidth)) + p
		label = ""
	}
	return lines
}

func (l Look) evidence(r *Result) []string {
	var lines []string
	for _, c := range r.culprits() {
		symbol, ink := l.mark(c.Verdict)
		lines = append(lines, "")
		for n, part := range l.wrap(l.text(because(&c)), l.width()-4, 4) {
			lead := "    "
			if n == 0 {
				lead = "  " + l.paint(ink, symbol) + " "
			}
			lines = append(lines, lead+part)
		}
		if c.Query != "" {
			lines = append(lines, l.block("query", queries(&c))...)
		}
		if c.Raw != "" {
			lines = append(lines, l.block("answer", c.Raw)...)
		}
	}
	return append(lines, "")
}

// next says what a person can do about a failure.
func next(r *Result) string {
	canary, pods := name(r.Namespace, r.Canary), "kubectl get pods"
	if r.Namespace != "" {
		pods = "kubectl -n " + Clean(r.Namespace) + " get pods"
	}
	switch r.Reason {
	case rollout.CheckFailed:
		for _, c := range r.culprits() {
			if c.Comparison != nil {
				return nextOfComparison(&c)
			}
			if c.Verdict == rollout.NoData {
				return fmt.Sprintf("The query of %s found no samples. See that the canary has traffic and that its metrics "+
					"are scraped; a longer interval of the metric helps when there is little traffic.", Clean(c.Name))
			}
		}
		return "Look at what the canary did at that time, or run the query yourself. If the revision is good and the " +
			"threshold too strict, change thresholdRange in spec.analysis.metrics of " + canary + "."
	case rollout.ProbeFailed:
		return "Mend the query or the metrics server, then run again: no user has met the canary yet."
	case rollout.ChecksUnknown:
		return "The metrics server gave no usable answer: see that spec.metricsServer of " + canary +
			" is reachable and that the query is valid. Then run again."
	case rollout.CanaryBroken, rollout.CanaryNotReady, rollout.PrimaryBroken, rollout.PrimaryNotReady:
		return "Look at the pods: " + pods + ". Fix the image or the pod template, then run again."
	case rollout.RouterNotSettled:
		return "Look at the status of the route or ingress of " + canary + " and at the logs of its controller, then run again."
	case rollout.HookFailed:
		return "See what the webhook says, or whether it can be reached from here, then run again."
	case rollout.GateExpired:
		return "Open the gate and run again; --gate-timeout says how long a run waits for it."
	case rollout.NoDataYet:
		return "See that the canary has traffic and that its metrics are scraped, then run again."
	case rollout.TargetMissing:
		return "Create the target that spec.targetRef of " + canary + " names, then run again."
	}
	return "Run again to try the same revision once more."
}

func (l Look) rehearsed(r *Result) []string {
	var lines []string
	if len(r.Faults) > 0 {
		text := "The rehearsal had these faults: " + strings.Join(r.Faults, ", ") + ". "
		switch rollout.Outcome(r.Outcome) {
		case rollout.Promoted:
			text += "The analysis did not stop them: tighten a threshold, or add a check that sees them."
		case rollout.RolledBack:
			text += "The rollout did not get past them."
		case rollout.Running, rollout.Initialised, rollout.Unchanged, rollout.Halted, rollout.Suspended,
			rollout.Superseded, rollout.Cancelled, rollout.Gated, rollout.Uninstalled:
		}
		lines = append(lines, l.wrap(l.text(text), l.width(), 6)...)
	}
	if len(r.StandIns) > 0 {
		lines = append(lines, "Stood in for or left out:")
	}
	for _, text := range r.StandIns {
		for i, part := range l.wrap(l.text(text), l.width()-4, 4) {
			lead := "    "
			if i == 0 {
				lead = "  - "
			}
			lines = append(lines, lead+part)
		}
	}
	return lines
}
