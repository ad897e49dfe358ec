package traffic

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/rollout"
	"github.com/penstock-dev/penstock/internal/workload"
)

// The versions of the API of AWS App Mesh.
var (
	appmeshV1beta1 = appmeshRouter(meshV1)
	appmeshV1beta2 = appmeshRouter(meshV2)
)

const (
	meshV1    = "v1beta1"
	meshV2    = "v1beta2"
	meshGroup = "appmesh.k8s.aws"
	nodeKind  = "VirtualNode"
)

// appmeshRouter routes with the routes of App Mesh: a VirtualNode for each of the primary and the canary, and the apex
// as a VirtualService that splits between them. A second one sends everything to the canary, for who tests it directly.
// In v1beta1 the routes are in the VirtualService, in v1beta2 in a VirtualRouter behind it.
//
// The pods of the target are bound to one of the VirtualNodes when they start, so that it outlives the canary, together
// with the apex: a mesh refuses requests to a name without a VirtualService. In v1beta1 that is the node of the apex's
// name. In v1beta2 it is the canary's, since two nodes must not select the same pods; at the handover it stands for the
// apex Service in the place of the canary's.
func appmeshRouter(version string) Router {
	of := func(c *canary.Canary, live canary.Objects) meshCodec { return meshCodec{version, c, live} }
	return Router{
		Can:  Can{Weights: true, Match: true},
		Refs: func(c *canary.Canary) []canary.Ref { return of(c, nil).refs() },
		Render: func(c *canary.Canary, live canary.Objects, want rollout.Route) ([]*unstructured.Unstructured, error) {
			return of(c, live).render(want)
		},
		Read:   func(c *canary.Canary, live canary.Objects) rollout.RouteReport { return of(c, live).read() },
		Made:   func(c *canary.Canary) []canary.Ref { return of(c, nil).made() },
		Exact:  meshExact,
		Lacks:  func(c *canary.Canary) []string { return of(c, nil).lacks() },
		Limits: func(c *canary.Canary) []string { return of(c, nil).limits() },
	}
}

// meshExact has the routes: their list is one field to the API.
func meshExact(ref canary.Ref) [][]string {
	if ref.Group != meshGroup || ref.Kind == nodeKind {
		return nil
	}
	return [][]string{{"spec", "routes"}}
}

// meshCodec reads and writes the objects of one canary.
type meshCodec struct {
	version string
	c       *canary.Canary
	live    canary.Objects
}

func (m meshCodec) ref(kind, name string) canary.Ref {
	gvr := schema.GroupVersionResource{Group: meshGroup, Version: m.version, Resource: strings.ToLower(kind) + "s"}
	return m.c.RefOf(gvr, kind, name)
}

func (m meshCodec) node(suffix string) canary.Ref { return m.ref(nodeKind, m.c.ServiceName()+suffix) }

func (m meshCodec) router(suffix string) canary.Ref {
	return m.ref("VirtualRouter", m.c.ServiceName()+suffix)
}

// service returns a VirtualService. In v1beta1 its name is the host of the requests.
func (m meshCodec) service(suffix string) canary.Ref {
	name := m.c.ServiceName() + suffix
	if m.version == meshV1 {
		name += "." + m.c.Namespace
	}
	return m.ref("VirtualService", name)
}

// carrier is the object that has the routes.
func (m meshCodec) carrier(suffix string) canary.Ref {
	if m.version == meshV1 {
		return m.service(suffix)
	}
	return m.router(suffix)
}

// remaining is the suffix of the node that outlives the canary.
func (m meshCodec) remaining() string {
	if m.version == meshV1 {
		return ""
	}
	return canarySuffix
}

// objects lists the nodes, the objects of the apex and those of the canary.
func (m meshCodec) objects() (nodes, apex, direct []canary.Ref) {
	nodes = []canary.Ref{m.node(primarySuffix), m.node(canarySuffix)}
	if m.version == meshV1 {
		return append(nodes, m.node("")), []canary.Ref{m.service("")}, []canary.Ref{m.service(canarySuffix)}
	}
	return nodes, []canary.Ref{m.router(""), m.service("")}, []canary.Ref{m.router(canarySuffix), m.service(canarySuffix)}
}

// refs has the workloads too, whose label v1beta2 selects the pods of a node by.
func (m meshCodec) refs() []canary.Ref {
	nodes, apex, direct := m.objects()
	refs := slices.Concat(apex, nodes, direct)
	if workloads, err := workload.RefsFor(m.c); err == nil && m.version == meshV2 {
		refs = append(refs, workloads.Target, workloads.Primary)
	}
	return refs
}

func (m meshCodec) made() []canary.Ref {
	nodes, _, direct := m.objects()
	return append(direct, slices.DeleteFunc(nodes, func(ref canary.Ref) bool { return ref == m.node(m.remaining()) })...)
}

func (m meshCodec) lacks() []string {
	if m.version == meshV1 && m.c.Spec.Service.MeshName == "" {
		return []string{"spec.service.meshName: the appmesh router needs the name of the mesh; appmesh:v1beta2 takes it from the namespace"}
	}
	return nil
}

func (m meshCodec) render(want rollout.Route) ([]*unstructured.Unstructured, error) {
	carrier := m.carrier("")
	if want.Mirror != 0 {
		return nil, fmt.Errorf("route %s: the %s router cannot copy requests to the canary", carrier, m.c.Spec.Provider)
	}
	if err := percent("route "+carrier.String()+": weight", want.Canary); err != nil {
		return nil, err
	}
	if problems := append(m.lacks(), m.limits()...); len(problems) > 0 {
		return nil, fmt.Errorf("route %s: %s", carrier, strings.Join(problems, "; "))
	}
	if m.live[carrier] == nil && want.Handover {
		return nil, nil // as there would be none without a canary
	}
	routes, err := m.renderRoutes(want)
	if err != nil {
		return nil, fmt.Errorf("route %s: %w", carrier, err)
	}
	objects, err := m.renderNodes(want)
	if err != nil {
		return nil, fmt.Errorf("route %s: %w", carrier, err)
	}
	objects = append(objects, m.renderService("", routes)...)
	if !want.Handover {
		objects = append(objects, m.renderService(canarySuffix, m.directRoutes())...)
	}
	for _, o := range objects {
		if err := m.dress(o, want); err != nil {
			return nil, err
		}
	}
	return objects, nil
}

// dress gives an object its metadata. What is rendered at the handover outlives the canary.
func (m meshCodec) dress(o *unstructured.Unstructured, want rollout.Route) error {
	before := m.live[m.ref(o.GetKind(), o.GetName())]
	if before != nil {
		o.SetResourceVersion(before.GetResourceVersion())
	}
	var custom *canary.CustomMetadata
	if o.GetKind() == nodeKind {
		custom = m.c.Spec.Service.Apex // as in Flagger
	}
	if want.Handover {
		return unmark(m.c, o, before, custom)
	}
	return mark(m.c, o, before, custom)
}

func (m meshCodec) read() rollout.RouteReport {
	carrier := m.carrier("")
	if m.live[carrier] == nil {
		return rollout.RouteReport{Message: carrier.String() + " does not exist yet"}
	}
	report := rollout.RouteReport{Known: true}
	nodes, needed, direct := m.objects()
	split, tests := m.mine()
	w := m.weights(split)
	onCanary, all := w.of[canarySuffix], w.total
	switch {
	case all > 0 && w.of[m.remaining()] == all && len(tests) == 0 && m.standsForApex():
		report.Handover, report.Message = true, unmanaged(m.c, carrier)
		needed = append(needed, m.node(m.remaining()))
	case w.of[primarySuffix]+onCanary > 0:
		report.Managed, report.Canary = true, share(onCanary, all)
		report.Match = slices.ContainsFunc(tests, func(route map[string]any) bool { return m.weights(route).of[canarySuffix] > 0 })
		needed = slices.Concat(needed, nodes, direct)
	default:
		report.Message = unmanaged(m.c, carrier)
		return report
	}
	if why := m.unsettled(needed); why != "" {
		report.Message = why
		return report
	}
	report.Settled = true
	return report
}
