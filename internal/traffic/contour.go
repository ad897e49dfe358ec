package traffic

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/rollout"
)

// contour routes with an HTTPProxy that has the name of the apex Service and no virtual host: the user's root HTTPProxy
// includes it, so it stays after the canary, and then names the apex Service alone.
//
// The list of routes is one field to a server-side apply. So what others have there is rendered too: routes that name
// none of the three Services, and in Penstock's own ones all that spec.service does not set.
//
// Contour says of every generation whether it is valid, and it is not as long as nobody includes it.
var contour = Router{
	Can:    Can{Weights: true, Match: true, Mirror: true, MirrorWeight: true},
	Refs:   func(c *canary.Canary) []canary.Ref { return []canary.Ref{contourRef(c)} },
	Render: renderContour,
	Read:   readContour,
	Made:   nothingMade,
	Exact:  contourExact,
	Lacks:  nothingLacks,
	Limits: contourLimits,
}

const contourGroup = "projectcontour.io"

func contourRef(c *canary.Canary) canary.Ref {
	gvr := schema.GroupVersionResource{Group: contourGroup, Version: "v1", Resource: "httpproxies"}
	return c.RefOf(gvr, "HTTPProxy", c.ServiceName())
}

func contourExact(ref canary.Ref) [][]string {
	if ref.Group != contourGroup {
		return nil
	}
	return [][]string{{"spec", "routes"}}
}

func contourLimits(c *canary.Canary) []string {
	_, problems := contourMatches(c)
	if c.Spec.Analysis != nil && len(c.Spec.Analysis.Match) > 0 && len(problems) == 0 {
		_, problems = contourSelected(c)
	}
	_, wrong := contourPolicies(c)
	return append(problems, wrong...)
}

func renderContour(c *canary.Canary, live canary.Objects, want rollout.Route) ([]*unstructured.Unstructured, error) {
	ref := contourRef(c)
	for what, weight := range map[string]rollout.Weight{"weight": want.Canary, "mirror": want.Mirror} {
		if err := percent(fmt.Sprintf("route %s: %s", ref, what), weight); err != nil {
			return nil, err
		}
	}
	if problems := contourLimits(c); len(problems) > 0 {
		return nil, fmt.Errorf("route %s: %s", ref, strings.Join(problems, "; "))
	}
	before := live[ref]
	if before == nil && want.Handover {
		return nil, nil // as there would be none without a canary
	}
	routes, err := newContourCodec(c).render(contourRoutes(before), want)
	if err != nil {
		return nil, fmt.Errorf("route %s: %w", ref, err)
	}
	proxy := ref.New()
	proxy.Object["spec"] = map[string]any{"routes": list(routes)}
	if err := release(c, proxy, before, want); err != nil {
		return nil, err
	}
	return []*unstructured.Unstructured{proxy}, nil
}

func contourRoutes(proxy *unstructured.Unstructured) []map[string]any {
	if proxy == nil {
		return nil
	}
	return objects(object(proxy.Object, "spec"), "routes")
}

func readContour(c *canary.Canary, live canary.Objects) rollout.RouteReport {
	ref := contourRef(c)
	proxy := live[ref]
	if proxy == nil {
		return rollout.RouteReport{Message: ref.String() + " does not exist yet"}
	}
	route, even := newContourCodec(c).read(contourRoutes(proxy))
	report := rollout.RouteReport{Known: true, Route: route}
	why := contourObjection(ref, proxy)
	switch {
	case !report.Managed:
		report.Message = unmanaged(c, ref)
		report.Settled = report.Handover && why == ""
		if report.Handover && why != "" {
			report.Message += "; " + why
		}
	case !even:
		report.Message = ref.String() + " has routes with different shares for the canary"
	default:
		report.Message, report.Settled = why, why == ""
	}
	return report
}

// contourObjection says, in Contour's own words, what keeps it from serving the present generation of an HTTPProxy.
// Flagger writes "valid" into status.currentStatus of a new one itself, so only the conditions are believed.
func contourObjection(ref canary.Ref, proxy *unstructured.Unstructured) string {
	status := object(proxy.Object, "status")
	for _, condition := range objects(status, "conditions") {
		if text(condition, "type", "") != "Valid" {
			continue
		}
		seen, generation := int64(number(condition, "observedGeneration", 0)), proxy.GetGeneration()
		switch {
		case seen < generation:
			return fmt.Sprintf("Contour has not taken up the latest change of %s yet (it has seen generation %d of %d)", ref, seen, generation)
		case text(condition, "status", "") == "True":
			return ""
		}
		reasons := []string{words(condition)}
		for _, problem := range objects(condition, "errors") {
			reasons = append(reasons, words(problem))
		}
		what := text(status, "currentStatus", "invalid")
		if what == "orphaned" {
			what = "orphaned, so that it gets no requests until a root HTTPProxy includes it"
		}
		return fmt.Sprintf("Contour says that %s is %s: %s", ref, what, strings.Join(reasons, "; "))
	}
	return fmt.Sprintf("Contour has not taken up %s yet", ref)
}
