package e2e

import (
	"context"
	"syscall"
	"testing"
	"time"
)

func TestACancelledRunGivesTheTrafficBack(t *testing.T) {
	t.Parallel()
	for name, signal := range map[string]syscall.Signal{"SIGINT": syscall.SIGINT, "SIGTERM": syscall.SIGTERM} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScenario(t, "gatewayapi:v1", analysis("interval", "20s"))
			s.initialise()
			run := s.rollOut(v2)
			s.awaitWeight(10)
			begin := time.Now()
			run.signal(signal)
			s.end(run, 130)
			t.Logf("it ended %s after the signal", time.Since(begin).Round(time.Millisecond))
			if took := time.Since(begin); took > 7500*time.Millisecond {
				t.Errorf("it took %s: CI has killed it by then", took)
			}
			s.wantLine(run, "CANCELLED")
			s.wantRolledBack(v1)
			s.wantWeights(0, 10, 0)
			s.wantSafe()

			again := s.rollOut(v2, "--dry-run")
			s.end(again, 0)
			s.wantLine(again, "new revision of the target")
		})
	}
}

func TestARunThatIsCancelledWhileItChecksEndsAtOnce(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "nginx")
	s.initialise()
	s.prometheus.Script("", Hang())
	run := s.rollOut(v2)
	s.Await("a query", func(context.Context) error {
		return unless(len(s.prometheus.Queries()) > 0, "there was none")
	})
	begin := time.Now()
	run.Interrupt()
	s.end(run, 130)
	if took := time.Since(begin); took > 3*time.Second {
		t.Errorf("it took %s", took)
	}
	s.wantRolledBack(v1)
	s.wantSafe()
}

func TestARunThatIsCancelledWhilePromotingFinishes(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "nginx", analysis("stepWeight", 50))
	s.initialise()
	run := s.rollOut(v2 + "-slow-1")
	s.awaitRecord("Promoting", func(r saved) bool { return r.Status.Phase == "Promoting" })
	run.Interrupt()
	code := run.Wait(patience)
	t.Logf("it ended with %d\n%s", code, run.Transcript())
	s.wantSafe()
	again := s.run()
	if again.Wait(takeover) != 0 {
		t.Errorf("the next run does not finish it")
	}
	s.wantPromoted(v2 + "-slow-1")
	s.wantSafe()
}

func TestARunThatIsCancelledWhileItWaitsForTheLeaseTouchesNothing(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "nginx", analysis("interval", "20s"))
	s.initialise()
	first := s.rollOut(v2)
	s.awaitWeight(10)
	before := s.weights()
	second := s.rollOut(v3)
	s.Await("the second run to ask for the lease", func(context.Context) error {
		gets := 0
		for _, r := range s.Requests() {
			if r.At.After(second.Started) && r.Resource == "leases" && r.Verb == "get" {
				gets++
			}
		}
		return unless(gets > 0, "it has not yet")
	})
	begin := time.Now()
	second.Interrupt()
	code := second.Wait(patience)
	t.Logf("it ended with %d after %s\n%s", code, time.Since(begin), second.Transcript())
	if code != 130 {
		t.Errorf("it ended with %d, want 130", code)
	}
	s.wantWeights(before...)
	if target := s.deployment("podinfo"); target.image != v2 {
		t.Errorf("the target runs %s, want %s", target.image, v2)
	}
	first.Interrupt()
	s.end(first, 130)
	s.wantSafe()
}
