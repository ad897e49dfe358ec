package canary

import (
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
)

// Providers are the traffic providers that spec.provider may name.
func Providers() []string {
	return []string{
		"apisix", "appmesh", "appmesh:v1beta2", "contour", "gatewayapi:v1", "gatewayapi:v1beta1", "gloo", "istio", "knative",
		"kubernetes", "kuma", "linkerd", "nginx", "osm", "skipper", "smi:v1alpha1", "smi:v1alpha2", "smi:v1alpha3", "traefik",
	}
}

// targetVersions are the API versions of each kind of target.
var targetVersions = map[string][]string{
	"DaemonSet":  {"apps/v1"},
	"Deployment": {"apps/v1"},
	"Service":    {"v1", knativeService},
}

// scalerVersions are the API versions of each kind of autoscaler.
var scalerVersions = map[string][]string{
	"HorizontalPodAutoscaler": {"autoscaling/v2"},
	"ScaledObject":            {"keda.sh/v1alpha1"},
}

const knativeService = "serving.knative.dev/v1"

// Knative reports whether the target is a Service of Knative, and not one of Kubernetes itself.
func (c *Canary) Knative() bool {
	return c.Spec.TargetRef.Kind == "Service" && c.Spec.TargetRef.APIVersion == knativeService
}

func validateMeta(v *validator, meta *metav1.ObjectMeta) {
	if v.required("metadata.name", meta.Name, "the name of the object") {
		v.name("metadata.name", meta.Name)
	}
	v.label("metadata.namespace", meta.Namespace)
}

func validateCanary(v *validator, c *Canary) {
	validateMeta(v, &c.ObjectMeta)
	if !v.src.has("spec") {
		v.missing("spec", "targetRef, service and analysis")
		return
	}
	s := &c.Spec
	v.oneOf("spec.provider", s.Provider, Providers())
	v.url("spec.metricsServer", s.MetricsServer, false)
	if s.ProgressDeadlineSeconds != nil {
		v.atLeast("spec.progressDeadlineSeconds", int(*s.ProgressDeadlineSeconds), 1)
	}
	v.target(c)
	v.autoscaler(c)
	v.router(c)
	v.service(c)
	v.analysis(s.Analysis)
}

func (v *validator) target(c *Canary) {
	const path = "spec.targetRef"
	ref := &c.Spec.TargetRef
	if !v.src.has(path) {
		v.missing(path, "apiVersion, kind and name of the workload, such as apps/v1, Deployment and podinfo")
		return
	}
	v.kindOf(path, ref.APIVersion, ref.Kind, targetVersions)
	v.local(path, ref, c.Namespace)
	if v.required(path+".name", ref.Name, "the name of the workload") {
		v.name(path+".name", ref.Name)
	}
	isKnative := c.Knative()
	switch p := c.Spec.Provider; {
	case p == "knative" && !isKnative && ref.Kind != "":
		v.bad(path, ref.Kind, fmt.Sprintf("provider knative needs a target of kind Service and apiVersion %s, not %s", knativeService, ref.Kind))
	case isKnative && p != "" && p != "knative":
		v.bad("spec.provider", p, fmt.Sprintf("%q cannot route to a Knative Service; write knative", p))
	}
	if isKnative && c.Spec.AutoscalerRef != nil {
		v.bad("spec.autoscalerRef", c.Spec.AutoscalerRef.Name, "a Knative Service scales by itself; remove autoscalerRef")
	}
}

// kindOf checks a kind and its API version against those that are allowed.
func (v *validator) kindOf(path, apiVersion, kind string, versions map[string][]string) {
	kinds := make([]string, 0, len(versions))
	for k := range versions {
		kinds = append(kinds, k)
	}
	slices.Sort(kinds)
	if v.required(path+".kind", kind, "one of "+strings.Join(kinds, ", ")) {
		v.oneOf(path+".kind", kind, kinds)
	}
	allowed, known := versions[kind]
	if !known {
		v.required(path+".apiVersion", apiVersion, "the API version of the object")
		return
	}
	if v.required(path+".apiVersion", apiVersion, strings.Join(allowed, " or ")+" for a "+kind) && !slices.Contains(allowed, apiVersion) {
		v.bad(path+".apiVersion", apiVersion, fmt.Sprintf("%q is not an API version of a %s; write %s", short(apiVersion), kind, strings.Join(allowed, " or ")))
	}
}

// local reports a reference to another namespace where that is impossible.
func (v *validator) local(path string, ref *ObjectRef, namespace string) {
	if ns := ref.Namespace; ns != "" && namespace != "" && ns != namespace {
		v.bad(path+".namespace", ns, fmt.Sprintf("%q is not the canary's namespace; the %s must be in the namespace of the canary, remove this field",
			short(ns), or(ref.Kind, "object")))
	}
}

func (v *validator) autoscaler(c *Canary) {
	const path = "spec.autoscalerRef"
	ref := c.Spec.AutoscalerRef
	if ref == nil {
		return
	}
	v.kindOf(path, ref.APIVersion, ref.Kind, scalerVersions)
	if v.required(path+".name", ref.Name, "the name of the autoscaler") {
		v.name(path+".name", ref.Name)
	}
	if len(ref.PrimaryScalerQueries) > 0 && ref.Kind == "HorizontalPodAutoscaler" {
		v.bad(path+".primaryScalerQueries", "", "a HorizontalPodAutoscaler has no queries; only a ScaledObject has")
	}
	replicas := ref.PrimaryScalerReplicas
	if replicas == nil {
		return
	}
	if replicas.MinReplicas != nil {
		v.atLeast(path+".primaryScalerReplicas.minReplicas", int(*replicas.MinReplicas), 1)
	}
	if replicas.MaxReplicas != nil {
		v.atLeast(path+".primaryScalerReplicas.maxReplicas", int(*replicas.MaxReplicas), 1)
	}
	if low, high := replicas.MinReplicas, replicas.MaxReplicas; low != nil && high != nil && *low > *high {
		v.bad(path+".primaryScalerReplicas.minReplicas", fmt.Sprint(*low), fmt.Sprintf("%d is above maxReplicas, which is %d", *low, *high))
	}
}

// router checks the references that the traffic provider needs.
func (v *validator) router(c *Canary) {
	s := &c.Spec
	v.reference("spec.ingressRef", s.IngressRef, "Ingress", c)
	v.reference("spec.routeRef", s.RouteRef, "ApisixRoute", c)
	v.reference("spec.upstreamRef", s.UpstreamRef, "Upstream", nil)
	switch s.Provider {
	case "nginx", "skipper":
		if s.IngressRef == nil {
			v.missing("spec.ingressRef", "the Ingress to shift traffic with; provider "+s.Provider+" works on it")
		}
	case "apisix":
		if s.RouteRef == nil {
			v.missing("spec.routeRef", "the ApisixRoute to shift traffic with; provider apisix works on it")
		}
	case "gatewayapi:v1", "gatewayapi:v1beta1":
		if len(s.Service.GatewayRefs) == 0 {
			v.missing("spec.service.gatewayRefs", "the Gateway to attach the HTTPRoute to; provider "+s.Provider+" works on it")
		}
	}
}

// reference checks a reference to an object of one kind, in the namespace of a canary or, without one, in any.
func (v *validator) reference(path string, ref *ObjectRef, kind string, c *Canary) {
	if ref == nil {
		return
	}
	if v.required(path+".kind", ref.Kind, kind) {
		v.oneOf(path+".kind", ref.Kind, []string{kind})
	}
	v.required(path+".apiVersion", ref.APIVersion, "the API version of the "+kind)
	if v.required(path+".name", ref.Name, "the name of the "+kind) {
		v.name(path+".name", ref.Name)
	}
	if c != nil {
		v.local(path, ref, c.Namespace)
		return
	}
	v.label(path+".namespace", ref.Namespace)
}

// metadata checks labels and annotations for generated objects.
func (v *validator) metadata(path string, m *CustomMetadata) {
	if m == nil {
		return
	}
	for name, value := range m.Labels {
		where := key(path+".labels", name)
		if len(validation.IsQualifiedName(name)) > 0 {
			v.bad(where, name, fmt.Sprintf("%q is not a label name that Kubernetes allows, such as team or example.com/team", short(name)))
		} else if len(validation.IsValidLabelValue(value)) > 0 {
			v.bad(where, value, fmt.Sprintf("%q is not a label value that Kubernetes allows: letters, digits, \"-\", \"_\" and \".\", up to 63", short(value)))
		}
	}
	for name := range m.Annotations {
		if len(validation.IsQualifiedName(strings.ToLower(name))) > 0 {
			v.bad(key(path+".annotations", name), name, fmt.Sprintf("%q is not an annotation name that Kubernetes allows, such as example.com/team", short(name)))
		}
	}
}
