package e2e

import (
	"slices"
	"syscall"
	"testing"
)

// A story is a run of penstock that is killed at each of its changes.
type story struct {
	provider string
	change   []func(map[string]any)
	before   func(s *scenario) // what happens until the run starts
	args     []string          // of the run that is killed
	meanness func(t *tap, c *change, after bool)
	code     int // of the run when nothing befalls it

	again []string // the run by which a user tries again
	retry int      // and how that one ends
	ends  []string // where the cluster may be after finalize
	goals []string // where it may be after the run was tried again
}

// The states that the cluster may be in when nothing is under way. Each says who serves all users, and what the record says.
const (
	unborn    = "the target serves " + v1
	conceived = "the target serves " + v1 + ", Initializing" // and the next run makes its primary
	born      = "the primary serves " + v1 + ", Initialized"
	gaveUp    = "the primary serves " + v1 + ", Failed"
	promoted  = "the primary serves " + v2 + ", Succeeded"
	unchanged = "the primary serves " + v2 + ", Initialized" // after a run that found nothing to do
	replaced  = "the primary serves " + v3 + ", Succeeded"
)

// steps makes a canary of one or two steps.
func steps(by, upTo int) []func(map[string]any) {
	return []func(map[string]any){analysis("stepWeight", by), analysis("maxWeight", upTo), analysis("threshold", 1)}
}

func stories() map[string]story {
	run := []string{"run", "-f", "canary.yaml"}
	rollOut := append(slices.Clone(run), "--image", "podinfo="+v2)
	initialise := func(s *scenario) { s.initialise() }
	broken := func(s *scenario) {
		s.initialise()
		s.prometheus.Script("", Value(10))
	}
	return map[string]story{
		"first run": {
			provider: "gatewayapi:v1", change: steps(30, 60), args: run,
			before: func(s *scenario) { s.service("podinfo", "podinfo") },
			again:  run, ends: []string{unborn, conceived, born}, goals: []string{born},
		},
		"promotion": {
			provider: "gatewayapi:v1", change: steps(30, 60), before: initialise, args: rollOut,
			again: rollOut, ends: []string{born, gaveUp, promoted}, goals: []string{promoted, unchanged},
		},
		"promotion on an Ingress": {
			provider: "nginx", change: steps(50, 50), before: initialise, args: rollOut,
			again: rollOut, ends: []string{born, gaveUp, promoted}, goals: []string{promoted, unchanged},
		},
		"blue/green": {
			provider: "kubernetes", change: []func(map[string]any){analysis("iterations", 1)}, before: initialise, args: rollOut,
			again: rollOut, ends: []string{born, gaveUp, promoted}, goals: []string{promoted, unchanged},
		},
		"rollback": {
			provider: "gatewayapi:v1", change: steps(50, 50), before: broken, args: rollOut, code: 1,
			again: rollOut, retry: 1, ends: []string{born, gaveUp}, goals: []string{gaveUp},
		},
		"cancellation": {
			provider: "gatewayapi:v1", change: append(steps(50, 50), analysis("interval", "2s")), before: initialise, args: rollOut, code: 130,
			meanness: func(t *tap, c *change, after bool) {
				if after && c.label == "at Progressing 1/50%: PATCH httproutes/podinfo" {
					t.run.signal(syscall.SIGINT)
				}
			},
			again: rollOut, ends: []string{born, gaveUp}, goals: []string{promoted, unchanged},
		},
		"uninstallation": {
			provider: "gatewayapi:v1", change: steps(50, 50), before: initialise, args: append(slices.Clone(run), "--uninstall"),
			again: append(slices.Clone(run), "--uninstall"), ends: []string{born, unborn}, goals: []string{unborn},
		},
		"finalize": {
			provider: "gatewayapi:v1", change: append(steps(50, 50), analysis("interval", "2s")),
			before: func(s *scenario) {
				s.initialise()
				first := s.rollOut(v2)
				s.awaitWeight(50)
				first.Kill()
			},
			args:  []string{"finalize", "-f", "canary.yaml"},
			again: rollOut, ends: []string{gaveUp}, goals: []string{promoted, unchanged},
		},
	}
}

// start begins a story in a namespace of its own, up to the run that strike befalls.
func (st *story) start(t *testing.T, strike func(t *tap, c *change, after bool)) (*scenario, *tap) {
	t.Helper()
	s := newScenario(t, st.provider, st.change...)
	s.administer()
	if st.before != nil {
		st.before(s)
	}
	return s, s.tapped(func(t *tap, c *change, after bool) {
		if st.meanness != nil {
			<-t.started
			st.meanness(t, c, after)
		}
		if strike != nil {
			strike(t, c, after)
		}
	}, st.args...)
}

// undisturbed tells the story once and returns the changes of its run, in their order.
func (st *story) undisturbed(t *testing.T) []change {
	t.Helper()
	s, tap := st.start(t, nil)
	s.endLater(tap.run, st.code)
	s.wantSafe()
	s.wantOneWriter()
	return tap.all()
}

// An heir comes after a run that was killed.
type heir int

const (
	finalizes heir = iota
	triesAgain
	rollsOutAnother
	finalizesAll
	heirs // how many there are
)

func (h heir) String() string {
	return [...]string{"finalize", "run again", "run of another revision", "finalize --expired"}[h]
}

// follow starts an heir, and returns it with what it may end with and where it may leave the cluster.
func (st *story) follow(s *scenario, h heir) (next *tap, code int, ends []string) {
	switch h {
	case triesAgain:
		return s.tapped(nil, st.again...), st.retry, st.goals
	case rollsOutAnother:
		s.prometheus.Script("", Value(100))
		s.prometheus.Script("histogram_quantile", Value(50))
		return s.tapped(nil, "run", "-f", "canary.yaml", "--image", "podinfo="+v3), 0, []string{replaced}
	case finalizes:
		return s.tapped(nil, "finalize", "-f", "canary.yaml"), 0, st.ends
	case finalizesAll, heirs:
	}
	return s.tapped(nil, "finalize", "-f", "canary.yaml", "--expired"), 0, st.ends
}

// A run that is killed with SIGKILL at any request by which it changes the world, before the API server gets it or after,
// leaves nothing that finalize, the same run or another one does not bring to a safe end.
func TestARunThatIsKilledAtAnyChangeIsBroughtToASafeEnd(t *testing.T) {
	t.Parallel()
	book := newLedger("SIGKILL at every change", "killed", "and then came", "the end")
	t.Run("story", func(t *testing.T) {
		for name, st := range stories() {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				changes := st.undisturbed(t)
				book.points(name, changes)
				for i, c := range changes {
					for _, after := range []bool{false, true} {
						h := heir((2*i + i/2) % int(heirs))
						if after {
							h = heir((2*i + i/2 + 1) % int(heirs))
						}
						t.Run(c.label, func(t *testing.T) {
							t.Parallel()
							st.killed(t, killing{story: name, at: c.label, after: after, heir: h, book: book})
						})
					}
				}
			})
		}
	})
	book.print(t)
	for _, label := range book.missed() {
		t.Errorf("a run came to a change at which none was killed: %s", label)
	}
}

// A killing is one crash point and who comes after it.
type killing struct {
	story, at string
	after     bool // the API server has answered, and the process does not hear of it
	heir      heir
	book      *ledger
}

func (k killing) when() string {
	if k.after {
		return "after the change"
	}
	return "before the change"
}

func (st *story) killed(t *testing.T, k killing) {
	t.Helper()
	s, tap := st.start(t, func(tap *tap, c *change, after bool) {
		if c.label == k.at && after == k.after {
			tap.kill()
		}
	})
	code := tap.run.Wait(takeover)
	k.book.see(tap.all())
	if code != -1 && repeats(k.at) {
		t.Skipf("the run has ended with %d, and had nothing to repeat: %q", code, k.at)
	}
	if code != -1 {
		t.Fatalf("the run has ended with %d, and never came to %q", code, k.at)
	}
	next, code, ends := st.follow(s, k.heir)
	s.endLater(next.run, code)
	end := s.endState()
	if !slices.Contains(ends, end) {
		t.Errorf("killed %s, then %s: the end is %q, want one of %q", k.when(), k.heir, end, ends)
	}
	k.book.enter(k.story+", "+k.when(), k.heir.String(), end)
	k.book.count(s.wantSafe(), s.wantOneWriter())
}
