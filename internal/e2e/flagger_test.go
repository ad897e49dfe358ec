package e2e

import (
	"context"
	"fmt"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// flagger starts Flagger's own controller for the scenario's namespace, until the test ends.
func (s *scenario) flagger() {
	s.t.Helper()
	binary, err := tool{name: "flagger", module: "tools/flagger", pkg: "github.com/fluxcd/flagger/cmd/flagger"}.build(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	p, err := startProcess(cluster.spawner, s.t.TempDir(), binary, []string{
		"-kubeconfig=" + s.Kubeconfig(), "-namespace=" + s.Name, "-mesh-provider=" + s.provider,
		"-metrics-server=" + s.prometheus.URL, "-port=0", "-log-level=info",
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		p.stop(3 * time.Second)
		if s.t.Failed() {
			s.t.Logf("flagger said\n%s", p.tail(40))
		}
	})
}

// awaitPhase waits until Flagger says that the canary is in a phase.
func (s *scenario) awaitPhase(phase string) {
	s.t.Helper()
	s.Await("the canary to be "+phase, func(ctx context.Context) error {
		o, err := s.cluster.Dynamic.Resource(Canaries()).Namespace(s.Name).Get(ctx, "podinfo", metav1.GetOptions{})
		if err != nil {
			return err
		}
		if got, _, _ := unstructured.NestedString(o.Object, "status", "phase"); got != phase {
			return fmt.Errorf("it is %q", got)
		}
		return nil
	})
}

// drivenByFlagger is a canary of two steps that a real Flagger controller has initialised. Its interval is the shortest
// that Flagger knows.
func drivenByFlagger(t *testing.T) *scenario {
	t.Helper()
	cluster.InstallFlaggerCRDs(t)
	s := newScenario(t, "gatewayapi:v1", analysis("interval", "10s"), analysis("stepWeight", 25), analysis("threshold", 1))
	s.prometheus.Script("histogram_quantile", Value(0.05)) // Flagger multiplies by 1000 itself
	s.createCanary()
	s.flagger()
	s.awaitPhase("Initialized")
	return s
}

func TestARealFlaggerIsNotDisturbedAndItsPromotionIsFollowed(t *testing.T) {
	t.Parallel()
	s := drivenByFlagger(t)
	refused := s.rollOut(v2)
	s.end(refused, 2)
	s.wantLine(refused, "--driver follow")
	run := s.rollOut(v2, "--driver", "follow")
	if code := run.Wait(3 * patience); code != 0 {
		t.Fatalf("the run ended with %d", code)
	}
	s.wantLine(run, "25%")
	s.wantLine(run, "50%")
	s.wantLine(run, "Promoted: podinfo 2.0.0")
	if primary := s.deployment("podinfo-primary"); primary.image != v2 {
		t.Errorf("Flagger's primary runs %s", primary.image)
	}
}

func TestARollbackOfARealFlaggerIsFollowed(t *testing.T) {
	t.Parallel()
	s := drivenByFlagger(t)
	s.prometheus.Script("", Value(42))
	s.prometheus.Script("histogram_quantile", Value(0.05))
	run := s.rollOut(v2, "--driver", "follow")
	if code := run.Wait(3 * patience); code != 1 {
		t.Fatalf("the run ended with %d", code)
	}
	s.wantLine(run, "Rolled back")
	s.wantLine(run, "42.00")
	if primary := s.deployment("podinfo-primary"); primary.image != v1 {
		t.Errorf("Flagger's primary runs %s", primary.image)
	}
}
