package e2e

import (
	"context"
	"net"
	"strings"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
)

// The runner of a CI job is not in the cluster: metrics, webhooks and load find their way through the API server, with
// the permissions that penstock render rbac prints for that way and no others.
func TestServicesOfTheClusterAreReachedThroughItsAPI(t *testing.T) {
	t.Parallel()
	for _, way := range []string{"port-forward", "service-proxy"} {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			h := newHookServer(t)
			s := newScenario(t, "kubernetes", analysis("iterations", 2))
			var k *kubelet
			var calls atomic.Int64
			webhooks := []any{
				map[string]any{"name": "rollout", "type": "rollout", "url": "http://tester." + s.Name + "/rollout", "timeout": "10s"},
				map[string]any{"name": "load", "type": "rollout", "url": "penstock://loadtest", "metadata": map[string]any{
					"cmd": "hey -z 1m -c 2 -q 20 -m POST -d {} http://tester." + s.Name + ".svc/load",
				}},
			}
			if way == "port-forward" {
				k = newKubelet(s.Namespace)
				k.serve("prometheus", 9090, s.prometheus.URL)
				k.serve("tester", 80, h.URL)
				k.serve("calls", 9898, healthServer(t, &calls)) // the proxy of the API server carries no gRPC
				webhooks = append(webhooks, map[string]any{"name": "calls", "type": "rollout", "url": "penstock://loadtest", "metadata": map[string]any{
					"cmd": "ghz -z 1m -c 2 -q 20 --insecure --proto=/tmp/ghz/health.proto --call=grpc.health.v1.Health/Check calls." + s.Name + ":9898",
				}})
			} else {
				s.outside("prometheus", 9090, s.prometheus.URL)
				s.outside("tester", 80, h.URL)
			}
			spec := s.canary["spec"].(map[string]any)
			spec["metricsServer"] = "http://prometheus." + s.Name + ".svc.cluster.local:9090"
			spec["analysis"].(map[string]any)["webhooks"] = webhooks
			s.write("canary.yaml", s.canary)
			s.grantRendered("--reach", way)
			s.end(s.run("--kubeconfig", s.UserKubeconfig(), "--reach", way), 0)
			run := s.rollOut(v2, "--kubeconfig", s.UserKubeconfig(), "--reach", way)
			s.end(run, 0)
			s.wantPromoted(v2)
			if n := len(s.prometheus.Queries()); n < 4 {
				t.Errorf("Prometheus was asked %d times, want two checks in two windows at least", n)
			}
			if n := len(h.of("rollout")); n < 2 {
				t.Errorf("the webhook was called %d times, want once a window", n)
			}
			if n := len(h.of("load")); n < 1 {
				t.Errorf("%d requests of the load arrived, want some", n)
			}
			if !strings.Contains(run.Stderr(), "× 200") {
				t.Errorf("the run does not show what its load was answered:\n%s", run.Stderr())
			}
			if k != nil {
				k.mu.Lock()
				defer k.mu.Unlock()
				if k.tunnels < 3 || k.tunnels > 12 {
					t.Errorf("%d connections to three pods in two runs, want one for each pod and run", k.tunnels)
				}
				if n := calls.Load(); n < 1 || !strings.Contains(run.Stderr(), "× OK") {
					t.Errorf("%d calls arrived, and the run says of them\n%s", n, run.Stderr())
				}
			}
		})
	}
}

// healthServer is a server of gRPC that counts its calls.
func healthServer(t *testing.T, calls *atomic.Int64) (address string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(grpc.UnaryInterceptor(func(ctx context.Context, request any, _ *grpc.UnaryServerInfo, answer grpc.UnaryHandler) (any, error) {
		calls.Add(1)
		return answer(ctx, request)
	}))
	grpc_health_v1.RegisterHealthServer(server, health.NewServer())
	go func() { _ = server.Serve(listener) }() // until it is stopped
	t.Cleanup(server.Stop)
	return listener.Addr().String()
}

func TestAServiceThatCannotBeReachedIsNamed(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "kubernetes", analysis("iterations", 1), analysis("threshold", 1))
	s.canary["spec"].(map[string]any)["metricsServer"] = "http://prometheus." + s.Name + ".svc:9090"
	s.write("canary.yaml", s.canary)
	s.initialise()
	run := s.rollOut(v2, "--reach", "port-forward")
	s.end(run, 1)
	if want := `Service "` + s.Name + `/prometheus": there is no such Service in the cluster`; !strings.Contains(run.Stderr(), want) {
		t.Errorf("the run does not say %q:\n%s", want, run.Stderr())
	}
}
