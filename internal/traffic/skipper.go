package traffic

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/rollout"
)

// skipper routes with Zalando's Skipper. The user's Ingress is left alone: it points at the apex Service, which selects
// the primary. A second one, `<ingress>-canary`, has each of its paths to the apex twice, to the primary's and to the
// canary's Service, and takes precedence by a predicate. Its other paths are not in it: they would only compete with the
// user's own.
//
// Skipper reports nothing and looks at the Ingresses every 3 seconds, hence the time to settle.
var skipper = Router{
	Can:    Can{Weights: true},
	Settle: 5 * time.Second,
	Refs:   nginxRefs,
	Render: renderSkipper,
	Read:   readSkipper,
	Made:   nginxMade,
	Exact:  nothingExact,
	Lacks:  skipperLacks,
	Limits: nothingLimits,
}

const (
	skipperPrefix    = "zalando.org/"
	skipperWeights   = skipperPrefix + "backend-weights"
	skipperPredicate = skipperPrefix + "skipper-predicate"

	skipperFirst = "Weight(100)" // before the user's route, which has a hundred predicates less
	skipperNever = "False()"     // matches nothing

	skipperNeeds = "the skipper router needs the name of the Ingress that points at the Service"
)

func skipperLacks(c *canary.Canary) []string {
	if c.Spec.IngressRef == nil || c.Spec.IngressRef.Name == "" {
		return []string{"spec.ingressRef: " + skipperNeeds}
	}
	return nil
}

func renderSkipper(c *canary.Canary, live canary.Objects, want rollout.Route) ([]*unstructured.Unstructured, error) {
	userRef, ref, named := ingressRefs(c)
	if !named {
		return nil, fmt.Errorf("spec.ingressRef: %s", skipperNeeds)
	}
	if err := onlyWeights(c, ref, want); err != nil {
		return nil, err
	}
	if want.Handover {
		if live[ref] == nil {
			return nil, nil // deleted already
		}
		want.Canary = 0 // the user's Ingress has all of the traffic again
	}
	user := live[userRef]
	if user == nil {
		return nil, fmt.Errorf("read %s: it does not exist; spec.ingressRef names it", userRef)
	}
	spec, err := double(c, user)
	if err != nil {
		return nil, err
	}
	annotations, err := skipperAnnotations(c, user, want.Canary)
	if err != nil {
		return nil, fmt.Errorf("route %s: %w", ref, err)
	}
	written := ref.New()
	written.Object["spec"] = spec
	written.SetAnnotations(annotations)
	if err := mark(c, written, live[ref], nil); err != nil {
		return nil, err
	}
	return []*unstructured.Unstructured{written}, nil
}

// skipperAnnotations returns the annotations of the canary Ingress: the user's filters and predicates count for it too,
// and so do the settings by which a load balancer is chosen. At weight 0 it matches nothing, so that the user's own Ingress
// has the traffic.
func skipperAnnotations(c *canary.Canary, user *unstructured.Unstructured, weight rollout.Weight) (map[string]string, error) {
	annotations := map[string]string{}
	for key, value := range user.GetAnnotations() {
		if key == legacyClass || strings.HasPrefix(key, skipperPrefix) {
			annotations[key] = value
		}
	}
	apex := c.ServiceName()
	weights, err := json.Marshal(map[string]rollout.Weight{apex + primarySuffix: 100 - weight, apex + canarySuffix: weight})
	if err != nil {
		return nil, fmt.Errorf("write annotation %s: %w", skipperWeights, err)
	}
	annotations[skipperWeights] = string(weights)
	predicate := skipperFirst
	if weight == 0 {
		predicate = skipperNever
	}
	if others := strings.TrimSpace(annotations[skipperPredicate]); others != "" {
		predicate += " && " + others
	}
	annotations[skipperPredicate] = predicate
	return annotations, nil
}

func readSkipper(c *canary.Canary, live canary.Objects) rollout.RouteReport {
	userRef, ref, named := ingressRefs(c)
	if !named {
		return rollout.RouteReport{Message: "spec.ingressRef: " + skipperNeeds}
	}
	user, written := live[userRef], live[ref]
	switch {
	case user == nil:
		return rollout.RouteReport{Message: userRef.String() + " does not exist; spec.ingressRef names it"}
	case written == nil:
		return rollout.RouteReport{Message: ref.String() + " does not exist yet"}
	}
	annotations := written.GetAnnotations()
	weights := map[string]float64{}
	if err := json.Unmarshal([]byte(or(annotations[skipperWeights], "{}")), &weights); err != nil {
		return rollout.RouteReport{Message: fmt.Sprintf("%s: annotation %s: %q is no JSON object of Services and weights", ref, skipperWeights, annotations[skipperWeights])}
	}
	report := rollout.RouteReport{Known: true}
	apex, predicate := c.ServiceName(), annotations[skipperPredicate]
	part, rest := weights[apex+canarySuffix], weights[apex+primarySuffix]
	first, _, _ := strings.Cut(predicate, "&&")
	first = strings.TrimSpace(first)
	switch {
	case first == skipperNever:
		report.Managed, report.Settled, report.Handover = true, true, true // the user's Ingress has all of the traffic
		return report
	case first != skipperFirst:
		report.Message = fmt.Sprintf("%s: annotation %s is %q and does not begin with %s, so that it may not come before the user's Ingress", ref, skipperPredicate, predicate, skipperFirst)
		return report
	case part+rest <= 0:
		report.Message = fmt.Sprintf("%s: annotation %s is %q, without a weight for Service %q or %q", ref, skipperWeights, annotations[skipperWeights], apex+primarySuffix, apex+canarySuffix)
		return report
	}
	if _, err := double(c, user); err != nil {
		report.Message = err.Error()
		return report
	}
	report.Managed, report.Settled, report.Canary = true, true, share(part, part+rest)
	return report
}
