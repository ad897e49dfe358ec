package traffic

import (
	"fmt"
	"math"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/rollout"
	"github.com/penstock-dev/penstock/internal/workload"
)

const (
	primarySuffix = "-primary"
	canarySuffix  = "-canary"
	serviceKind   = "Service"
	canaryKind    = "Canary"
	fluxMarker    = "toolkit.fluxcd.io" // part of every label and annotation of Flux
)

var serviceGVR = schema.GroupVersionResource{Version: "v1", Resource: "services"}

// mark gives an object that Penstock writes its metadata. One that was there before and belongs to nobody gets only the
// markers that keep GitOps tools from reverting it; one that belongs to something else is an error, because two
// controllers would fight over it.
func mark(c *canary.Canary, object, live *unstructured.Unstructured, custom *canary.CustomMetadata) error {
	annotations := map[string]string{
		"kustomize.toolkit.fluxcd.io/reconcile": "disabled",
		"helm.toolkit.fluxcd.io/driftDetection": "disabled",
	}
	ours, err := owned(c, live)
	if err != nil {
		return err
	}
	if ours {
		if custom == nil {
			custom = &canary.CustomMetadata{}
		}
		for key, value := range custom.Annotations {
			if !strings.Contains(key, fluxMarker) {
				annotations[key] = value
			}
		}
		annotations[workload.CanaryAnnotation] = workload.MadeFor(c, object)
		if len(custom.Labels) > 0 {
			object.SetLabels(custom.Labels)
		}
		if c.UID != "" && object.GetNamespace() != "" { // what is in a namespace cannot own what is not
			yes := true
			object.SetOwnerReferences([]metav1.OwnerReference{{
				APIVersion: canary.APIVersion, Kind: canaryKind, Name: c.Name, UID: c.UID, Controller: &yes, BlockOwnerDeletion: &yes,
			}})
		}
	}
	for key, value := range object.GetAnnotations() {
		annotations[key] = value
	}
	object.SetAnnotations(annotations)
	return nil
}

// unmark gives an object that is handed over the metadata that it keeps: what the user wants on it and it has. The
// markers and the owner, which would take it away together with the canary, are left out, and a server-side apply removes
// them.
func unmark(c *canary.Canary, object, live *unstructured.Unstructured, custom *canary.CustomMetadata) error {
	if _, err := owned(c, live); err != nil || custom == nil {
		return err
	}
	object.SetLabels(common(custom.Labels, live.GetLabels()))
	object.SetAnnotations(common(custom.Annotations, live.GetAnnotations()))
	return nil
}

// common returns the entries that two maps have in common, or nil.
func common(a, b map[string]string) map[string]string {
	var kept map[string]string
	for key, value := range a {
		if other, found := b[key]; found && other == value && !strings.Contains(key, fluxMarker) {
			if kept == nil {
				kept = map[string]string{}
			}
			kept[key] = value
		}
	}
	return kept
}

// owned reports whether an object was, or will be, made for this canary, by Penstock or by Flagger.
func owned(c *canary.Canary, live *unstructured.Unstructured) (bool, error) {
	if live == nil {
		return true, nil
	}
	name := canary.Ref{Kind: live.GetKind(), Namespace: live.GetNamespace(), Name: live.GetName()}
	controller := metav1.GetControllerOf(live)
	made, mine := live.GetAnnotations()[workload.CanaryAnnotation], workload.MadeFor(c, live)
	switch {
	case controller == nil && made != "" && made != mine:
		return false, fmt.Errorf("%s was made for Canary %q, not for %q; two canaries cannot share it", name, made, mine)
	case controller == nil:
		return made != "", nil
	case controller.Kind != canaryKind || controller.Name != c.Name:
		return false, fmt.Errorf("%s belongs to %s %q, not to Canary %q", name, controller.Kind, controller.Name, c.Name)
	case c.UID != "" && controller.UID != c.UID:
		return false, fmt.Errorf("%s belongs to an earlier Canary %q (uid %s, now %s), and Kubernetes removes it with that one; run again when it is gone",
			name, c.Name, controller.UID, c.UID)
	}
	return true, nil
}

// percent checks a wanted weight: a wrong one must not reach a router that would take it for something else.
func percent(what string, w rollout.Weight) error {
	if w < 0 || w > 100 {
		return fmt.Errorf("%s: %d is not between 0 and 100", what, w)
	}
	return nil
}

// share is part of total in percent. It is 0 or 100 only when it is nothing or everything: traffic must not be overlooked.
func share(part, total float64) rollout.Weight {
	switch {
	case part <= 0 || total <= 0:
		return 0
	case part >= total:
		return 100
	}
	return rollout.Weight(min(max(math.Round(part*100/total), 1), 99))
}

// object returns a field that is an object, or nil.
func object(m map[string]any, name string) map[string]any {
	value, _ := m[name].(map[string]any)
	return value
}

// objects returns the elements of a field that is a list of objects.
func objects(m map[string]any, name string) []map[string]any {
	list, _ := m[name].([]any)
	var found []map[string]any
	for _, element := range list {
		if o, ok := element.(map[string]any); ok {
			found = append(found, o)
		}
	}
	return found
}

// text returns a field that is a text, or fallback when it is not there.
func text(m map[string]any, name, fallback string) string {
	if value, ok := m[name].(string); ok {
		return value
	}
	return fallback
}

// number returns a field that is a number, or fallback when it is not there.
func number(m map[string]any, name string, fallback float64) float64 {
	switch value := m[name].(type) {
	case int64:
		return float64(value)
	case float64:
		return value
	}
	return fallback
}

// list returns objects as a field of an unstructured object holds them.
func list(objects []map[string]any) []any {
	values := make([]any, 0, len(objects))
	for _, o := range objects {
		values = append(values, o)
	}
	return values
}

func clone(m map[string]any) map[string]any {
	if m == nil {
		return map[string]any{}
	}
	return runtime.DeepCopyJSON(m)
}

// describeLabels returns labels as kubectl writes a selector.
func describeLabels(labels map[string]string) string {
	if len(labels) == 0 {
		return "no pods"
	}
	return metav1.FormatLabelSelector(metav1.SetAsLabelSelector(labels))
}

// texts returns texts as a field of an unstructured object holds them.
func texts(values []string) []any {
	all := make([]any, 0, len(values))
	for _, value := range values {
		all = append(all, value)
	}
	return all
}
