package rehearsal

import (
	"slices"
	"strings"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Kind is one resource that the API serves.
type Kind struct {
	schema.GroupVersionKind
	// Resource is the plural name in URLs, such as "deployments".
	Resource   string
	ShortNames []string
	Namespaced bool
	// Status says that status is a subresource: writes to the object leave it alone, and the other way round.
	Status bool
	// Scale says that the object has spec.replicas and an autoscaling/v1 Scale subresource.
	Scale bool
	// Generation says that metadata.generation counts the changes of what the user asked for.
	Generation bool
	// Unconditional allows an update that carries no resourceVersion, as most built-in kinds do.
	Unconditional bool
	// Fields are the field selectors beyond metadata.name and metadata.namespace.
	Fields []string
	// Defaults fills in the defaults that the definition of a custom resource declares. Nil when it declares none.
	Defaults func(object *unstructured.Unstructured)
	// Taken is the status that the controller of a custom resource reports of an object that it has taken up, shortly
	// after each change. It must not modify the object. Nil when nobody reports any.
	Taken func(object *unstructured.Unstructured) map[string]any
}

// GVR returns the group, version and plural name of the kind.
func (k Kind) GVR() schema.GroupVersionResource {
	return k.GroupVersion().WithResource(k.Resource)
}

// Singular returns the lower-case name of one object.
func (k Kind) Singular() string { return strings.ToLower(k.Kind) }

// DefaultKinds are the kinds of a cluster with the Gateway API and KEDA installed and no Flagger.
func DefaultKinds() []Kind { return slices.Concat(BuiltinKinds(), GatewayKinds(), KedaKinds()) }

// BuiltinKinds are the kinds that every cluster has, of those that a rollout touches.
func BuiltinKinds() []Kind {
	v1 := schema.GroupVersion{Version: "v1"}
	apps := schema.GroupVersion{Group: "apps", Version: "v1"}
	podFields := []string{"spec.nodeName", "status.phase"}
	eventFields := []string{
		"involvedObject.kind", "involvedObject.namespace", "involvedObject.name", "involvedObject.uid", "reason", "type",
	}
	return []Kind{
		{GroupVersionKind: v1.WithKind("ConfigMap"), Resource: "configmaps", ShortNames: []string{"cm"}, Namespaced: true, Unconditional: true},
		{GroupVersionKind: v1.WithKind("Secret"), Resource: "secrets", Namespaced: true, Unconditional: true, Fields: []string{"type"}},
		{GroupVersionKind: v1.WithKind("Service"), Resource: "services", ShortNames: []string{"svc"}, Namespaced: true, Status: true, Unconditional: true},
		{GroupVersionKind: v1.WithKind("Pod"), Resource: "pods", ShortNames: []string{"po"}, Namespaced: true, Status: true, Unconditional: true, Fields: podFields},
		{GroupVersionKind: v1.WithKind("Event"), Resource: "events", ShortNames: []string{"ev"}, Namespaced: true, Unconditional: true, Fields: eventFields},
		{GroupVersionKind: v1.WithKind("Namespace"), Resource: "namespaces", ShortNames: []string{"ns"}, Status: true, Unconditional: true},
		{GroupVersionKind: schema.GroupVersionKind{Group: "events.k8s.io", Version: "v1", Kind: "Event"}, Resource: "events", Namespaced: true, Unconditional: true, Fields: []string{"reason", "type"}},
		{GroupVersionKind: apps.WithKind("Deployment"), Resource: "deployments", ShortNames: []string{"deploy"}, Namespaced: true, Status: true, Scale: true, Generation: true, Unconditional: true},
		{GroupVersionKind: apps.WithKind("DaemonSet"), Resource: "daemonsets", ShortNames: []string{"ds"}, Namespaced: true, Status: true, Generation: true, Unconditional: true},
		{GroupVersionKind: apps.WithKind("ReplicaSet"), Resource: "replicasets", ShortNames: []string{"rs"}, Namespaced: true, Status: true, Scale: true, Generation: true, Unconditional: true},
		{GroupVersionKind: schema.GroupVersionKind{Group: "discovery.k8s.io", Version: "v1", Kind: "EndpointSlice"}, Resource: "endpointslices", Namespaced: true, Generation: true, Unconditional: true},
		{GroupVersionKind: autoscalingv2.SchemeGroupVersion.WithKind("HorizontalPodAutoscaler"), Resource: "horizontalpodautoscalers", ShortNames: []string{"hpa"}, Namespaced: true, Status: true, Unconditional: true},
		{GroupVersionKind: schema.GroupVersionKind{Group: "networking.k8s.io", Version: "v1", Kind: "Ingress"}, Resource: "ingresses", ShortNames: []string{"ing"}, Namespaced: true, Status: true, Generation: true, Unconditional: true},
		{GroupVersionKind: schema.GroupVersionKind{Group: "coordination.k8s.io", Version: "v1", Kind: "Lease"}, Resource: "leases", Namespaced: true},
	}
}

// KedaKinds are the custom resources of KEDA that belong to a target.
func KedaKinds() []Kind {
	gvk := schema.GroupVersionKind{Group: "keda.sh", Version: "v1alpha1", Kind: "ScaledObject"}
	return []Kind{{GroupVersionKind: gvk, Resource: "scaledobjects", ShortNames: []string{"so"}, Namespaced: true, Status: true, Generation: true}}
}

// GatewayKinds are the custom resources of the Gateway API that routers use.
func GatewayKinds() []Kind {
	gv := schema.GroupVersion{Group: "gateway.networking.k8s.io", Version: "v1"}
	return []Kind{
		{GroupVersionKind: gv.WithKind("HTTPRoute"), Resource: "httproutes", Namespaced: true, Status: true, Generation: true, Defaults: defaultHTTPRoute},
		{GroupVersionKind: gv.WithKind("GRPCRoute"), Resource: "grpcroutes", Namespaced: true, Status: true, Generation: true},
		{GroupVersionKind: gv.WithKind("Gateway"), Resource: "gateways", ShortNames: []string{"gtw"}, Namespaced: true, Status: true, Generation: true},
	}
}

// FlaggerKinds are Flagger's custom resources.
func FlaggerKinds() []Kind {
	gv := schema.GroupVersion{Group: "flagger.app", Version: "v1beta1"}
	return []Kind{
		{GroupVersionKind: gv.WithKind("Canary"), Resource: "canaries", ShortNames: []string{"cd"}, Namespaced: true, Status: true, Generation: true},
		{GroupVersionKind: gv.WithKind("MetricTemplate"), Resource: "metrictemplates", Namespaced: true, Status: true, Generation: true},
		{GroupVersionKind: gv.WithKind("AlertProvider"), Resource: "alertproviders", Namespaced: true, Status: true, Generation: true},
	}
}
