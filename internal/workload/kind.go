package workload

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/rollout"
)

// Workload is a live target, or its primary, of any kind: what all kinds have in common, as data.
type Workload struct {
	metav1.ObjectMeta
	Kind     string
	Template *corev1.PodTemplateSpec // as the user means it, without a scale to zero; nil for a Service
	Selector *metav1.LabelSelector   // of its pods
	Replicas int32                   // pods that are wanted; zero for a workload that is scaled to zero
	Floor    int32                   // pods that its autoscaler starts it with; zero for one without an autoscaler

	configs configSet // of a target: what its pods are configured by; filled in by Track
	copies  copySet   // of a primary: the same, as its copies hold it

	kind  kind
	typed any // the object that kind.read made of the live one
}

// kind is how targets of one kind are handled: one file each. All functions are pure and modify no argument.
type kind struct {
	gvr schema.GroupVersionResource

	// parts is the resource by which its readiness is explained: Pods, or what stands for them.
	parts schema.GroupVersionResource

	// scaleBy is the subresource that scale patches; empty is the object itself.
	scaleBy string

	// content is what the managed fields of whoever wrote the part that a primary copies contain.
	content string

	// refuse says what of a canary cannot work with a target of this kind. May be nil.
	refuse func(c *canary.Canary) error

	// read fills in everything but the metadata and the kind.
	read func(live *unstructured.Unstructured, w *Workload) error

	// check says why a live target cannot be rolled out.
	check func(c *canary.Canary, target *Workload) error

	// revision is a short hash of what a rollout of this kind promotes. primary says that w is one.
	revision func(w *Workload, primary bool) string

	// primary is the copy of the target. live is the present primary, or nil.
	primary func(c *canary.Canary, target, live *Workload) (*unstructured.Unstructured, error)

	// services are the Services that go with it.
	services func(c *canary.Canary, refs *Refs, target, primary *Workload) ([]wantedService, error)

	// selectParts selects the parts of a target and of its primary, as a label selector.
	selectParts func(refs *Refs, target *Workload) (string, error)

	// report says how ready it is, apart from what is the same for all kinds.
	report func(w *Workload, parts []*unstructured.Unstructured, want Ready) rollout.Workload

	// scale is the change that brings the target to the wanted size, or nil.
	scale func(target, primary *Workload, to rollout.Scale) *Scaling

	// promoted reads the primary out of the target, where the target holds both; it is nil while there is none. Nil for
	// kinds whose primary is an object of its own.
	promoted func(target *Workload) *Workload
}

// kinds are the kinds of targets, by spec.targetRef.kind. Where two APIs have a kind of one name, the first is what an
// empty apiVersion means.
var kinds = map[string][]kind{
	"DaemonSet":  {daemonSets},
	"Deployment": {deployments},
	"Service":    {serviceTargets, knativeServices},
}

// kindFor looks a kind up by its API group, or by its name alone where the group is none that has it.
func kindFor(apiVersion, name string) (kind, error) {
	found := kinds[name]
	if len(found) == 0 {
		supported := strings.Join(slices.Sorted(maps.Keys(kinds)), ", ")
		return kind{}, fmt.Errorf("%q is not supported; supported are %s", name, supported)
	}
	group := schema.FromAPIVersionAndKind(apiVersion, name).Group
	if i := slices.IndexFunc(found, func(k kind) bool { return k.gvr.Group == group }); i >= 0 {
		return found[i], nil
	}
	return found[0], nil
}

// versionsOf are the API versions that have a kind, as a list in words.
func versionsOf(name string) string {
	var all []string
	for i := range kinds[name] {
		all = append(all, kinds[name][i].gvr.GroupVersion().String())
	}
	return strings.Join(all, ", ")
}

// FromObject reads a live target or primary. A nil object is a nil workload.
func FromObject(live *unstructured.Unstructured) (*Workload, error) {
	if live == nil {
		return nil, nil //nolint:nilnil // documented
	}
	k, err := kindFor(live.GetAPIVersion(), live.GetKind())
	if err != nil {
		return nil, fmt.Errorf("read %q: kind %w", live.GetNamespace()+"/"+live.GetName(), err)
	}
	w := &Workload{Kind: live.GetKind(), kind: k}
	if err := k.read(live, w); err != nil {
		return nil, err
	}
	return w, nil
}

// ReadBoth reads the target and the primary of a canary. One that does not exist is nil.
func ReadBoth(refs *Refs, live canary.Objects) (target, primary *Workload, err error) {
	if target, err = FromObject(live[refs.Target]); err != nil {
		return nil, nil, fmt.Errorf("read %s: %w", refs.Target, err)
	}
	if !refs.Shared() {
		if primary, err = FromObject(live[refs.Primary]); err != nil {
			return nil, nil, fmt.Errorf("read %s: %w", refs.Primary, err)
		}
		return target, primary, nil
	}
	if target != nil {
		primary = target.kind.promoted(target)
	}
	return target, primary, nil
}

// Check says why a live target cannot be rolled out for a canary, if it cannot.
func Check(c *canary.Canary, target *Workload) error { return target.kind.check(c, target) }

// SelectParts returns the label selector of the parts of a target and of its primary, the objects of Refs.Parts.
func SelectParts(refs *Refs, target *Workload) (string, error) {
	return target.kind.selectParts(refs, target)
}

// TargetRevision is the revision that a target asks for.
func TargetRevision(target *Workload) string {
	return target.configs.revision(target.kind.revision(target, false))
}

// PrimaryRevision is the revision that a primary is a copy of. It undoes what RenderPrimary and Flagger rewrite, so that
// a primary made by either is recognised. A primary that carries no "-primary" label is its own revision.
func PrimaryRevision(primary *Workload) string {
	return primary.copies.revision(primary.kind.revision(primary, true))
}

func (w *Workload) describe() string {
	return fmt.Sprintf("%s %q", w.Kind, w.Namespace+"/"+w.Name)
}
