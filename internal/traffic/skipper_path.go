package traffic

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/workload"
)

// double returns the spec of the user's Ingress with nothing but its paths to the apex Service, each once to the primary's
// and once to the canary's.
func double(c *canary.Canary, user *unstructured.Unstructured) (map[string]any, error) {
	ingress, err := workload.Read[networkingv1.Ingress](user)
	if err != nil {
		return nil, err
	}
	apex, name := c.ServiceName(), user.GetNamespace()+"/"+user.GetName()
	spec := networkingv1.IngressSpec{IngressClassName: ingress.Spec.IngressClassName, TLS: ingress.Spec.TLS}
	var others []string
	for _, rule := range ingress.Spec.Rules {
		if rule.HTTP == nil {
			continue
		}
		var paths []networkingv1.HTTPIngressPath
		for i := range rule.HTTP.Paths {
			path := &rule.HTTP.Paths[i]
			switch service := path.Backend.Service; {
			case service == nil:
			case service.Name == apex:
				paths = append(paths, *backedBy(path, apex+primarySuffix), *backedBy(path, apex+canarySuffix))
			case !slices.Contains(others, service.Name):
				others = append(others, service.Name)
			}
		}
		if other := shared(user, rule.HTTP.Paths, apex); other != "" {
			return nil, fmt.Errorf("ingress %q: a path of Service %q sends requests to Service %q too, so that weights are no percentages", name, apex, other)
		}
		if paths != nil {
			spec.Rules = append(spec.Rules, networkingv1.IngressRule{
				Host: rule.Host, IngressRuleValue: networkingv1.IngressRuleValue{HTTP: &networkingv1.HTTPIngressRuleValue{Paths: paths}},
			})
		}
	}
	if spec.Rules == nil {
		points := "no other Service either"
		if len(others) > 0 {
			points = strings.Join(others, ", ")
		}
		return nil, fmt.Errorf("ingress %q: no path points at Service %q, of which the canary takes a share; its paths point at %s", name, apex, points)
	}
	copied, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&spec)
	if err != nil {
		return nil, fmt.Errorf("copy ingress %q: %w", name, err)
	}
	return copied, nil
}

func backedBy(path *networkingv1.HTTPIngressPath, service string) *networkingv1.HTTPIngressPath {
	copied := path.DeepCopy()
	copied.Backend.Service.Name = service
	return copied
}

// shared names a Service that has a share of a path of the apex in the user's Ingress, which the canary's would take away.
func shared(user *unstructured.Unstructured, paths []networkingv1.HTTPIngressPath, apex string) string {
	weights := map[string]float64{}
	// Skipper ignores what it cannot read, and then gives all backends the same.
	_ = json.Unmarshal([]byte(user.GetAnnotations()[skipperWeights]), &weights)
	for i := range paths {
		for j := range paths {
			a, b := &paths[i], &paths[j]
			if a.Path != b.Path || a.Backend.Service == nil || b.Backend.Service == nil || a.Backend.Service.Name != apex || b.Backend.Service.Name == apex {
				continue
			}
			if weights[b.Backend.Service.Name] > 0 || weights[apex] <= 0 {
				return b.Backend.Service.Name
			}
		}
	}
	return ""
}
