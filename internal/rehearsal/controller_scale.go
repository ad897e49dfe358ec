package rehearsal

import (
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// setSize is a ReplicaSet on its way to another size.
type setSize struct {
	set       *appsv1.ReplicaSet
	replicas  int32
	available int32
}

// scaleSets decides how many pods each template may have now, and tells the ReplicaSets.
func (c *Controllers) scaleSets(d *appsv1.Deployment, newest string) {
	var fresh *setSize
	var old []*setSize
	for _, set := range c.setsOf(d) {
		size := &setSize{set: set, replicas: *set.Spec.Replicas, available: set.Status.AvailableReplicas}
		if set.Labels[appsv1.DefaultDeploymentUniqueLabelKey] == newest {
			fresh = size
			continue
		}
		old = append(old, size)
	}
	switch {
	case fresh == nil && len(old) > 0: // paused: the last template keeps the size
		old[len(old)-1].replicas = *d.Spec.Replicas
	case fresh == nil:
	case d.Spec.Strategy.Type == appsv1.RecreateDeploymentStrategyType:
		recreate(*d.Spec.Replicas, fresh, old)
	default:
		surge, unavailable := rollingBounds(d)
		rolling{replicas: *d.Spec.Replicas, surge: surge, unavailable: unavailable}.step(fresh, old)
	}
	for _, size := range append(old, fresh) {
		if size != nil && size.replicas != *size.set.Spec.Replicas {
			size.set.Spec.Replicas = &size.replicas
			// A lost race is repaired in the next round; there is no other error.
			_ = write(size.set, c.api.Update)
		}
	}
}

// recreate removes every old pod before it makes a new one.
func recreate(replicas int32, fresh *setSize, old []*setSize) {
	left := int32(0)
	for _, size := range old {
		size.replicas = 0
		left += size.set.Status.Replicas
	}
	if left == 0 {
		fresh.replicas = replicas
	}
}

// rolling is a rolling update: at most surge pods beyond replicas, at most unavailable ones missing.
type rolling struct{ replicas, surge, unavailable int32 }

// step grows the fresh ReplicaSet as far as the surge allows, and shrinks the old ones as far as availability does.
func (r rolling) step(fresh *setSize, old []*setSize) {
	total := fresh.replicas
	for _, size := range old {
		total += size.replicas
	}
	grown := min(r.replicas, fresh.replicas+max(r.replicas+r.surge-total, 0))
	if fresh.replicas > r.replicas {
		grown = r.replicas
	}
	total += grown - fresh.replicas
	fresh.replicas = grown

	least := r.replicas - r.unavailable
	// Old pods that do not work go first; they serve nobody.
	spare := total - least - max(fresh.replicas-fresh.available, 0)
	available := min(fresh.available, fresh.replicas)
	for _, size := range old {
		broken := min(max(size.replicas-size.available, 0), max(spare, 0))
		size.replicas -= broken
		spare -= broken
		available += min(size.available, size.replicas)
	}
	spare = available - least
	for _, size := range old {
		gone := min(size.replicas, max(spare, 0))
		size.replicas -= gone
		spare -= gone
	}
}

// rollingBounds resolves maxSurge, rounded up, and maxUnavailable, rounded down; both zero would never move.
func rollingBounds(d *appsv1.Deployment) (surge, unavailable int32) {
	update := d.Spec.Strategy.RollingUpdate
	if update == nil {
		return 0, 1
	}
	resolve := func(value *intstr.IntOrString, up bool) int32 {
		n, err := intstr.GetScaledValueFromIntOrPercent(intstr.ValueOrDefault(value, intstr.FromInt32(0)), int(*d.Spec.Replicas), up)
		if err != nil {
			return 0
		}
		return int32(n)
	}
	surge, unavailable = resolve(update.MaxSurge, true), resolve(update.MaxUnavailable, false)
	if surge == 0 && unavailable == 0 {
		unavailable = 1
	}
	return surge, min(unavailable, *d.Spec.Replicas)
}
