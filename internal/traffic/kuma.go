package traffic

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/rollout"
)

// kuma routes with a TrafficRoute of Kuma that has the name of the apex Service, and splits what any service of the mesh
// sends to it.
//
// A TrafficRoute belongs to the whole cluster: a Canary cannot own it, and one of the same name in another namespace wants
// it too, which is an error. It has no status, so that it counts as taken up when it is written. At the handover it names
// the apex Service alone, as the mesh's own route for everything does, and then it goes, unless it is the user's.
var kuma = Router{
	Can:    Can{Weights: true},
	Refs:   kumaRefs,
	Render: renderKuma,
	Read:   readKuma,
	Made:   kumaRefs,
	Exact:  kumaExact,
	Lacks:  nothingLacks,
	Limits: nothingLimits,
}

const (
	kumaGroup   = "kuma.io"
	kumaService = "kuma.io/service" // the tag that names a service
	kumaMesh    = "kuma.io/mesh"    // the annotation that names the mesh
	kumaDefault = "default"         // the mesh without one
)

func kumaRef(c *canary.Canary) canary.Ref {
	gvr := schema.GroupVersionResource{Group: kumaGroup, Version: "v1alpha1", Resource: "trafficroutes"}
	ref := c.RefOf(gvr, "TrafficRoute", c.ServiceName())
	ref.Namespace = ""
	return ref
}

func kumaRefs(c *canary.Canary) []canary.Ref { return []canary.Ref{kumaRef(c)} }

func kumaExact(ref canary.Ref) [][]string {
	if ref.Group != kumaGroup {
		return nil
	}
	return [][]string{{"spec", "conf", "split"}}
}

// kumaTag is Kuma's name of the apex Service, or of one that has its name with a suffix.
func kumaTag(c *canary.Canary, suffix string) string {
	return fmt.Sprintf("%s%s_%s_svc_%d", c.ServiceName(), suffix, c.Namespace, c.Spec.Service.Port)
}

func meshOf(c *canary.Canary) string {
	if mesh := c.Annotations[kumaMesh]; mesh != "" {
		return mesh
	}
	return kumaDefault
}

func renderKuma(c *canary.Canary, live canary.Objects, want rollout.Route) ([]*unstructured.Unstructured, error) {
	ref := kumaRef(c)
	if err := onlyWeights(c, ref, want); err != nil {
		return nil, err
	}
	before := live[ref]
	if before == nil && want.Handover {
		return nil, nil // as there would be none without a canary
	}
	if why := kumaClash(c, before); why != "" {
		return nil, fmt.Errorf("route %s: %s", ref, why)
	}
	sides := []kumaSide{{primarySuffix, 100 - want.Canary}, {canarySuffix, want.Canary}}
	if want.Handover {
		sides = []kumaSide{{"", 100}}
	}
	split, err := kumaSplit(c, before, sides)
	if err != nil {
		return nil, fmt.Errorf("route %s: %w", ref, err)
	}
	spec := map[string]any{"conf": map[string]any{"split": list(split)}}
	for field, service := range map[string]string{"sources": "*", "destinations": kumaTag(c, "")} {
		selectors := []map[string]any{{"match": map[string]any{kumaService: service}}}
		if theirs := kumaSelectors(before, field); len(theirs) > 0 {
			selectors = nil
			for _, selector := range theirs {
				selectors = append(selectors, clone(selector))
			}
		}
		spec[field] = list(selectors)
	}
	route := ref.New()
	route.Object["mesh"], route.Object["spec"] = meshOf(c), spec
	if err := label(c, route, before, want); err != nil {
		return nil, err
	}
	return []*unstructured.Unstructured{route}, nil
}

// kumaClash says why a TrafficRoute that is there cannot be the canary's.
func kumaClash(c *canary.Canary, live *unstructured.Unstructured) string {
	if live == nil {
		return ""
	}
	if mesh := text(live.Object, "mesh", kumaDefault); mesh != meshOf(c) {
		return fmt.Sprintf("it is there for mesh %q, and a TrafficRoute cannot change its mesh; the annotation %s of the Canary asks for %q", mesh, kumaMesh, meshOf(c))
	}
	for _, destination := range kumaSelectors(live, "destinations") {
		if service := text(object(destination, "match"), kumaService, "*"); service != kumaTag(c, "") {
			return fmt.Sprintf("it is there for requests to service %q, and the canary has those to %q; give one of the two another name", service, kumaTag(c, ""))
		}
	}
	if object(kumaConf(live), "destination") != nil {
		return "spec.conf.destination excludes a split; write it as the only element of spec.conf.split"
	}
	return ""
}

func kumaConf(live *unstructured.Unstructured) map[string]any {
	if live == nil {
		return nil
	}
	return object(object(live.Object, "spec"), "conf")
}

func kumaSelectors(live *unstructured.Unstructured, field string) []map[string]any {
	if live == nil {
		return nil
	}
	return objects(object(live.Object, "spec"), field)
}

// kumaSide is the weight of the Service that has the apex's name with a suffix.
type kumaSide struct {
	suffix string
	weight rollout.Weight
}

// kumaSplit returns the wanted split, with the tags that narrow a side down and with what others have put there.
func kumaSplit(c *canary.Canary, live *unstructured.Unstructured, sides []kumaSide) ([]map[string]any, error) {
	present := objects(kumaConf(live), "split")
	ours := []string{kumaTag(c, ""), kumaTag(c, primarySuffix), kumaTag(c, canarySuffix)}
	var split []map[string]any
	for _, side := range sides {
		part := map[string]any{}
		for _, p := range present {
			if text(object(p, "destination"), kumaService, "") == kumaTag(c, side.suffix) {
				part = clone(p)
			}
		}
		destination := clone(object(part, "destination"))
		destination[kumaService] = kumaTag(c, side.suffix)
		part["destination"], part["weight"] = destination, int64(side.weight)
		split = append(split, part)
	}
	for _, p := range present {
		switch name := text(object(p, "destination"), kumaService, ""); {
		case slices.Contains(ours, name):
		case number(p, "weight", 0) > 0:
			return nil, fmt.Errorf("it sends requests to service %q too, so that weights are no percentages", name)
		default:
			split = append(split, clone(p))
		}
	}
	return split, nil
}

func readKuma(c *canary.Canary, live canary.Objects) rollout.RouteReport {
	ref := kumaRef(c)
	route := live[ref]
	if route == nil {
		return rollout.RouteReport{Message: ref.String() + " does not exist yet"}
	}
	report := rollout.RouteReport{Known: true}
	if why := kumaClash(c, route); why != "" {
		report.Message = ref.String() + ": " + why
		return report
	}
	weights, total := map[string]float64{}, 0.0
	for _, part := range objects(kumaConf(route), "split") {
		weight := number(part, "weight", 0)
		total += weight
		weights[text(object(part, "destination"), kumaService, "")] += weight
	}
	apex, onCanary := weights[kumaTag(c, "")], weights[kumaTag(c, canarySuffix)]
	switch {
	case onCanary+weights[kumaTag(c, primarySuffix)] > 0:
		report.Managed, report.Settled = true, true
		report.Canary = share(onCanary, total)
	case total > 0 && apex == total:
		report.Handover, report.Settled = true, true
		report.Message = unmanaged(c, ref)
	default:
		report.Message = unmanaged(c, ref)
	}
	return report
}
