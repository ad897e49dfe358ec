package workload

import (
	appsv1 "k8s.io/api/apps/v1"

	"github.com/penstock-dev/penstock/internal/rollout"
)

// Replicas is the number of pods that a Deployment asks for; Kubernetes takes none given for one.
func Replicas(d *appsv1.Deployment) int32 {
	if d.Spec.Replicas == nil {
		return 1
	}
	return *d.Spec.Replicas
}

// CanaryReplicas returns what the target is to be scaled to, and whether that is a change. Scaling up keeps the target's
// own replicas, or takes the primary's when it has none. primary may be nil.
func CanaryReplicas(target, primary *appsv1.Deployment, scale rollout.Scale) (replicas int32, change bool) {
	own := Replicas(target)
	switch scale {
	case rollout.ScaleZero:
		return 0, own != 0
	case rollout.ScaleUp:
		if own > 0 {
			return own, false
		}
		if primary != nil && Replicas(primary) > 0 {
			return Replicas(primary), true
		}
		return 1, true
	case rollout.ScaleLeave:
	}
	return own, false
}
