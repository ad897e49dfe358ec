package workload

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/rollout"
)

// serviceTargets are Services whose selector the user changes to release: from one set of pods, which somebody else
// runs, to another. `<apex>-primary` holds what was promoted last and `<apex>-canary` what the target says now; a router
// with objects of its own shares the traffic between them. Nothing writes to the target, so it may well be the apex: the
// host that a route is for. Nothing is scaled.
var serviceTargets = kind{
	gvr:         serviceGVR,
	parts:       discoveryv1.SchemeGroupVersion.WithResource("endpointslices"),
	content:     `"f:ports"`,
	refuse:      refuseService,
	read:        readService,
	check:       checkService,
	revision:    serviceRevision,
	primary:     primaryService,
	services:    serviceServices,
	selectParts: selectSlices,
	report:      reportService,
	scale:       func(*Workload, *Workload, rollout.Scale) *Scaling { return nil },
}

// refuseService knows where the target cannot be the apex: an Ingress would go on sending the primary's share to it.
func refuseService(c *canary.Canary) error {
	switch name := c.Spec.TargetRef.Name; {
	case c.Spec.IngressRef != nil && c.ServiceName() == name:
		return fmt.Errorf("spec.service.name: it is %q, the target itself, to which Ingress %q would send the primary's share too; "+
			"give it another name, and let the Ingress point at that", name, c.Spec.IngressRef.Name)
	case slices.Contains([]string{name + primarySuffix, name + canarySuffix}, c.ServiceName()):
		return fmt.Errorf("spec.service.name: %q is the name of a copy of the target; give it another one", c.ServiceName())
	case slices.Contains([]string{c.ServiceName() + primarySuffix, c.ServiceName() + canarySuffix}, name):
		return fmt.Errorf("spec.service.name: a copy of the target would be called %q, as the target is; give it another name", name)
	}
	return nil
}

func readService(live *unstructured.Unstructured, w *Workload) error {
	s, err := Read[corev1.Service](live)
	if err != nil {
		return err
	}
	w.ObjectMeta, w.typed = s.ObjectMeta, s
	w.Selector = &metav1.LabelSelector{MatchLabels: s.Spec.Selector}
	return nil
}

func checkService(c *canary.Canary, target *Workload) error {
	s := target.typed.(*corev1.Service)
	numbers := make([]string, 0, len(s.Spec.Ports))
	for i := range s.Spec.Ports {
		if s.Spec.Ports[i].Port == c.Spec.Service.Port {
			return nil
		}
		numbers = append(numbers, fmt.Sprint(s.Spec.Ports[i].Port))
	}
	if len(numbers) == 0 && s.Spec.Type == corev1.ServiceTypeExternalName {
		return nil
	}
	return fmt.Errorf("spec.service.port: %d is not a port of %s, to whose copies the route sends; it has %s",
		c.Spec.Service.Port, target.describe(), cmp.Or(strings.Join(numbers, ", "), "none"))
}

// portable returns what of a Service's spec is the user's and may be given to a second Service: where it sends, by which
// ports and how. Addresses, node ports and the way in from outside belong to one Service alone.
func portable(s *corev1.ServiceSpec) corev1.ServiceSpec {
	spec := corev1.ServiceSpec{
		Selector: maps.Clone(s.Selector), PublishNotReadyAddresses: s.PublishNotReadyAddresses,
		TrafficDistribution: s.TrafficDistribution,
	}
	switch {
	case s.Type == corev1.ServiceTypeExternalName:
		spec.Type, spec.ExternalName = s.Type, s.ExternalName
	case s.ClusterIP == corev1.ClusterIPNone:
		spec.ClusterIP = s.ClusterIP
	}
	if s.SessionAffinity != corev1.ServiceAffinityNone {
		spec.SessionAffinity, spec.SessionAffinityConfig = s.SessionAffinity, s.SessionAffinityConfig.DeepCopy()
	}
	if p := s.InternalTrafficPolicy; p != nil && *p != corev1.ServiceInternalTrafficPolicyCluster {
		spec.InternalTrafficPolicy = p
	}
	for i := range s.Ports {
		port := *s.Ports[i].DeepCopy()
		port.NodePort = 0
		port.Protocol = cmp.Or(port.Protocol, corev1.ProtocolTCP)
		if port.TargetPort == (intstr.IntOrString{}) {
			port.TargetPort = intstr.FromInt32(port.Port)
		}
		spec.Ports = append(spec.Ports, port)
	}
	// An API server may give the ports of a copy back in another order.
	slices.SortFunc(spec.Ports, func(a, b corev1.ServicePort) int {
		return cmp.Or(cmp.Compare(a.Port, b.Port), cmp.Compare(a.Protocol, b.Protocol))
	})
	return spec
}

func portableTree(w *Workload) map[string]any {
	spec := portable(&w.typed.(*corev1.Service).Spec)
	tree, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&spec)
	if err != nil {
		panic(fmt.Sprintf("workload: convert the spec of a Service: %v", err)) // a typed spec always converts
	}
	delete(tree, "status")
	dropNulls(tree)
	return tree
}

func serviceRevision(w *Workload, _ bool) string { return hash(portableTree(w)) }

func primaryService(c *canary.Canary, target, live *Workload) (*unstructured.Unstructured, error) {
	wanted := copyService(target, c.RefOf(serviceGVR, serviceKind, c.ServiceName()+primarySuffix), c.Spec.Service.Primary)
	service := wanted.ref.New()
	service.Object["spec"] = wanted.spec
	adorn(c, service, &wanted)
	if live == nil {
		return service, nil
	}
	switch ours, err := owned(c, serviceKind, live); {
	case err != nil:
		return nil, err
	case !ours:
		return nil, fmt.Errorf("%s was there before, and the primary needs its name; delete it, or give spec.service.name another name", live.describe())
	}
	return service, headlessClash(&wanted, live.typed.(*corev1.Service).Spec.ClusterIP)
}

// copyService has the labels of the Service that it copies too, as Flagger's copies do.
func copyService(from *Workload, to canary.Ref, metadata *canary.CustomMetadata) wantedService {
	labels := carried(from.Labels)
	given, annotations := custom(metadata)
	maps.Copy(labels, given)
	return wantedService{to, portableTree(from), labels, annotations}
}

// serviceServices are the canary's Service and, where it is another than the target, the apex. The primary's is the
// primary itself.
func serviceServices(c *canary.Canary, refs *Refs, target, primary *Workload) ([]wantedService, error) {
	wanted := []wantedService{copyService(target, refs.CanaryService, c.Spec.Service.Canary)}
	if refs.Apex == refs.Target {
		return wanted, nil
	}
	promoted := primary
	if promoted == nil {
		promoted = target // the primary is being made as its copy
	}
	return append([]wantedService{copyService(promoted, refs.Apex, c.Spec.Service.Apex)}, wanted...), nil
}

func selectSlices(refs *Refs, _ *Workload) (string, error) {
	return fmt.Sprintf("%s in (%s,%s)", discoveryv1.LabelServiceName, refs.Target.Name, refs.Primary.Name), nil
}

// reportService takes a Service for ready as soon as one of its endpoints is. Without a selector its endpoints are nobody's
// that could be waited for.
func reportService(w *Workload, slices []*unstructured.Unstructured, _ Ready) rollout.Workload {
	r := rollout.Workload{Ready: true, Serving: true}
	s := w.typed.(*corev1.Service)
	if s.Spec.Type == corev1.ServiceTypeExternalName || len(s.Spec.Selector) == 0 {
		return r
	}
	all, ready := endpoints(w, slices)
	r.Replicas = all
	if ready == 0 {
		r.Ready, r.Serving = false, false
		r.Message = fmt.Sprintf("it selects %s, where none of %d pods is ready", listLabels(s.Spec.Selector), all)
		if all == 0 {
			r.Message = fmt.Sprintf("it selects %s, which no pod has that could take requests", listLabels(s.Spec.Selector))
		}
	}
	return r
}

// endpoints counts the pods behind a Service, and those that are ready. A pod has one entry in each slice that it is in,
// one for each address family.
func endpoints(w *Workload, parts []*unstructured.Unstructured) (all, ready int) {
	seen, good := map[string]bool{}, map[string]bool{}
	for _, part := range parts {
		if part.GetLabels()[discoveryv1.LabelServiceName] != w.Name {
			continue
		}
		slice, err := Read[discoveryv1.EndpointSlice](part)
		if err != nil {
			continue // no slice of this kind can be counted
		}
		for i := range slice.Endpoints {
			e := &slice.Endpoints[i]
			id := strings.Join(e.Addresses, " ")
			if e.TargetRef != nil {
				id = e.TargetRef.Name
			}
			seen[id] = true
			if e.Conditions.Ready == nil || *e.Conditions.Ready {
				good[id] = true
			}
		}
	}
	return len(seen), len(good)
}
