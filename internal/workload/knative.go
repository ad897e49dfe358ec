package workload

import (
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/rollout"
)

// PrimaryRevisionAnnotation names, on a Knative Service, the Revision that is the primary. It is Flagger's.
const PrimaryRevisionAnnotation = "flagger.app/primary-revision"

const (
	knativeGroup        = "serving.knative.dev"
	noRevision          = "Knative has made no Revision of it yet"
	knativeServiceLabel = knativeGroup + "/service" // of a Revision: the name of its Service
)

var knativeGVR = schema.GroupVersionResource{Group: knativeGroup, Version: "v1", Resource: "services"}

// knativeServices are Services of Knative. Knative makes an immutable Revision of every change of the template and scales
// each by its own traffic, so that nothing is copied and nothing is scaled: to promote is to name another Revision.
var knativeServices = kind{
	gvr:      knativeGVR,
	parts:    schema.GroupVersionResource{Group: knativeGroup, Version: "v1", Resource: "revisions"},
	read:     readKnative,
	check:    func(*canary.Canary, *Workload) error { return nil },
	revision: knativeRevision,
	primary:  promoteKnative,
	services: func(*canary.Canary, *Refs, *Workload, *Workload) ([]wantedService, error) { return nil, nil },
	selectParts: func(refs *Refs, _ *Workload) (string, error) {
		return knativeServiceLabel + "=" + refs.Target.Name, nil
	},
	report:   reportKnative,
	scale:    func(*Workload, *Workload, rollout.Scale) *Scaling { return nil },
	promoted: promotedKnative,
}

// knativeService is a Service of Knative, as the target or as the primary.
type knativeService struct {
	live    *unstructured.Unstructured
	pods    corev1.PodSpec // of the template; what else it has is Knative's own
	created string         // the Revision that was made last
	ready   string         // the newest Revision that has ever been ready
	primary bool           // it is looked at for the Revision that the annotation names
	stale   bool           // there may be a change that Knative has not made a Revision of
}

func readKnative(live *unstructured.Unstructured, w *Workload) error {
	s := &knativeService{live: live}
	if pods, _, _ := unstructured.NestedMap(live.Object, "spec", "template", "spec"); pods != nil {
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(pods, &s.pods); err != nil {
			return fmt.Errorf("read %s %q: spec.template.spec: %w", live.GetKind(), live.GetNamespace()+"/"+live.GetName(), err)
		}
	}
	s.created, _, _ = unstructured.NestedString(live.Object, "status", "latestCreatedRevisionName")
	s.ready, _, _ = unstructured.NestedString(live.Object, "status", "latestReadyRevisionName")
	observed, _, _ := unstructured.NestedInt64(live.Object, "status", "observedGeneration")
	s.stale = observed < live.GetGeneration() || s.created == ""
	w.ObjectMeta = metav1.ObjectMeta{
		Name: live.GetName(), Namespace: live.GetNamespace(), UID: live.GetUID(), Generation: live.GetGeneration(),
		ResourceVersion: live.GetResourceVersion(), Labels: live.GetLabels(), Annotations: live.GetAnnotations(),
		OwnerReferences: live.GetOwnerReferences(),
	}
	w.typed = s
	return nil
}

// promotedKnative is the same Service, looked at for its primary Revision.
func promotedKnative(target *Workload) *Workload {
	if target.Annotations[PrimaryRevisionAnnotation] == "" {
		return nil
	}
	s, primary := *target.typed.(*knativeService), *target
	s.primary = true
	primary.typed = &s
	return &primary
}

func knativeRevision(w *Workload, primary bool) string {
	if primary {
		return w.Annotations[PrimaryRevisionAnnotation]
	}
	return w.typed.(*knativeService).created
}

// promoteKnative makes the newest Revision the primary.
func promoteKnative(c *canary.Canary, target, _ *Workload) (*unstructured.Unstructured, error) {
	if target.typed.(*knativeService).created == "" {
		return nil, fmt.Errorf("%s: %s", target.describe(), noRevision)
	}
	object := c.RefOf(knativeGVR, serviceKind, target.Name).New()
	object.SetAnnotations(map[string]string{PrimaryRevisionAnnotation: knativeRevision(target, false)})
	return object, nil
}

// reportKnative takes a Revision for ready when Knative does: one that is scaled to zero for want of requests is. Knative
// says False, and not Unknown, only where it has given up.
func reportKnative(w *Workload, parts []*unstructured.Unstructured, _ Ready) rollout.Workload {
	s := w.typed.(*knativeService)
	r := rollout.Workload{Stale: s.stale && !s.primary}
	name := knativeRevision(w, s.primary)
	if name == "" {
		r.Message = noRevision
		return r
	}
	revision := revisionIn(parts, w.Namespace, name)
	if revision == nil {
		// Who does not watch the Revisions still sees which was ready last.
		r.Ready = len(parts) == 0 && name == s.ready
		r.Serving = r.Ready
		if !r.Ready {
			r.Message = fmt.Sprintf("Revision %q is not there", name)
		}
		return r
	}
	replicas, _, _ := unstructured.NestedInt64(revision.Object, "status", "actualReplicas")
	r.Replicas = int(replicas)
	switch status, why := knativeReady(revision); status {
	case string(metav1.ConditionTrue):
		r.Ready, r.Serving = true, true
	case string(metav1.ConditionFalse):
		r.Broken = !r.Stale // what the user has changed may be the way out
		r.Message = sentence(fmt.Sprintf("Revision %q is not ready", name), why)
	default:
		r.Message = sentence(fmt.Sprintf("Revision %q is not ready yet", name), why)
	}
	return r
}

func revisionIn(parts []*unstructured.Unstructured, namespace, name string) *unstructured.Unstructured {
	for _, part := range parts {
		if part.GetKind() == "Revision" && part.GetNamespace() == namespace && part.GetName() == name {
			return part
		}
	}
	return nil
}

// knativeReady returns the status of the condition Ready, and its reason and message.
func knativeReady(o *unstructured.Unstructured) (status, why string) {
	conditions, _, _ := unstructured.NestedSlice(o.Object, "status", "conditions")
	for _, condition := range conditions {
		fields, _ := condition.(map[string]any)
		if fields["type"] != "Ready" {
			continue
		}
		status, _ = fields["status"].(string)
		reason, _ := fields["reason"].(string)
		message, _ := fields["message"].(string)
		if reason != "" && message != "" {
			return status, reason + ": " + message
		}
		return status, reason + message
	}
	return "", ""
}

// setImage writes the whole list of containers: a JSON merge patch cannot write one of its elements. The resourceVersion
// keeps it from undoing what somebody else writes at the same moment.
func (s *knativeService) setImage(target *Workload, images map[string]string) ([]byte, error) {
	if name, _, _ := unstructured.NestedString(s.live.Object, "spec", "template", "metadata", "name"); name != "" {
		return nil, fmt.Errorf("set image: %s: spec.template.metadata.name: it is %q, and Knative makes no other Revision of that name; leave it out",
			target.describe(), name)
	}
	lists := map[string]any{}
	for _, list := range []string{"containers", "initContainers"} {
		containers, found, _ := unstructured.NestedSlice(s.live.Object, "spec", "template", "spec", list)
		if !found {
			continue
		}
		for _, container := range containers {
			fields, _ := container.(map[string]any)
			name, _ := fields["name"].(string)
			if image, ok := images[name]; ok {
				fields["image"] = image
			}
		}
		lists[list] = containers
	}
	return json.Marshal(map[string]any{
		"metadata": map[string]any{"resourceVersion": s.live.GetResourceVersion()},
		"spec":     map[string]any{"template": map[string]any{"spec": lists}},
	})
}
