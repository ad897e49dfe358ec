package fleet

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// script runs canaries that each take a second, and keeps who started when.
type script struct {
	mu      sync.Mutex
	bad     map[int]bool
	started map[int]time.Duration
	skipped map[int]int
	begin   time.Time
	running int
	most    int
}

func newScript(bad ...int) *script {
	s := &script{bad: map[int]bool{}, started: map[int]time.Duration{}, skipped: map[int]int{}, begin: time.Now()}
	for _, i := range bad {
		s.bad[i] = true
	}
	return s
}

func (s *script) actions(stop <-chan struct{}) Actions {
	return Actions{Stop: stop, Start: s.start, Skip: func(i, because int) { s.skipped[i] = because }}
}

func (s *script) start(i int) bool {
	s.mu.Lock()
	s.started[i] = time.Since(s.begin)
	s.running++
	s.most = max(s.most, s.running)
	s.mu.Unlock()
	time.Sleep(time.Second) // of the bubble
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running--
	return !s.bad[i]
}

func TestCanariesRunSideBySideAndAfterEachOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScript(2)
		p := mustPlan(t, 6, 0, "1=0", "3=2", "4=3")
		at := p.Run(s.actions(nil))
		if diff := cmp.Diff([]Stage{Passed, Passed, Failed, Skipped, Skipped, Passed}, at); diff != "" {
			t.Errorf("stages (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(map[int]time.Duration{0: 0, 1: time.Second, 2: 0, 5: 0}, s.started); diff != "" {
			t.Errorf("started (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(map[int]int{3: 2, 4: 3}, s.skipped); diff != "" {
			t.Errorf("skipped (-want +got):\n%s", diff)
		}
	})
}

func TestNoMoreThanTheLimitRunAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScript()
		p := mustPlan(t, 10, 3)
		p.Run(s.actions(nil))
		if s.most != 3 || len(s.started) != 10 || time.Since(s.begin) != 4*time.Second {
			t.Errorf("%d ran at once, %d in all, for %s", s.most, len(s.started), time.Since(s.begin))
		}
	})
}

func TestACancelledRunStartsNothingMore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, stop := newScript(), make(chan struct{})
		time.AfterFunc(1500*time.Millisecond, func() { close(stop) })
		p := mustPlan(t, 3, 1)
		at := p.Run(s.actions(stop))
		if diff := cmp.Diff([]Stage{Passed, Passed, Waiting}, at); diff != "" {
			t.Errorf("stages (-want +got):\n%s", diff)
		}
	})
}

func TestNobodyGoesOnWhenTheInputOfOneIsBad(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		away map[int]bool // who goes away, and whether because of bad input
		want error
	}{
		"all are ready":                   {nil, nil},
		"one could not reach the cluster": {map[int]bool{1: false}, nil},
		"the input of one is bad":         {map[int]bool{1: false, 2: true}, ErrNotStarted},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m := NewMuster(sequence(4))
				var all sync.WaitGroup
				errs := make([]error, 4)
				for i := range 4 {
					all.Go(func() {
						time.Sleep(time.Duration(i) * time.Second)
						if bad, away := c.away[i]; away {
							m.Away(i, bad)
							return
						}
						errs[i] = m.Ready(t.Context(), i)
						m.Away(i, true) // it ended badly later: that is its own affair
					})
				}
				all.Wait()
				for i, err := range errs {
					if _, away := c.away[i]; !away && !errors.Is(err, c.want) {
						t.Errorf("%d got %v, want %v", i, err, c.want)
					}
				}
				if err := m.Ready(t.Context(), 9); !errors.Is(err, c.want) {
					t.Errorf("one that starts later got %v, want %v", err, c.want)
				}
			})
		})
	}
}

func TestAMusterEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := NewMuster([]int{0, 1}).Ready(ctx, 0); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestTheFirstAreThoseThatWaitForNobody(t *testing.T) {
	t.Parallel()
	p := mustPlan(t, 5, 2, "0=1", "3=0")
	if got := p.First(); !slices.Equal(got, []int{1, 2}) {
		t.Errorf("the first are %v", got)
	}
	at := []Stage{Waiting, Running, Running, Waiting, Waiting}
	if got := p.Waits(3, at); !slices.Equal(got, []string{"shop/0"}) {
		t.Errorf("3 waits for %v", got)
	}
}
