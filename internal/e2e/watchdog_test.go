package e2e

import (
	"context"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ends is how long after the expiry of a dead run's lease a server may take to bring its rollout to the safe end.
const ends = 15 * time.Second

// Nobody has run a post step, and no job is scheduled: the server sees the lease of the killed run expire, and ends its
// rollout without having any of its files.
func TestTheServerEndsWhatAKilledRunHasLeft(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "gatewayapi:v1", analysis("interval", "60s"))
	s.initialise()
	s.allow(s.server(), s.renderRBAC("--view")) // to end a rollout takes what a run may do
	server := s.Penstock(append([]string{"serve", "--address", "127.0.0.1:0", "--log-format", "text"}, s.permitServer()...)...)
	run := s.rollOut(v2)
	s.awaitWeight(10)
	run.Kill()
	lease, err := s.cluster.Kube.CoordinationV1().Leases(s.Name).Get(t.Context(), "penstock-podinfo", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	expiry := lease.Spec.RenewTime.Add(time.Duration(*lease.Spec.LeaseDurationSeconds) * time.Second)
	killed := time.Now()
	s.awaitRecord("the end of the rollout", func(r saved) bool { return r.Status.Phase == "Failed" })
	ended := s.when("the end of the rollout", func(m Moment) bool { return recordAt(m).Status.Phase == "Failed" })
	t.Logf("the run was killed at %s; its lease expired %s later; the rollout had ended %s after the expiry (at most %s)",
		killed.Format(time.TimeOnly), expiry.Sub(killed).Round(time.Millisecond), ended.Sub(expiry).Round(time.Millisecond), ends)
	if late := ended.Sub(expiry); late < 0 || late > ends {
		t.Errorf("the rollout ended %s after the lease had expired, want at most %s", late, ends)
	}
	s.Await("the server to let the lease go", func(ctx context.Context) error {
		lease, err := s.cluster.Kube.CoordinationV1().Leases(s.Name).Get(ctx, "penstock-podinfo", metav1.GetOptions{})
		if err != nil {
			return err
		}
		return unless(*lease.Spec.HolderIdentity == "", "it is held by %s", *lease.Spec.HolderIdentity)
	})
	s.wantRolledBack(v1)
	s.wantWeights(0, 10, 0)
	s.wantSafe()
	select {
	case <-server.Done():
		t.Errorf("the server has ended:\n%s", server.Transcript())
	default:
	}
}
