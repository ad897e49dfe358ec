package workload

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/penstock-dev/penstock/internal/rollout"
)

// Resizing reports whether a workload that is not ready serves as well as before and only waits for pods that were added,
// or for pods to go. A pod that was ready and is no longer, or that was started again, is not such a wait.
func Resizing(r *rollout.Workload, w *Workload, parts []*unstructured.Unstructured) bool {
	if w == nil || r.Ready || r.Broken || !r.Serving || w.Template == nil || w.Replicas == 0 {
		return false
	}
	pods := newest(w, parts)
	if len(pods) < len(podsOf(w, parts)) {
		return false // another template is on its way
	}
	serving := 0
	for _, pod := range pods {
		switch {
		case podReady(pod):
			serving++
		case !neverReady(pod):
			return false
		}
	}
	return serving > 0
}

func podReady(pod *corev1.Pod) bool {
	c := readyCondition(pod)
	return c != nil && c.Status == corev1.ConditionTrue
}

// neverReady reports whether a pod is on its first way to being ready. A pod's condition Ready turns to False before its
// containers start; when it does so later, the pod was ready.
func neverReady(pod *corev1.Pod) bool {
	c := readyCondition(pod)
	for i := range pod.Status.ContainerStatuses {
		s := &pod.Status.ContainerStatuses[i]
		if s.RestartCount > 0 || s.State.Terminated != nil || pod.Status.Phase == corev1.PodFailed {
			return false
		}
		if running := s.State.Running; running != nil && c != nil && c.LastTransitionTime.After(running.StartedAt.Time) {
			return false
		}
	}
	return true
}

func readyCondition(pod *corev1.Pod) *corev1.PodCondition {
	for i := range pod.Status.Conditions {
		if pod.Status.Conditions[i].Type == corev1.PodReady {
			return &pod.Status.Conditions[i]
		}
	}
	return nil
}
