package runner_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-dev/penstock/internal/rollout"
	"github.com/penstock-dev/penstock/internal/runner"
)

func TestAClusterThatRefusesForTooLongEndsTheRunAndKeepsItsState(t *testing.T) {
	for _, method := range []string{"load", "set image", "observe", "save", "apply"} {
		t.Run(method, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := initialised(t)
				p := w.newProcess()
				p.fault = failing(method)
				start := time.Now()
				run := newRun(p, "v2")
				run.GiveUp = 30 * time.Second // before the deadline, at which the rollout would be rolled back
				_, err := do(p, run)
				if !errors.Is(err, runner.ErrUnfinished) || !errors.Is(err, errTrouble) {
					t.Errorf("the run ended with %v", err)
				}
				// The last try is at most one pause after the limit.
				if took := time.Since(start); took < run.GiveUp || took > run.GiveUp+6*time.Second {
					t.Errorf("it gave up after %s, the limit is %s", took, run.GiveUp)
				}
				if calls := len(p.calls); calls > 60 {
					t.Errorf("%d calls in half a minute: that is no backoff", calls)
				}
				w.finish("after giving up on " + method)
			})
		})
	}
}

func TestTheTriesGetSlower(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := initialised(t).newProcess()
		p.fault = failing("load")
		synctest.Wait()
		select {
		case <-p.changed: // left over; what has changed is worth a try at once
		default:
		}
		_, _ = do(p, newRun(p, "v2"))
		var pauses []time.Duration
		for i := range 9 {
			pauses = append(pauses, p.times[i+1].Sub(p.times[i]))
		}
		ms := time.Millisecond
		want := []time.Duration{100 * ms, 200 * ms, 400 * ms, 800 * ms, 1600 * ms, 3200 * ms, 5000 * ms, 5000 * ms, 5000 * ms}
		if diff := cmp.Diff(want, pauses); diff != "" {
			t.Errorf("pauses between the tries (-want +got):\n%s", diff)
		}
	})
}

func TestARunThatIsSupersededWritesNothingMore(t *testing.T) {
	t.Parallel()
	n := count(t, initialised)
	for at := range n {
		bubbleNow(t, func(t *testing.T) {
			w := initialised(t)
			p := w.newProcess()
			stolen := false
			p.fault = func(call int, _ string) fault {
				if call == at { // the lease is lost right before this call, which so may still be made
					w.epoch++
					stolen = true
				}
				return fault{}
			}
			run := newRun(p, "v2")
			run.Cluster, run.Journal = fenced{p, &stolen}, fenced{p, &stolen}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			result, err := run.Do(ctx)
			if late := at >= n-1; err != nil || (result.Outcome != rollout.Superseded && !late) {
				t.Errorf("superseded at call %d (%s): %v, %v", at, p.calls[at], result.Outcome, err)
			}
			w.finish("after a superseded run")
		})
	}
}

// fenced refuses writes as the cluster's side of the fence does, from the moment that the lease is stolen.
type fenced struct {
	*process
	stolen *bool
}

func (f fenced) Apply(ctx context.Context, want rollout.World) error {
	if *f.stolen && want.Touch {
		return errSuperseded
	}
	return f.process.Apply(ctx, want)
}

func (f fenced) Save(ctx context.Context, r rollout.Record) error {
	if *f.stolen {
		return errSuperseded
	}
	return f.process.Save(ctx, r)
}

func (f fenced) SetImage(ctx context.Context, images map[string]string) (bool, error) {
	if *f.stolen {
		return false, errSuperseded
	}
	return f.process.SetImage(ctx, images)
}

func TestALostLeaseWakesARunThatWaits(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := initialised(t)
		p := w.newProcess()
		start := time.Now()
		time.AfterFunc(7*time.Second, p.steal) // in the first window
		result := must(t, newRun(p, "v2"), rollout.Superseded)
		if took := time.Since(start); took != 7*time.Second || result.Reason.Code != rollout.OtherRun {
			t.Errorf("it ended after %s: %v", took, result.Reason)
		}
		if w.route.Canary != 20 {
			t.Errorf("route %+v", w.route)
		}
		w.finish("after a superseded run")
	})
}

func TestAnIdleWaitMakesNoCalls(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := initialised(t)
		p := w.newProcess()
		must(t, newRun(p, "v2"), rollout.Promoted)
		checks := 0
		for i, call := range p.calls {
			if call != "check" {
				continue
			}
			checks++
			// The window before a check: nothing happens in it.
			if waited := p.times[i].Sub(p.times[i-1]); waited != w.spec.Interval {
				t.Errorf("check %d came %s after the call before it (%s), want the whole window", checks, waited, p.calls[i-1])
			}
		}
		for i := range p.calls[:len(p.calls)-6] {
			if same := p.times[i+6].Equal(p.times[i]) && strings.Join(p.calls[i:i+3], " ") == "observe apply observe" &&
				strings.Join(p.calls[i+3:i+6], " ") == "apply observe apply"; same {
				t.Errorf("at call %d the run looks three times at once without saving anything: %q", i, p.calls[i:i+6])
			}
		}
	})
}

func TestAnAnalystWithoutAnswersIsNotAskedInABusyLoop(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := initialised(t)
		p := w.newProcess()
		run := newRun(p, "v2")
		run.Analyst = mute{}
		result := must(t, run, rollout.RolledBack)
		if w.serves("v1"); result.Reason.Code != rollout.ProbeFailed || len(p.calls) > 60 {
			t.Errorf("%v after %d calls", result.Reason, len(p.calls))
		}
	})
}

// mute is an analyst that breaks its promise to answer.
type mute struct{}

func (mute) Check(context.Context, time.Time) []rollout.CheckResult { return nil }

func (mute) Probe(context.Context, time.Time) []rollout.CheckResult { return nil }

func TestARuleThatHasNothingToSayDoesNotMakeABusyLoop(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := initialised(t)
		p := w.newProcess()
		run := newRun(p, "v2")
		run.Spec.Steps = nil // nothing to analyse, and nothing says to skip it: undecided for ever
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		defer cancel()
		if _, err := run.Do(ctx); !errors.Is(err, runner.ErrUnfinished) {
			t.Errorf("the run ended with %v", err)
		}
		if perSecond := len(p.calls) / 300; perSecond > 150 {
			t.Errorf("%d calls a second", perSecond)
		}
	})
}

func TestALeaseThatRanOutIsNotCalledTakenOver(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := initialised(t)
		p := w.newProcess()
		p.ranOut = true
		time.AfterFunc(7*time.Second, p.steal)
		result, err := newRun(p, "v2").Do(t.Context())
		if !errors.Is(err, runner.ErrUnfinished) || result.Outcome == rollout.Superseded {
			t.Errorf("it ended as %v: %v", result.Outcome, err)
		}
		w.finish("after a lease that ran out")
	})
}
