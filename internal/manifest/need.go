package manifest

import (
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/workload"
)

// needs collects permissions.
type needs []Need

func (n *needs) add(why string, p Permission, verbs ...string) {
	for _, p.Verb = range verbs {
		if !slices.ContainsFunc(*n, func(o Need) bool { return o.Permission == p }) {
			*n = append(*n, Need{p, why})
		}
	}
}

// named is a permission for one object. Where a watch selects an object by its name, and where an apply creates it, RBAC
// knows the name, too; only a plain create and a list by labels cannot be bound to one.
func named(r canary.Ref) Permission {
	return Permission{Group: r.Group, Resource: r.Resource, Namespace: r.Namespace, Name: r.Name}
}

func unnamed(gvr schema.GroupVersionResource, namespace string) Permission {
	return Permission{Group: gvr.Group, Resource: gvr.Resource, Namespace: namespace}
}

// Run lists what a run does from its start, and nothing more. What the configuration of the target takes is Configs.
func (s *Subject) Run() []Need {
	var all needs
	for _, ref := range s.Watched() {
		verbs := []string{"list", "watch", "create", "patch"}
		switch {
		case s.foreign(ref):
			verbs = verbs[:2]
		case ref == s.Scalers.Target, ref == s.Refs.Target && ref != s.Refs.Apex:
			verbs = []string{"list", "watch", "patch"} // it is the user's, and is never made
		}
		all.add(s.why(ref), named(ref), verbs...)
	}
	if s.Refs.Scale != "" {
		target := named(s.Refs.Target)
		target.Subresource = s.Refs.Scale
		all.add("the canary is scaled up for the analysis and down after it", target, "patch")
	}
	all.add("readiness is judged by what the workloads are made of, which is found by its labels",
		unnamed(s.Refs.Parts, s.Canary.Namespace), "list", "watch")
	for _, kept := range []struct {
		gvr schema.GroupVersionResource
		why string
	}{
		{configMapGVR, "the record, by which another run resumes"},
		{leaseGVR, "the lease, so that one run at a time moves the traffic"},
	} {
		all.add(kept.why, named(s.Canary.RefOf(kept.gvr, "", ObjectName(s.Canary))), "get", "update")
		if kept.gvr == leaseGVR {
			all.add("a run hears at once that another one asks it to stop", named(s.Canary.RefOf(kept.gvr, "", ObjectName(s.Canary))), "list", "watch")
		}
		all.add(kept.why+"; a create cannot be bound to a name", unnamed(kept.gvr, s.Canary.Namespace), "create")
	}
	return all
}

// why says what an object is to the run.
func (s *Subject) why(ref canary.Ref) string {
	switch ref {
	case s.Refs.Apex, s.Refs.PrimaryService, s.Refs.CanaryService:
		return "the Services of the apex, the primary and the canary"
	case s.Refs.Target:
		return "the target, which gets the new image"
	case s.Refs.Primary:
		return "the primary, a copy of the target"
	case s.Scalers.Target:
		return "the target's autoscaler, which sleeps while the canary does"
	case s.Scalers.Primary:
		return "the primary's autoscaler, a copy of the target's"
	}
	if s.foreign(ref) {
		return "a router object of the user's, which is only read"
	}
	return "the router object that splits the traffic"
}

// Configs lists what the ConfigMaps and Secrets take that a target refers to: the user's own are read, and the primary gets
// copies. The primary, which says by which of their names, may be nil. live are those that are known.
func (s *Subject) Configs(target, primary *workload.Workload, live canary.Objects) []Need {
	if target == nil {
		return nil
	}
	var all needs
	originals := workload.Configs(target.Template)
	former := workload.FormerConfigs(s.Canary, target, primary)
	for _, ref := range workload.ConfigObjects(s.Canary, target, primary, live) {
		if slices.Contains(former, ref) {
			continue
		}
		why, verbs := "copies of the target's configuration, for the primary", copyVerbs()
		if slices.ContainsFunc(originals, func(r workload.ConfigRef) bool { return r.Kind == ref.Kind && r.Name == ref.Name }) {
			why, verbs = "the target's configuration: a change of it is a new revision", verbs[:2]
		}
		all.add(why, named(ref), verbs...)
	}
	return all
}

// Former lists what the ConfigMaps and Secrets take that only the primary still refers to. The manifests of the target no
// longer tell of them, so no role that is made from these grants it, and a run does without. An uninstall does not: what was
// made for the canary has to go.
func (s *Subject) Former(target, primary *workload.Workload, uninstall bool) []Need {
	var all needs
	for _, ref := range workload.FormerConfigs(s.Canary, target, primary) {
		verbs := []string{"list", "watch"}
		if uninstall {
			verbs = append(verbs, "delete")
		}
		all.add("what the primary was configured by, and the target no longer is", named(ref), verbs...)
	}
	return all
}

func copyVerbs() []string { return []string{"list", "watch", "create", "patch", "delete"} }

// AnyConfig lists what any ConfigMaps and Secrets of the namespace take: for a target that is not known, or whose
// references change their names.
func (s *Subject) AnyConfig() []Need {
	var all needs
	for _, resource := range []string{"configmaps", "secrets"} {
		gvr := schema.GroupVersionResource{Version: "v1", Resource: resource}
		all.add("whatever the target is configured by, and its copies for the primary", unnamed(gvr, s.Canary.Namespace), copyVerbs()...)
	}
	return all
}

// ConfigsOf lists what the ConfigMaps and Secrets of a target take that only its manifests tell of. A run asks for the first
// name of every copy, since it asks before it has read an original that may say that it is not tracked. The second name is
// for content that is immutable; where the original is not among the manifests, it may be.
func (s *Subject) ConfigsOf(target *workload.Workload, manifests canary.Objects) []Need {
	all := needs(s.Configs(target, nil, nil))
	for _, ref := range workload.SpareCopies(s.Canary, target, manifests) {
		all.add("copies of the target's configuration, for the primary", named(ref), copyVerbs()...)
	}
	return all
}

// Approvals lists what a run takes that waits for people at its gates, beside what every run may create.
func (s *Subject) Approvals() []Need {
	var all needs
	decisions := s.Canary.RefOf(configMapGVR, "", DecisionsName(s.Canary))
	all.add("what people have said at the gates, which is watched", named(decisions), "get", "list", "watch", "update")
	gate := s.Canary.RefOf(configMapGVR, "", GateName(s.Canary))
	all.add("at which gate the run waits, for the server that receives comments", named(gate), "get", "update")
	return all
}

// Removal lists what only an uninstall takes. Copies of configuration may be deleted by a run already.
func (s *Subject) Removal() []Need {
	var all needs
	for _, ref := range s.Made() {
		all.add("an uninstall deletes what was made for the canary", named(ref), "delete")
	}
	for _, gvr := range []schema.GroupVersionResource{configMapGVR, leaseGVR} {
		all.add("an uninstall deletes the record and the lease", named(s.Canary.RefOf(gvr, "", ObjectName(s.Canary))), "delete")
	}
	return all
}

// objects are manifests by their reference, as a cluster would hold them. Those without a namespace are in the canary's.
func (s *Subject) objects(manifests []*unstructured.Unstructured, refs ...canary.Ref) canary.Objects {
	found := canary.Objects{}
	for _, ref := range refs {
		for _, o := range manifests {
			gv := o.GroupVersionKind()
			in := o.GetNamespace() == "" || o.GetNamespace() == ref.Namespace
			if gv.Group == ref.Group && gv.Kind == ref.Kind && o.GetName() == ref.Name && in {
				found[ref] = o
			}
		}
	}
	return found
}

// Target finds the target among manifests, and what is known of its configuration. It is nil where they do not have it.
func (s *Subject) Target(manifests []*unstructured.Unstructured) (*workload.Workload, canary.Objects, error) {
	live := s.objects(manifests, s.Refs.Target)
	target, err := workload.FromObject(live[s.Refs.Target])
	if err != nil || target == nil {
		return nil, nil, err
	}
	return target, s.objects(manifests, workload.ConfigObjects(s.Canary, target, nil, nil)...), nil
}
