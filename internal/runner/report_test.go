package runner_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-dev/penstock/internal/rollout"
	"github.com/penstock-dev/penstock/internal/runner"
)

// listener keeps what it is told. It takes a while for each update.
type listener struct {
	takes   time.Duration
	mu      sync.Mutex
	updates []runner.Update
}

func (l *listener) Report(ctx context.Context, u runner.Update) {
	l.mu.Lock()
	l.updates = append(l.updates, u)
	l.mu.Unlock()
	if l.takes == 0 {
		return
	}
	select {
	case <-time.After(l.takes):
	case <-ctx.Done():
	}
}

func (l *listener) events() []string {
	var all []string
	for _, u := range l.updates {
		for _, e := range u.Events {
			all = append(all, e.Message)
		}
	}
	return all
}

var wholeRollout = []string{
	"New revision detected! Scaling up app.n", "Starting canary analysis for app.n", "Advance c.n canary weight 20", "Advance c.n canary weight 40", "Advance c.n canary weight 60",
	"Copying app.n template spec to app-primary.n", "Routing all traffic to primary", "Promotion completed! Scaling down app.n",
}

func TestReportersAreToldEveryDecisionOnceAndInOrder(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := initialised(t)
		p := w.newProcess()
		run := newRun(p, "v2")
		one, two := &listener{}, &listener{}
		run.Reporters = []runner.Reporter{one, two}
		result := must(t, run, rollout.Promoted)
		decisions := strings.Count(strings.Join(p.calls, " "), "observe")
		if len(one.updates) != decisions || len(two.updates) != decisions {
			t.Errorf("%d and %d updates for %d decisions", len(one.updates), len(two.updates), decisions)
		}
		if diff := cmp.Diff(wholeRollout, one.events()); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
		before := time.Time{}
		for _, u := range one.updates {
			if u.Snapshot.Now.Before(before) {
				t.Errorf("the updates go back in time: %s after %s", u.Snapshot.Now, before)
			}
			before = u.Snapshot.Now
		}
		last := one.updates[len(one.updates)-1].Snapshot
		if last.Outcome != rollout.Promoted || last.Status.Phase != rollout.Succeeded {
			t.Errorf("the last update shows %v, %s", last.Outcome, last.Status.Phase)
		}
		if diff := cmp.Diff(result.Snapshot.History, last.History); diff != "" {
			t.Errorf("history of the result and of the last update:\n%s", diff)
		}
	})
}

func TestASlowReporterDoesNotHoldUpTheRolloutAndMissesNothingThatMatters(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := initialised(t)
		p := w.newProcess()
		run := newRun(p, "v2")
		slow := &listener{takes: 2 * time.Second}
		run.Reporters = []runner.Reporter{slow}
		start := time.Now()
		must(t, run, rollout.Promoted)
		if at := p.times[len(p.times)-1].Sub(start); at != podTime+3*(routeTime+w.spec.Interval)+podTime+routeTime {
			t.Errorf("the last call came after %s: the reporter held up the rollout", at)
		}
		got := slow.events()
		if diff := cmp.Diff(wholeRollout[:len(got)], got); diff != "" || len(got) < 6 {
			t.Errorf("events (-want +got):\n%s", diff)
		}
	})
}

func TestAReporterThatHangsDoesNotKeepTheRunFromEnding(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := initialised(t)
		p := w.newProcess()
		run := newRun(p, "v2")
		run.Reporters = []runner.Reporter{&listener{takes: 1000 * time.Hour}}
		must(t, run, rollout.Promoted)
		if late := time.Since(p.times[len(p.times)-1]); late > 6*time.Second {
			t.Errorf("the run ended %s after its last call", late)
		}
	})
}

func TestALongWaitDoesNotFillTheQueueOfASlowReporter(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := initialised(t)
		p := w.newProcess()
		run := newRun(p, "v2")
		slow := &listener{takes: 15 * time.Second}
		run.Reporters = []runner.Reporter{slow}
		ctx, cancel := context.WithCancel(t.Context())
		var busy sync.WaitGroup
		busy.Go(func() { // pods that come and go
			for ctx.Err() == nil {
				p.signal()
				pass(100 * time.Millisecond)
			}
		})
		must(t, run, rollout.Promoted)
		cancel()
		busy.Wait()
		if n := len(slow.updates); n > 10 {
			t.Errorf("%d updates shown in the time for less", n)
		}
	})
}

func TestAnEventIsNotLostWithTheAnswerOfAWrite(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := initialised(t)
		p := w.newProcess()
		last := ""
		p.fault = func(_ int, method string) fault { // every first apply after a save is refused
			refuse := method == "apply" && last == "save"
			last = method
			if refuse {
				return fault{err: errTrouble}
			}
			return fault{}
		}
		run := newRun(p, "v2")
		l := &listener{}
		run.Reporters = []runner.Reporter{l}
		must(t, run, rollout.Promoted)
		if diff := cmp.Diff(wholeRollout, l.events()); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
		retries, decided := 0, false
		for _, u := range l.updates {
			if strings.HasPrefix(u.Snapshot.Reason, "trying again: ") {
				retries++
				decided = decided || strings.Contains(u.Snapshot.Reason, "; what is to be done: new revision of the target")
			}
		}
		if retries == 0 || !decided {
			t.Errorf("told %d times that the cluster refuses, and what was decided: %v", retries, decided)
		}
	})
}
