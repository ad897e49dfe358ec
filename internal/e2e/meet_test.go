package e2e

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Two runs that are started at the same moment never write at the same time, whatever they want and whoever is first.
func TestTwoRunsThatAreStartedAtOnceGoOneAfterTheOther(t *testing.T) {
	t.Parallel()
	book := newLedger("two runs at once", "how", "exit codes", "the end")
	t.Run("runs", func(t *testing.T) {
		for busy, ends := range map[string][]int{"wait": {0, 0}, "supersede": {0, 4}, "fail": {0, 3}} {
			for _, second := range []string{v2, v3} {
				for try := range 3 {
					t.Run(fmt.Sprintf("%s %s %d", busy, second, try), func(t *testing.T) {
						t.Parallel()
						s := newScenario(t, "gatewayapi:v1", steps(30, 60)...)
						s.administer()
						s.initialise()
						runs := []*tap{s.tap(), s.tap()}
						for i, image := range []string{v2, second} {
							runs[i].start(s, "run", "-f", "canary.yaml", "--image", "podinfo="+image, "--if-busy", busy)
						}
						codes := []int{runs[0].run.Wait(takeover), runs[1].run.Wait(takeover)}
						slices.Sort(codes)
						// Two that supersede each other may also have missed each other.
						if !slices.Equal(codes, ends) && (busy == "wait" || !slices.Equal(codes, []int{0, 0})) {
							t.Errorf("they ended with %v, want %v", codes, ends)
						}
						end := s.endState()
						if !slices.Contains([]string{promoted, unchanged, replaced}, end) {
							t.Errorf("the end is %q", end)
						}
						book.enter(busy, fmt.Sprint(codes), end)
						book.count(s.wantSafe(), s.wantOneWriter())
					})
				}
			}
		}
	})
	book.print(t)
}

// A run whose lease somebody has taken by force, after any of its changes, breaks off what it does and writes nothing more.
func TestARunWhoseLeaseIsStolenWritesNothingMore(t *testing.T) {
	t.Parallel()
	book := newLedger("the lease is stolen after every change", "stolen in", "exit code", "the end")
	t.Run("story", func(t *testing.T) {
		for name, st := range stories() {
			if name != "promotion" && name != "rollback" {
				continue
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				changes := st.undisturbed(t)
				book.points(name, changes)
				for i, c := range changes {
					t.Run(c.label, func(t *testing.T) {
						t.Parallel()
						st.robbed(t, killing{story: name, at: c.label, heir: heir(i % int(rollsOutAnother+1)), book: book})
					})
				}
			})
		}
	})
	book.print(t)
}

func (st *story) robbed(t *testing.T, k killing) {
	t.Helper()
	stolen := make(chan *scenario, 1)
	s, tap := st.start(t, func(tap *tap, c *change, after bool) {
		if c.label != k.at || !after {
			return
		}
		if err := (<-stolen).steal(context.WithoutCancel(t.Context())); err != nil {
			t.Errorf("steal the lease: %v", err)
		}
		if c.lease == noMove { // a run that learns of it does not wait for the answer
			select {
			case <-tap.run.Done():
			case <-time.After(patience):
			}
		}
	})
	stolen <- s
	code := tap.run.Wait(takeover)
	if len(stolen) > 0 {
		if !repeats(k.at) {
			t.Fatalf("the run has ended with %d, and never came to %q", code, k.at)
		}
		t.Skipf("the run had nothing to repeat: %q", k.at)
	}
	want := []int{4}
	for _, c := range tap.all() {
		if c.label == k.at && c.lease != noMove {
			want = append(want, st.code) // it waits until the thief, who does not renew the lease, has lost it; or it was over
		}
	}
	if !slices.Contains(want, code) {
		t.Errorf("it ended with %d, want one of %v", code, want)
	}
	next, heirs, ends := st.follow(s, k.heir)
	s.endLater(next.run, heirs)
	end := s.endState()
	if !slices.Contains(append(slices.Clone(ends), st.goals...), end) {
		t.Errorf("stolen, then %s: the end is %q, want one of %q", k.heir, end, ends)
	}
	k.book.enter(k.story, fmt.Sprint(code), end)
	k.book.count(s.wantSafe(), s.wantOneWriter())
}

// steal takes the lease as no run does: without asking, from a holder that is alive. The thief does not renew it.
func (s *scenario) steal(ctx context.Context) error {
	leases := s.cluster.Kube.CoordinationV1().Leases(s.Name)
	return await(ctx, "the lease to be stolen", func(ctx context.Context) error {
		lease, err := leases.Get(ctx, "penstock-podinfo", metav1.GetOptions{})
		if err != nil {
			return err
		}
		now := metav1.NewMicroTime(time.Now())
		lease.Spec.HolderIdentity, lease.Spec.RenewTime, lease.Spec.AcquireTime = new("thief"), &now, &now
		lease.Spec.LeaseTransitions = new(*lease.Spec.LeaseTransitions + 1)
		_, err = leases.Update(ctx, lease, metav1.UpdateOptions{})
		return err
	})
}
