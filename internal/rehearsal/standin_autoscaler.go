package rehearsal

import (
	"maps"
	"slices"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/penstock-dev/penstock/internal/canary"
)

// autoscaler stands in for the autoscaler that the canary refers to. None of them scales by load here: the replicas are
// only kept within the bounds.
func (s *Stage) autoscaler(c *canary.Canary) {
	ref := c.Spec.AutoscalerRef
	if ref == nil {
		return
	}
	if s.find(ref.Kind, ref.Name) != nil {
		s.say("%s %q: keeps the replicas within its bounds, without metrics", ref.Kind, ref.Name)
		return
	}
	var o *unstructured.Unstructured
	switch ref.Kind {
	case "HorizontalPodAutoscaler":
		o = standInPodAutoscaler(c)
	case "ScaledObject":
		o = standInScaledObject(c)
	default:
		return // said by whoever compiles the canary
	}
	s.say("%s %q: one with at least 1 and at most 2 replicas, without metrics", ref.Kind, ref.Name)
	o.SetKind(ref.Kind)
	o.SetName(ref.Name)
	o.SetNamespace(c.Namespace)
	s.Objects = append(s.Objects, o)
}

func standInPodAutoscaler(c *canary.Canary) *unstructured.Unstructured {
	o := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{
		"scaleTargetRef": scaleTarget(c), "minReplicas": int64(1), "maxReplicas": int64(2),
		"metrics": []any{map[string]any{"type": "Resource", "resource": map[string]any{
			"name": "cpu", "target": map[string]any{"type": "Utilization", "averageUtilization": int64(80)},
		}}},
	}}}
	o.SetAPIVersion(autoscalingv2.SchemeGroupVersion.String())
	return o
}

// standInScaledObject has a trigger for each query that the canary gives for the primary.
func standInScaledObject(c *canary.Canary) *unstructured.Unstructured {
	triggers := []any{map[string]any{"type": "cpu", "metricType": "Utilization", "metadata": map[string]any{"value": "80"}}}
	for _, name := range slices.Sorted(maps.Keys(c.Spec.AutoscalerRef.PrimaryScalerQueries)) {
		triggers = append(triggers, map[string]any{
			"type": "prometheus", "name": name, "metadata": map[string]any{"query": "vector(1)", "threshold": "1"},
		})
	}
	o := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{
		"scaleTargetRef": scaleTarget(c), "minReplicaCount": int64(1), "maxReplicaCount": int64(2), "triggers": triggers,
	}}}
	o.SetAPIVersion("keda.sh/v1alpha1")
	return o
}

func scaleTarget(c *canary.Canary) map[string]any {
	target := c.Spec.TargetRef
	return map[string]any{"apiVersion": target.APIVersion, "kind": target.Kind, "name": target.Name}
}
