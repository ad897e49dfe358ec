package manifest

import (
	"slices"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/traffic"
	"github.com/penstock-dev/penstock/internal/workload"
)

var (
	configMapGVR = schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}
	leaseGVR     = schema.GroupVersionResource{Group: "coordination.k8s.io", Version: "v1", Resource: "leases"}
)

// ObjectName is the name of everything that Penstock keeps about a canary: its record and its lease.
func ObjectName(c *canary.Canary) string { return "penstock-" + c.Name }

// Subject is a canary with every object that a run of it looks at.
type Subject struct {
	Canary  *canary.Canary
	Router  traffic.Router
	Refs    workload.Refs
	Scalers workload.Scalers
}

// SubjectOf returns the subject of a canary. A target or an autoscaler that is not supported is an error.
func SubjectOf(c *canary.Canary, r traffic.Router) (Subject, error) {
	refs, err := workload.RefsFor(c)
	if err != nil {
		return Subject{}, err
	}
	scalers, err := workload.ScalersFor(c)
	if err != nil {
		return Subject{}, err
	}
	return Subject{Canary: c, Router: r, Refs: refs, Scalers: scalers}, nil
}

// Watched lists every object that a run looks at from its start, each once.
func (s *Subject) Watched() []canary.Ref {
	var all []canary.Ref
	for _, ref := range slices.Concat(
		[]canary.Ref{s.Refs.Target, s.Refs.Primary, s.Refs.Apex, s.Refs.PrimaryService, s.Refs.CanaryService},
		s.Scalers.Refs(), s.Router.Refs(s.Canary),
	) {
		if ref != (canary.Ref{}) && !slices.Contains(all, ref) { // not every target has a primary and Services of its own
			all = append(all, ref)
		}
	}
	return all
}

// Made lists what exists for the canary alone, the copies of its configuration included. The primary is last: it says
// which copies there are to a run that takes over. The apex and the route stay: they carry the traffic.
func (s *Subject) Made(copies ...canary.Ref) []canary.Ref {
	made := slices.Concat([]canary.Ref{s.Refs.PrimaryService, s.Refs.CanaryService}, s.Scalers.Refs(), copies, s.Router.Made(s.Canary))
	made = append(made, s.Refs.Primary)
	return slices.DeleteFunc(made, func(r canary.Ref) bool { return r == s.Scalers.Target || r == s.Refs.Target || r == canary.Ref{} })
}

// foreign reports whether a run may read an object and never writes it: what the canary names as the user's own, and a
// Service that is a target. An apex may be such a Service, and is written.
func (s *Subject) foreign(ref canary.Ref) bool {
	spec := &s.Canary.Spec
	named := func(kind string, r *canary.ObjectRef) bool { return r != nil && ref.Kind == kind && ref.Name == r.Name }
	switch {
	case ref == s.Refs.Target:
		return s.Refs.Apex != (canary.Ref{}) && ref.Kind == s.Refs.Apex.Kind && ref != s.Refs.Apex
	case ref.Namespace != "" && ref.Namespace != s.Canary.Namespace:
		return true // the settings of an Upstream that is somebody else's
	}
	return named("Ingress", spec.IngressRef) || named("ApisixRoute", spec.RouteRef)
}
