package workload

import (
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/penstock-dev/penstock/internal/canary"
)

// RenderPrimary returns the whole primary Deployment that runs the target's present pod template, for a server-side
// apply. primary is the live one, or nil. Nothing that the API server fills in is part of it, and neither argument is
// modified.
//
// It is an error when the target cannot be copied: no usable label, a primary that belongs to something else, or one
// whose selector, which cannot be changed, does not fit.
func RenderPrimary(c *canary.Canary, target, primary *appsv1.Deployment) (*unstructured.Unstructured, error) {
	key, value, err := Label(target)
	if err != nil {
		return nil, err
	}
	if got := target.Spec.Template.Labels[key]; got != value {
		return nil, fmt.Errorf("%s: spec.template.metadata.labels: %s is %q, but the selector wants %q", describe(target), key, got, value)
	}
	template := primaryTemplate(&target.Spec.Template, key, value)
	selector, err := primarySelector(c, primary, &template, map[string]string{key: value + primarySuffix})
	if err != nil {
		return nil, err
	}
	replicas := primaryReplicas(c, target, primary)
	wanted := appsv1.Deployment{
		TypeMeta: metav1.TypeMeta{APIVersion: appsv1.SchemeGroupVersion.String(), Kind: "Deployment"},
		ObjectMeta: metav1.ObjectMeta{
			Name: c.PrimaryName(), Namespace: c.Namespace, OwnerReferences: owner(c),
			Labels: map[string]string{key: value + primarySuffix}, Annotations: managed(c, nil),
		},
		Spec: appsv1.DeploymentSpec{
			Replicas: &replicas, Selector: selector, Template: template, Strategy: target.Spec.Strategy,
			MinReadySeconds: target.Spec.MinReadySeconds, RevisionHistoryLimit: target.Spec.RevisionHistoryLimit,
			ProgressDeadlineSeconds: target.Spec.ProgressDeadlineSeconds,
		},
	}
	return renderDeployment(&wanted)
}

func renderDeployment(d *appsv1.Deployment) (*unstructured.Unstructured, error) {
	tree, err := runtime.DefaultUnstructuredConverter.ToUnstructured(d)
	if err != nil {
		return nil, fmt.Errorf("render %s: %w", describe(d), err)
	}
	delete(tree, "status")
	if strategy, ok, _ := unstructured.NestedMap(tree, "spec", "strategy"); ok && len(strategy) == 0 {
		unstructured.RemoveNestedField(tree, "spec", "strategy")
	}
	dropNulls(tree)
	return &unstructured.Unstructured{Object: tree}, nil
}

// primaryTemplate copies a pod template for pods that carry the primary's label, and keep away from each other as the
// target's do.
func primaryTemplate(target *corev1.PodTemplateSpec, key, value string) corev1.PodTemplateSpec {
	template := corev1.PodTemplateSpec{Spec: *target.Spec.DeepCopy()}
	template.Labels = carried(target.Labels)
	template.Labels[key] = value + primarySuffix
	if annotations := carried(target.Annotations); len(annotations) > 0 {
		template.Annotations = annotations
	}
	for _, selector := range spreadSelectors(&template.Spec) {
		renameIn(selector, key, value, value+primarySuffix)
	}
	// Server-side apply tells ports apart by number and protocol, so both must be there.
	for _, containers := range [][]corev1.Container{template.Spec.Containers, template.Spec.InitContainers} {
		for i := range containers {
			for j := range containers[i].Ports {
				if p := &containers[i].Ports[j]; p.Protocol == "" {
					p.Protocol = corev1.ProtocolTCP
				}
			}
		}
	}
	return template
}

// primarySelector is the selector of the live primary, which Kubernetes does not let change, or a new one.
func primarySelector(c *canary.Canary, primary *appsv1.Deployment, template *corev1.PodTemplateSpec, fresh map[string]string) (*metav1.LabelSelector, error) {
	if primary == nil {
		return &metav1.LabelSelector{MatchLabels: fresh}, nil
	}
	if _, err := owned(c, "Deployment", primary); err != nil {
		return nil, err
	}
	selector, err := metav1.LabelSelectorAsSelector(primary.Spec.Selector)
	if err != nil {
		return nil, fmt.Errorf("%s: spec.selector: %w", describe(primary), err)
	}
	if selector.Empty() || !selector.Matches(labels.Set(template.Labels)) {
		return nil, fmt.Errorf("%s selects %q, which pods with the labels %s do not match; delete it, so that it is made anew",
			describe(primary), selector.String(), listLabels(template.Labels))
	}
	for key, value := range fresh {
		if selectorOf(primary)[key] != value {
			return nil, fmt.Errorf("%s selects %q, without %s=%s; delete it, so that it is made anew", describe(primary), selector.String(), key, value)
		}
	}
	return primary.Spec.Selector.DeepCopy(), nil
}

// primaryReplicas is never below one. A live primary keeps its size when an autoscaler sets it, or while the target is
// scaled to zero and says nothing.
func primaryReplicas(c *canary.Canary, target, primary *appsv1.Deployment) int32 {
	own := Replicas(target)
	if primary != nil && (own == 0 || c.Spec.AutoscalerRef != nil) {
		own = Replicas(primary)
	}
	return max(own, 1)
}
