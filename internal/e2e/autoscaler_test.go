package e2e

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
)

const pausedReplicas = "autoscaling.keda.sh/paused-replicas"

func scaledObjects() schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: "keda.sh", Version: "v1alpha1", Resource: "scaledobjects"}
}

func podAutoscalers() schema.GroupVersionResource {
	return autoscalingv2.SchemeGroupVersion.WithResource("horizontalpodautoscalers")
}

// scaledBy sets spec.autoscalerRef.
func scaledBy(apiVersion, kind string, more ...func(ref map[string]any)) func(map[string]any) {
	return func(spec map[string]any) {
		ref := map[string]any{"apiVersion": apiVersion, "kind": kind, "name": "podinfo"}
		for _, change := range more {
			change(ref)
		}
		spec["autoscalerRef"] = ref
	}
}

func (s *scenario) podAutoscaler() {
	s.t.Helper()
	s.Create(podAutoscalers(), map[string]any{
		"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
		"metadata": map[string]any{"name": "podinfo", "labels": map[string]any{"team": "checkout"}},
		"spec": map[string]any{
			"scaleTargetRef": map[string]any{"apiVersion": "apps/v1", "kind": "Deployment", "name": "podinfo"},
			"minReplicas":    int64(1), "maxReplicas": int64(5),
			"behavior": map[string]any{"scaleDown": map[string]any{"stabilizationWindowSeconds": int64(60)}},
		},
	})
}

// scaledObject creates KEDA's definition, of which there is only the API here, and the target's ScaledObject.
func (s *scenario) scaledObject() {
	s.t.Helper()
	if err := s.cluster.installCRDs(s.t.Context(), "testdata/scaledobject.yaml"); err != nil {
		s.t.Fatal(err)
	}
	s.Create(scaledObjects(), map[string]any{
		"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "metadata": map[string]any{"name": "podinfo"},
		"spec": map[string]any{
			"scaleTargetRef":  map[string]any{"name": "podinfo"},
			"minReplicaCount": int64(1), "maxReplicaCount": int64(5), "cooldownPeriod": int64(30),
			"triggers": []any{map[string]any{"type": "prometheus", "metadata": map[string]any{"query": `up{app="podinfo"}`, "threshold": "5"}}},
		},
	})
}

// change merges a patch into an object as somebody else.
func (s *scenario) change(resource schema.GroupVersionResource, patch string) {
	s.t.Helper()
	_, err := s.cluster.Dynamic.Resource(resource).Namespace(s.Name).Patch(s.t.Context(), "podinfo", types.MergePatchType,
		[]byte(patch), metav1.PatchOptions{FieldManager: "ci"})
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *scenario) hpa(name string) *autoscalingv2.HorizontalPodAutoscaler {
	s.t.Helper()
	hpa, err := s.cluster.Kube.AutoscalingV2().HorizontalPodAutoscalers(s.Name).Get(s.t.Context(), name, metav1.GetOptions{})
	if err != nil {
		s.t.Fatal(err)
	}
	return hpa
}

func TestAnHPAIsCopiedForThePrimaryAndFollowsAtThePromotion(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "gatewayapi:v1", scaledBy("autoscaling/v2", "HorizontalPodAutoscaler", func(ref map[string]any) {
		ref["primaryScalerReplicas"] = map[string]any{"minReplicas": 2}
	}))
	s.podAutoscaler()
	s.initialise()
	record := s.Record(podAutoscalers())
	primary := s.hpa("podinfo-primary")
	if ref := primary.Spec.ScaleTargetRef; ref.Name != "podinfo-primary" || *primary.Spec.MinReplicas != 2 || primary.Spec.MaxReplicas != 5 {
		t.Errorf("the primary's is %+v", primary.Spec)
	}
	// The controller leaves a canary without replicas alone, and keeps the primary within its bounds.
	s.Await("the canary's HPA to be disabled", func(context.Context) error {
		for _, c := range s.hpa("podinfo").Status.Conditions {
			if c.Type == autoscalingv2.ScalingActive && c.Reason == "ScalingDisabled" {
				return nil
			}
		}
		return errors.New("it is not")
	})
	if target := s.deployment("podinfo"); target.replicas != 0 {
		t.Errorf("its HPA has scaled the canary to %d", target.replicas)
	}

	s.change(podAutoscalers(), `{"metadata":{"labels":{"team":"shop"}},"spec":{"maxReplicas":7,"behavior":null}}`)
	s.end(s.rollOut(v2), 0)
	s.wantPromoted(v2)
	s.wantSafe()
	primary = s.hpa("podinfo-primary")
	if primary.Spec.MaxReplicas != 7 || primary.Spec.Behavior != nil || primary.Labels["team"] != "shop" || *primary.Spec.MinReplicas != 2 {
		t.Errorf("after the promotion the primary's is %+v, labels %v", primary.Spec, primary.Labels)
	}
	var most []int64
	record.Replay(func(m Moment) {
		if d := m.Object("Deployment", "podinfo"); d != nil {
			n, _, _ := unstructured.NestedInt64(d.Object, "spec", "replicas")
			most = append(most, n)
		}
		limit := int64(5)
		if hpa := m.Object("HorizontalPodAutoscaler", "podinfo-primary"); hpa != nil {
			limit, _, _ = unstructured.NestedInt64(hpa.Object, "spec", "maxReplicas")
		}
		if phase := recordAt(m).Status.Phase; limit == 7 && (phase == "Progressing" || phase == "Initialized") {
			t.Errorf("the primary's HPA changed in the phase %s", phase)
		}
	})
	if got := slices.Max(most); got != 1 {
		t.Errorf("the canary had up to %d pods, want its HPA's fewest, 1", got)
	}
}

func TestARolledBackRevisionLeavesThePrimarysHPA(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "nginx", scaledBy("autoscaling/v2", "HorizontalPodAutoscaler"))
	s.podAutoscaler()
	s.initialise()
	s.change(podAutoscalers(), `{"spec":{"maxReplicas":7}}`)
	s.prometheus.Script("", Value(1))
	s.end(s.rollOut(v2), 1)
	s.wantRolledBack(v1)
	s.wantSafe()
	if got := s.hpa("podinfo-primary").Spec.MaxReplicas; got != 5 {
		t.Errorf("the primary's HPA has maxReplicas %d", got)
	}
}

// There is no KEDA here: what is judged is when its ScaledObject is told to pause and to go on.
func TestAScaledObjectIsPausedWheneverTheCanaryIsDown(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "gatewayapi:v1", scaledBy("keda.sh/v1alpha1", "ScaledObject"))
	s.scaledObject()
	record := s.Record(scaledObjects())
	s.initialise()
	s.end(s.rollOut(v2), 0)
	s.prometheus.Script("", Value(1))
	s.end(s.rollOut(v3), 1)
	s.wantRolledBack(v2)
	s.wantSafe()
	primary := s.Get(scaledObjects(), "podinfo-primary")
	triggers, _, _ := unstructured.NestedSlice(primary.Object, "spec", "triggers")
	if query, _, _ := unstructured.NestedString(triggers[0].(map[string]any), "metadata", "query"); query != `up{app="podinfo-primary"}` {
		t.Errorf("the primary's query is %s", query)
	}
	if name, _, _ := unstructured.NestedString(primary.Object, "spec", "scaleTargetRef", "name"); name != "podinfo-primary" {
		t.Errorf("the primary's ScaledObject scales %s", name)
	}
	s.wantPausedWhileDown(record, []string{"", "0", "", "0", "", "0"})
}

// The primary may be measured by queries of its own, and have another size.
func TestThePrimarysScaledObjectHasItsOwnQueriesAndSize(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "nginx", scaledBy("keda.sh/v1alpha1", "ScaledObject", func(ref map[string]any) {
		ref["primaryScalerQueries"] = map[string]any{"load": `sum(rate(requests{pod=~"podinfo-primary-.*"}[1m]))`}
		ref["primaryScalerReplicas"] = map[string]any{"minReplicas": 2, "maxReplicas": 8}
	}))
	s.scaledObject()
	s.change(scaledObjects(), `{"spec":{"triggers":[
		{"type":"prometheus","name":"load","metadata":{"query":"sum(rate(requests{pod=~\"podinfo-[a-z0-9]+-.*\"}[1m]))","threshold":"5"}},
		{"type":"cpu","metadata":{"value":"60"}}]}}`)
	s.initialise()
	want := func(query string, low, high int64) {
		t.Helper()
		spec := s.Get(scaledObjects(), "podinfo-primary").Object["spec"].(map[string]any)
		triggers := spec["triggers"].([]any)
		if got := triggers[0].(map[string]any)["metadata"].(map[string]any)["query"]; got != query || len(triggers) != 2 {
			t.Errorf("the primary's triggers are %v, want the query %s", triggers, query)
		}
		if spec["minReplicaCount"] != low || spec["maxReplicaCount"] != high {
			t.Errorf("the primary has %v to %v replicas, want %d to %d", spec["minReplicaCount"], spec["maxReplicaCount"], low, high)
		}
	}
	const own = `sum(rate(requests{pod=~"podinfo-primary-.*"}[1m]))`
	want(own, 2, 8)
	// What the user changes of the canary's follows at the promotion, and what is the primary's own stays.
	s.change(scaledObjects(), `{"spec":{"maxReplicaCount":6,"cooldownPeriod":60}}`)
	s.end(s.rollOut(v2), 0)
	s.wantPromoted(v2)
	s.wantSafe()
	want(own, 2, 8)
	if got := s.Get(scaledObjects(), "podinfo-primary").Object["spec"].(map[string]any)["cooldownPeriod"]; got != int64(60) {
		t.Errorf("the primary's cooldownPeriod is %v", got)
	}
}

// wantPausedWhileDown checks the values that the annotation had, one after the other, and that a canary without pods is
// paused, with pods is not, and is not paused while it has traffic.
func (s *scenario) wantPausedWhileDown(record *Recorder, want []string) {
	s.t.Helper()
	var values []string
	before := int64(2)
	record.Replay(func(m Moment) {
		target, so := m.Object("Deployment", "podinfo"), m.Object("ScaledObject", "podinfo")
		if target == nil || so == nil {
			return
		}
		at := so.GetAnnotations()[pausedReplicas]
		replicas, _, _ := unstructured.NestedInt64(target.Object, "spec", "replicas")
		weight, _ := s.weight(m)
		when := m.Version.At.Format("15:04:05.000") + " " + m.Version.key()
		switch {
		case at == "0" && weight > 0:
			s.t.Errorf("%s: paused with %d %% of the traffic on the canary", when, weight)
		case replicas == 0 && before > 0 && at != "0":
			s.t.Errorf("%s: scaled to zero before KEDA was told to pause", when)
		case replicas > 0 && before == 0 && at == "0":
			s.t.Errorf("%s: scaled up before KEDA was told to go on", when)
		}
		before = replicas
		if len(values) == 0 || values[len(values)-1] != at {
			values = append(values, at)
		}
		if other := m.Object("ScaledObject", "podinfo-primary"); other != nil && other.GetAnnotations()[pausedReplicas] != "" {
			s.t.Errorf("%s: the primary's ScaledObject is paused", when)
		}
	})
	if !slices.Equal(values, want) {
		s.t.Errorf("the annotation was %q, want %q", strings.Join(values, ","), strings.Join(want, ","))
	}
}

func TestAnAutoscalerThatCannotBeUsedIsRefusedBeforeAnythingIsTouched(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		prepare func(s *scenario)
		want    string
	}{
		"it does not exist": {func(*scenario) {}, `spec.autoscalerRef: HorizontalPodAutoscaler "podinfo" does not exist`},
		"it scales another workload": {func(s *scenario) {
			s.podAutoscaler()
			s.change(podAutoscalers(), `{"spec":{"scaleTargetRef":{"name":"other"}}}`)
		}, `spec.scaleTargetRef is Deployment "other", not the canary's target`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScenario(t, "nginx", scaledBy("autoscaling/v2", "HorizontalPodAutoscaler"))
			c.prepare(s)
			run := s.run()
			s.end(run, 2)
			s.wantLine(run, c.want)
			s.wantUntouched()
		})
	}
}

func TestTheRoleForAnAutoscalerIsEnough(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "nginx", scaledBy("keda.sh/v1alpha1", "ScaledObject"))
	s.scaledObject()
	s.grantRendered()
	config := s.UserKubeconfig()
	s.end(s.run("--kubeconfig", config), 0)
	s.end(s.rollOut(v2, "--kubeconfig", config), 0)
	s.wantPromoted(v2)
	s.wantSafe()
}
