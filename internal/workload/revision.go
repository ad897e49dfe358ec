package workload

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// revisionBytes is how much of the SHA-256 a revision keeps: 64 bits, 16 hexadecimal digits.
const revisionBytes = 8

// Revision returns a short hash of a pod template. Templates that mean the same to Kubernetes have the same revision:
// defaults count as absent, quantities count by their value, and what Flagger and Flux add to metadata does not count.
//
// In anti-affinity and topology spread, "<value>-primary" of the template's own labels counts as "<value>", because
// a copy for the primary cannot be told from an original that named the primary's pods itself.
func Revision(template corev1.PodTemplateSpec) string { return hash(revisionTree(template)) }

// revisionTree is what of a pod template makes its revision, in normal form.
func revisionTree(template corev1.PodTemplateSpec) map[string]any {
	spec := template.Spec.DeepCopy()
	labels, annotations := carried(template.Labels), carried(template.Annotations)
	for _, selector := range spreadSelectors(spec) {
		for _, key := range acceptedLabels {
			for _, ownKey := range acceptedLabels {
				if own := labels[ownKey]; own != "" {
					renameIn(selector, key, own+primarySuffix, own)
				}
			}
		}
	}
	tree, err := runtime.DefaultUnstructuredConverter.ToUnstructured(spec)
	if err != nil {
		panic(fmt.Sprintf("workload: convert a pod spec: %v", err)) // a typed pod spec always converts
	}
	normalise(tree, podSpecRules)
	return map[string]any{"labels": labels, "annotations": annotations, "spec": tree}
}

// hash returns a short hash of a JSON tree.
func hash(tree map[string]any) string {
	text, err := json.Marshal(tree)
	if err != nil {
		panic(fmt.Sprintf("workload: write a spec: %v", err)) // a tree of a typed value always can be written
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:revisionBytes])
}

// podRevision is the revision of a workload that has a pod template.
func podRevision(w *Workload, primary bool) string { return Revision(plainTemplate(w, primary)) }

// plainTemplate is the pod template of a workload, of a primary as its target had it.
func plainTemplate(w *Workload, primary bool) corev1.PodTemplateSpec {
	template := *w.Template // what is changed is cloned
	if key, value, ok := primaryLabel(w); primary && ok && template.Labels[key] == value+primarySuffix {
		template.Labels = maps.Clone(template.Labels)
		template.Labels[key] = value
	}
	return template
}
