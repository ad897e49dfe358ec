package workload

import (
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/penstock-dev/penstock/internal/canary"
)

// CanaryAnnotation names, on each object that Penstock made, the canary that it was made for. It tells Penstock's own
// Services from those that were there before, also where there is no Canary object to be their owner.
const CanaryAnnotation = "penstock.dev/canary"

// MadeFor returns the CanaryAnnotation of an object. One of the whole cluster says the namespace too: canaries of the same
// name in two namespaces would take each other's for their own.
func MadeFor(c *canary.Canary, object interface{ GetNamespace() string }) string {
	if object.GetNamespace() == "" {
		return c.Namespace + "/" + c.Name
	}
	return c.Name
}

const (
	toolkitMarker   = "toolkit.fluxcd.io" // part of every label and annotation of Flux
	flaggerID       = "flagger-id"        // random; Flagger puts it on a primary's pod template
	canaryKind      = "Canary"
	markerDisabled  = "disabled"
	reconcileMarker = "kustomize.toolkit.fluxcd.io/reconcile"
	driftMarker     = "helm.toolkit.fluxcd.io/driftDetection"
)

// managed returns the annotations of an object that Penstock makes: the given ones, the canary's name, and the markers.
func managed(c *canary.Canary, annotations map[string]string) map[string]string {
	all := markers()
	for key, value := range annotations {
		if _, taken := all[key]; !taken {
			all[key] = value
		}
	}
	all[CanaryAnnotation] = c.Name
	return all
}

// markers keep GitOps tools from reverting an object that Penstock writes to.
func markers() map[string]string {
	return map[string]string{reconcileMarker: markerDisabled, driftMarker: markerDisabled}
}

// carried returns what a copy takes over: all but what belongs to Flux, to Flagger, or to Penstock itself.
func carried(metadata map[string]string) map[string]string {
	kept := make(map[string]string, len(metadata))
	for key, value := range metadata {
		if key != flaggerID && key != ConfigsAnnotation && !strings.Contains(key, toolkitMarker) {
			kept[key] = value
		}
	}
	return kept
}

// owner makes the canary the controller of an object. A canary that was only read from a file owns nothing.
func owner(c *canary.Canary) []metav1.OwnerReference {
	if c.UID == "" {
		return nil
	}
	yes := true
	return []metav1.OwnerReference{{
		APIVersion: canary.APIVersion, Kind: canaryKind, Name: c.Name, UID: c.UID,
		Controller: &yes, BlockOwnerDeletion: &yes,
	}}
}

// owned reports whether a live object was made for this canary, by Penstock or by Flagger. An object that belongs to
// something else is an error: two controllers would fight over it.
func owned(c *canary.Canary, kind string, live metav1.Object) (bool, error) {
	controller := metav1.GetControllerOf(live)
	name := kind + fmt.Sprintf(" %q", live.GetNamespace()+"/"+live.GetName())
	switch {
	case controller == nil:
		made, mine := live.GetAnnotations()[CanaryAnnotation], MadeFor(c, live)
		if made != "" && made != mine {
			return false, fmt.Errorf("%s was made for Canary %q, not for %q; two canaries cannot share it", name, made, mine)
		}
		return made != "", nil
	case controller.Kind != canaryKind || controller.Name != c.Name:
		return false, fmt.Errorf("%s belongs to %s %q, not to Canary %q", name, controller.Kind, controller.Name, c.Name)
	case c.UID != "" && controller.UID != c.UID:
		return false, fmt.Errorf("%s belongs to an earlier Canary %q (uid %s, now %s), and Kubernetes removes it with that one; run again when it is gone",
			name, c.Name, controller.UID, c.UID)
	}
	return true, nil
}

// dropNulls removes null fields, such as the creation time of an object that was not created yet, in place.
func dropNulls(value any) {
	switch v := value.(type) {
	case map[string]any:
		for key, field := range v {
			if field == nil {
				delete(v, key)
				continue
			}
			dropNulls(field)
		}
	case []any:
		for i := range v {
			dropNulls(v[i])
		}
	}
}
