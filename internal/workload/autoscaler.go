package workload

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/penstock-dev/penstock/internal/canary"
)

// Scalers names the autoscaler of a target and that of its primary. The zero value is of a canary without one.
type Scalers struct{ Target, Primary canary.Ref }

// None reports whether the canary has no autoscaler.
func (s Scalers) None() bool { return s.Target.Name == "" }

// scaler is how autoscalers of one kind are handled: one file each. All functions are pure.
type scaler struct {
	gvr   schema.GroupVersionResource
	short string // name of the kind in a report

	low, high       string // fields of the spec that bound the replicas
	lowest, highest int64  // the bounds where a field is not given

	pause string // annotation of the target's that stops it; empty where zero replicas do

	// private reports whether a label or an annotation belongs to the one object and is never copied.
	private func(key string) bool

	// adapt turns a copy of the target's spec into the primary's, in place.
	adapt func(c *canary.Canary, spec map[string]any) error

	// refuse says what of a live one cannot work. May be nil.
	refuse func(spec map[string]any) error

	// trouble is what a live one says is wrong with it, or nothing.
	trouble func(live *unstructured.Unstructured) string
}

// scalers are the kinds of autoscalers, by spec.autoscalerRef.kind.
var scalers = map[string]scaler{
	"HorizontalPodAutoscaler": podAutoscalers,
	"ScaledObject":            scaledObjects,
}

const scalerPath = "spec.autoscalerRef"

// ScalersFor returns the autoscalers of a canary. One that cannot work with it is an error that says what can.
func ScalersFor(c *canary.Canary) (Scalers, error) {
	ref := c.Spec.AutoscalerRef
	if ref == nil {
		return Scalers{}, nil
	}
	s, ok := scalers[ref.Kind]
	if !ok {
		supported := strings.Join(slices.Sorted(maps.Keys(scalers)), ", ")
		return Scalers{}, fmt.Errorf("%s.kind: %q is not supported; supported are %s", scalerPath, ref.Kind, supported)
	}
	if v := ref.APIVersion; v != "" && v != s.gvr.GroupVersion().String() {
		return Scalers{}, fmt.Errorf("%s.apiVersion: %q is not supported for a %s; write %s", scalerPath, v, ref.Kind, s.gvr.GroupVersion())
	}
	refs, err := RefsFor(c)
	if err != nil {
		return Scalers{}, err
	}
	if refs.Scale == "" {
		return Scalers{}, fmt.Errorf("%s: a %s has no number of replicas that %s %q could set; remove it", scalerPath, refs.Target.Kind, ref.Kind, ref.Name)
	}
	primary := ref.Name + primarySuffix
	if problems := validation.IsDNS1123Subdomain(primary); len(problems) > 0 {
		return Scalers{}, fmt.Errorf("%s.name: %s %q: the name is not possible: %s", scalerPath, ref.Kind, primary, problems[0])
	}
	return Scalers{Target: c.RefOf(s.gvr, ref.Kind, ref.Name), Primary: c.RefOf(s.gvr, ref.Kind, primary)}, nil
}

// CheckScaler says why the autoscaler of a target cannot be used, if it cannot: every reason, one a line. A canary that
// names none is fine.
func CheckScaler(c *canary.Canary, live canary.Objects) error {
	refs, err := ScalersFor(c)
	if err != nil || refs.None() {
		return err
	}
	target := live[refs.Target]
	if target == nil {
		return fmt.Errorf("%s: %s %q does not exist in namespace %q", scalerPath, refs.Target.Kind, refs.Target.Name, refs.Target.Namespace)
	}
	var problems []error
	s, spec := scalers[refs.Target.Kind], scalerSpec(target)
	if err := scalesTarget(c, target); err != nil {
		problems = append(problems, err)
	}
	if low, _ := s.bounds(spec); low < 1 {
		problems = append(problems, fmt.Errorf("%s: spec.%s is %d, so a canary without traffic would be scaled down before its "+
			"analysis; set it to 1 or more, for between rollouts the canary is at zero anyway", refs.Target, s.low, low))
	}
	if s.refuse != nil {
		if err := s.refuse(spec); err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", refs.Target, err))
		}
	}
	if _, err := RenderPrimaryScaler(c, live); err != nil {
		problems = append(problems, err)
	}
	return errors.Join(problems...)
}

// scalesTarget checks that an autoscaler is the target's and not somebody else's.
func scalesTarget(c *canary.Canary, live *unstructured.Unstructured) error {
	kind, _, _ := unstructured.NestedString(live.Object, "spec", "scaleTargetRef", "kind")
	name, _, _ := unstructured.NestedString(live.Object, "spec", "scaleTargetRef", "name")
	if kind == "" {
		kind = "Deployment" // KEDA's default
	}
	if kind == c.Spec.TargetRef.Kind && name == c.Spec.TargetRef.Name {
		return nil
	}
	return fmt.Errorf("%s %q: spec.scaleTargetRef is %s %q, not the canary's target %s %q", live.GetKind(),
		live.GetNamespace()+"/"+live.GetName(), kind, name, c.Spec.TargetRef.Kind, c.Spec.TargetRef.Name)
}

// RenderPrimaryScaler returns the primary's autoscaler, a copy of the target's live one, for a server-side apply. It is
// nil when the canary names no autoscaler, or one that does not exist. live is not modified.
func RenderPrimaryScaler(c *canary.Canary, live canary.Objects) (*unstructured.Unstructured, error) {
	refs, err := ScalersFor(c)
	if err != nil || refs.None() || live[refs.Target] == nil {
		return nil, err
	}
	if primary := live[refs.Primary]; primary != nil {
		if _, err := owned(c, refs.Primary.Kind, primary); err != nil {
			return nil, err
		}
	}
	target, s := live[refs.Target], scalers[refs.Target.Kind]
	copied := refs.Primary.New()
	if labels := s.carried(target.GetLabels()); len(labels) > 0 {
		copied.SetLabels(labels)
	}
	copied.SetAnnotations(managed(c, s.carried(target.GetAnnotations())))
	copied.SetOwnerReferences(owner(c))
	spec := scalerSpec(target)
	if ref, ok := spec["scaleTargetRef"].(map[string]any); ok {
		ref["name"] = c.PrimaryName()
	}
	if err := s.bound(c, spec); err != nil {
		return nil, fmt.Errorf("%s: %w", refs.Primary, err)
	}
	if err := s.adapt(c, spec); err != nil {
		return nil, fmt.Errorf("%s: %w", refs.Target, err)
	}
	dropNulls(spec)
	copied.Object["spec"] = spec
	return copied, nil
}

// bound sets the bounds that the canary asks for. Only one of them may be given.
func (s scaler) bound(c *canary.Canary, spec map[string]any) error {
	want := c.Spec.AutoscalerRef.PrimaryScalerReplicas
	if want == nil {
		return nil
	}
	if want.MinReplicas != nil {
		spec[s.low] = int64(*want.MinReplicas)
	}
	if want.MaxReplicas != nil {
		spec[s.high] = int64(*want.MaxReplicas)
	}
	if low, high := s.bounds(spec); low > high {
		return fmt.Errorf("with %s.primaryScalerReplicas spec.%s is %d, above spec.%s, which is %d", scalerPath, s.low, low, s.high, high)
	}
	return nil
}

// primaryFloor is the fewest replicas that the primary's autoscaler sets. It is zero without one.
func primaryFloor(c *canary.Canary, target *Workload) int32 {
	ref := c.Spec.AutoscalerRef
	if ref == nil {
		return 0
	}
	if own := ref.PrimaryScalerReplicas; own != nil && own.MinReplicas != nil {
		return *own.MinReplicas
	}
	return target.Floor
}

func (s scaler) bounds(spec map[string]any) (low, high int64) {
	read := func(field string, otherwise int64) int64 {
		if n, ok, err := unstructured.NestedInt64(spec, field); ok && err == nil {
			return n
		}
		return otherwise
	}
	return read(s.low, s.lowest), read(s.high, s.highest)
}

// carried returns the metadata that a copy takes over. What other tools know their own objects by stays behind: they
// would take the copy for theirs and remove it.
func (s scaler) carried(metadata map[string]string) map[string]string {
	kept := carried(metadata)
	maps.DeleteFunc(kept, func(key, _ string) bool {
		prefix, _, _ := strings.Cut(key, "/")
		return strings.HasSuffix(prefix, "kubectl.kubernetes.io") || prefix == "meta.helm.sh" || prefix == "argocd.argoproj.io" ||
			key == "app.kubernetes.io/managed-by" || key == CanaryAnnotation || s.private(key)
	})
	return kept
}

// scalerSpec returns a copy of an autoscaler's spec.
func scalerSpec(o *unstructured.Unstructured) map[string]any {
	spec, _, _ := unstructured.NestedMap(o.Object, "spec")
	if spec == nil {
		spec = map[string]any{}
	}
	return spec
}

// Refs lists what there is.
func (s Scalers) Refs() []canary.Ref {
	if s.None() {
		return nil
	}
	return []canary.Ref{s.Target, s.Primary}
}

// IsScaler reports whether objects of a kind are autoscalers.
func IsScaler(kind schema.GroupKind) bool {
	s, ok := scalers[kind.Kind]
	return ok && s.gvr.Group == kind.Group
}
