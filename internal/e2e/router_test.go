package e2e

import (
	"context"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func TestARouterThatDoesNotFollowRollsBack(t *testing.T) {
	t.Parallel()
	for name, manners := range map[string]Manners{"withholds": Withhold, "rejects": Reject} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScenario(t, "gatewayapi:v1", deadline(12))
			s.initialise()
			run := s.rollOut(v2)
			s.awaitWeight(20)
			cluster.Gateway.Set(s.Name, manners)
			code := run.Wait(patience)
			t.Logf("ended with %d\n%s", code, run.Transcript())
			if code != 1 {
				t.Errorf("it ended with %d, want 1", code)
			}
			s.wantWeight(0)
			s.wantSafe()
			cluster.Gateway.Set(s.Name, Accept)
			again := s.rollOut(v2)
			s.end(again, 0)
			s.wantPromoted(v2)
			s.wantSafe()
		})
	}
}

func TestAFirstRunWithAServiceAlreadyInUseNeverLeavesItEmpty(t *testing.T) {
	t.Parallel()
	for _, provider := range []string{"gatewayapi:v1", "nginx", "kubernetes"} {
		t.Run(provider, func(t *testing.T) {
			t.Parallel()
			s := newScenario(t, provider)
			s.service("podinfo", "podinfo")
			s.SetImage("podinfo", v1+"-slow-1")
			s.AwaitReady("podinfo")
			s.end(s.run(), 0)
			served := false
			s.record.Replay(func(m Moment) {
				ready := m.ReadyEndpoints("podinfo")
				if served && ready == 0 {
					t.Errorf("the Service lost its last endpoint at %s by %s", m.Version.At.Format("15:04:05.000"), m.Version.key())
				}
				served = served || ready > 0
			})
			s.end(s.rollOut(v2), 0)
			s.wantPromoted(v2)
			s.wantSafe()
		})
	}
}

// Others may write to the user's objects at any time; their fields survive, and penstock keeps its own.
func TestChangesByOthersToTheRouteSurvive(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "gatewayapi:v1")
	s.initialise()
	run := s.rollOut(v2)
	for step := 1; step <= 4; step++ {
		s.awaitStep(step)
		s.Await("a write to the route", func(ctx context.Context) error {
			route := s.Get(HTTPRoutes(), "podinfo")
			rules, _, err := unstructured.NestedSlice(route.Object, "spec", "rules")
			if err != nil {
				return err
			}
			if len(rules) == 1 {
				rules = append(rules, map[string]any{
					"matches":     []any{map[string]any{"path": map[string]any{"type": "PathPrefix", "value": "/other"}}},
					"backendRefs": []any{map[string]any{"name": "other", "port": int64(80)}},
				})
			}
			route.SetLabels(map[string]string{"by": "somebody", "step": string(rune('0' + step))})
			if err := unstructured.SetNestedSlice(route.Object, rules, "spec", "rules"); err != nil {
				return err
			}
			_, err = cluster.Dynamic.Resource(HTTPRoutes()).Namespace(s.Name).Update(ctx, route, metav1.UpdateOptions{FieldManager: "somebody"})
			return err
		})
		if step == 1 {
			s.service("other", "podinfo")
		}
	}
	s.end(run, 0)
	s.wantPromoted(v2)
	s.wantWeights(0, 10, 20, 30, 40, 50, 0)
	s.wantSafe()
	route := s.Get(HTTPRoutes(), "podinfo")
	rules, _, _ := unstructured.NestedSlice(route.Object, "spec", "rules")
	if len(rules) != 2 || route.GetLabels()["by"] != "somebody" {
		t.Errorf("the route has %d rules and the labels %v", len(rules), route.GetLabels())
	}
}
