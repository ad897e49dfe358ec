package workload

import (
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/penstock-dev/penstock/internal/rollout"
)

// ScalerMin is the fewest replicas that a live autoscaler sets. It is zero for none.
func ScalerMin(live *unstructured.Unstructured) int32 {
	if live == nil {
		return 0
	}
	low, _ := scalers[live.GetKind()].bounds(scalerSpec(live))
	return int32(low)
}

// ScalerText describes a live autoscaler and the number of replicas that its workload asks for, such as
// "HPA podinfo 2..10, now 4". It is empty for none.
func ScalerText(live *unstructured.Unstructured, replicas int) string {
	if live == nil {
		return ""
	}
	s := scalers[live.GetKind()]
	low, high := s.bounds(scalerSpec(live))
	said := fmt.Sprintf("%s %s %d..%d, ", s.short, live.GetName(), low, high)
	wanted, _, _ := unstructured.NestedInt64(live.Object, "status", "desiredReplicas")
	switch at, paused := live.GetAnnotations()[s.pause]; {
	case s.pause != "" && paused:
		said += "paused at " + at
	case replicas == 0:
		said += "off at 0"
	case wanted > 0 && int(wanted) != replicas:
		said += fmt.Sprintf("now %d, wants %d", replicas, wanted)
	default:
		said += fmt.Sprintf("now %d", replicas)
	}
	if replicas == 0 {
		return said // what is off has nothing to complain about
	}
	return sentence(said, s.trouble(live))
}

// PauseScaler returns the merge patch that stops the target's autoscaler while the canary is down, or lets it go on when
// the canary goes up. It is nil when there is nothing to change. It comes before the change of the replicas, so that the
// autoscaler never works against it.
//
// A canary that goes up is freed only from zero: somebody else's pause at another number stays.
func PauseScaler(live *unstructured.Unstructured, to rollout.Scale) []byte {
	if live == nil {
		return nil
	}
	pause := scalers[live.GetKind()].pause
	if pause == "" {
		return nil
	}
	const zero = "0"
	at, paused := live.GetAnnotations()[pause]
	switch {
	case to == rollout.ScaleZero && at != zero:
		return fmt.Appendf(nil, `{"metadata":{"annotations":{%q:%q}}}`, pause, zero)
	case to == rollout.ScaleUp && paused && at == zero:
		return fmt.Appendf(nil, `{"metadata":{"annotations":{%q:null}}}`, pause)
	}
	return nil
}

// scalerCondition returns a condition of a live autoscaler's status, or nil.
func scalerCondition(live *unstructured.Unstructured, of string) map[string]any {
	conditions, _, _ := unstructured.NestedSlice(live.Object, "status", "conditions")
	for _, condition := range conditions {
		if c, _ := condition.(map[string]any); c["type"] == of {
			return c
		}
	}
	return nil
}

func colonsOf(condition map[string]any) string {
	return colons(text(condition["reason"]), text(condition["message"]))
}

func text(value any) string {
	s, _ := value.(string)
	return s
}
