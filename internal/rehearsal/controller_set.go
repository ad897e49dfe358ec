package rehearsal

import (
	"cmp"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/rand"
)

// syncSet gives a ReplicaSet the pods that it asks for, and its status.
func (c *Controllers) syncSet(d *appsv1.Deployment, set *appsv1.ReplicaSet) {
	pods := typedAll[corev1.Pod](c.api, podsResource(), set.UID)
	for missing := int(*set.Spec.Replicas) - len(pods); missing > 0; missing-- {
		// The pod is new and valid, as its template has been found to be.
		_ = write(newPod(set), c.api.Create)
	}
	if surplus := len(pods) - int(*set.Spec.Replicas); surplus > 0 {
		c.removePods(pods, surplus)
	}
	status := appsv1.ReplicaSetStatus{ObservedGeneration: set.Generation}
	for _, pod := range typedAll[corev1.Pod](c.api, podsResource(), set.UID) {
		memory := c.syncPod(types.NamespacedName{Namespace: d.Namespace, Name: d.Name}, &set.Spec.Template, pod)
		status.Replicas++
		status.FullyLabeledReplicas++
		if memory.ready {
			status.ReadyReplicas++
		}
		if c.available(memory, set.Spec.MinReadySeconds) {
			status.AvailableReplicas++
		}
	}
	set.Status = status
	// A lost race is repaired in the next round.
	_ = c.writeStatus(set)
}

// available says whether a pod has been ready for long enough, and asks to be woken when it will have been.
func (c *Controllers) available(memory *podMemory, minReadySeconds int32) bool {
	if !memory.ready {
		return false
	}
	when := memory.readySince.Add(time.Duration(minReadySeconds) * time.Second)
	if when.After(c.clock.Now()) {
		c.at(when)
		return false
	}
	return true
}

// removePods deletes the surplus: pods that are not ready first, then the youngest.
func (c *Controllers) removePods(pods []*corev1.Pod, surplus int) {
	rank := func(pod *corev1.Pod) (ready int, created time.Time) {
		if memory := c.pods[pod.UID]; memory != nil {
			if memory.ready {
				ready = 1
			}
			return ready, memory.created
		}
		return 0, pod.CreationTimestamp.Time
	}
	slices.SortStableFunc(pods, func(x, y *corev1.Pod) int {
		xReady, xCreated := rank(x)
		yReady, yCreated := rank(y)
		return cmp.Or(cmp.Compare(xReady, yReady), yCreated.Compare(xCreated))
	})
	for _, pod := range pods[:surplus] {
		// A pod that is gone already is as good as one deleted.
		_ = c.api.Delete(podsResource(), pod.Namespace, pod.Name)
	}
}

func newPod(set *appsv1.ReplicaSet) *corev1.Pod {
	return &corev1.Pod{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{
			Namespace:       set.Namespace,
			GenerateName:    set.Name + "-",
			Name:            set.Name + "-" + rand.String(5),
			Labels:          set.Spec.Template.Labels,
			Annotations:     set.Spec.Template.Annotations,
			OwnerReferences: ownedBy(appsv1.SchemeGroupVersion.WithKind("ReplicaSet"), set),
		},
		Spec: *set.Spec.Template.Spec.DeepCopy(),
	}
}

// forgetPods drops what is remembered of pods that no longer exist.
func (c *Controllers) forgetPods() {
	alive := map[types.UID]bool{}
	for _, pod := range typedAll[metav1.PartialObjectMetadata](c.api, podsResource(), "") {
		alive[pod.UID] = true
	}
	for uid := range c.pods {
		if !alive[uid] {
			delete(c.pods, uid)
		}
	}
}
