package workload

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"

	appsv1 "k8s.io/api/apps/v1"
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
func Revision(template corev1.PodTemplateSpec) string {
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
	text, err := json.Marshal(map[string]any{"labels": labels, "annotations": annotations, "spec": tree})
	if err != nil {
		panic(fmt.Sprintf("workload: write a pod spec: %v", err))
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:revisionBytes])
}

// PrimaryRevision returns the revision that a primary is a copy of. It undoes what RenderPrimary and Flagger rewrite, so
// that a primary made by either is recognised. A primary that carries no "-primary" label is its own revision.
func PrimaryRevision(primary *appsv1.Deployment) string {
	template := primary.Spec.Template // Revision does not modify it
	if key, value, ok := primaryLabel(primary); ok && template.Labels[key] == value+primarySuffix {
		template.Labels = maps.Clone(template.Labels)
		template.Labels[key] = value
	}
	return Revision(template)
}
