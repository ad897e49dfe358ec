package traffic_test

import (
	"sync"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/managedfields"
	"k8s.io/client-go/applyconfigurations"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/penstock-dev/penstock/internal/canary"
)

const generation = 7

// take applies rendered objects as the API server does, lets every gateway accept the route, and returns the cluster
// afterwards. The lists of an HTTPRoute are one field each, as its CRD says.
func (s scenario) take(t *testing.T, objects []*unstructured.Unstructured) scenario {
	t.Helper()
	s.live = clone(s.live)
	for _, o := range objects {
		ref := refOf(t, s, o)
		live := s.live[ref]
		if live == nil {
			live = ref.New()
		}
		if v := o.GetResourceVersion(); v != live.GetResourceVersion() {
			t.Fatalf("%s: %s carries resourceVersion %q, the live one %q", s.dir, ref, v, live.GetResourceVersion())
		}
		if ref.Group == "serving.knative.dev" {
			s.live[ref] = patchKnative(t, live, o)
			continue
		}
		live = apply(t, live, o)
		switch ref.Kind {
		case "HTTPRoute", "GRPCRoute":
			accept(live)
		case "ApisixRoute":
			live.SetGeneration(generation)
			live.Object["status"] = map[string]any{"conditions": []any{condition("ResourcesAvailable", "True", generation)}}
		case "HTTPProxy":
			live.SetGeneration(generation)
			live.Object["status"] = map[string]any{"currentStatus": "valid", "conditions": []any{condition("Valid", "True", generation)}}
		}
		if ref.Group == "appmesh.k8s.aws" && ref.Version == "v1beta2" {
			activate(live)
		}
		s.live[ref] = live
	}
	return s
}

// typed knows which lists of the kinds of Kubernetes itself merge by their keys. It takes a second to make.
var typed = sync.OnceValue(func() managedfields.TypeConverter { return applyconfigurations.NewTypeConverter(scheme.Scheme) })

// manager merges objects of a kind.
func manager(t *testing.T, gvk schema.GroupVersionKind) *managedfields.FieldManager {
	t.Helper()
	converter := managedfields.NewDeducedTypeConverter()
	if scheme.Scheme.Recognizes(gvk) {
		converter = typed()
	}
	m, err := managedfields.NewDefaultCRDFieldManager(converter, same{}, same{}, same{}, gvk, gvk.GroupVersion(), "", nil)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func apply(t *testing.T, live, applied *unstructured.Unstructured) *unstructured.Unstructured {
	t.Helper()
	gvk := applied.GroupVersionKind()
	m := manager(t, gvk)
	if len(live.GetManagedFields()) == 0 { // what is there belongs to somebody else
		empty := &unstructured.Unstructured{Object: map[string]any{}}
		empty.SetGroupVersionKind(gvk)
		created, err := m.Update(empty, live.DeepCopy(), "somebody")
		if err != nil {
			t.Fatal(err)
		}
		live = created.(*unstructured.Unstructured)
	}
	result, err := m.Apply(live.DeepCopy(), applied.DeepCopy(), "penstock", true)
	if err != nil {
		t.Fatal(err)
	}
	return result.(*unstructured.Unstructured)
}

// accept sets the status of a route that all of its parents accept.
func accept(route *unstructured.Unstructured) {
	route.SetGeneration(generation)
	refs, _, _ := unstructured.NestedSlice(route.Object, "spec", "parentRefs")
	var parents []any
	for _, ref := range refs {
		parents = append(parents, map[string]any{
			"parentRef": ref, "controllerName": "example.com/gateway",
			"conditions": []any{condition("Accepted", "True", generation), condition("ResolvedRefs", "True", generation)},
		})
	}
	route.Object["status"] = map[string]any{"parents": parents}
}

// activate sets the status of an object of App Mesh that has been taken up.
func activate(live *unstructured.Unstructured) {
	live.SetGeneration(generation)
	live.Object["status"] = map[string]any{
		"observedGeneration": int64(generation),
		"conditions":         []any{map[string]any{"type": live.GetKind() + "Active", "status": "True"}},
	}
}

func condition(kind, status string, observed int64) map[string]any {
	return map[string]any{"type": kind, "status": status, "reason": "Because" + kind, "message": "in words", "observedGeneration": observed}
}

// same is what the field manager needs to know of conversion and defaults: every object stays as it is.
type same struct{}

func (same) Convert(_, _, _ any) error { return nil }
func (same) ConvertToVersion(in runtime.Object, _ runtime.GroupVersioner) (runtime.Object, error) {
	return in, nil
}
func (same) ConvertFieldLabel(_ schema.GroupVersionKind, label, value string) (string, string, error) {
	return label, value, nil
}
func (same) Default(runtime.Object) {}
func (same) New(gvk schema.GroupVersionKind) (runtime.Object, error) {
	o := &unstructured.Unstructured{}
	o.SetGroupVersionKind(gvk)
	return o, nil
}

// put replaces one of the live objects.
func (s scenario) put(ref canary.Ref, o *unstructured.Unstructured) scenario {
	s.live = clone(s.live)
	if o == nil {
		delete(s.live, ref)
		return s
	}
	s.live[ref] = o
	return s
}
