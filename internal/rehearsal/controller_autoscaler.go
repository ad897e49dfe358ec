package rehearsal

import (
	"strconv"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

func podAutoscalersResource() schema.GroupVersionResource {
	return autoscalingv2.SchemeGroupVersion.WithResource("horizontalpodautoscalers")
}

func scaledObjectsResource() schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: "keda.sh", Version: "v1alpha1", Resource: "scaledobjects"}
}

// kedaPause is the annotation that holds the target of a ScaledObject at a number of replicas.
const kedaPause = "autoscaling.keda.sh/paused-replicas"

// syncAutoscalers keeps the replicas of Deployments within the bounds of their autoscalers. There are no metrics, so
// nothing else scales them.
func (c *Controllers) syncAutoscalers() {
	for _, hpa := range c.api.List(podAutoscalersResource(), "", nil) {
		c.bound(hpa, replicaBounds{low: intField(hpa, 1, "spec", "minReplicas"), high: intField(hpa, 1, "spec", "maxReplicas"), offAtZero: true})
	}
	for _, so := range c.api.List(scaledObjectsResource(), "", nil) {
		low, high := intField(so, 0, "spec", "minReplicaCount"), intField(so, 100, "spec", "maxReplicaCount")
		if at, err := strconv.ParseInt(so.GetAnnotations()[kedaPause], 10, 32); err == nil {
			low, high = at, at
		}
		c.bound(so, replicaBounds{low: low, high: high})
	}
}

// replicaBounds are what an autoscaler allows. One that is off at zero leaves a Deployment without replicas alone.
type replicaBounds struct {
	low, high int64
	offAtZero bool
}

// bound scales the target of an autoscaler into its bounds, and reports in the status of an HPA.
func (c *Controllers) bound(scaler *unstructured.Unstructured, b replicaBounds) {
	name, _, _ := unstructured.NestedString(scaler.Object, "spec", "scaleTargetRef", "name")
	target, err := c.api.Get(deploymentsResource(), scaler.GetNamespace(), name)
	if err != nil {
		return // it may come later, which is a change that wakes the controllers
	}
	now := intField(target, 1, "spec", "replicas")
	wanted := max(b.low, min(now, b.high))
	if b.offAtZero && now == 0 {
		wanted = 0
	}
	if wanted != now && unstructured.SetNestedField(target.Object, wanted, "spec", "replicas") == nil {
		// A lost race is repaired in the next round; there is no other error.
		_, _ = c.api.Update(target, controllerManager)
	}
	if scaler.GetKind() != "HorizontalPodAutoscaler" {
		return
	}
	have := intField(target, 0, "status", "replicas")
	if have == intField(scaler, -1, "status", "currentReplicas") && wanted == intField(scaler, -1, "status", "desiredReplicas") {
		return
	}
	scaler.Object["status"] = map[string]any{"currentReplicas": have, "desiredReplicas": wanted}
	_, _ = c.api.UpdateStatus(scaler, controllerManager)
}

func intField(o *unstructured.Unstructured, otherwise int64, path ...string) int64 {
	if n, ok, err := unstructured.NestedInt64(o.Object, path...); ok && err == nil {
		return n
	}
	return otherwise
}
