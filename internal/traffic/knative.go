package traffic

import (
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/rollout"
	"github.com/penstock-dev/penstock/internal/workload"
)

// knative splits the traffic of a Service of Knative between its newest Revision, the canary, and the one that an annotation
// names, the primary. The Service is the target, and the user's: nothing of it is marked, so that GitOps goes on writing it,
// and what is written is a JSON merge patch, in which null takes a field away.
//
// Knative takes the newest Revision that is ready for the latest, so a share of the canary that goes to an older one counts
// as not taken up. Entries that only give a Revision an address of its own, by a tag, stay.
var knative = Router{
	Can:    Can{Weights: true},
	Refs:   func(c *canary.Canary) []canary.Ref { return []canary.Ref{knativeRef(c)} },
	Render: renderKnative,
	Read:   readKnative,
	Made:   nothingMade,
	Exact:  knativeExact,
	Lacks:  nothingLacks,
	Limits: nothingLimits,
}

const knativeGroup = "serving.knative.dev"

func knativeRef(c *canary.Canary) canary.Ref {
	gvr := schema.GroupVersionResource{Group: knativeGroup, Version: "v1", Resource: "services"}
	return c.RefOf(gvr, serviceKind, c.Spec.TargetRef.Name)
}

func knativeExact(ref canary.Ref) [][]string {
	if ref.Group != knativeGroup {
		return nil
	}
	return [][]string{{"spec", "traffic"}}
}

func renderKnative(c *canary.Canary, live canary.Objects, want rollout.Route) ([]*unstructured.Unstructured, error) {
	ref := knativeRef(c)
	if err := onlyWeights(c, ref, want); err != nil {
		return nil, err
	}
	before := live[ref]
	switch {
	case before == nil && want.Handover:
		return nil, nil
	case before == nil:
		return nil, fmt.Errorf("route %s: it does not exist", ref)
	}
	if _, err := owned(c, before); err != nil {
		return nil, err
	}
	primary, err := knativePrimary(ref, before)
	if err != nil && !want.Handover {
		return nil, err
	}
	if primary == "" && !want.Handover {
		return nil, nil // there is no Revision yet, and nothing to split
	}
	shares, err := sharesOf(ref, before, primary)
	if err != nil {
		return nil, err
	}
	latest := shares.latest
	latest["latestRevision"], latest["percent"] = true, int64(want.Canary)
	traffic := []map[string]any{latest}
	var named any
	if want.Handover {
		latest["percent"] = int64(100)
	} else {
		named = primary
		traffic = append(traffic, map[string]any{"revisionName": primary, "percent": int64(100 - want.Canary)})
	}
	route := ref.New()
	route.Object["spec"] = map[string]any{"traffic": list(append(traffic, shares.tagged...))}
	metadata := object(route.Object, "metadata")
	metadata["annotations"] = map[string]any{workload.PrimaryRevisionAnnotation: named}
	return []*unstructured.Unstructured{route}, nil
}

// knativePrimary is the Revision that the annotation names. Before there is one, and when it was lost, it can only be the
// Revision that has all of the traffic anyway. It is empty when Knative has made none yet.
func knativePrimary(ref canary.Ref, live *unstructured.Unstructured) (string, error) {
	if name := live.GetAnnotations()[workload.PrimaryRevisionAnnotation]; name != "" {
		return name, nil
	}
	latest, _, total := knativeShares(object(live.Object, "spec"), "")
	name := text(object(live.Object, "status"), "latestReadyRevisionName", "")
	if latest != total {
		return "", fmt.Errorf("route %s: it has no annotation %s, so that nobody knows which Revision is the primary", ref, workload.PrimaryRevisionAnnotation)
	}
	return name, nil
}

// knativeEntries are what of spec.traffic is written again.
type knativeEntries struct {
	latest map[string]any   // the entry of the newest Revision, with its tag
	tagged []map[string]any // without traffic
}

// sharesOf reads the entries of a Service. One Revision besides the primary may have traffic: the primary before, at the
// moment of a promotion.
func sharesOf(ref canary.Ref, live *unstructured.Unstructured, primary string) (knativeEntries, error) {
	var found knativeEntries
	var others []string
	kept := false // the primary has traffic of its own already
	for _, entry := range objects(object(live.Object, "spec"), "traffic") {
		name, tag, percent := text(entry, "revisionName", ""), text(entry, "tag", ""), number(entry, "percent", 0)
		switch {
		case isLatest(entry) && found.latest == nil:
			found.latest = clone(entry)
			continue
		case isLatest(entry):
		case name == primary:
			kept = kept || percent > 0
		case percent > 0 && (tag != "" || name == ""):
			return found, foreignRevision(ref, name)
		case percent > 0:
			others = append(others, name)
		}
		if tag != "" {
			entry = clone(entry)
			delete(entry, "percent")
			found.tagged = append(found.tagged, entry)
		}
	}
	if len(others) > 1 || len(others) == 1 && kept {
		return found, foreignRevision(ref, others[len(others)-1])
	}
	if found.latest == nil {
		found.latest = map[string]any{}
	}
	return found, nil
}

func foreignRevision(ref canary.Ref, name string) error {
	return fmt.Errorf("route %s: spec.traffic sends requests to Revision %q too, which is neither the primary nor the newest", ref, name)
}

func isLatest(entry map[string]any) bool {
	return entry["latestRevision"] == true || text(entry, "revisionName", "") == "" && text(entry, "configurationName", "") == ""
}

// knativeShares adds up the percentages of spec or status: of the newest Revision, of the primary, and of all. No entries
// mean that the newest has everything.
func knativeShares(from map[string]any, primary string) (latest, named, total float64) {
	entries := objects(from, "traffic")
	if len(entries) == 0 {
		return 100, 0, 100
	}
	for _, entry := range entries {
		percent := number(entry, "percent", 0)
		total += percent
		switch {
		case isLatest(entry):
			latest += percent
		case primary != "" && text(entry, "revisionName", "") == primary:
			named += percent
		}
	}
	return latest, named, total
}

func readKnative(c *canary.Canary, live canary.Objects) rollout.RouteReport {
	ref := knativeRef(c)
	service := live[ref]
	if service == nil {
		return rollout.RouteReport{Message: ref.String() + " does not exist"}
	}
	spec := object(service.Object, "spec")
	primary := service.GetAnnotations()[workload.PrimaryRevisionAnnotation]
	latest, named, total := knativeShares(spec, primary)
	report := rollout.RouteReport{Known: true}
	switch {
	case primary != "" && hasRevision(spec, primary):
		report.Managed, report.Canary = true, share(latest, latest+named)
		if total > latest+named {
			report.Message = fmt.Sprintf("%s sends requests to a Revision that is neither the primary nor the newest", ref)
			return report
		}
	case latest == total:
		report.Handover = true
	default:
		report.Message = fmt.Sprintf("%s sends no requests to the Revision that its annotation %s names", ref, workload.PrimaryRevisionAnnotation)
		return report
	}
	report.Message = knativeUnsettled(ref, service, knativeSettling{primary, report.Managed && latest > 0})
	report.Settled = report.Message == ""
	if report.Settled && !report.Managed {
		report.Message = fmt.Sprintf("%s sends all requests to its newest Revision", ref)
	}
	return report
}

// knativeSettling is what a Service must have taken up.
type knativeSettling struct {
	primary string
	canary  bool // the canary has a share
}

// knativeUnsettled says why the traffic does not go where spec.traffic says, or nothing.
func knativeUnsettled(ref canary.Ref, service *unstructured.Unstructured, want knativeSettling) string {
	status := object(service.Object, "status")
	if int64(number(status, "observedGeneration", 0)) < service.GetGeneration() {
		return fmt.Sprintf("Knative has not taken up the last change of %s yet", ref)
	}
	for _, condition := range objects(status, "conditions") {
		if condition["type"] == "RoutesReady" && condition["status"] != "True" {
			return fmt.Sprintf("the route of %s is not ready: %s", ref, text(condition, "message", text(condition, "reason", "no reason is given")))
		}
	}
	latest, named, total := knativeShares(object(service.Object, "spec"), want.primary)
	if l, n, t := knativeShares(status, want.primary); l != latest || n != named || t != total || len(objects(status, "traffic")) == 0 {
		return fmt.Sprintf("Knative has not taken up spec.traffic of %s yet", ref)
	}
	created := text(status, "latestCreatedRevisionName", "")
	for _, entry := range objects(status, "traffic") {
		if name := text(entry, "revisionName", ""); want.canary && entry["latestRevision"] == true && name != created {
			return fmt.Sprintf("%s sends the share of the canary to Revision %q, because %q is not ready", ref, name, created)
		}
	}
	return ""
}

func hasRevision(spec map[string]any, name string) bool {
	for _, entry := range objects(spec, "traffic") {
		if !isLatest(entry) && text(entry, "revisionName", "") == name {
			return true
		}
	}
	return false
}
