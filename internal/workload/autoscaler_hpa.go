package workload

import (
	"strings"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/penstock-dev/penstock/internal/canary"
)

// podAutoscalers are the HorizontalPodAutoscalers of autoscaling/v2. One whose target has no replicas is disabled by
// Kubernetes itself, so nothing pauses it.
var podAutoscalers = scaler{
	gvr:     autoscalingv2.SchemeGroupVersion.WithResource("horizontalpodautoscalers"),
	short:   "HPA",
	low:     "minReplicas",
	high:    "maxReplicas",
	lowest:  1,
	private: func(key string) bool { return strings.HasPrefix(key, "autoscaling.alpha.kubernetes.io/") },
	adapt:   adaptPodAutoscaler,
	trouble: podAutoscalerTrouble,
}

// adaptPodAutoscaler points the metrics that describe the canary to the primary. Those of pods and of containers follow
// the scaled workload; what an external metric or a selector of metrics means is not known, so they stay.
func adaptPodAutoscaler(c *canary.Canary, spec map[string]any) error {
	metrics, _ := spec["metrics"].([]any)
	for _, metric := range metrics {
		m, _ := metric.(map[string]any)
		object, _ := m["object"].(map[string]any)
		described, ok := object["describedObject"].(map[string]any)
		if !ok {
			continue
		}
		switch kind, name := described["kind"], described["name"]; {
		case kind == c.Spec.TargetRef.Kind && name == c.Spec.TargetRef.Name:
			described["name"] = c.PrimaryName()
		case kind == serviceKind && name == c.ServiceName()+canarySuffix:
			described["name"] = c.ServiceName() + primarySuffix
		}
	}
	return nil
}

// podAutoscalerTrouble leaves out that scaling is disabled at zero replicas, which is how it should be.
func podAutoscalerTrouble(live *unstructured.Unstructured) string {
	for _, of := range []string{string(autoscalingv2.AbleToScale), string(autoscalingv2.ScalingActive)} {
		if c := scalerCondition(live, of); c["status"] == "False" && c["reason"] != "ScalingDisabled" {
			return colonsOf(c)
		}
	}
	return ""
}
