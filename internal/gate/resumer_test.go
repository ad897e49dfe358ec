package gate_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/utils/clock"

	"github.com/penstock-dev/penstock/internal/approval"
	"github.com/penstock-dev/penstock/internal/forge"
	"github.com/penstock-dev/penstock/internal/gate"
	"github.com/penstock-dev/penstock/internal/report"
	"github.com/penstock-dev/penstock/internal/rollout"
)

// sleeper is a rollout that is suspended at a gate, in a cluster that several servers see, and the forge that starts its run.
type sleeper struct {
	mu       sync.Mutex
	standing report.Standing
	mark     rollout.Resumption
	waits    int     // how often the run is not ready yet
	fails    []error // of the starts, in their order
	found    forge.Found
	slow     time.Duration // that a start takes
	hopeless error         // that the forge says while somebody is at a start
	log      []string
}

func asleep(now time.Time) *sleeper {
	n := posted(now, "podinfo")
	return &sleeper{standing: report.Standing{Namespace: "shop", Canary: "podinfo", Notice: &n, Record: rollout.Record{
		ID: n.Gate.Rollout, Epoch: 3, Status: rollout.Status{Phase: rollout.WaitingPromotion, Gate: "confirm-promotion", Suspended: now},
	}}}
}

// says enters what somebody says at the gate.
func (s *sleeper) says(verb approval.Verb, target bool) {
	g := s.standing.Notice.Gate
	e := approval.Event{
		Source: g.Source, BodyHash: "x", ID: int64(len(s.standing.Decisions.Decisions)) + 1, Actor: approval.Actor{ID: bob, Login: "bob"}, CreatedAt: g.OpenedAt.Add(time.Second),
		Command: approval.Command{Verb: verb}, Live: approval.Permission{Known: true, Role: approval.RoleWrite}, Observed: g.OpenedAt.Add(time.Second), SHA: g.SHA,
	}
	if target {
		e.Command.Target = g.Target()
	}
	s.standing.Decisions = approval.Reduce(s.standing.Decisions, g, s.standing.Notice.Policy, e)
}

func (s *sleeper) said(format string, args ...any) {
	s.log = append(s.log, fmt.Sprintf(format, args...))
}

// Resume implements gate.Marks.
func (s *sleeper) Resume(_ context.Context, _, _ string, change func(rollout.Record, rollout.Resumption) rollout.Resumption) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mark = change(s.standing.Record, s.mark)
	return nil
}

func (s *sleeper) Ready(context.Context) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waits > 0 {
		s.waits--
		return "the workflow run is not over", nil
	}
	if s.mark.State == rollout.Asked {
		return "", s.hopeless
	}
	return "", nil
}

func (s *sleeper) Look(context.Context, time.Time) (forge.Found, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.said("looks")
	return s.found, nil
}

func (s *sleeper) Start(context.Context) error {
	time.Sleep(s.slow) // of the bubble: no time passes
	s.mu.Lock()
	defer s.mu.Unlock()
	s.said("starts, marked %s", s.mark.State)
	if len(s.fails) == 0 {
		return nil
	}
	err := s.fails[0]
	s.fails = s.fails[1:]
	return err
}

func (s *sleeper) ByHand() string { return "do it by hand" }

// server is one that sees the sleeper.
func (s *sleeper) server(end bool) *gate.Resumer {
	c := gate.ResumerConfig{
		Marks: s, Clock: clock.RealClock{}, Warn: func(string, error) {}, Say: func(string, string) {},
		Starter: func(_ *report.Standing, why string) (forge.Starter, error) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.said("%s", why)
			return s, nil
		},
		Tell: func(_ context.Context, _ *report.Standing, problem, byHand string) error {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.said("tells: %s; %s", problem, byHand)
			return nil
		},
	}
	if end {
		c.End = func(_ context.Context, _ *report.Standing, why string) error {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.said("ends: %s", why)
			return nil
		}
	}
	return gate.NewResumer(c)
}

// work lets servers work on the sleeper for a while.
func (s *sleeper) work(t *testing.T, limit time.Duration, servers ...*gate.Resumer) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	var running sync.WaitGroup
	for _, r := range servers {
		r.See("shop", []report.Standing{s.standing})
		running.Go(func() { r.Run(ctx) })
	}
	running.Wait()
}

func (s *sleeper) count(text string) int {
	n := 0
	for _, line := range s.log {
		if strings.Contains(line, text) {
			n++
		}
	}
	return n
}

// refused is an answer of a forge by which nothing was done, and will not be.
func refused(t *testing.T) error {
	t.Helper()
	means, err := forge.ParseMeans("play:x")
	if err != nil {
		t.Fatal(err)
	}
	_, err = (&forge.Office{}).Starter(forge.Resume{Means: means, CI: forge.CI{Platform: forge.PlatformGitLab, RepositoryID: 1}})
	if !forge.Hopeless(err) {
		t.Fatalf("it is not hopeless: %v", err)
	}
	return err
}

func TestARunIsStartedOnceHoweverManySeeTheGateOpen(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := asleep(time.Now())
		s.waits = 3
		s.says(approval.Approve, true)
		one, other := s.server(true), s.server(true)
		s.work(t, time.Hour, one, other)
		s.says(approval.Approve, true) // once more, and with a server that has just been started
		s.work(t, time.Hour, one, s.server(true))
		if s.count("starts, marked asked") != 1 || s.count("approve by bob") < 2 || s.mark.State != rollout.Called {
			t.Errorf("%q, %+v", s.log, s.mark)
		}
	})
}

// What one server has begun looks to another as if the run could not be started any more.
func TestNobodyGivesUpWhatSomebodyElseIsAt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := asleep(time.Now())
		s.waits, s.slow, s.hopeless = 1, 20*time.Second, refused(t)
		s.says(approval.Approve, true)
		s.work(t, time.Hour, s.server(true), s.server(true))
		if s.count("starts") != 1 || s.count("tells") != 0 || s.mark.State != rollout.Called || s.mark.Problem != "" {
			t.Errorf("%q, %+v", s.log, s.mark)
		}
	})
}

func TestNothingIsStartedForAGateThatIsClosed(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*sleeper){
		"nobody has said anything": func(*sleeper) {},
		"paused":                   func(s *sleeper) { s.says(approval.Approve, true); s.says(approval.Pause, false) },
		"at work":                  func(s *sleeper) { s.says(approval.Approve, true); s.standing.Record.Status.Suspended = time.Time{} },
		"at another gate":          func(s *sleeper) { s.says(approval.Approve, true); s.standing.Record.Status.Gate = "confirm-rollout" },
		"over":                     func(s *sleeper) { s.says(approval.Approve, true); s.standing.Record.Status.Phase = rollout.Failed },
		"for too long":             func(s *sleeper) { s.says(approval.Approve, true); s.standing.Record.Status.Until = time.Now().Add(-1) },
		"of another commit":        func(s *sleeper) { s.says(approval.Approve, true); s.standing.Notice.Gate.Void = approval.NewCommit },
		"that nobody can read":     func(s *sleeper) { s.says(approval.Approve, true); s.standing.Problem = "damaged" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := asleep(time.Now())
				change(s)
				if s.work(t, time.Hour, s.server(true)); len(s.log) > 0 {
					t.Errorf("%q", s.log)
				}
			})
		})
	}
}

func TestAnAnswerThatIsLostIsLookedAt(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		found  forge.Found
		starts int
		tells  int
		state  rollout.ResumptionState
	}{
		"it was started":  {forge.Started, 1, 0, rollout.Called},
		"it was not":      {forge.Nothing, 2, 0, rollout.Called},
		"nobody can tell": {forge.Unsure, 1, 1, rollout.GaveUp},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := asleep(time.Now())
				s.found, s.fails = tt.found, []error{errors.New("connection reset")}
				s.says(approval.Approve, true)
				s.work(t, time.Hour, s.server(true), s.server(true))
				if s.count("starts") != tt.starts || s.count("tells") != tt.tells || s.mark.State != tt.state {
					t.Errorf("%q, %+v", s.log, s.mark)
				}
			})
		})
	}
}

func TestPeopleAreToldOnceWhatToDoByHand(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := asleep(time.Now())
		s.fails = []error{refused(t), refused(t)}
		s.says(approval.Approve, true)
		s.work(t, time.Hour, s.server(true), s.server(true))
		s.work(t, time.Hour, s.server(true))
		if s.count("starts") != 1 || s.count("tells: GitLab cannot be asked") != 1 || s.count("do it by hand") != 1 || s.mark.State != rollout.GaveUp {
			t.Errorf("%q, %+v", s.log, s.mark)
		}
	})
}

// What is not done for sure is done a little later, as when the forge wants to be left alone.
func TestAStartThatWasNotMadeIsMadeLater(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := asleep(time.Now())
		s.fails = []error{&forge.LimitError{Until: time.Now().Add(time.Minute), Err: errors.New("too much")}}
		s.says(approval.Approve, true)
		s.work(t, time.Hour, s.server(true))
		if s.count("starts, marked asked") != 2 || s.count("looks") > 0 || s.mark.State != rollout.Called {
			t.Errorf("%q, %+v", s.log, s.mark)
		}
	})
}

func TestARolloutThatIsRejectedIsEnded(t *testing.T) {
	t.Parallel()
	for verb, want := range map[approval.Verb]string{approval.Reject: "reject by bob", approval.Abort: "abort by bob"} {
		for _, ends := range []bool{true, false} {
			synctest.Test(t, func(t *testing.T) {
				s := asleep(time.Now())
				s.says(verb, verb == approval.Reject)
				s.work(t, time.Minute, s.server(ends))
				wanted := []string{"ends: " + want}
				if !ends { // the run that is started rolls back
					wanted = []string{want, "starts, marked asked"}
				}
				if !slices.Equal(s.log, wanted) {
					t.Errorf("%s, ends %v: %q", verb, ends, s.log)
				}
			})
		}
	}
}

func TestAResumerIsWokenByTheEndOfARun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := asleep(time.Now())
		s.waits = 6 // until then it would be looked at after 2, 6, 14, 30, 60 and 90 seconds
		s.says(approval.Approve, true)
		r := s.server(true)
		r.See("shop", []report.Standing{s.standing})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); r.Run(ctx) }()
		for range 6 {
			time.Sleep(time.Second)
			r.Wake(approval.GitHub, 7)
			r.Wake(approval.GitLab, 7)
			synctest.Wait()
		}
		cancel()
		<-ended
		if s.count("starts") != 1 {
			t.Errorf("%q", s.log)
		}
	})
}
