package e2e

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// fiveMinutes is how far the clocks of two machines are wrong, each in its own direction or in the same.
const fiveMinutes = 5 * time.Minute

// skewed prepares a process whose clock is wrong by so much.
func (s *scenario) skewed(by time.Duration) *tap {
	s.t.Helper()
	t := s.tap()
	t.proxy.Skew(by)
	return t
}

// Who holds the lease, and until when, does not depend on anybody's clock: no run takes a lease that another one renews, and
// every run takes one that is not renewed, in the same time.
func TestRunsWhoseClocksAreWrong(t *testing.T) {
	t.Parallel()
	book := newLedger("clocks are wrong", "clocks", "what happens", "the end")
	t.Run("by", func(t *testing.T) {
		for _, first := range []time.Duration{-fiveMinutes, 0, fiveMinutes} {
			for _, second := range []time.Duration{-fiveMinutes, 0, fiveMinutes} {
				if first == 0 && second == 0 {
					continue
				}
				for what, play := range map[string]func(s *scenario, a, b *tap) []string{
					"killed, then run again": takeOver, "killed, then finalize --expired": expire, "alive": leaveAlone, "superseded": supersede,
				} {
					t.Run(fmt.Sprintf("%s, %s, %s", first, second, what), func(t *testing.T) {
						t.Parallel()
						s := newScenario(t, "gatewayapi:v1", append(steps(30, 60), analysis("interval", "3s"))...)
						s.initialise()
						ends := play(s, s.skewed(first), s.skewed(second))
						end := s.endState()
						if !slices.Contains(ends, end) {
							t.Errorf("the end is %q, want one of %q", end, ends)
						}
						book.enter(first.String()+" and "+second.String(), what, end)
						book.count(s.wantSafe(), s.wantOneWriter())
					})
				}
			}
		}
	})
	book.print(t)
}

// begins has a run roll v2 out as far as its first weight.
func (t *tap) begins(s *scenario) {
	s.t.Helper()
	t.start(s, "run", "-f", "canary.yaml", "--image", "podinfo="+v2)
	s.awaitWeight(30)
}

func takeOver(s *scenario, a, b *tap) []string {
	a.begins(s)
	a.kill()
	begin := time.Now()
	b.start(s, "run", "-f", "canary.yaml", "--image", "podinfo="+v2)
	s.endLater(b.run, 0)
	if took := time.Since(begin); took < 10*time.Second {
		s.t.Errorf("it took over a lease that was still good, and ended after %s", took)
	}
	return []string{promoted}
}

func expire(s *scenario, a, b *tap) []string {
	a.begins(s)
	a.kill()
	b.start(s, "finalize", "-f", "canary.yaml", "--expired")
	s.endLater(b.run, 0)
	return []string{gaveUp}
}

func leaveAlone(s *scenario, a, b *tap) []string {
	a.begins(s)
	b.start(s, "run", "-f", "canary.yaml", "--image", "podinfo="+v3, "--if-busy", "fail")
	s.endLater(b.run, 3)
	s.endLater(a.run, 0)
	return []string{promoted}
}

func supersede(s *scenario, a, b *tap) []string {
	a.begins(s)
	b.start(s, "run", "-f", "canary.yaml", "--image", "podinfo="+v3, "--if-busy", "supersede")
	s.endLater(a.run, 4)
	s.endLater(b.run, 0)
	return []string{replaced}
}
