package e2e

import (
	"context"
	"fmt"
	"syscall"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// A machine that sleeps for longer than the lease wakes up as a zombie: it must see that and touch nothing more.
func TestARunThatSleptThroughItsLeaseTouchesNothingMore(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "gatewayapi:v1", analysis("interval", "3s"))
	s.initialise()
	first := s.rollOut(v2)
	s.awaitWeight(10)
	first.signal(syscall.SIGSTOP)
	second := s.rollOut(v3)
	s.awaitRecord("the second run's epoch", func(r saved) bool { return r.Epoch >= 3 })
	s.awaitWeight(10)
	first.signal(syscall.SIGCONT)
	s.endLater(first, 4)
	s.wantLine(first, "SUPERSEDED")
	s.endLater(second, 0)
	s.wantPromoted(v3)
	s.wantSafe()
	epoch := int64(0)
	s.record.Replay(func(m Moment) {
		r := recordAt(m)
		if r.Epoch < epoch {
			t.Errorf("the record went from epoch %d back to %d", epoch, r.Epoch)
		}
		epoch = r.Epoch
	})
}

// The same, with nothing to save on waking up: the record's compare-and-swap cannot stop it, only its own clock can.
func TestARunThatSleptWhileTheRouterDidNotFollowTouchesNothingMore(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "gatewayapi:v1", analysis("interval", "2s"))
	s.initialise()
	first := s.rollOut(v2)
	s.awaitWeight(10)
	cluster.Gateway.Set(s.Name, Withhold)
	s.awaitWeight(20)
	s.wantStill(first, "the router has not taken up the weight yet", 20)
	first.signal(syscall.SIGSTOP)
	cluster.Gateway.Set(s.Name, Accept)
	second := s.rollOut(v2)
	s.awaitRecord("the second run's epoch", func(r saved) bool { return r.Epoch >= 3 })
	s.awaitWeight(30)
	first.signal(syscall.SIGCONT)
	s.endLater(first, 4)
	s.endLater(second, 0)
	s.wantPromoted(v2)
	s.wantWeights(0, 10, 20, 30, 40, 50, 0)
	s.wantSafe()
}

// wantStill waits until a run waits for something at a weight.
func (s *scenario) wantStill(r *Run, reason string, weight int) {
	s.t.Helper()
	s.Await("the run to wait at the weight", func(context.Context) error {
		lines := r.Lines()
		last := lines[len(lines)-1].Text
		return unless(contains(last, reason) && contains(last, fmt.Sprintf(" %d%% ", weight)), "it says %s", last)
	})
}

func TestAWorldThatOthersChangeDuringTheRollout(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(ctx context.Context, s *scenario) error
		code   int
		after  func(s *scenario)
	}{
		"the route is deleted": {
			change: func(ctx context.Context, s *scenario) error {
				return cluster.Dynamic.Resource(HTTPRoutes()).Namespace(s.Name).Delete(ctx, "podinfo", metav1.DeleteOptions{})
			},
			after: func(s *scenario) { s.wantPromoted(v2) },
		},
		"the canary's Service is deleted": {
			change: func(ctx context.Context, s *scenario) error {
				return cluster.Kube.CoreV1().Services(s.Name).Delete(ctx, "podinfo-canary", metav1.DeleteOptions{})
			},
			after: func(s *scenario) { s.wantPromoted(v2) },
		},
		"the canary's pods are deleted": {
			change: func(ctx context.Context, s *scenario) error {
				return cluster.Kube.CoreV1().Pods(s.Name).DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{LabelSelector: "app=podinfo"})
			},
			after: func(s *scenario) { s.wantPromoted(v2) },
		},
		"the primary's pods are deleted": {
			change: func(ctx context.Context, s *scenario) error {
				return cluster.Kube.CoreV1().Pods(s.Name).DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{LabelSelector: "app=podinfo-primary"})
			},
			after: func(s *scenario) { s.wantPromoted(v2) },
		},
		"the target is scaled up": {
			change: func(ctx context.Context, s *scenario) error { return s.scale(ctx, "podinfo", 4) },
			after:  func(s *scenario) { s.wantWeight(0) },
		},
		"the target is scaled to zero": {
			change: func(ctx context.Context, s *scenario) error { return s.scale(ctx, "podinfo", 0) },
			after:  func(s *scenario) { s.wantPromoted(v2) },
		},
		"the target is deleted": {
			change: func(ctx context.Context, s *scenario) error {
				return cluster.Kube.AppsV1().Deployments(s.Name).Delete(ctx, "podinfo", metav1.DeleteOptions{})
			},
			code:  1,
			after: func(s *scenario) { s.wantWeight(0) },
		},
		"the primary is deleted": {
			change: func(ctx context.Context, s *scenario) error {
				return cluster.Kube.AppsV1().Deployments(s.Name).Delete(ctx, "podinfo-primary", metav1.DeleteOptions{})
			},
			code: 1,
		},
		"the record is deleted": {
			change: func(ctx context.Context, s *scenario) error {
				return cluster.Kube.CoreV1().ConfigMaps(s.Name).Delete(ctx, "penstock-podinfo", metav1.DeleteOptions{})
			},
			after: func(s *scenario) { s.wantPromoted(v2) },
		},
		"the lease is deleted": {
			change: func(ctx context.Context, s *scenario) error {
				return cluster.Kube.CoordinationV1().Leases(s.Name).Delete(ctx, "penstock-podinfo", metav1.DeleteOptions{})
			},
			after: func(s *scenario) { s.wantPromoted(v2) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScenario(t, "gatewayapi:v1", deadline(8), analysis("interval", "2s"))
			s.initialise()
			run := s.rollOut(v2)
			s.awaitWeight(20)
			if err := c.change(t.Context(), s); err != nil {
				t.Fatal(err)
			}
			begin := time.Now()
			code := run.Wait(takeover)
			t.Logf("%s after %s: ended with %d\n%s", name, time.Since(begin).Round(time.Millisecond), code, run.Transcript())
			if code != c.code {
				t.Errorf("it ended with %d, want %d", code, c.code)
			}
			if c.after != nil {
				c.after(s)
			}
		})
	}
}

func (s *scenario) scale(ctx context.Context, name string, replicas int) error {
	patch := []byte(`{"spec":{"replicas":` + string(rune('0'+replicas)) + `}}`)
	_, err := cluster.Kube.AppsV1().Deployments(s.Name).Patch(ctx, name, types.MergePatchType, patch, metav1.PatchOptions{}, "scale")
	return err
}
