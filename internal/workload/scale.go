package workload

import "github.com/penstock-dev/penstock/internal/rollout"

// Scaling is a change of the number of the canary's pods: a JSON merge patch of the target, or of its subresource
// Refs.Scale.
type Scaling struct {
	Patch []byte
	To    string // what it is scaled to, in words
}

// ScaleCanary returns the change that gives the target the wanted size, or nil when it has it. primary may be nil.
func ScaleCanary(target, primary *Workload, to rollout.Scale) *Scaling {
	return target.kind.scale(target, primary, to)
}

// CanaryReplicas returns what a target with replicas is to be scaled to, and whether that is a change. Scaling up keeps
// the target's own replicas; when it has none, its autoscaler's fewest or, without an autoscaler, the primary's. primary may
// be nil.
func CanaryReplicas(target, primary *Workload, scale rollout.Scale) (replicas int32, change bool) {
	own := target.Replicas
	switch scale {
	case rollout.ScaleZero:
		return 0, own != 0
	case rollout.ScaleUp:
		if own > 0 {
			return own, false
		}
		if target.Floor > 0 {
			return target.Floor, true
		}
		if primary != nil && primary.Replicas > 0 {
			return primary.Replicas, true
		}
		return 1, true
	case rollout.ScaleLeave:
	}
	return own, false
}
