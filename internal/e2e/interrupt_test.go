package e2e

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// stopWithin is how long a CI platform lets a cancelled job go on: 7.5 s after SIGINT comes SIGTERM, 2.5 s later SIGKILL.
const stopWithin = 7500 * time.Millisecond

// A run that gets SIGINT at any of its changes, and so in every phase, ends by itself in the time that a CI platform grants,
// and at once in a state where it is safe to leave the rollout; or it says by its exit code that a run has to come after it.
func TestARunThatIsInterruptedAtAnyChangeEndsInTime(t *testing.T) {
	t.Parallel()
	book := newLedger("SIGINT at every change", "interrupted", "exit code", "the end")
	t.Run("story", func(t *testing.T) {
		for name, st := range stories() {
			if name == "cancellation" || name == "finalize" {
				continue // these are the answer to it
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				changes := st.undisturbed(t)
				book.points(name, changes)
				for _, c := range changes {
					t.Run(c.label, func(t *testing.T) {
						t.Parallel()
						st.interrupted(t, killing{story: name, at: c.label, book: book})
					})
				}
			})
		}
	})
	book.print(t)
}

func (st *story) interrupted(t *testing.T, k killing) {
	t.Helper()
	var at time.Time
	s, tap := st.start(t, func(tap *tap, c *change, after bool) {
		if c.label == k.at && !after {
			<-tap.started
			at = time.Now()
			tap.run.Interrupt()
		}
	})
	code := tap.run.Wait(patience)
	if at.IsZero() && repeats(k.at) {
		t.Skipf("the run had nothing to repeat: %q", k.at)
	}
	if at.IsZero() {
		t.Fatalf("the run has ended with %d, and never came to %q", code, k.at)
	}
	if took := time.Since(at); took > stopWithin {
		t.Errorf("it ended only %s after the signal", took)
	}
	if code == 3 { // it says itself that somebody has to come after it
		s.endLater(s.tapped(nil, "finalize", "-f", "canary.yaml").run, 0)
	}
	end := s.endState()
	if ends := append(slices.Clone(st.ends), st.goals...); !slices.Contains(ends, end) || code == 130 && end == promoted {
		t.Errorf("the run ended with %d, and the end is %q, want one of %q", code, end, ends)
	}
	if !slices.Contains([]int{0, 1, 3, 130}, code) {
		t.Errorf("the run ended with %d", code)
	}
	k.book.enter(k.story, fmt.Sprint(code), end)
	k.book.count(s.wantSafe(), s.wantOneWriter())
}
