package runner_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/penstock-dev/penstock/internal/rollout"
	"github.com/penstock-dev/penstock/internal/runner"
)

// scenarios are the worlds in which a run of image v2 is killed at every call.
func scenarios() map[string]func(t *testing.T) *world {
	return map[string]func(t *testing.T) *world{
		"a first run with an image": func(t *testing.T) *world { t.Helper(); return newWorld(t, threeSteps()) },
		"a new image":               initialised,
		"a new image after a failed one": func(t *testing.T) *world {
			t.Helper()
			w := initialised(t)
			p := w.newProcess()
			p.answer = func(int) rollout.Verdict { return rollout.NoData }
			must(t, newRun(p, "broken"), rollout.RolledBack)
			w.checked, w.rises, w.passed = 0, nil, false
			return w
		},
		"traffic goes back in steps": func(t *testing.T) *world {
			t.Helper()
			w := initialised(t)
			w.spec.Promotion = []rollout.Weight{40, 20}
			return w
		},
	}
}

// count returns how many calls a run of v2 makes when nothing goes wrong.
func count(t *testing.T, prepare func(*testing.T) *world) (n int) {
	t.Helper()
	t.Run("undisturbed", func(t *testing.T) {
		bubbleNow(t, func(t *testing.T) {
			w := prepare(t)
			p := w.newProcess()
			must(t, newRun(p, "v2"), rollout.Promoted)
			w.serves("v2")
			n = len(p.calls)
		})
	})
	return n
}

func TestARunThatIsKilledAtAnyCallIsFinishedByTheNext(t *testing.T) {
	t.Parallel()
	for name, prepare := range scenarios() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := count(t, prepare)
			if n < 20 {
				t.Fatalf("a whole rollout made only %d calls", n)
			}
			for at := range n {
				for _, after := range []bool{false, true} {
					bubbleNow(t, func(t *testing.T) { killedAt(t, prepare(t), at, after) })
				}
			}
		})
	}
}

func killedAt(t *testing.T, w *world, at int, after bool) {
	t.Helper()
	p := w.newProcess()
	p.fault = func(call int, _ string) fault { return fault{deadly: call == at, after: after} }
	if _, err := do(p, newRun(p, "v2")); !errors.Is(err, runner.ErrUnfinished) {
		t.Errorf("killed at call %d: %v", at, err)
	}
	pass(time.Duration(at%3) * time.Minute) // the next run may come much later; this is the bubble's time
	w.finish(fmt.Sprintf("killed at call %d (%s), after its effect: %v", at, p.calls[at], after))
}

// finish runs v2 until it is promoted, and checks the world and the history.
func (w *world) finish(what string) {
	w.t.Helper()
	p := w.newProcess()
	result, err := do(p, newRun(p, "v2"))
	if err != nil || (result.Outcome != rollout.Promoted && result.Outcome != rollout.Unchanged) {
		w.t.Errorf("%s: the next run ended with %v, %v (%s)", what, result.Outcome, err, result.Reason)
		return
	}
	if w.serves("v2"); w.t.Failed() {
		w.t.Log(what)
	}
	if result.Outcome == rollout.Promoted {
		checkHistory(w.t, result.Record, what)
	}
}

// checkHistory holds the record to the rule that a step is left only with checks, whoever wrote the entries.
func checkHistory(t *testing.T, r rollout.Record, what string) {
	t.Helper()
	before := rollout.Entry{}
	for _, e := range r.History {
		if e.Time.Before(before.Time) {
			t.Errorf("%s: the history goes back in time at %+v", what, e)
		}
		if left := e.Phase != before.Phase || e.Step > before.Step; before.Phase == rollout.Progressing && before.Step > 0 && left &&
			e.Phase != rollout.RollingBack && e.Step >= before.Step && len(e.Checks) == 0 {
			t.Errorf("%s: step %d was left without checks: %+v", what, before.Step, e)
		}
		before = e
	}
}

func TestRunsThatAreKilledAgainAndAgainGetThere(t *testing.T) {
	t.Parallel()
	for seed := range uint64(300) {
		bubbleNow(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 1))
			w := initialised(t)
			for range 1 + random.IntN(6) {
				at, after := random.IntN(30), random.IntN(2) == 0
				p := w.newProcess()
				p.fault = func(call int, _ string) fault { return fault{deadly: call == at, after: after} }
				if _, err := do(p, newRun(p, "v2")); err == nil {
					break
				}
				pass(time.Duration(random.IntN(30)) * time.Second)
			}
			w.finish(fmt.Sprintf("seed %d", seed))
		})
	}
}

func TestErrorsInBurstsCostTimeAndNothingElse(t *testing.T) {
	t.Parallel()
	for name, prepare := range scenarios() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(150) {
				bubbleNow(t, func(t *testing.T) {
					w := prepare(t)
					p := w.newProcess()
					p.fault = bursts(seed)
					result, err := do(p, newRun(p, "v2"))
					if err != nil || result.Outcome != rollout.Promoted {
						t.Errorf("seed %d: %v, %v (%s)", seed, result.Outcome, err, result.Reason)
					}
					if w.serves("v2"); t.Failed() {
						t.Logf("seed %d", seed)
					}
					checkHistory(t, result.Record, fmt.Sprintf("seed %d", seed))
				})
			}
		})
	}
}

// bursts fails one to four calls in a row, again and again, with and without their effect.
func bursts(seed uint64) func(int, string) fault {
	random := rand.New(rand.NewPCG(seed, 2))
	left := 0
	return func(_ int, method string) fault {
		if left == 0 && random.IntN(8) == 0 {
			left = 1 + random.IntN(4)
		} else if left > 0 {
			left--
		}
		if left == 0 || method == "check" || method == "probe" {
			return fault{}
		}
		return fault{err: errTrouble, after: random.IntN(2) == 0}
	}
}
