package report

import "github.com/penstock-dev/penstock/internal/rollout"

// Steps tells the steps of the analysis from a history. The checks of an entry judge the step that was in force before
// it: an entry that takes step three carries what step two measured. After a new revision only its own steps count.
func Steps(history []rollout.Entry) []Step {
	var steps []Step
	at, failed := 0, 0 // the step in force, 0 when there is none
	for i := range history {
		e := &history[i]
		if at > 0 {
			s := &steps[len(steps)-1]
			if len(e.Checks) > 0 {
				s.Checks = e.Checks
			}
			s.FailedChecks += max(0, e.Failed-failed)
			if e.Step != at || !analysing(e.Phase) {
				s.Left, at = e.Time, 0
			}
		}
		if failed = e.Failed; !analysing(e.Phase) {
			continue
		}
		if e.Step == 0 {
			steps, at = nil, 0
		} else if at == 0 {
			steps, at = append(steps, Step{Number: e.Step, Weight: e.Weight, Entered: e.Time}), e.Step
		}
	}
	return steps
}

// analysing reports whether a step is in force: one that waits for its promotion is judged all the while.
func analysing(p rollout.Phase) bool {
	return p == rollout.Progressing || p == rollout.WaitingPromotion
}

// Summarise makes the result of a run from its last snapshot. The caller adds the exit code and what only it knows.
func Summarise(s Snapshot) Result {
	r := Result{
		Outcome: Outcome(s.Outcome), Canary: s.Canary, Namespace: s.Namespace, Provider: s.Provider,
		Revision: s.Status.Revision, Image: s.Image,
		Reason: s.Status.Reason.Code, Message: s.Reason,
		Weight: s.Status.Weight, FailedChecks: s.Status.Failed, Threshold: s.Spec.Threshold,
		Finished: s.Now, Steps: Steps(s.History), Loads: s.Loads, PrimaryScaler: s.Primary.Scaler, CanaryScaler: s.Target.Scaler,
	}
	for i := range r.Steps {
		if n := r.Steps[i].Number; n <= len(s.Spec.Steps) {
			r.Steps[i].Mirror, r.Steps[i].Match = s.Spec.Steps[n-1].Mirror, s.Spec.Steps[n-1].Match
		}
	}
	if len(s.History) > 0 {
		r.Started = s.History[0].Time
	}
	return r
}
