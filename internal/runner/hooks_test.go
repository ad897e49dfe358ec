package runner_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/rollout"
)

// webhooks is a fake of everything behind the canary's webhooks.
type webhooks struct {
	mu     sync.Mutex
	answer func(hook canary.HookType, st *rollout.Status) rollout.Verdict
	takes  time.Duration
	calls  []canary.HookType
	times  []time.Time
	phases []rollout.Phase
}

func (w *webhooks) Call(ctx context.Context, hook canary.HookType, st *rollout.Status) rollout.HookAnswer {
	w.mu.Lock()
	w.calls, w.times, w.phases = append(w.calls, hook), append(w.times, time.Now()), append(w.phases, st.Phase)
	answer, takes := w.answer, w.takes
	w.mu.Unlock()
	if takes > 0 {
		select {
		case <-time.After(takes):
		case <-ctx.Done():
			return rollout.HookAnswer{Verdict: rollout.Error, Message: "broken off"}
		}
	}
	verdict := rollout.Pass
	if answer != nil {
		verdict = answer(hook, st)
	}
	return rollout.HookAnswer{Verdict: verdict, Message: string(hook) + " says " + verdict.String()}
}

func (w *webhooks) count(hook canary.HookType) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for _, h := range w.calls {
		if h == hook {
			n++
		}
	}
	return n
}

// hooked is an initialised world whose canary has webhooks.
func hooked(t *testing.T, hooks ...canary.HookType) (*world, *webhooks) {
	t.Helper()
	w := initialised(t)
	w.spec.Hooks, w.spec.GateTimeout = hooks, time.Hour
	return w, &webhooks{}
}

func TestEveryHookIsCalledAtItsTime(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w, hooks := hooked(t, canary.HookConfirmRollout, canary.HookPreRollout, canary.HookRollout,
			canary.HookConfirmTrafficIncrease, canary.HookConfirmPromotion, canary.HookPostRollout)
		run := newRun(w.newProcess(), "v2")
		run.Hooks = hooks
		must(t, run, rollout.Promoted)
		w.serves("v2")
		const more, check = canary.HookConfirmTrafficIncrease, canary.HookRollout
		want := []canary.HookType{
			canary.HookConfirmRollout, canary.HookPreRollout, more, check, more, check, more, check,
			canary.HookConfirmPromotion, canary.HookPostRollout,
		}
		if diff := cmp.Diff(want, hooks.calls); diff != "" {
			t.Errorf("calls (-want +got):\n%s", diff)
		}
		if last := hooks.phases[len(hooks.phases)-1]; last != rollout.Succeeded {
			t.Errorf("the post-rollout hook is told of phase %s", last)
		}
	})
}

func TestAGateIsAskedUntilItOpensAndAtOnceWhenNudged(t *testing.T) {
	for name, nudged := range map[string]bool{"asked every two seconds": false, "nudged": true} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w, hooks := hooked(t, canary.HookConfirmRollout)
				opens := time.Now().Add(61 * time.Second)
				hooks.answer = func(canary.HookType, *rollout.Status) rollout.Verdict {
					if time.Now().Before(opens) {
						return rollout.Fail
					}
					return rollout.Pass
				}
				nudge := make(chan struct{}, 1)
				run := newRun(w.newProcess(), "v2")
				run.Hooks, run.Nudge = hooks, nudge
				if nudged {
					run.GateEvery = time.Hour
					time.AfterFunc(time.Until(opens), func() { nudge <- struct{}{} })
				}
				must(t, run, rollout.Promoted)
				asked := hooks.times[len(hooks.times)-1]
				if late := asked.Sub(opens); late < 0 || late > 2*time.Second {
					t.Errorf("the open gate was seen %s late", late)
				}
				if n := len(hooks.calls); nudged && n > 3 || !nudged && (n < 30 || n > 33) {
					t.Errorf("asked %d times", n)
				}
			})
		})
	}
}

func TestTheAnalysisGoesOnWhileAPromotionWaits(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w, hooks := hooked(t, canary.HookConfirmPromotion, canary.HookRollout)
		hooks.answer = func(hook canary.HookType, _ *rollout.Status) rollout.Verdict {
			if hook == canary.HookConfirmPromotion {
				return rollout.Fail
			}
			return rollout.Pass
		}
		p := w.newProcess()
		p.answer = func(call int) rollout.Verdict { // it breaks while it waits
			if call >= 10 {
				return rollout.Fail
			}
			return rollout.Pass
		}
		run := newRun(p, "v2")
		run.Hooks = hooks
		must(t, run, rollout.RolledBack)
		w.serves("v1")
		if n := hooks.count(canary.HookRollout); n < 10 {
			t.Errorf("the rollout hooks were called %d times only", n)
		}
	})
}

func TestARollbackHookIsHeardAtAGate(t *testing.T) {
	for _, gate := range []canary.HookType{canary.HookConfirmRollout, canary.HookConfirmTrafficIncrease, canary.HookConfirmPromotion} {
		t.Run(string(gate), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w, hooks := hooked(t, gate, canary.HookRollback)
				since := time.Now().Add(5 * time.Minute)
				hooks.answer = func(hook canary.HookType, _ *rollout.Status) rollout.Verdict {
					if hook == canary.HookRollback && time.Now().After(since) {
						return rollout.Pass
					}
					return rollout.Fail
				}
				run := newRun(w.newProcess(), "v2")
				run.Hooks = hooks
				result := must(t, run, rollout.RolledBack)
				if result.Reason.Code != rollout.StopAsked {
					t.Errorf("rolled back since %s", result.Reason)
				}
				if late := time.Since(since); late > 5*time.Second {
					t.Errorf("rolled back %s after the hook", late)
				}
				w.serves("v1")
			})
		})
	}
}

func TestACancelledRunDoesNotWaitForAHookThatHangs(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w, hooks := hooked(t, canary.HookPreRollout)
		hooks.takes = time.Hour
		stop := make(chan struct{})
		time.AfterFunc(20*time.Second, func() { close(stop) })
		start := time.Now()
		run := newRun(w.newProcess(), "v2")
		run.Hooks, run.Stop = hooks, stop
		must(t, run, rollout.Cancelled)
		if took := time.Since(start); took > 27*time.Second {
			t.Errorf("the run ended %s after its start", took)
		}
		w.serves("v1")
	})
}

func TestAHookThatFailsCountsLikeAFailedCheck(t *testing.T) {
	for _, hook := range []canary.HookType{canary.HookPreRollout, canary.HookRollout} {
		t.Run(string(hook), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w, hooks := hooked(t, hook)
				hooks.answer = func(canary.HookType, *rollout.Status) rollout.Verdict { return rollout.Error }
				run := newRun(w.newProcess(), "v2")
				run.Hooks = hooks
				result := must(t, run, rollout.RolledBack)
				if result.Reason.Code != rollout.HookFailed || result.Record.Status.Failed != w.spec.Threshold {
					t.Errorf("rolled back since %s, %d failed checks", result.Reason, result.Record.Status.Failed)
				}
				if n := hooks.count(hook); n != w.spec.Threshold {
					t.Errorf("called %d times, want once for each of %d windows", n, w.spec.Threshold)
				}
				if hook == canary.HookPreRollout && len(w.rises) > 0 {
					t.Errorf("traffic moved before the pre-rollout hooks had passed: %v", w.rises)
				}
			})
		})
	}
}
