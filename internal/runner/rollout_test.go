package runner_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/utils/clock"

	"github.com/penstock-dev/penstock/internal/report"
	"github.com/penstock-dev/penstock/internal/rollout"
	"github.com/penstock-dev/penstock/internal/runner"
)

func threeSteps() *rollout.Spec {
	return &rollout.Spec{
		Name: "c.n", Target: "app.n", Primary: "app-primary.n",
		Steps:    []rollout.Step{{Weight: 20}, {Weight: 40}, {Weight: 60}},
		Interval: 10 * time.Second, Threshold: 2, Deadline: time.Minute, Checks: []string{"success"},
	}
}

// newRun is a run of an image; an empty one rolls out what is in the target.
func newRun(p *process, image string) *runner.Run {
	r := &runner.Run{
		Record: rollout.Record{ID: "run", Target: "app"}, Spec: *p.spec,
		Cluster: p, Journal: p, Analyst: p, Fence: p, Clock: clock.RealClock{},
		Superseded: errSuperseded, StopWithin: 7 * time.Second, GiveUp: p.spec.Deadline,
	}
	if image != "" {
		r.Images = map[string]string{"app": image}
	}
	return r
}

// do runs until the end, or the death of the process.
func do(p *process, run *runner.Run) (runner.Result, error) {
	ctx, die := context.WithCancel(p.t.Context())
	defer die()
	p.die = die
	return run.Do(ctx)
}

// must runs until an end that is wanted.
func must(t *testing.T, run *runner.Run, want rollout.Outcome) runner.Result {
	t.Helper()
	result, err := do(run.Cluster.(*process), run)
	if err != nil || result.Outcome != want {
		t.Fatalf("the run ended with %v, %v (%s); want %v", result.Outcome, err, result.Reason, want)
	}
	return result
}

// initialised is a world whose first run is over.
func initialised(t *testing.T) *world {
	t.Helper()
	w := newWorld(t, threeSteps())
	must(t, newRun(w.newProcess(), ""), rollout.Initialised)
	return w
}

// serves checks that a revision is promoted, has all the traffic, and that the canary is gone.
func (w *world) serves(revision string) {
	w.t.Helper()
	got := []any{w.primary.revision, w.route, w.target.replicas}
	if diff := cmp.Diff([]any{revision, rollout.Route{Managed: true}, 0}, got); diff != "" {
		w.t.Errorf("primary, route, and replicas of the canary (-want +got):\n%s", diff)
	}
}

// pass lets time pass that costs none.
func pass(d time.Duration) { <-time.After(d) }

// bubble runs a test on time of its own.
func bubble(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, test)
}

// bubbleNow is bubble for one of many in a test.
func bubbleNow(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, test)
}

func TestTheFirstRunInitialisesAndNothingIsAnalysed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := initialised(t)
		w.serves("v1")
		if w.checked != 0 || len(w.rises) != 0 {
			t.Errorf("%d checks and the weights %v in a first run", w.checked, w.rises)
		}
	})
}

func TestAFirstRunWithAnImageInitialisesFromTheOldAndAnalysesTheNew(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, threeSteps())
		result := must(t, newRun(w.newProcess(), "v2"), rollout.Promoted)
		w.serves("v2")
		if w.promotedN != 2 {
			t.Errorf("the primary was written %d times, want once for v1 and once for v2", w.promotedN)
		}
		if diff := cmp.Diff([]rollout.Weight{20, 40, 60}, w.rises); diff != "" {
			t.Errorf("weights (-want +got):\n%s", diff)
		}
		if result.Record.Status.Phase != rollout.Succeeded || result.Snapshot.Status.Revision != "v2" {
			t.Errorf("the result shows %+v", result.Snapshot.Status)
		}
	})
}

func TestAnImageIsNotSetWhenTheInitialisationFailed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, threeSteps())
		w.primary.never["v1"] = true
		must(t, newRun(w.newProcess(), "v2"), rollout.RolledBack)
		if w.target.revision != "v1" || w.route.Managed {
			t.Errorf("the target that serves the users runs %s; route %+v", w.target.revision, w.route)
		}
	})
}

func TestANewImageIsPromotedThroughAllSteps(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := initialised(t)
		start := time.Now()
		result := must(t, newRun(w.newProcess(), "v2"), rollout.Promoted)
		w.serves("v2")
		// Pods up, three steps with a route and a window each, primary up, the route back.
		want := podTime + 3*(routeTime+w.spec.Interval) + podTime + routeTime
		if took := time.Since(start); took != want {
			t.Errorf("it took %s; the cluster and the analysis need %s", took, want)
		}
		checkSteps(t, result.Record)
		if w.checked != 3 {
			t.Errorf("%d checks, want one a step", w.checked)
		}
		must(t, newRun(w.newProcess(), "v2"), rollout.Unchanged)
		w.serves("v2")
		must(t, newRun(w.newProcess(), "v3"), rollout.Promoted)
		w.serves("v3")
	})
}

// checkSteps holds a history to what the report makes of it: every step, each with the checks that judged it.
func checkSteps(t *testing.T, r rollout.Record) {
	t.Helper()
	var got []rollout.Weight
	for _, s := range report.Steps(r.History) {
		got = append(got, s.Weight)
		if len(s.Checks) == 0 || s.Left.Sub(s.Entered) < 10*time.Second {
			t.Errorf("step %d %%: checks %v, from %s to %s", s.Weight, s.Checks, s.Entered, s.Left)
		}
	}
	if diff := cmp.Diff([]rollout.Weight{20, 40, 60}, got); diff != "" {
		t.Errorf("steps of the history (-want +got):\n%s", diff)
	}
}

func TestARejectedImageIsRolledBackAndRetriedByTheNextRun(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := initialised(t)
		p := w.newProcess()
		p.answer = func(int) rollout.Verdict { return rollout.Fail }
		result := must(t, newRun(p, "v2"), rollout.RolledBack)
		if w.serves("v1"); result.Reason.Code != rollout.CheckFailed || result.Snapshot.Status.Failed != 2 {
			t.Errorf("rolled back for %v after %d failed checks", result.Reason, result.Snapshot.Status.Failed)
		}
		must(t, newRun(w.newProcess(), "v2"), rollout.Promoted)
		w.serves("v2")
	})
}

func TestARunStartsWithItsOwnHistory(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := initialised(t)
		pass(24 * time.Hour) // the bubble's
		start := time.Now()
		result := must(t, newRun(w.newProcess(), "v2"), rollout.Promoted)
		if first := result.Record.History[0].Time; first.Before(start) || result.Record.Started.Before(start) {
			t.Errorf("the rollout started at %s, its history at %s and its record at %s", start, first, result.Record.Started)
		}
	})
}

func TestARunRemembersTheRolloutsBeforeIt(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := initialised(t)
		failing := w.newProcess()
		failing.answer = func(int) rollout.Verdict { return rollout.Fail }
		must(t, newRun(failing, "v2"), rollout.RolledBack)
		must(t, newRun(w.newProcess(), "v2"), rollout.Promoted)
		must(t, newRun(w.newProcess(), ""), rollout.Unchanged)
		result := must(t, newRun(w.newProcess(), "v3"), rollout.Promoted)
		var past []string
		for _, e := range result.Record.Past {
			past = append(past, e.Revision+" "+string(e.Phase)+" "+string(e.Reason.Code))
		}
		if diff := cmp.Diff([]string{"v2 Failed CheckFailed", "v2 Succeeded AllPassed"}, past); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		for range 12 {
			must(t, newRun(w.newProcess(), "v4"), rollout.Promoted)
			result = must(t, newRun(w.newProcess(), "v5"), rollout.Promoted)
		}
		if past := result.Record.Past; len(past) != 20 || past[19].Revision != "v4" || past[18].Revision != "v5" {
			t.Errorf("it remembers %d, want the newest 20: %+v", len(past), past)
		}
	})
}

func TestANewerImageMeetsAnUnfinishedRollout(t *testing.T) {
	tests := map[string]struct {
		until  rollout.Phase // the older run dies here
		answer rollout.Verdict
		wrote  int // how often the primary is overwritten in all, the first run included
	}{
		"in the analysis it starts over with the newer image":    {rollout.Progressing, rollout.Pass, 2},
		"past the promotion the older one is finished first":     {rollout.Promoting, rollout.Pass, 3},
		"while traffic goes back the older one is finished":      {rollout.Finalising, rollout.Pass, 3},
		"while it is rolled back the way back is finished first": {rollout.RollingBack, rollout.Fail, 2},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := initialised(t)
				p := w.newProcess()
				p.answer = func(int) rollout.Verdict { return test.answer }
				p.fault = func(_ int, method string) fault {
					return fault{deadly: method == "apply" && w.recordLocked().Status.Phase == test.until}
				}
				if _, err := do(p, newRun(p, "v2")); !errors.Is(err, runner.ErrUnfinished) {
					t.Fatalf("the first run ended with %v", err)
				}
				must(t, newRun(w.newProcess(), "v3"), rollout.Promoted)
				if w.serves("v3"); w.promotedN != test.wrote {
					t.Errorf("the primary was written %d times, want %d", w.promotedN, test.wrote)
				}
			})
		})
	}
}

func TestAPushInTheMiddleStartsOverAtWeightZero(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := initialised(t)
		time.AfterFunc(20*time.Second, func() { w.push("v3") })
		result := must(t, newRun(w.newProcess(), "v2"), rollout.Promoted)
		w.serves("v3")
		if diff := cmp.Diff([]rollout.Weight{20, 40, 20, 40, 60}, w.rises); diff != "" {
			t.Errorf("weights (-want +got):\n%s", diff)
		}
		checkSteps(t, result.Record)
	})
}
