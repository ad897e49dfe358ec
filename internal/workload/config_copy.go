package workload

import (
	"errors"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/penstock-dev/penstock/internal/canary"
)

// ConfigCopy is what the primary has in the place of a ConfigMap or a Secret of the target.
type ConfigCopy struct {
	Original ConfigRef
	Ref      canary.Ref
	Object   *unstructured.Unstructured // nil: it must not exist, since the optional original does not
	Replace  bool                       // the live one cannot be changed: it is deleted and made anew
}

// copyNames are the names that a copy may have. The first is Flagger's. The second is for where the first is taken, by
// another canary with the same ConfigMap or by the user; and for immutable content, which cannot be changed where it is:
// the pods of the primary keep theirs until those with the new content are there, whose node must not take the one for the
// other because they have one name.
func copyNames(c *canary.Canary, r ConfigRef) [2]string {
	return [2]string{r.Name + primarySuffix, r.Name + "-" + c.Name + primarySuffix}
}

// ConfigCopies returns the copies of a target's configuration for its primary, which may be nil. Which names they get
// depends on what is there and on what the primary has now. Only what is tracked is copied; of an optional reference that
// is not there, the name is kept free, so that the primary does not start with what nobody has analysed when it appears.
func ConfigCopies(c *canary.Canary, target, primary *Workload) ([]ConfigCopy, error) {
	var copies []ConfigCopy
	var problems []error
	for i := range target.configs.all {
		from := &target.configs.all[i]
		if from.untracked {
			continue
		}
		if text, _ := from.problem(); text != "" {
			problems = append(problems, fmt.Errorf("copy %s %q for the primary: %s", from.Kind, from.Name, text))
			continue
		}
		present := ""
		if primary != nil {
			present = primary.copies.nameOf(from.ConfigRef)
		}
		placed, err := placeCopy(c, from, present, target.configs.live)
		if err != nil {
			problems = append(problems, err)
			continue
		}
		copies = append(copies, placed)
	}
	return copies, errors.Join(problems...)
}

func placeCopy(c *canary.Canary, from *config, present string, live canary.Objects) (ConfigCopy, error) {
	names := copyNames(c, from.ConfigRef)
	if present == names[1] {
		slices.Reverse(names[:])
	}
	if problems := validation.IsDNS1123Subdomain(names[0]); len(problems) > 0 {
		return ConfigCopy{}, fmt.Errorf("copy %s %q for the primary as %q: %s", from.Kind, from.Name, names[0], problems[0])
	}
	replaceable := ""
	var taken error
	for _, name := range names {
		ref := configRef(c, from.Kind, name)
		there := live[ref]
		if there == nil {
			return renderConfigCopy(c, from, ref), nil
		}
		ours, err := owned(c, from.Kind, there)
		if err == nil && !ours {
			err = fmt.Errorf("%s was not made for Canary %q", ref, c.Name)
		}
		if err != nil {
			taken = errors.Join(taken, err)
			continue
		}
		if from.live == nil || changeable(there, from.live) {
			return renderConfigCopy(c, from, ref), nil
		}
		if replaceable == "" || name != present {
			replaceable = name
		}
	}
	if replaceable == "" {
		return ConfigCopy{}, fmt.Errorf("copy %s %q for the primary: both names are taken: %w", from.Kind, from.Name, taken)
	}
	placed := renderConfigCopy(c, from, configRef(c, from.Kind, replaceable))
	placed.Replace = true
	return placed, nil
}

// changeable reports whether Kubernetes lets a copy become like its original.
func changeable(there, original *unstructured.Unstructured) bool {
	if there.GetKind() == secretKind && secretType(there) != secretType(original) {
		return false
	}
	if !immutable(there) {
		return true
	}
	return immutable(original) && checksum(there) == checksum(original)
}

func immutable(o *unstructured.Unstructured) bool {
	fixed, _, _ := unstructured.NestedBool(o.Object, "immutable")
	return fixed
}

// renderConfigCopy takes over the labels, but not the annotations: those tell controllers what to do with an object by
// its name, and a copy is not theirs to touch. Nor are the labels by which they find what is theirs.
func renderConfigCopy(c *canary.Canary, from *config, ref canary.Ref) ConfigCopy {
	placed := ConfigCopy{Original: from.ConfigRef, Ref: ref}
	if from.live == nil {
		return placed
	}
	o := ref.New()
	labels := carried(from.live.GetLabels())
	for _, key := range trackingLabels {
		delete(labels, key)
	}
	if len(labels) > 0 {
		o.SetLabels(labels)
	}
	o.SetAnnotations(managed(c, nil))
	if owners := owner(c); owners != nil {
		o.SetOwnerReferences(owners)
	}
	for _, field := range []string{"data", "binaryData"} {
		if data, _, _ := unstructured.NestedMap(from.live.Object, field); len(data) > 0 {
			o.Object[field] = data
		}
	}
	if immutable(from.live) {
		o.Object["immutable"] = true
	}
	if from.Kind == secretKind {
		o.Object["type"] = string(secretType(from.live))
	}
	placed.Object = o
	return placed
}

// trackingLabels are those by which deployment tools find their objects, and delete what is no longer in their source.
var trackingLabels = [...]string{
	"app.kubernetes.io/instance", "app.kubernetes.io/managed-by", "argocd.argoproj.io/instance",
}

// ConfigObjects returns every ConfigMap and Secret that a rollout has to look at: what the pods of the target and of its
// primary refer to, and the copies as far as they can be known by now. It is to be asked before Track; either workload may
// be nil.
func ConfigObjects(c *canary.Canary, target, primary *Workload, live canary.Objects) []canary.Ref {
	var all []canary.Ref
	add := func(ref canary.Ref) {
		if !slices.Contains(all, ref) {
			all = append(all, ref)
		}
	}
	for _, r := range Configs(templateOf(primary)) {
		add(r.in(c))
	}
	for _, r := range Configs(templateOf(target)) {
		original := r.in(c)
		add(original)
		if o := live[original]; o != nil && !tracked(o) {
			continue
		}
		for _, name := range copyNames(c, r) {
			ref := configRef(c, r.Kind, name)
			add(ref)
			if there := live[ref]; there == nil || usable(c, there, live[original]) {
				break
			}
		}
	}
	return all
}

// FormerConfigs lists what only the primary refers to, under whatever name: an earlier revision of the target was configured
// by it. Either workload may be nil.
func FormerConfigs(c *canary.Canary, target, primary *Workload) []canary.Ref {
	present := map[canary.Ref]bool{}
	for _, r := range Configs(templateOf(target)) {
		present[r.in(c)] = true
		for _, name := range copyNames(c, r) {
			present[configRef(c, r.Kind, name)] = true
		}
	}
	var former []canary.Ref
	for _, r := range Configs(templateOf(primary)) {
		if ref := r.in(c); !present[ref] {
			former = append(former, ref)
		}
	}
	return former
}

func usable(c *canary.Canary, there, original *unstructured.Unstructured) bool {
	ours, err := owned(c, there.GetKind(), there)
	return err == nil && ours && (original == nil || changeable(there, original))
}

func templateOf(w *Workload) *corev1.PodTemplateSpec {
	if w == nil {
		return nil
	}
	return w.Template
}

// SpareCopies lists the second name of each copy of a target's configuration that may need it as far as the originals are
// known: one that is immutable, or is not among them. What is not tracked has no copy.
func SpareCopies(c *canary.Canary, target *Workload, originals canary.Objects) []canary.Ref {
	var spare []canary.Ref
	for _, r := range Configs(templateOf(target)) {
		if o := originals[r.in(c)]; o != nil && (!tracked(o) || !immutable(o)) {
			continue
		}
		spare = append(spare, configRef(c, r.Kind, copyNames(c, r)[1]))
	}
	return spare
}
