package workload

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/penstock-dev/penstock/internal/canary"
)

// RenderPrimary returns the whole primary that runs what the target runs at present, for a server-side apply. primary is
// the live one, or nil. Nothing that the API server fills in is part of it, and neither argument is modified.
//
// It is an error when the target cannot be copied: no usable label, a primary that belongs to something else, or one
// whose selector, which cannot be changed, does not fit.
func RenderPrimary(c *canary.Canary, target, primary *Workload) (*unstructured.Unstructured, error) {
	if err := Check(c, target); err != nil {
		return nil, err
	}
	copies, err := ConfigCopies(c, target, primary)
	if err != nil {
		return nil, err
	}
	rewritten := *target
	var annotation string
	rewritten.Template, annotation = rewriteConfigs(target.Template, copies)
	object, err := target.kind.primary(c, &rewritten, primary)
	if err != nil || annotation == "" {
		return object, err
	}
	err = unstructured.SetNestedField(object.Object, annotation, "spec", "template", "metadata", "annotations", ConfigsAnnotation)
	return object, err
}

// checkPods says why the pods of a target cannot be copied.
func checkPods(_ *canary.Canary, target *Workload) error {
	key, value, err := Label(target)
	if err != nil {
		return err
	}
	if got := target.Template.Labels[key]; got != value {
		return fmt.Errorf("%s: spec.template.metadata.labels: %s is %q, but the selector wants %q", target.describe(), key, got, value)
	}
	return nil
}

// podCopy is what the primaries of all kinds with pods have in common.
type podCopy struct {
	meta     metav1.ObjectMeta
	selector *metav1.LabelSelector
	template corev1.PodTemplateSpec
}

func copyPods(c *canary.Canary, target, primary *Workload) (podCopy, error) {
	key, value, err := Label(target)
	if err != nil {
		return podCopy{}, err
	}
	template := primaryTemplate(target.Template, key, value)
	selector, err := primarySelector(c, primary, &template, map[string]string{key: value + primarySuffix})
	if err != nil {
		return podCopy{}, err
	}
	meta := metav1.ObjectMeta{
		Name: c.PrimaryName(), Namespace: c.Namespace, OwnerReferences: owner(c),
		Labels: map[string]string{key: value + primarySuffix}, Annotations: managed(c, nil),
	}
	return podCopy{meta, selector, template}, nil
}

// renderCopy writes the copy of a target, without what only the API server fills in.
func renderCopy(of *Workload, typed runtime.Object) (*unstructured.Unstructured, error) {
	tree, err := runtime.DefaultUnstructuredConverter.ToUnstructured(typed)
	if err != nil {
		return nil, fmt.Errorf("render the primary of %s: %w", of.describe(), err)
	}
	delete(tree, "status")
	for _, strategy := range []string{"strategy", "updateStrategy"} {
		if fields, ok, _ := unstructured.NestedMap(tree, "spec", strategy); ok && len(fields) == 0 {
			unstructured.RemoveNestedField(tree, "spec", strategy)
		}
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
func primarySelector(c *canary.Canary, primary *Workload, template *corev1.PodTemplateSpec, fresh map[string]string) (*metav1.LabelSelector, error) {
	if primary == nil {
		return &metav1.LabelSelector{MatchLabels: fresh}, nil
	}
	if _, err := owned(c, primary.Kind, primary); err != nil {
		return nil, err
	}
	selector, err := metav1.LabelSelectorAsSelector(primary.Selector)
	if err != nil {
		return nil, fmt.Errorf("%s: spec.selector: %w", primary.describe(), err)
	}
	if selector.Empty() || !selector.Matches(labels.Set(template.Labels)) {
		return nil, fmt.Errorf("%s selects %q, which pods with the labels %s do not match; delete it, so that it is made anew",
			primary.describe(), selector.String(), listLabels(template.Labels))
	}
	for key, value := range fresh {
		if selectorOf(primary)[key] != value {
			return nil, fmt.Errorf("%s selects %q, without %s=%s; delete it, so that it is made anew", primary.describe(), selector.String(), key, value)
		}
	}
	return primary.Selector.DeepCopy(), nil
}

// primaryReplicas is never below one, nor below the fewest of the primary's autoscaler, so that the traffic does not come
// before they are there. A live primary keeps its size when an autoscaler sets it, or while the target is scaled to zero
// and says nothing.
func primaryReplicas(c *canary.Canary, target, primary *Workload) int32 {
	own := target.Replicas
	if primary != nil && (own == 0 || c.Spec.AutoscalerRef != nil) {
		own = primary.Replicas
	}
	return max(own, primaryFloor(c, target), 1)
}
