package workload

import (
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/penstock-dev/penstock/internal/canary"
)

// PodGVR is the resource of pods.
var PodGVR = schema.GroupVersionResource{Version: "v1", Resource: "pods"}

var serviceGVR = schema.GroupVersionResource{Version: "v1", Resource: "services"}

const serviceKind = "Service"

// Refs names the workloads and the Services of a canary. Of a Service target the primary is the primary's Service, and
// the apex may be the target itself. Of a Knative Service the primary is the target itself, and there are no Services.
type Refs struct {
	Target, Primary                     canary.Ref
	Apex, PrimaryService, CanaryService canary.Ref

	// Parts is the resource that Report looks at beside the workload: Pods, or the EndpointSlices of a Service.
	Parts schema.GroupVersionResource

	// Scale is the subresource of the target that scales it: empty where the target itself is changed for that, or
	// where there is nothing to scale.
	Scale string
}

// RefsFor returns the objects of a canary. A target of a kind or an API version that is not supported is an error that
// says what is.
func RefsFor(c *canary.Canary) (Refs, error) {
	target := c.Spec.TargetRef
	k, err := kindFor(target.APIVersion, target.Kind)
	if err != nil {
		return Refs{}, fmt.Errorf("spec.targetRef.kind: %w", err)
	}
	if v := target.APIVersion; v != "" && v != k.gvr.GroupVersion().String() {
		return Refs{}, fmt.Errorf("spec.targetRef.apiVersion: %q is not supported for a %s; supported is %s",
			v, target.Kind, versionsOf(target.Kind))
	}
	if ns := target.Namespace; ns != "" && ns != c.Namespace {
		return Refs{}, fmt.Errorf("spec.targetRef.namespace: %q is not the canary's namespace %q; leave it out", ns, c.Namespace)
	}
	if k.refuse != nil {
		if err := k.refuse(c); err != nil {
			return Refs{}, err
		}
	}
	refs := Refs{Target: c.RefOf(k.gvr, target.Kind, target.Name), Parts: k.parts, Scale: k.scaleBy}
	if k.promoted != nil {
		refs.Primary = refs.Target
		return refs, nil
	}
	apex := c.ServiceName()
	refs.Primary = c.RefOf(k.gvr, target.Kind, c.PrimaryName())
	refs.Apex = c.RefOf(serviceGVR, serviceKind, apex)
	refs.PrimaryService = c.RefOf(serviceGVR, serviceKind, apex+primarySuffix)
	refs.CanaryService = c.RefOf(serviceGVR, serviceKind, apex+canarySuffix)
	if k.gvr == serviceGVR {
		refs.Primary = refs.PrimaryService
	}
	return refs, nil
}

// Shared reports whether one object is the target and the primary. It is the user's, and only single fields of it are
// written: those that say which of its revisions is the primary.
func (r *Refs) Shared() bool { return r.Primary == r.Target }

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
