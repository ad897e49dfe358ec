package traffic

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/rollout"
)

// apisix routes with Apache APISIX. The user's ApisixRoute is left alone: it points at the apex Service, which selects the
// primary. A second one, `<route>-<apex>-canary`, has each of its rules to the apex again, with a higher priority and with
// the primary's and the canary's Service as weighted backends. At the handover these name the apex Service alone, and then
// the second route goes.
//
// The ingress controller may be told to report nothing. What it has never reported on counts as taken up when it is
// written; once there is a condition, it must be of the present generation.
var apisix = Router{
	Can:    Can{Weights: true},
	Refs:   apisixRefs,
	Render: renderApisix,
	Read:   readApisix,
	Made:   apisixMade,
	Exact:  apisixExact,
	Lacks:  apisixLacks,
	Limits: nothingLimits,
}

const (
	apisixGroup  = "apisix.apache.org"
	apisixKind   = "ApisixRoute"
	apisixPrefix = "k8s.apisix.apache.org/"
	apisixNeeds  = "the apisix router needs the name of the ApisixRoute that points at the Service"

	// apisixPriority is what Flagger gives the rules of its route.
	apisixPriority = 10000
)

// apisixNamed returns the user's route and the one that Penstock writes.
func apisixNamed(c *canary.Canary) (user, written canary.Ref, named bool) {
	if c.Spec.RouteRef == nil || c.Spec.RouteRef.Name == "" {
		return canary.Ref{}, canary.Ref{}, false
	}
	gvr, name := schema.GroupVersionResource{Group: apisixGroup, Version: "v2", Resource: "apisixroutes"}, c.Spec.RouteRef.Name
	return c.RefOf(gvr, apisixKind, name), c.RefOf(gvr, apisixKind, name+"-"+c.ServiceName()+canarySuffix), true
}

func apisixRefs(c *canary.Canary) []canary.Ref {
	user, written, named := apisixNamed(c)
	if !named {
		return nil
	}
	return []canary.Ref{user, written}
}

// apisixMade is the canary's route. The user's own serves the apex without it.
func apisixMade(c *canary.Canary) []canary.Ref {
	_, made, named := apisixNamed(c)
	if !named {
		return nil
	}
	return []canary.Ref{made}
}

func apisixExact(ref canary.Ref) [][]string {
	if ref.Group != apisixGroup {
		return nil
	}
	return [][]string{{"spec", "http"}}
}

func apisixLacks(c *canary.Canary) []string {
	if _, _, named := apisixNamed(c); !named {
		return []string{"spec.routeRef: " + apisixNeeds}
	}
	return nil
}

func renderApisix(c *canary.Canary, live canary.Objects, want rollout.Route) ([]*unstructured.Unstructured, error) {
	userRef, ref, named := apisixNamed(c)
	if !named {
		return nil, fmt.Errorf("spec.routeRef: %s", apisixNeeds)
	}
	if err := onlyWeights(c, ref, want); err != nil {
		return nil, err
	}
	if want.Handover {
		if live[ref] == nil {
			return nil, nil // deleted already
		}
		// The user's route may be gone, and the traffic must come back all the same.
		return apisixWritten(c, live, live[ref], apisixHandedOver(c, live[ref]))
	}
	user := live[userRef]
	if user == nil {
		return nil, fmt.Errorf("read %s: it does not exist; spec.routeRef names it", userRef)
	}
	rules, err := apisixSplit(c, user, want.Canary)
	if err != nil {
		return nil, fmt.Errorf("route %s: %w", userRef, err)
	}
	return apisixWritten(c, live, user, rules)
}

// apisixWritten returns the canary's route with these rules, for the ingress controller that another route is for.
func apisixWritten(c *canary.Canary, live canary.Objects, like *unstructured.Unstructured, rules []map[string]any) ([]*unstructured.Unstructured, error) {
	_, ref, _ := apisixNamed(c)
	annotations := map[string]string{}
	for key, value := range like.GetAnnotations() {
		if key == legacyClass || strings.HasPrefix(key, apisixPrefix) {
			annotations[key] = value
		}
	}
	written := ref.New()
	written.SetAnnotations(annotations)
	spec := map[string]any{"http": list(rules)}
	if class := text(object(like.Object, "spec"), "ingressClassName", ""); class != "" {
		spec["ingressClassName"] = class
	}
	written.Object["spec"] = spec
	if err := mark(c, written, live[ref], nil); err != nil {
		return nil, err
	}
	return []*unstructured.Unstructured{written}, nil
}

func readApisix(c *canary.Canary, live canary.Objects) rollout.RouteReport {
	userRef, ref, named := apisixNamed(c)
	if !named {
		return rollout.RouteReport{Message: "spec.routeRef: " + apisixNeeds}
	}
	user, written := live[userRef], live[ref]
	if written == nil {
		return rollout.RouteReport{Message: ref.String() + " does not exist yet"}
	}
	report := rollout.RouteReport{Known: true}
	weights, even := apisixRead(c, written)
	why := apisixObjection(ref, written)
	apex := c.ServiceName()
	switch {
	case weights[apex+primarySuffix]+weights[apex+canarySuffix] == 0:
		report.Message = unmanaged(c, ref)
		report.Handover = weights[apex] > 0
		report.Settled = report.Handover && why == ""
		if report.Handover && why != "" {
			report.Message += "; " + why
		}
		return report
	case user == nil:
		return rollout.RouteReport{Message: userRef.String() + " does not exist; spec.routeRef names it"}
	}
	report.Managed = true
	report.Canary = share(weights[apex+canarySuffix], weights[apex+primarySuffix]+weights[apex+canarySuffix])
	behind := apisixBehind(c, user, written)
	switch {
	case !even:
		report.Message = ref.String() + " has rules with different shares for the canary"
	case behind != "":
		report.Message = ref.String() + " " + behind
	default:
		report.Message, report.Settled = why, why == ""
	}
	return report
}

// apisixObjection says, in the ingress controller's own words, what keeps it from serving the present generation.
func apisixObjection(ref canary.Ref, route *unstructured.Unstructured) string {
	for _, condition := range objects(object(route.Object, "status"), "conditions") {
		switch text(condition, "type", "") {
		case "ResourcesAvailable", "Accepted": // of version 1 and of version 2
		default:
			continue
		}
		seen, generation := int64(number(condition, "observedGeneration", 0)), route.GetGeneration()
		switch {
		case seen > 0 && seen < generation:
			return fmt.Sprintf("APISIX has not taken up the latest change of %s yet (it has seen generation %d of %d)", ref, seen, generation)
		case text(condition, "status", "") != "True":
			return fmt.Sprintf("APISIX does not accept %s: %s", ref, words(condition))
		}
	}
	return ""
}
