package runner_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/penstock-dev/penstock/internal/rollout"
	"github.com/penstock-dev/penstock/internal/runner"
)

// stopWhen closes a channel at the first call for which when is true, just before the call.
func stopWhen(p *process, when func(method string, st *rollout.Status) bool) (stop chan struct{}, at *time.Time) {
	stop, at = make(chan struct{}), &time.Time{}
	p.fault = func(_ int, method string) fault {
		if st := p.recordLocked().Status; at.IsZero() && when(method, &st) {
			*at = time.Now()
			close(stop)
		}
		return fault{}
	}
	return stop, at
}

func TestACancelledRunReachesItsSafeEndFromEveryPhase(t *testing.T) {
	phase := func(phase rollout.Phase, step int) func(string, *rollout.Status) bool {
		return func(method string, st *rollout.Status) bool {
			return method == "apply" && st.Phase == phase && st.Step == step
		}
	}
	tests := map[string]struct {
		first   bool // nothing was ever initialised
		when    func(string, *rollout.Status) bool
		ends    rollout.Outcome
		primary string
		target  string
	}{
		"before it has read anything": {
			when: func(method string, _ *rollout.Status) bool { return method == "load" },
			ends: rollout.Cancelled, primary: "v1", target: "v1",
		},
		"while the first primary is made": {
			first: true, when: phase(rollout.Initializing, 0), ends: rollout.Cancelled, primary: "v1", target: "v1",
		},
		"when the first run is over, before the image is set": {
			first: true, when: phase(rollout.Initialized, 0), ends: rollout.Cancelled, primary: "v1", target: "v1",
		},
		"while the canary starts":       {when: phase(rollout.Progressing, 0), ends: rollout.Cancelled, primary: "v1", target: "v2"},
		"while the first step is taken": {when: phase(rollout.Progressing, 1), ends: rollout.Cancelled, primary: "v1", target: "v2"},
		"in the last window":            {when: phase(rollout.Progressing, 3), ends: rollout.Cancelled, primary: "v1", target: "v2"},
		"in the midst of a check": {
			when: func(method string, _ *rollout.Status) bool { return method == "check" },
			ends: rollout.Cancelled, primary: "v1", target: "v2",
		},
		"past the point of return it is finished": {
			when: phase(rollout.Promoting, 3), ends: rollout.Promoted, primary: "v2", target: "v2",
		},
		"while the traffic goes back it is finished": {
			when: phase(rollout.Finalising, 3), ends: rollout.Promoted, primary: "v2", target: "v2",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := newWorld(t, threeSteps())
				if !test.first {
					w = initialised(t)
				}
				p := w.newProcess()
				run := newRun(p, "v2")
				stop, at := stopWhen(p, test.when)
				run.Stop = stop
				must(t, run, test.ends)
				if took := time.Since(*at); at.IsZero() || took > run.StopWithin {
					t.Errorf("it took %s from the stop to the end, at most %s are allowed", took, run.StopWithin)
				}
				if w.route.Canary != 0 || w.primary.revision != test.primary || w.target.revision != test.target {
					t.Errorf("route %+v, primary %s, target %s", w.route, w.primary.revision, w.target.revision)
				}
			})
		})
	}
}

func TestACancelledCheckIsBrokenOffAndCountsForNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := initialised(t)
		p := w.newProcess()
		run := newRun(p, "v2")
		stop := make(chan struct{})
		run.Stop = stop
		p.asked = func(ctx context.Context) {
			time.AfterFunc(time.Second, func() { close(stop) })
			<-ctx.Done() // a provider that never answers
		}
		start := time.Now()
		result := must(t, run, rollout.Cancelled)
		// The pods, the route, the window, the second until the stop, and the route back.
		if took, want := time.Since(start), podTime+routeTime+w.spec.Interval+time.Second+routeTime; took != want {
			t.Errorf("the run ended after %s, want %s", took, want)
		}
		if w.serves("v1"); result.Snapshot.Status.Failed != 0 {
			t.Errorf("the broken off check cost %d failures", result.Snapshot.Status.Failed)
		}
	})
}

func TestARunWhoseLeaseIsLostBreaksOffItsCheckAndWritesNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := initialised(t)
		p := w.newProcess()
		p.asked = func(ctx context.Context) {
			time.AfterFunc(time.Second, p.steal)
			<-ctx.Done()
		}
		must(t, newRun(p, "v2"), rollout.Superseded) // the fake complains of every write after the loss
		if w.route.Canary != 20 {
			t.Errorf("route %+v, want what the other run found", w.route)
		}
	})
}

func TestACancelledRunThatTheClusterDoesNotFollowEndsInTime(t *testing.T) {
	tests := map[string]func(p *process){
		"the router never settles": func(p *process) { p.notSettling = true },
		"every write is refused": func(p *process) {
			p.fault = func(_ int, method string) fault {
				if method == "apply" || method == "save" {
					return fault{err: errTrouble}
				}
				return fault{}
			}
		},
	}
	for name, happens := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := initialised(t)
				p := w.newProcess()
				run := newRun(p, "v2")
				stop := make(chan struct{})
				run.Stop = stop
				start := time.Now()
				time.AfterFunc(20*time.Second, func() {
					p.mu.Lock()
					defer p.mu.Unlock()
					happens(p)
					close(stop)
				})
				_, err := do(p, run)
				if !errors.Is(err, runner.ErrUnfinished) {
					t.Errorf("the run ended with %v", err)
				}
				if took := time.Since(start); took != 20*time.Second+run.StopWithin {
					t.Errorf("it ended after %s, want StopWithin after the stop", took)
				}
				p.fault, w.notSettling = nil, false
				w.finish("after a cancelled run that could not end")
			})
		})
	}
}

func TestARequestThatHangsDoesNotHoldUpACancelledRun(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := initialised(t)
		p := w.newProcess()
		run := newRun(p, "v2")
		stop := make(chan struct{})
		run.Stop = stop
		run.Cluster = &hanging{process: p, from: 2}
		start := time.Now()
		time.AfterFunc(20*time.Second, func() { close(stop) })
		ctx, die := context.WithCancel(t.Context())
		defer die()
		if _, err := run.Do(ctx); !errors.Is(err, runner.ErrUnfinished) {
			t.Errorf("the run ended with %v", err)
		}
		if took := time.Since(start); took > 20*time.Second+run.StopWithin {
			t.Errorf("it ended after %s", took)
		}
	})
}

// hanging never answers an Apply from a number of them on.
type hanging struct {
	*process
	from int
}

func (h *hanging) Apply(ctx context.Context, want rollout.World) error {
	if h.from--; h.from <= 0 {
		<-ctx.Done()
		return ctx.Err()
	}
	return h.process.Apply(ctx, want)
}

func TestTheEndOfTheContextEndsTheRunAtOnceWhateverItDoes(t *testing.T) {
	tests := map[string]func(p *process){
		"it waits":                           func(*process) {},
		"it cannot read the record":          func(p *process) { p.fault = failing("load") },
		"it cannot set the image":            func(p *process) { p.fault = failing("set image") },
		"it cannot save":                     func(p *process) { p.fault = failing("save") },
		"it waits for a check":               func(p *process) { p.asked = func(ctx context.Context) { <-ctx.Done() } },
		"it waits while the router is stuck": func(p *process) { p.notSettling = true },
	}
	for name, prepare := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := initialised(t)
				p := w.newProcess()
				prepare(p)
				start := time.Now()
				why := errors.New("the job is over")
				ctx, cancel := context.WithCancelCause(t.Context())
				time.AfterFunc(15*time.Second, func() { cancel(why) })
				_, err := newRun(p, "v2").Do(ctx)
				if !errors.Is(err, runner.ErrUnfinished) || !errors.Is(err, why) {
					t.Errorf("the run ended with %v", err)
				}
				synctest.Wait()
				if took := time.Since(start); took != 15*time.Second {
					t.Errorf("it ended after %s", took)
				}
			})
		})
	}
}

func failing(method string) func(int, string) fault {
	return func(_ int, m string) fault {
		if m == method {
			return fault{err: errTrouble}
		}
		return fault{}
	}
}
