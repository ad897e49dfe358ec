package rehearsal

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
)

const (
	knativeGroup         = "serving.knative.dev"
	knativeServiceLabel  = knativeGroup + "/service"
	knativeRevisionLabel = knativeGroup + "/revision"
	knativeController    = "knative-controller"
	templateAnnotation   = "penstock.dev/template" // of a Revision: the template that it was made of
)

func knativeServicesResource() schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: knativeGroup, Version: "v1", Resource: "services"}
}

func knativeRevisionsResource() schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: knativeGroup, Version: "v1", Resource: "revisions"}
}

// syncKnative brings every Service of Knative a little closer to what it asks for: a Revision for each of its templates, a
// Deployment for each Revision, and the traffic where spec.traffic says.
func (c *Controllers) syncKnative() {
	alive := map[types.UID]bool{}
	services, _ := c.api.snapshot(apiSelection{gvr: knativeServicesResource()})
	for _, service := range services {
		alive[service.GetUID()] = true
		if service.GetDeletionTimestamp() == nil {
			c.syncKnativeService(service.DeepCopy())
		}
	}
	maps.DeleteFunc(c.knative, func(uid types.UID, _ routeMemory) bool { return !alive[uid] })
}

func (c *Controllers) syncKnativeService(service *unstructured.Unstructured) {
	if !c.taken(service, c.knative) {
		return
	}
	revisions := c.knativeRevisions(service)
	template := knativeTemplate(service)
	if n := len(revisions); n == 0 || revisions[n-1].GetAnnotations()[templateAnnotation] != template {
		if revision, err := c.api.Create(newRevision(service, template, n+1), knativeController); err == nil {
			revisions = append(revisions, revision)
		}
	}
	if len(revisions) == 0 {
		return
	}
	newest := revisions[len(revisions)-1].GetName()
	ready := ""
	for _, revision := range revisions {
		if c.syncRevision(service, revision, newest) {
			ready = revision.GetName()
		}
	}
	before := subObject(service.Object, "status")
	status := map[string]any{
		"observedGeneration": service.GetGeneration(), "latestCreatedRevisionName": newest,
		"conditions": []any{map[string]any{"type": "RoutesReady", "status": "Unknown", "reason": "RevisionMissing"}},
	}
	if traffic := knativeTraffic(service, ready); traffic != nil {
		status["latestReadyRevisionName"], status["traffic"] = ready, traffic
		status["conditions"] = []any{map[string]any{"type": "RoutesReady", "status": "True"}}
	}
	c.writeKnative(service, before, status)
}

func (c *Controllers) writeKnative(object *unstructured.Unstructured, before, status map[string]any) {
	was, _ := json.Marshal(before) // plain data always has a JSON form
	is, _ := json.Marshal(status)
	if string(was) == string(is) {
		return
	}
	object.Object["status"] = status
	// A lost race is repaired in the next round.
	_, _ = c.api.UpdateStatus(object, knativeController)
}

// knativeRevisions are the Revisions of a Service, the oldest first: their names are numbered.
func (c *Controllers) knativeRevisions(service *unstructured.Unstructured) []*unstructured.Unstructured {
	all := slices.DeleteFunc(c.api.List(knativeRevisionsResource(), service.GetNamespace(), nil), func(r *unstructured.Unstructured) bool {
		return r.GetLabels()[knativeServiceLabel] != service.GetName()
	})
	return all // in the order of their names
}

func knativeTemplate(service *unstructured.Unstructured) string {
	data, _ := json.Marshal(subObject(subObject(service.Object, "spec"), "template"))
	return string(data)
}

func newRevision(service *unstructured.Unstructured, template string, number int) *unstructured.Unstructured {
	spec := subObject(subObject(subObject(service.Object, "spec"), "template"), "spec")
	revision := &unstructured.Unstructured{Object: map[string]any{"spec": runtime.DeepCopyJSON(spec)}}
	revision.SetGroupVersionKind(schema.GroupVersionKind{Group: knativeGroup, Version: "v1", Kind: "Revision"})
	revision.SetNamespace(service.GetNamespace())
	revision.SetName(fmt.Sprintf("%s-%05d", service.GetName(), number))
	revision.SetLabels(map[string]string{knativeServiceLabel: service.GetName()})
	revision.SetAnnotations(map[string]string{templateAnnotation: template})
	revision.SetOwnerReferences(ownedBy(service.GroupVersionKind(), service))
	return revision
}

// syncRevision runs a Revision that is the newest or has traffic, and reports whether it has ever been ready: without
// traffic it is scaled to zero, and remains ready.
func (c *Controllers) syncRevision(service, revision *unstructured.Unstructured, newest string) bool {
	name := revision.GetName()
	replicas := int32(0)
	for _, entry := range subObjects(subObject(service.Object, "spec"), "traffic") {
		if entry["revisionName"] == name {
			replicas = 1
		}
	}
	if name == newest {
		replicas = 1
	}
	deployment := c.knativeDeployment(revision, replicas)
	before := subObject(revision.Object, "status")
	condition := map[string]any{"type": "Ready", "status": "Unknown", "reason": "Deploying"}
	switch reason := c.whyWaiting(deployment); {
	case replicas == 0 && readyRevision(before), deployment.Status.AvailableReplicas > 0:
		condition = map[string]any{"type": "Ready", "status": "True"}
	case reason != "":
		condition["status"], condition["reason"], condition["message"] = "False", reason, "Container failed: "+reason
	}
	status := map[string]any{"actualReplicas": int64(deployment.Status.AvailableReplicas), "conditions": []any{condition}}
	c.writeKnative(revision, before, status)
	return condition["status"] == "True"
}

func readyRevision(status map[string]any) bool {
	return slices.ContainsFunc(subObjects(status, "conditions"), func(c map[string]any) bool { return c["type"] == "Ready" && c["status"] == "True" })
}

// knativeDeployment makes the Deployment of a Revision, or scales it, and returns it as it was.
func (c *Controllers) knativeDeployment(revision *unstructured.Unstructured, replicas int32) *appsv1.Deployment {
	if made := typedAll[appsv1.Deployment](c.api, deploymentsResource(), revision.GetUID()); len(made) > 0 {
		d := made[0]
		if *d.Spec.Replicas != replicas {
			d.Spec.Replicas = &replicas
			// A lost race is repaired in the next round.
			_ = write(d, c.api.Update)
		}
		return d
	}
	labels := map[string]string{knativeRevisionLabel: revision.GetName()}
	var pods corev1.PodSpec
	// What of the template is Knative's own, such as containerConcurrency, is not of the pods.
	_ = runtime.DefaultUnstructuredConverter.FromUnstructured(subObject(revision.Object, "spec"), &pods)
	d := &appsv1.Deployment{
		TypeMeta: metav1.TypeMeta{APIVersion: "apps/v1", Kind: "Deployment"},
		ObjectMeta: metav1.ObjectMeta{
			Namespace: revision.GetNamespace(), Name: revision.GetName() + "-deployment", Labels: labels,
			OwnerReferences: ownedBy(revision.GroupVersionKind(), revision),
		},
		Spec: appsv1.DeploymentSpec{
			Replicas: &replicas, Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: pods},
		},
	}
	_ = write(d, c.api.Create)
	return d
}

// whyWaiting says what keeps the containers of a Deployment from running for good, or nothing.
func (c *Controllers) whyWaiting(d *appsv1.Deployment) string {
	for _, pod := range typedAll[corev1.Pod](c.api, podsResource(), "") {
		if pod.Namespace != d.Namespace || pod.Labels[knativeRevisionLabel] != d.Labels[knativeRevisionLabel] {
			continue
		}
		for i := range pod.Status.ContainerStatuses {
			waiting := pod.Status.ContainerStatuses[i].State.Waiting
			if waiting != nil && waiting.Reason != "ContainerCreating" {
				return waiting.Reason
			}
		}
	}
	return ""
}

// knativeTraffic is what the route does of spec.traffic: the latest Revision is the newest that is ready. Nil before any is.
func knativeTraffic(service *unstructured.Unstructured, ready string) []any {
	if ready == "" {
		return nil
	}
	var all []any
	for _, entry := range subObjects(subObject(service.Object, "spec"), "traffic") {
		entry = runtime.DeepCopyJSON(entry)
		if entry["latestRevision"] == true {
			entry["revisionName"] = ready
		} else {
			entry["latestRevision"] = false
		}
		all = append(all, entry)
	}
	return all
}
