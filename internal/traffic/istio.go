package traffic

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/rollout"
)

// istio routes with a VirtualService that has the name of the apex Service, and a DestinationRule for each of the primary's
// and the canary's Services.
//
// In a VirtualService the routes are one field to a server-side apply. So the routes that name none of the three Services
// are rendered too, as and where they are; those that do are replaced by Penstock's. A VirtualService that was there
// before keeps what it was in an annotation, Flagger's own, and gets it back at the handover.
//
// Istio reports nothing of a VirtualService unless it is told to, so that it counts as taken up when it was written, a
// second after which the proxies have it: the control plane waits 100 ms for further changes before it tells them.
var istio = Router{
	Can:    Can{Weights: true, Match: true, Mirror: true, MirrorWeight: true, SessionAffinity: true},
	Settle: time.Second,
	Refs:   istioRefs,
	Render: renderIstio,
	Read:   readIstio,
	Made:   istioMade,
	Exact:  istioExact,
	Lacks:  nothingLacks,
	Limits: istioLimits,
}

const (
	istioGroup = "networking.istio.io"
	meshWide   = "mesh" // the name of all sidecars in a list of gateways
)

func virtualServiceRef(c *canary.Canary) canary.Ref {
	gvr := schema.GroupVersionResource{Group: istioGroup, Version: "v1beta1", Resource: "virtualservices"}
	return c.RefOf(gvr, "VirtualService", c.ServiceName())
}

// destinationRuleRefs are those of the primary's and the canary's Service.
func destinationRuleRefs(c *canary.Canary) []canary.Ref {
	gvr := schema.GroupVersionResource{Group: istioGroup, Version: "v1beta1", Resource: "destinationrules"}
	apex := c.ServiceName()
	return []canary.Ref{c.RefOf(gvr, "DestinationRule", apex+primarySuffix), c.RefOf(gvr, "DestinationRule", apex+canarySuffix)}
}

func istioRefs(c *canary.Canary) []canary.Ref {
	return append([]canary.Ref{virtualServiceRef(c)}, destinationRuleRefs(c)...)
}

// istioMade has the VirtualService only where the sidecars alone know it: one that a gateway or another VirtualService
// leads to goes on carrying their traffic.
func istioMade(c *canary.Canary) []canary.Ref {
	if istioLeadTo(c) {
		return destinationRuleRefs(c)
	}
	return istioRefs(c)
}

// istioLeadTo reports whether anything beside the sidecars sends requests to the VirtualService.
func istioLeadTo(c *canary.Canary) bool {
	s := &c.Spec.Service
	return s.Delegation || slices.ContainsFunc(s.Gateways, func(gateway string) bool { return gateway != meshWide })
}

func istioExact(ref canary.Ref) [][]string {
	if ref.Kind != "VirtualService" || ref.Group != istioGroup {
		return nil
	}
	return [][]string{{"spec", "http"}, {"spec", "tcp"}, {"spec", "hosts"}, {"spec", "gateways"}}
}

// istioTCP reports whether the canary's port carries TCP of which Istio knows no more.
func istioTCP(c *canary.Canary) bool { return strings.EqualFold(c.Spec.Service.AppProtocol, "tcp") }

func renderIstio(c *canary.Canary, live canary.Objects, want rollout.Route) ([]*unstructured.Unstructured, error) {
	ref := virtualServiceRef(c)
	for what, weight := range map[string]rollout.Weight{"": want.Canary, "mirror: ": want.Mirror} {
		if err := percent("route "+ref.String()+": "+what+"weight", weight); err != nil {
			return nil, err
		}
	}
	if problems := istioLimits(c); len(problems) > 0 {
		return nil, fmt.Errorf("route %s: %s", ref, strings.Join(problems, "; "))
	}
	rules, err := renderDestinationRules(c, live, want)
	if err != nil {
		return nil, err
	}
	before := live[ref]
	if before == nil && want.Handover {
		return rules, nil // as there would be none without a canary
	}
	service, err := renderVirtualService(c, before, want)
	if err != nil {
		return nil, err
	}
	return append([]*unstructured.Unstructured{service}, rules...), nil
}

func renderVirtualService(c *canary.Canary, before *unstructured.Unstructured, want rollout.Route) (*unstructured.Unstructured, error) {
	ref := virtualServiceRef(c)
	ours, err := owned(c, before)
	if err != nil {
		return nil, err
	}
	codec := newIstioCodec(c)
	service := ref.New()
	spec, err := codec.wanted(before, want)
	if err != nil {
		return nil, fmt.Errorf("route %s: %w", ref, err)
	}
	service.Object["spec"] = spec
	if original := codec.keep(before, ours, want); original != "" {
		service.SetAnnotations(map[string]string{istioOriginal: original})
	}
	write := label
	if istioLeadTo(c) {
		write = release
	}
	if err := write(c, service, before, want); err != nil {
		return nil, err
	}
	return service, nil
}

func renderDestinationRules(c *canary.Canary, live canary.Objects, want rollout.Route) ([]*unstructured.Unstructured, error) {
	var rules []*unstructured.Unstructured
	for _, ref := range destinationRuleRefs(c) {
		before := live[ref]
		if before == nil && want.Handover {
			continue
		}
		rule := ref.New()
		spec := map[string]any{"host": ref.Name}
		if policy := fieldsOf(c.Spec.Service.TrafficPolicy); len(policy) > 0 {
			spec["trafficPolicy"] = policy
		}
		rule.Object["spec"] = spec
		if err := label(c, rule, before, want); err != nil {
			return nil, err
		}
		rules = append(rules, rule)
	}
	return rules, nil
}
