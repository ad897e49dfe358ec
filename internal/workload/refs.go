package workload

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/penstock-dev/penstock/internal/canary"
)

// kinds maps spec.targetRef.kind to the resource behind it.
var kinds = map[string]schema.GroupVersionResource{
	"Deployment": {Group: "apps", Version: "v1", Resource: "deployments"},
}

// PodGVR is the resource of the pods that Report looks at.
var PodGVR = schema.GroupVersionResource{Version: "v1", Resource: "pods"}

var serviceGVR = schema.GroupVersionResource{Version: "v1", Resource: "services"}

// Refs names the workloads and the Services of a canary.
type Refs struct {
	Target, Primary                     canary.Ref
	Apex, PrimaryService, CanaryService canary.Ref
}

// RefsFor returns the objects of a canary. A target of a kind or an API version that is not supported is an error that
// says what is.
func RefsFor(c *canary.Canary) (Refs, error) {
	target := c.Spec.TargetRef
	gvr, ok := kinds[target.Kind]
	if !ok {
		supported := strings.Join(slices.Sorted(maps.Keys(kinds)), ", ")
		return Refs{}, fmt.Errorf("spec.targetRef.kind: %q is not supported; supported are %s", target.Kind, supported)
	}
	if v := target.APIVersion; v != "" && v != gvr.GroupVersion().String() {
		return Refs{}, fmt.Errorf("spec.targetRef.apiVersion: %q is not supported for a %s; supported is %s",
			v, target.Kind, gvr.GroupVersion())
	}
	if ns := target.Namespace; ns != "" && ns != c.Namespace {
		return Refs{}, fmt.Errorf("spec.targetRef.namespace: %q is not the canary's namespace %q; leave it out", ns, c.Namespace)
	}
	apex := c.ServiceName()
	return Refs{
		Target:         c.RefOf(gvr, target.Kind, target.Name),
		Primary:        c.RefOf(gvr, target.Kind, c.PrimaryName()),
		Apex:           c.RefOf(serviceGVR, "Service", apex),
		PrimaryService: c.RefOf(serviceGVR, "Service", apex+primarySuffix),
		CanaryService:  c.RefOf(serviceGVR, "Service", apex+canarySuffix),
	}, nil
}

// Read converts a live object to its typed form, such as appsv1.Deployment or corev1.Pod. A nil object is a nil result.
func Read[T any](o *unstructured.Unstructured) (*T, error) {
	if o == nil {
		return nil, nil
	}
	typed := new(T)
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, typed); err != nil {
		return nil, fmt.Errorf("read %s %q: %w", o.GetKind(), o.GetNamespace()+"/"+o.GetName(), err)
	}
	return typed, nil
}
