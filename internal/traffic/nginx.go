package traffic

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/rollout"
	"github.com/penstock-dev/penstock/internal/workload"
)

// nginx routes with ingress-nginx. The user's Ingress is left alone: it points at the apex Service, which selects the
// primary. A second one, `<ingress>-canary`, has the same hosts and paths but points at the canary's Service, and its
// annotations say how much of the traffic it takes over.
//
// At weight 0 it stays `canary: "true"` with `canary-weight: "0"`, which takes nothing. Flagger turns it into
// `canary: "false"` then, which makes it an ordinary Ingress that competes with the user's for the same hosts and paths;
// ingress-nginx gives those to the older of the two, and that is the wrong one as soon as the user's is made anew.
var nginx = Router{
	Can:    Can{Weights: true, Match: true},
	Refs:   nginxRefs,
	Render: renderNginx,
	Read:   readNginx,
	Made:   nginxMade,
	Exact:  nothingExact,
	Lacks:  nginxLacks,
	Limits: nginxLimits,
}

const (
	nginxPrefix        = "nginx.ingress.kubernetes.io/"
	nginxCanary        = nginxPrefix + "canary"
	nginxWeight        = nginxPrefix + "canary-weight"
	nginxTotal         = nginxPrefix + "canary-weight-total"
	nginxHeader        = nginxPrefix + "canary-by-header"
	nginxHeaderValue   = nginxPrefix + "canary-by-header-value"
	nginxHeaderPattern = nginxPrefix + "canary-by-header-pattern"
	nginxCookie        = nginxPrefix + "canary-by-cookie"

	// legacyClass chose the controller before spec.ingressClassName did; many still write it.
	legacyClass = "kubernetes.io/ingress.class"
)

// ingressRefs returns the user's Ingress and the one that Penstock writes.
func ingressRefs(c *canary.Canary) (user, canaryIngress canary.Ref, named bool) {
	if c.Spec.IngressRef == nil {
		return canary.Ref{}, canary.Ref{}, false
	}
	gvr, name := networkingv1.SchemeGroupVersion.WithResource("ingresses"), c.Spec.IngressRef.Name
	return c.RefOf(gvr, "Ingress", name), c.RefOf(gvr, "Ingress", name+canarySuffix), true
}

func nginxRefs(c *canary.Canary) []canary.Ref {
	user, written, named := ingressRefs(c)
	if !named {
		return nil
	}
	return []canary.Ref{user, written}
}

// nginxMade is the canary Ingress. The user's own serves the apex without it.
func nginxMade(c *canary.Canary) []canary.Ref {
	_, made, named := ingressRefs(c)
	if !named {
		return nil
	}
	return []canary.Ref{made}
}

func renderNginx(c *canary.Canary, live canary.Objects, want rollout.Route) ([]*unstructured.Unstructured, error) {
	userRef, ref, named := ingressRefs(c)
	if !named {
		return nil, fmt.Errorf("spec.ingressRef: %s", nginxNeeds)
	}
	if want.Handover {
		if live[ref] == nil {
			return nil, nil // deleted already
		}
		want.Canary, want.Mirror, want.Match = 0, 0, false // the user's Ingress has all of the traffic again
	}
	if want.Mirror != 0 {
		return nil, fmt.Errorf("route %s: the nginx router cannot copy requests to the canary", ref)
	}
	if err := percent("route "+ref.String(), want.Canary); err != nil {
		return nil, err
	}
	user := live[userRef]
	if user == nil {
		return nil, fmt.Errorf("read %s: it does not exist; spec.ingressRef names it", userRef)
	}
	spec, err := divert(c, user)
	if err != nil {
		return nil, err
	}
	annotations, err := nginxAnnotations(c, user, live[ref], want)
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

// divert returns the spec of the user's Ingress with the canary's Service in the place of the apex. What points at other
// Services stays: ingress-nginx ignores a canary backend that is the same as the ordinary one.
func divert(c *canary.Canary, user *unstructured.Unstructured) (map[string]any, error) {
	ingress, err := workload.Read[networkingv1.Ingress](user)
	if err != nil {
		return nil, err
	}
	apex, found, others := c.ServiceName(), false, []string{}
	for _, backend := range backends(&ingress.Spec) {
		switch {
		case backend.Service == nil:
		case backend.Service.Name == apex:
			backend.Service.Name, found = apex+canarySuffix, true
		case !slices.Contains(others, backend.Service.Name):
			others = append(others, backend.Service.Name)
		}
	}
	if !found {
		points := "no Service at all"
		if len(others) > 0 {
			points = strings.Join(others, ", ")
		}
		return nil, fmt.Errorf("ingress %q: no path points at Service %q, of which the canary takes a share; it points at %s",
			user.GetNamespace()+"/"+user.GetName(), apex, points)
	}
	spec, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&ingress.Spec)
	if err != nil {
		return nil, fmt.Errorf("copy ingress %q: %w", user.GetNamespace()+"/"+user.GetName(), err)
	}
	return spec, nil
}

// backends lists every backend of an Ingress, to be read or changed.
func backends(spec *networkingv1.IngressSpec) []*networkingv1.IngressBackend {
	var all []*networkingv1.IngressBackend
	if spec.DefaultBackend != nil {
		all = append(all, spec.DefaultBackend)
	}
	for i := range spec.Rules {
		if http := spec.Rules[i].HTTP; http != nil {
			for j := range http.Paths {
				all = append(all, &http.Paths[j].Backend)
			}
		}
	}
	return all
}

// nginxAnnotations returns the annotations that the canary Ingress should have. A condition that it has and should not is
// emptied, which ingress-nginx takes for none: it may belong to Flagger, and leaving it out would not remove it.
func nginxAnnotations(c *canary.Canary, user, live *unstructured.Unstructured, want rollout.Route) (map[string]string, error) {
	annotations := map[string]string{}
	for key, value := range user.GetAnnotations() {
		if key == legacyClass || strings.HasPrefix(key, nginxPrefix) && !strings.HasPrefix(key, nginxCanary) {
			annotations[key] = value
		}
	}
	annotations[nginxCanary] = "true"
	annotations[nginxWeight] = strconv.Itoa(int(want.Canary))
	if want.Match {
		conditions, problems := nginxMatch(c)
		if len(problems) > 0 {
			return nil, fmt.Errorf("%s", strings.Join(problems, "; "))
		}
		for key, value := range conditions {
			annotations[key] = value
		}
	}
	if live == nil {
		return annotations, nil
	}
	before := live.GetAnnotations()
	for _, key := range []string{nginxHeader, nginxHeaderValue, nginxHeaderPattern, nginxCookie} {
		if _, wanted := annotations[key]; !wanted && before[key] != "" {
			annotations[key] = ""
		}
	}
	if before[nginxTotal] != "" { // weights are percentages here
		annotations[nginxTotal] = "100"
	}
	return annotations, nil
}

func readNginx(c *canary.Canary, live canary.Objects) rollout.RouteReport {
	userRef, ref, named := ingressRefs(c)
	if !named {
		return rollout.RouteReport{Message: "spec.ingressRef: " + nginxNeeds}
	}
	user, written := live[userRef], live[ref]
	switch {
	case user == nil:
		return rollout.RouteReport{Message: userRef.String() + " does not exist; spec.ingressRef names it"}
	case written == nil:
		return rollout.RouteReport{Message: ref.String() + " does not exist yet"}
	}
	annotations := written.GetAnnotations()
	weight, err := strconv.Atoi(or(annotations[nginxWeight], "0"))
	if err != nil {
		return rollout.RouteReport{Message: fmt.Sprintf("%s: annotation %s: %q is not a number", ref, nginxWeight, annotations[nginxWeight])}
	}
	total, err := strconv.Atoi(or(annotations[nginxTotal], "100"))
	if err != nil {
		return rollout.RouteReport{Message: fmt.Sprintf("%s: annotation %s: %q is not a number", ref, nginxTotal, annotations[nginxTotal])}
	}
	report := rollout.RouteReport{Known: true}
	if value := annotations[nginxCanary]; value != "true" {
		report.Message = fmt.Sprintf("%s: annotation %s is %q, so it takes no traffic as a canary", ref, nginxCanary, value)
		return report
	}
	if _, err := divert(c, user); err != nil {
		report.Message = err.Error()
		return report
	}
	report.Managed, report.Settled = true, true
	report.Canary = share(float64(weight), float64(total))
	report.Match = annotations[nginxHeader] != "" || annotations[nginxCookie] != ""
	report.Handover = report.Canary == 0 && !report.Match // the user's Ingress has all of the traffic
	return report
}

// or returns the first text unless it is empty.
func or(value, fallback string) string {
	if value == "" {
		return fallback
	}
	return value
}
