package workload

import (
	"cmp"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
)

// podsOf returns the pods that a workload selects, without those that are being deleted or have ended.
func podsOf(w *Workload, parts []*unstructured.Unstructured) []*corev1.Pod {
	selector, err := metav1.LabelSelectorAsSelector(w.Selector)
	if err != nil || selector.Empty() {
		return nil
	}
	var pods []*corev1.Pod
	for _, part := range parts {
		if !selector.Matches(labels.Set(part.GetLabels())) {
			continue
		}
		pod, err := Read[corev1.Pod](part)
		if err == nil && pod.DeletionTimestamp == nil && pod.Status.Phase != corev1.PodSucceeded {
			pods = append(pods, pod) // one that cannot be read has nothing to say
		}
	}
	return pods
}

// newest returns the pods of the newest template: those with the template's images, and of these the ones with the
// revision of the pod that was created last.
func newest(w *Workload, parts []*unstructured.Unstructured) []*corev1.Pod {
	alive := podsOf(w, parts)
	current := slices.DeleteFunc(slices.Clone(alive), func(p *corev1.Pod) bool { return !runs(p, &w.Template.Spec) })
	if len(current) == 0 {
		current = alive // an admission webhook may have rewritten the images
	}
	if len(current) == 0 {
		return nil
	}
	last := slices.MaxFunc(current, func(a, b *corev1.Pod) int {
		return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), cmp.Compare(b.Name, a.Name))
	})
	return slices.DeleteFunc(current, func(p *corev1.Pod) bool { return podHash(p) != podHash(last) })
}

// podHash is what the controllers tell the pods of one template from those of another by.
func podHash(p *corev1.Pod) string {
	return cmp.Or(p.Labels[appsv1.DefaultDeploymentUniqueLabelKey], p.Labels[appsv1.ControllerRevisionHashLabelKey])
}

// servingOld counts the pods of older templates that still get traffic.
func servingOld(w *Workload, parts []*unstructured.Unstructured) int {
	current := map[string]bool{}
	for _, pod := range newest(w, parts) {
		current[pod.Name] = true
	}
	old := 0
	for _, pod := range podsOf(w, parts) {
		if podReady(pod) && !current[pod.Name] {
			old++
		}
	}
	return old
}

// runs reports whether a pod has every container of a template with its image. It may have more: injected sidecars.
func runs(pod *corev1.Pod, template *corev1.PodSpec) bool {
	for i := range template.Containers {
		want := &template.Containers[i]
		if !slices.ContainsFunc(pod.Spec.Containers, func(c corev1.Container) bool { return c.Name == want.Name && c.Image == want.Image }) {
			return false
		}
	}
	return true
}
