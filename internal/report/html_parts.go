package report

import (
	"fmt"
	"strings"

	"github.com/penstock-dev/penstock/internal/rollout"
)

// webSteps are the steps that were taken, and those of the plan that were not.
func webSteps(r *Result, s *Snapshot) []webStep {
	var out []webStep
	last := 0
	for i := range r.Steps {
		step := &r.Steps[i]
		last = max(last, step.Number)
		w := webStep{
			Number: step.Number, Weight: shareText(step.Weight, step.Mirror, step.Match), Time: step.length(), Failed: step.FailedChecks, Went: true,
		}
		w.Mark, w.Class = stepState(r, i)
		for j := range step.Checks {
			check := webCheckOf(&step.Checks[j], nil)
			if primary := primaryText(&step.Checks[j]); primary != "" {
				check.Value += " (" + short(primary, cellValue) + ")"
			}
			w.Checks = append(w.Checks, check)
		}
		if t := step.Traffic; t != nil {
			w.Requests = fmt.Sprintf("%d primary, %d canary", t.Primary, t.Canary)
			w.Err = fmt.Sprint(t.Errors())
		}
		out = append(out, w)
	}
	for n := last + 1; n <= len(s.Spec.Steps); n++ {
		plan := s.Spec.Steps[n-1]
		out = append(out, webStep{Number: n, Mark: "·", Class: "pending", Weight: shareText(plan.Weight, plan.Mirror, plan.Match), Time: "-"})
	}
	return out
}

// stepState says how the i-th step ended. It passed when another followed, or the promotion; it failed when the revision was
// rejected by what happened during it. A step that was left for another reason has no verdict.
func stepState(r *Result, i int) (mark, class string) {
	o := rollout.Outcome(r.Outcome)
	if i < len(r.Steps)-1 || o == rollout.Promoted {
		return "✓", "pass"
	}
	if o != rollout.RolledBack && o != rollout.Halted {
		return "●", "wait"
	}
	switch r.Reason {
	case rollout.PrimaryBroken, rollout.PrimaryNotReady:
		return "✓", "pass" // it went wrong during the promotion
	case rollout.GateExpired, rollout.StopAsked, rollout.TargetChanged, rollout.RevisionWithdrawn, rollout.CanaryDeleted:
		return "●", "wait"
	}
	return "✗", "fail"
}

// charts are the weight and every check that ever had a value, over the same time.
func charts(s *Snapshot, r *Result) []*chart {
	if len(s.History) < 2 {
		return nil
	}
	var out []*chart
	if c := weightChart(s.History, r.Finished, r.Weight); c != nil {
		out = append(out, c)
	}
	a := axes{from: s.History[0].Time, to: latest(r.Finished, s.History[len(s.History)-1].Time)}
	for _, c := range s.judged() {
		if drawn := checkChart(&c, samples(s, c.Name), a); drawn != nil {
			drawn.Title = clip(drawn.Title, maxPageText)
			out = append(out, drawn)
		}
		if drawn := comparisonChart(&c); drawn != nil {
			drawn.Title = clip(drawn.Title, maxPageText)
			out = append(out, drawn)
		}
	}
	return out
}

// samples are the answers of one check, oldest first.
func samples(s *Snapshot, check string) []sample {
	var out []sample
	for i := range s.History {
		for j := range s.History[i].Checks {
			if c := &s.History[i].Checks[j]; c.Name == check {
				out = append(out, sample{at: s.History[i].Time, value: c.Value, result: c})
			}
		}
	}
	return out[max(0, len(out)-maxSamples):]
}

// webNotes are what only a rehearsal knows.
func webNotes(r *Result) []string {
	var out []string
	if t := r.Traffic; t != nil && (t.Requests() > 0 || len(r.Loads) == 0) { // nobody but the load may have sent any
		out = append(out, fmt.Sprintf("%d requests: %d to the primary, %d to the canary; %d failed (%s).",
			t.Requests(), t.Primary, t.Canary, t.Errors(), share(t.Errors(), t.Requests())))
	}
	if r.Users > 0 {
		out = append(out, fmt.Sprintf("%d of %d users saw an error (%s).", r.UsersWithErrors, r.Users, share(r.UsersWithErrors, r.Users)))
	}
	if len(r.Faults) > 0 {
		out = append(out, "Faults of the rehearsal: "+Clean(strings.Join(r.Faults, ", "))+".")
	}
	if len(r.StandIns) > 0 {
		out = append(out, "Stood in for or left out: "+Clean(strings.Join(r.StandIns, ", "))+".")
	}
	return out
}
