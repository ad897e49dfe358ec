package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"syscall"
	"testing"
	"time"
)

// The outages of the API server: a short one, and one that is longer than the lease.
const (
	shortOutage = 5 * time.Second
	longOutage  = 20 * time.Second
)

// A run that is cut off from the API server goes on when that is over in time. When it is not, it has stopped before its
// lease can be somebody else's: another run, which is not cut off, starts at once and takes over, and the first one, coming
// back, writes nothing more.
func TestARunThatIsCutOffFromTheAPIServerIsNotInTheWay(t *testing.T) {
	t.Parallel()
	book := newLedger("the API server is gone", "for", "when", "exit code", "the end")
	t.Run("cut off", func(t *testing.T) {
		for _, at := range []string{
			"at Progressing 0/0%: PATCH podinfo/scale", "at Progressing 1/30%: PATCH httproutes/podinfo", "save Promoting 2/60%",
			"at Promoting 2/60%: PATCH deployments/podinfo-primary", "save Finalising 2/0%", "save Succeeded 2/0%",
		} {
			for how, fault := range map[string]Fault{"refuses": {Drop: true}, "is silent": {Delay: time.Hour}} {
				for _, outage := range []time.Duration{shortOutage, longOutage} {
					t.Run(fmt.Sprintf("%s, %s for %s", at, how, outage), func(t *testing.T) {
						t.Parallel()
						o := cutOff{at: at, fault: fault, outage: outage}
						code, end, s := o.run(t)
						book.enter(outage.String()+", "+how, at, fmt.Sprint(code), end)
						book.count(s.wantSafe(), s.wantOneWriter())
					})
				}
			}
		}
	})
	book.print(t)
}

// A cutOff is an outage that begins with a change, which gets lost in it.
type cutOff struct {
	at     string
	fault  Fault
	outage time.Duration
}

func (o cutOff) run(t *testing.T) (code int, end string, s *scenario) {
	t.Helper()
	st := stories()["promotion"]
	begun := make(chan struct{})
	s, first := st.start(t, func(tap *tap, c *change, after bool) {
		if c.label != o.at || after {
			return
		}
		until := time.Now().Add(o.outage)
		tap.suffer(func(*http.Request) Fault {
			if time.Now().After(until) {
				return Fault{}
			}
			fault := o.fault
			fault.Delay = min(fault.Delay, time.Until(until)) // what waits is let through late, if anybody still waits for the answer
			return fault
		})
		close(begun)
		tap.proxy.Cut()
	})
	select {
	case <-begun:
	case <-first.run.Done():
		t.Fatalf("the run never came to %q", o.at)
	case <-time.After(patience):
		t.Fatalf("the run did not come to %q in %s", o.at, patience)
	}
	if o.outage == shortOutage {
		code = first.run.Wait(takeover)
		if code != 0 {
			t.Errorf("it ended with %d, want 0", code)
		}
		if end = s.endState(); end != promoted {
			t.Errorf("the end is %q, want %q", end, promoted)
		}
		return code, end, s
	}
	second := s.tapped(nil, "run", "-f", "canary.yaml", "--image", "podinfo="+v3)
	if code = first.run.Wait(takeover); code != 3 && code != 4 {
		t.Errorf("the run that was cut off ended with %d, want 3 or 4", code)
	}
	s.endLater(second.run, 0)
	if end = s.endState(); end != replaced {
		t.Errorf("the end is %q, want %q", end, replaced)
	}
	return code, end, s
}

// The API server itself stands still, for everybody: its process is stopped, and goes on.
func TestARolloutWhileTheAPIServerStandsStill(t *testing.T) {
	t.Parallel()
	own, err := Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := own.Stop(); err != nil {
			t.Error(err)
		}
	})
	book := newLedger("the API server is stopped", "for", "exit code", "the end")
	for _, outage := range []time.Duration{shortOutage, longOutage} {
		t.Run(outage.String(), func(t *testing.T) {
			s := newScenarioOn(t, own, "gatewayapi:v1", steps(30, 60)...)
			s.initialise()
			first := s.tapped(nil, "run", "-f", "canary.yaml", "--image", "podinfo="+v2)
			s.awaitWeight(30)
			own.stand(t, outage)
			code := first.run.Wait(takeover)
			if want := map[time.Duration]int{shortOutage: 0, longOutage: 3}[outage]; code != want {
				t.Errorf("it ended with %d, want %d", code, want)
			}
			if code != 0 {
				s.endLater(s.tapped(nil, "run", "-f", "canary.yaml", "--image", "podinfo="+v2).run, 0)
			}
			end := s.endState()
			if !slices.Contains([]string{promoted, unchanged}, end) {
				t.Errorf("the end is %q", end)
			}
			book.enter(outage.String(), fmt.Sprint(code), end)
			book.count(s.wantSafe(), s.wantOneWriter())
		})
	}
	book.print(t)
}

// stand stops the process of the API server for a while.
func (c *Cluster) stand(t *testing.T, still time.Duration) {
	t.Helper()
	for _, p := range c.processes {
		if p.name != "kube-apiserver" {
			continue
		}
		signalGroup(p.cmd.Process.Pid, syscall.SIGSTOP)
		select {
		case <-time.After(still):
		case <-t.Context().Done():
		}
		signalGroup(p.cmd.Process.Pid, syscall.SIGCONT)
		return
	}
	t.Fatal("there is no kube-apiserver")
}
