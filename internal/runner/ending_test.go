package runner_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/penstock-dev/penstock/internal/rollout"
)

// ending is a run that brings an end to what another one has left, as finalize does.
func ending(p *process) (rollout.Outcome, error) {
	run := newRun(p, "")
	stop := make(chan struct{})
	close(stop)
	run.Ending, run.Stop, run.StopWithin = true, stop, time.Minute
	result, err := do(p, run)
	return result.Outcome, err
}

// Wherever a run was killed, also between the saving of its last decision and its carrying out: who ends its rollout leaves
// all traffic on the primary and no pods of the canary.
func TestARunThatIsKilledAtAnyCallIsBroughtToAnEnd(t *testing.T) {
	t.Parallel()
	n := count(t, initialised)
	for at := range n {
		for _, after := range []bool{false, true} {
			bubbleNow(t, func(t *testing.T) {
				w := initialised(t)
				p := w.newProcess()
				p.fault = func(call int, _ string) fault { return fault{deadly: call == at, after: after} }
				_, _ = do(p, newRun(p, "v2"))
				outcome, err := ending(w.newProcess())
				what := fmt.Sprintf("killed at call %d (%s), after its effect: %v", at, p.calls[at], after)
				if err != nil || outcome != rollout.Cancelled && outcome != rollout.Promoted {
					t.Fatalf("%s: the end is %v, %v", what, outcome, err)
				}
				if w.route.Canary != 0 || w.target.replicas != 0 {
					t.Errorf("%s: the canary is left with %d %% of the traffic and %d pods", what, w.route.Canary, w.target.replicas)
				}
			})
		}
	}
}

// An end that was saved is carried out, and stays what it was.
func TestAnEndThatWasSavedIsCarriedOut(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		verdict rollout.Verdict
		phase   rollout.Phase
		outcome rollout.Outcome
	}{
		"promoted":    {rollout.Pass, rollout.Succeeded, rollout.Promoted},
		"rolled back": {rollout.Fail, rollout.Failed, rollout.RolledBack},
	} {
		bubbleNow(t, func(t *testing.T) {
			w := initialised(t)
			p := w.newProcess()
			p.answer = func(int) rollout.Verdict { return c.verdict }
			p.fault = func(_ int, method string) fault {
				return fault{deadly: method == "apply" && w.recordLocked().Status.Phase == c.phase}
			}
			if _, err := do(p, newRun(p, "v2")); err == nil || w.target.replicas == 0 {
				t.Fatalf("%s: the run was not killed before it scaled the canary down: %v", name, err)
			}
			saved := string(w.saved)
			if outcome, err := ending(w.newProcess()); err != nil || outcome != c.outcome {
				t.Errorf("%s: the end is %v, %v", name, outcome, err)
			}
			if w.target.replicas != 0 || string(w.saved) != saved {
				t.Errorf("%s: the canary has %d pods, and the record went from %s to %s", name, w.target.replicas, saved, w.saved)
			}
		})
	}
}

// Who ends a rollout because people have rejected it has not cancelled anything: what they said is the reason.
func TestARolloutThatPeopleRejectIsRolledBackAndNotCancelled(t *testing.T) {
	t.Parallel()
	bubbleNow(t, func(t *testing.T) {
		w := initialised(t)
		p := w.newProcess()
		killed := false
		p.fault = func(_ int, call string) fault {
			killed = killed || w.route.Canary > 0
			return fault{deadly: killed}
		}
		_, _ = do(p, newRun(p, "v2"))
		run := newRun(w.newProcess(), "")
		stop := make(chan struct{})
		close(stop)
		run.Ending, run.Stop, run.StopWithin, run.StopWhy = true, stop, time.Minute, "reject by bob"
		result, err := do(w.newProcess(), run)
		if err != nil || result.Outcome != rollout.RolledBack || result.Reason.Detail != "reject by bob" || w.route.Canary != 0 {
			t.Errorf("%v, %v (%+v), %d %%", err, result.Outcome, result.Reason, w.route.Canary)
		}
	})
}
