package traffic

import (
	"fmt"
	"strconv"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/rollout"
)

const splitGroup = "split.smi-spec.io"

// The versions of SMI's TrafficSplit.
var (
	smiV1alpha1 = splitRouter("v1alpha1")
	smiV1alpha2 = splitRouter("v1alpha2")
	smiV1alpha3 = splitRouter("v1alpha3")
)

// splitRouter routes with a TrafficSplit of the Service Mesh Interface that has the name of the apex Service. The mesh
// replaces the endpoints of the apex Service by those of the split's backends, in proportion to their weights.
//
// A split has no status, so that it counts as taken up when it is written. At the handover it names the apex Service
// alone, which is what a mesh does without a split, and then it goes.
func splitRouter(version string) Router {
	s := splitCodec{version}
	return Router{
		Can:    Can{Weights: true},
		Refs:   s.refs,
		Render: s.render,
		Read:   s.read,
		Made:   s.refs,
		Exact:  splitExact,
		Lacks:  nothingLacks,
		Limits: nothingLimits,
	}
}

// splitCodec reads and writes splits of one version of the API.
type splitCodec struct{ version string }

func (s splitCodec) ref(c *canary.Canary) canary.Ref {
	gvr := schema.GroupVersionResource{Group: splitGroup, Version: s.version, Resource: "trafficsplits"}
	return c.RefOf(gvr, "TrafficSplit", c.ServiceName())
}

func (s splitCodec) refs(c *canary.Canary) []canary.Ref { return []canary.Ref{s.ref(c)} }

// splitExact has the backends: their list is one field to the API.
func splitExact(ref canary.Ref) [][]string {
	if ref.Group != splitGroup {
		return nil
	}
	return [][]string{{"spec", "backends"}}
}

// root is the Service whose requests are split: the first host, as in Flagger, or the apex.
func (s splitCodec) root(c *canary.Canary) string {
	if len(c.Spec.Service.Hosts) > 0 {
		return c.Spec.Service.Hosts[0]
	}
	return c.ServiceName()
}

// weight writes a weight: the first version has quantities, the others numbers.
func (s splitCodec) weight(w rollout.Weight) any {
	if s.version == "v1alpha1" {
		return strconv.Itoa(int(w))
	}
	return int64(w)
}

func (s splitCodec) render(c *canary.Canary, live canary.Objects, want rollout.Route) ([]*unstructured.Unstructured, error) {
	ref := s.ref(c)
	if err := onlyWeights(c, ref, want); err != nil {
		return nil, err
	}
	before := live[ref]
	if before == nil && want.Handover {
		return nil, nil // as there would be none without a canary
	}
	apex := c.ServiceName()
	backends := []map[string]any{
		{"service": apex + canarySuffix, "weight": s.weight(want.Canary)},
		{"service": apex + primarySuffix, "weight": s.weight(100 - want.Canary)},
	}
	if want.Handover {
		backends = []map[string]any{{"service": apex, "weight": s.weight(100)}}
	} else if other := s.others(c, before); other != "" {
		return nil, fmt.Errorf("route %s: it sends requests to Service %q too, so that weights are no percentages", ref, other)
	}
	split := ref.New()
	split.Object["spec"] = map[string]any{"service": s.root(c), "backends": list(backends)}
	if err := label(c, split, before, want); err != nil {
		return nil, err
	}
	return []*unstructured.Unstructured{split}, nil
}

// others names a Service beside the canary's own that has a weight.
func (s splitCodec) others(c *canary.Canary, live *unstructured.Unstructured) string {
	if live == nil {
		return ""
	}
	apex := c.ServiceName()
	for _, backend := range objects(object(live.Object, "spec"), "backends") {
		switch name := text(backend, "service", ""); name {
		case apex, apex + primarySuffix, apex + canarySuffix:
		default:
			if quantity(backend, "weight") > 0 {
				return name
			}
		}
	}
	return ""
}

func (s splitCodec) read(c *canary.Canary, live canary.Objects) rollout.RouteReport {
	ref, apex := s.ref(c), c.ServiceName()
	split := live[ref]
	if split == nil {
		return rollout.RouteReport{Message: ref.String() + " does not exist yet"}
	}
	weights, named := map[string]float64{}, map[string]bool{}
	total := 0.0
	for _, backend := range objects(object(split.Object, "spec"), "backends") {
		name, weight := text(backend, "service", ""), quantity(backend, "weight")
		weights[name], named[name] = weights[name]+weight, true
		total += weight
	}
	report := rollout.RouteReport{Known: true}
	switch {
	case named[apex+primarySuffix] || named[apex+canarySuffix]:
		report.Managed, report.Settled = true, total > 0
		report.Canary = share(weights[apex+canarySuffix], total)
		if total == 0 {
			report.Message = ref.String() + " has no backend with a weight"
		}
	case total == 0 || weights[apex] == total:
		report.Handover, report.Settled = true, true
		report.Message = unmanaged(c, ref)
	default:
		report.Message = unmanaged(c, ref)
	}
	return report
}

// quantity returns a field that is a number, or a quantity as Kubernetes writes it, or 0.
func quantity(m map[string]any, name string) float64 {
	if value, ok := m[name].(string); ok {
		q, err := resource.ParseQuantity(value)
		if err != nil {
			return 0
		}
		return q.AsApproximateFloat64()
	}
	return number(m, name, 0)
}
