package e2e

import (
	"net/http"
	"sync/atomic"
	"testing"
	"time"
)

func TestAnAPIServerThatIsNotThereEndsTheRunInTime(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]Fault{
		"refused": {Drop: true}, "silent": {Delay: time.Hour}, "broken": {Status: http.StatusInternalServerError},
		"overloaded": {Status: http.StatusTooManyRequests},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScenario(t, "nginx")
			proxy := s.Proxy()
			proxy.Inject(func(*http.Request) Fault { return fault })
			run := s.run("--kubeconfig", proxy.Kubeconfig)
			code := run.Wait(patience)
			t.Logf("%s %s", time.Since(run.Started).Round(time.Millisecond), run.Stderr())
			if code != 3 {
				t.Errorf("it ended with %d, want 3", code)
			}
			s.wantUntouched()
		})
	}
}

func TestARolloutSurvivesATroubledAPIServer(t *testing.T) {
	t.Parallel()
	for name, status := range map[string]int{
		"conflicts": http.StatusConflict, "throttling": http.StatusTooManyRequests, "errors": http.StatusInternalServerError,
		"lost connections": 0,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScenario(t, "gatewayapi:v1")
			s.initialise()
			proxy := s.Proxy()
			var n atomic.Int64
			run := s.rollOut(v2, "--kubeconfig", proxy.Kubeconfig)
			s.awaitStep(1)
			begin := time.Now()
			proxy.Inject(func(*http.Request) Fault { // bursts of 700 ms every 1.5 s
				if time.Since(begin)%(1500*time.Millisecond) > 700*time.Millisecond {
					return Fault{}
				}
				n.Add(1)
				return Fault{Status: status, Drop: status == 0}
			})
			s.end(run, 0)
			s.wantPromoted(v2)
			s.wantWeights(0, 10, 20, 30, 40, 50, 0)
			s.wantSafe()
			t.Logf("%d faults\n%s", n.Load(), run.Transcript())
		})
	}
}

func TestARolloutStartsOnATroubledAPIServer(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]Fault{
		"throttling": {Status: http.StatusTooManyRequests}, "errors": {Status: http.StatusServiceUnavailable},
		"slow": {Delay: 700 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScenario(t, "nginx")
			s.initialise()
			proxy := s.Proxy()
			var n atomic.Int64
			proxy.Inject(func(*http.Request) Fault {
				if i := n.Add(1); fault.Delay == 0 && i%3 != 1 {
					return Fault{}
				}
				return fault
			})
			run := s.rollOut(v2, "--kubeconfig", proxy.Kubeconfig)
			code := run.Wait(2 * patience)
			t.Logf("%d requests\n%s", n.Load(), run.Transcript())
			if code != 0 {
				t.Fatalf("it ended with %d, want 0", code)
			}
			s.wantPromoted(v2)
			s.wantSafe()
		})
	}
}

func TestARolloutSurvivesAnAPIServerThatIsGoneForAWhile(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "gatewayapi:v1")
	s.initialise()
	proxy := s.Proxy()
	run := s.rollOut(v2, "--kubeconfig", proxy.Kubeconfig)
	s.awaitStep(2)
	until := time.Now().Add(5 * time.Second)
	proxy.Inject(func(*http.Request) Fault { return Fault{Drop: time.Now().Before(until)} })
	proxy.Cut()
	s.end(run, 0)
	s.wantPromoted(v2)
	s.wantWeights(0, 10, 20, 30, 40, 50, 0)
	s.wantSafe()
}
