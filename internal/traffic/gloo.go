package traffic

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/rollout"
)

// gloo routes with a RouteTable of Gloo Edge that has the name of the apex Service, and with an Upstream for each of the
// primary and the canary. The user's VirtualService delegates to the table, so the table stays after the canary. It then
// sends everything to a third Upstream, which names the apex Service and stays too: the one that Gloo's discovery makes
// may be switched off.
//
// The routes of a table are one field to a server-side apply. Those that name none of the three Services, and what else
// is in the canary's own, such as options, are rendered as they are. The paths are those of the VirtualService: the
// routes inherit them. Of the requests of an A/B test there is a route before the canary's own.
var gloo = Router{
	Can:  Can{Weights: true, Match: true},
	Refs: glooRefs,
	Render: func(c *canary.Canary, live canary.Objects, want rollout.Route) ([]*unstructured.Unstructured, error) {
		return newGloo(c, live).render(want)
	},
	Read: func(c *canary.Canary, live canary.Objects) rollout.RouteReport { return newGloo(c, live).read() },
	Made: func(c *canary.Canary) []canary.Ref {
		return []canary.Ref{glooUpstream(c, "primary"), glooUpstream(c, "canary")}
	},
	Exact:  glooExact,
	Lacks:  nothingLacks,
	Limits: glooLimits,
}

const glooTables = "gateway.solo.io"

// The sides that a destination may name, as they are in the names of Upstreams.
const (
	glooApex    = "apex"
	glooPrimary = "primary"
	glooCanary  = "canary"
)

func glooTable(c *canary.Canary) canary.Ref {
	gvr := schema.GroupVersionResource{Group: glooTables, Version: "v1", Resource: "routetables"}
	return c.RefOf(gvr, "RouteTable", c.ServiceName())
}

// glooUpstream returns the Upstream of a side. The apex's has the name that Gloo's discovery gives to one.
func glooUpstream(c *canary.Canary, side string) canary.Ref {
	gvr := schema.GroupVersionResource{Group: "gloo.solo.io", Version: "v1", Resource: "upstreams"}
	kind := "-" + side + "upstream"
	if side == glooApex {
		kind = ""
	}
	return c.RefOf(gvr, "Upstream", fmt.Sprintf("%s-%s%s-%d", c.Namespace, c.ServiceName(), kind, c.Spec.Service.Port))
}

// glooSettings returns the Upstream of spec.upstreamRef, whose settings the canary's Upstreams share.
func glooSettings(c *canary.Canary) (canary.Ref, bool) {
	if c.Spec.UpstreamRef == nil || c.Spec.UpstreamRef.Name == "" {
		return canary.Ref{}, false
	}
	ref := glooUpstream(c, glooApex)
	ref.Name = c.Spec.UpstreamRef.Name
	if c.Spec.UpstreamRef.Namespace != "" {
		ref.Namespace = c.Spec.UpstreamRef.Namespace
	}
	return ref, true
}

func glooRefs(c *canary.Canary) []canary.Ref {
	refs := []canary.Ref{glooTable(c), glooUpstream(c, glooPrimary), glooUpstream(c, glooCanary), glooUpstream(c, glooApex)}
	if settings, given := glooSettings(c); given && !slices.Contains(refs, settings) {
		refs = append(refs, settings)
	}
	return refs
}

func glooExact(ref canary.Ref) [][]string {
	if ref.Group != glooTables {
		return nil
	}
	return [][]string{{"spec", "routes"}}
}

// glooCodec reads and writes the objects of one canary.
type glooCodec struct {
	c     *canary.Canary
	table canary.Ref
	live  canary.Objects
}

func newGloo(c *canary.Canary, live canary.Objects) glooCodec {
	return glooCodec{c, glooTable(c), live}
}

func (g glooCodec) routes() []map[string]any {
	if g.live[g.table] == nil {
		return nil
	}
	return objects(object(g.live[g.table].Object, "spec"), "routes")
}

func (g glooCodec) render(want rollout.Route) ([]*unstructured.Unstructured, error) {
	if want.Mirror != 0 {
		return nil, fmt.Errorf("route %s: the gloo router cannot copy requests to the canary", g.table)
	}
	if err := percent("route "+g.table.String()+": weight", want.Canary); err != nil {
		return nil, err
	}
	if problems := glooLimits(g.c); len(problems) > 0 {
		return nil, fmt.Errorf("route %s: %s", g.table, strings.Join(problems, "; "))
	}
	if g.live[g.table] == nil && want.Handover {
		return nil, nil // as there would be none without a canary
	}
	routes, err := g.renderRoutes(want)
	if err != nil {
		return nil, fmt.Errorf("route %s: %w", g.table, err)
	}
	upstreams, err := g.upstreams(want)
	if err != nil {
		return nil, err
	}
	table := g.table.New()
	table.Object["spec"] = map[string]any{"routes": list(routes)}
	if err := release(g.c, table, g.live[g.table], want); err != nil {
		return nil, err
	}
	return append(upstreams, table), nil // a table that names an Upstream before there is one answers with errors
}

func (g glooCodec) read() rollout.RouteReport {
	table := g.live[g.table]
	if table == nil {
		return rollout.RouteReport{Message: g.table.String() + " does not exist yet"}
	}
	report := rollout.RouteReport{Known: true}
	var mine []map[string]any
	for _, route := range g.routes() {
		if g.weights(route).ours() {
			mine = append(mine, route)
		}
	}
	if len(mine) == 0 {
		report.Message = unmanaged(g.c, g.table)
		return report
	}
	split := g.weights(mine[len(mine)-1])
	needed := []string{glooPrimary, glooCanary}
	switch {
	case split.of[glooPrimary]+split.of[glooCanary] > 0:
		report.Managed = true
		report.Canary = share(split.of[glooCanary], split.total)
		for _, route := range mine[:len(mine)-1] {
			report.Match = report.Match || g.weights(route).of[glooCanary] > 0
		}
	default:
		report.Handover = split.of[glooApex] > 0 && split.of[glooApex] == split.total && len(mine) == 1
		report.Message, needed = unmanaged(g.c, g.table), nil
	}
	if !report.Managed && !report.Handover {
		return report
	}
	if why := g.unsettled(needed); why != "" {
		report.Message = why
		return report
	}
	report.Settled = true
	return report
}

// unsettled says why what the table says is not what happens, as far as that can be known. Gloo's status does not tell of
// which generation of the table it is, so that nobody can wait for it to accept the present one.
func (g glooCodec) unsettled(sides []string) string {
	for _, side := range sides {
		if ref := glooUpstream(g.c, side); g.live[ref] == nil {
			return fmt.Sprintf("%s does not exist yet, and %s sends requests to it", ref, g.table)
		}
	}
	status := object(g.live[g.table].Object, "status")
	reports := []map[string]any{status}
	for _, of := range object(status, "statuses") {
		if report, ok := of.(map[string]any); ok {
			reports = append(reports, report)
		}
	}
	for _, report := range reports {
		switch report["state"] {
		case "Rejected", int64(2), float64(2): // a name, or its number in older versions
			return fmt.Sprintf("Gloo has rejected %s: %s", g.table, text(report, "reason", "no reason is given"))
		case "Warning", int64(3), float64(3):
			for _, side := range sides {
				if reason := text(report, "reason", ""); strings.Contains(reason, glooUpstream(g.c, side).Name) {
					return fmt.Sprintf("Gloo warns of %s: %s", g.table, reason)
				}
			}
		}
	}
	return ""
}
