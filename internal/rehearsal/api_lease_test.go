package rehearsal

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

func TestAPILeaseIsHeldReleasedAndStolen(t *testing.T) {
	t.Parallel()
	withAPI(t, func(t *testing.T, c *apiTest) {
		var holder atomic.Value
		elect := func(name string, release bool) context.CancelFunc {
			return c.elect(t, leaderelection.LeaderElectionConfig{
				Name: name, LeaseDuration: 15 * time.Second, RenewDeadline: 10 * time.Second, RetryPeriod: 2 * time.Second, ReleaseOnCancel: release,
				Callbacks: leaderelection.LeaderCallbacks{
					OnStartedLeading: func(context.Context) { holder.Store(name) },
					OnStoppedLeading: func() {},
				},
			})
		}
		holds := func(after time.Duration, want string) {
			t.Helper()
			pass(after)
			if holder.Load() != want {
				t.Errorf("the lease is held by %q, want %q", holder.Load(), want)
			}
		}
		endOne := elect("one", true)
		holds(time.Second, "one")
		endTwo := elect("two", false)
		holds(time.Minute, "one")
		endOne()
		holds(5*time.Second, "two") // it looks every 2s to 4.4s
		endTwo()                    // without release: the next one must wait for it to expire
		endThree := elect("three", true)
		holds(5*time.Second, "two")
		holds(20*time.Second, "three")
		endThree()
	})
}

// elect competes for the lease under the name of the configuration, until the returned function is called.
func (c *apiTest) elect(t *testing.T, config leaderelection.LeaderElectionConfig) context.CancelFunc {
	t.Helper()
	var err error
	config.Lock, err = resourcelock.New(resourcelock.LeasesResourceLock, "test", "penstock-podinfo", c.typed.CoreV1(), c.typed.CoordinationV1(),
		resourcelock.ResourceLockConfig{Identity: config.Name})
	if err != nil {
		t.Fatal(err)
	}
	elector, err := leaderelection.NewLeaderElector(config)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(c.ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		elector.Run(ctx)
	}()
	return func() {
		cancel()
		<-done
	}
}
