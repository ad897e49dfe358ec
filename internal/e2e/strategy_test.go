package e2e

import (
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func TestSkippingTheAnalysisPromotesAReadyCanaryWithoutTraffic(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "nginx", func(spec map[string]any) { spec["skipAnalysis"] = true })
	s.initialise()
	run := s.rollOut(v2)
	s.end(run, 0)
	s.wantPromoted(v2)
	s.wantWeights(0)
	s.wantSafe()
	if n := len(s.prometheus.Queries()); n > 0 {
		t.Errorf("Prometheus was asked %d times", n)
	}
}

// Without an analysis the canary goes only when the primary, which takes its time, is ready.
func TestSkippingTheAnalysisWaitsForThePrimary(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "gatewayapi:v1", func(spec map[string]any) { spec["skipAnalysis"] = true })
	s.initialise()
	s.end(s.rollOut(v2+"-slow-4"), 0)
	s.wantPromoted(v2 + "-slow-4")
	s.wantWeights(0)
	s.wantSafe()
	promoting := false
	s.record.Replay(func(m Moment) {
		phase := recordAt(m).Status.Phase
		promoting = promoting || phase == "Promoting"
		if !promoting || m.Version.key() != "Deployment/podinfo" {
			return
		}
		replicas, _, _ := unstructured.NestedInt64(m.Version.Object.Object, "spec", "replicas")
		updated, _, _ := unstructured.NestedInt64(m.Object("Deployment", "podinfo-primary").Object, "status", "updatedReplicas")
		if ready := readyPods(m, "podinfo-primary"); replicas == 0 && (ready < 2 || updated < 2) {
			t.Errorf("in the phase %s the canary was scaled down with %d ready pods of the primary, %d of them new", phase, ready, updated)
		}
	})
}

func TestASuspendedCanaryIsLeftAlone(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "nginx", func(spec map[string]any) { spec["suspend"] = true })
	run := s.run()
	s.end(run, 0)
	s.wantLine(run, "SUSPENDED")
	if target := s.deployment("podinfo"); target.replicas != 2 || target.image != v1 {
		t.Errorf("the target is %+v", target)
	}
	for _, r := range writes(s.Requests()) {
		if r.Resource != "leases" {
			t.Errorf("penstock did %s %s %s", r.Verb, r.Resource, r.Name)
		}
	}
}

func TestTrafficGoesBackInStepsWhenAsked(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "gatewayapi:v1", analysis("stepWeight", 50), analysis("stepWeightPromotion", 20))
	s.initialise()
	s.end(s.rollOut(v2), 0)
	s.wantPromoted(v2)
	s.wantWeights(0, 50, 30, 10, 0)
	s.wantSafe()
}

func TestStepWeightsAreTakenAsWritten(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "gatewayapi:v1", func(spec map[string]any) {
		a := spec["analysis"].(map[string]any)
		delete(a, "stepWeight")
		delete(a, "maxWeight")
		a["stepWeights"] = []any{1, 7, 80}
	})
	s.initialise()
	s.end(s.rollOut(v2), 0)
	s.wantWeights(0, 1, 7, 80, 0)
	s.wantSafe()
}

// A first run with a new image makes the primary from what serves today, and only then analyses the new image.
func TestAFirstRunWithANewImageAnalysesIt(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		value float64
		code  int
		image string
	}{"good": {100, 0, v2}, "bad": {1, 1, v1}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScenario(t, "gatewayapi:v1", analysis("stepWeight", 25))
			s.service("podinfo", "podinfo")
			s.prometheus.Script("", Value(c.value))
			run := s.rollOut(v2)
			s.end(run, c.code)
			if primary := s.deployment("podinfo-primary"); primary.image != c.image {
				t.Errorf("the primary runs %s, want %s", primary.image, c.image)
			}
			s.wantWeight(0)
			s.wantSafe()
			if !slices.Contains(s.weights(), 25) {
				t.Errorf("the new image had no traffic: %v", s.weights())
			}
		})
	}
}

// What failed is tried again when it is asked for again.
func TestAFailedRevisionIsTriedAgain(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "nginx", analysis("threshold", 1), analysis("stepWeight", 50))
	s.initialise()
	s.prometheus.Script("", Value(1))
	s.end(s.rollOut(v2), 1)
	s.prometheus.Script("", Value(100))
	s.prometheus.Script("histogram_quantile", Value(50))
	s.end(s.run(), 0)
	s.wantPromoted(v2)
	s.wantWeights(0, 50, 0, 50, 0)
	s.wantSafe()
}
