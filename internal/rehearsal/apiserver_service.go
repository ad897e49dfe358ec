package rehearsal

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// firstNodePort is where the usual range of node ports begins.
const firstNodePort = 30000

func defaultService(spec *corev1.ServiceSpec) {
	fill(&spec.Type, corev1.ServiceTypeClusterIP)
	fill(&spec.SessionAffinity, corev1.ServiceAffinityNone)
	for i := range spec.Ports {
		port := &spec.Ports[i]
		fill(&port.Protocol, corev1.ProtocolTCP)
		if port.TargetPort == (intstr.IntOrString{}) || port.TargetPort == intstr.FromString("") {
			port.TargetPort = intstr.FromInt32(port.Port)
		}
	}
	if spec.Type == corev1.ServiceTypeExternalName {
		return
	}
	fillPtr(&spec.InternalTrafficPolicy, corev1.ServiceInternalTrafficPolicyCluster)
	fillPtr(&spec.IPFamilyPolicy, corev1.IPFamilyPolicySingleStack)
	if len(spec.IPFamilies) == 0 {
		spec.IPFamilies = []corev1.IPFamily{corev1.IPv4Protocol}
	}
	if published(spec) {
		fill(&spec.ExternalTrafficPolicy, corev1.ServiceExternalTrafficPolicyCluster)
	}
	if spec.Type == corev1.ServiceTypeLoadBalancer {
		fillPtr(&spec.AllocateLoadBalancerNodePorts, true)
	}
}

func published(spec *corev1.ServiceSpec) bool {
	return spec.Type == corev1.ServiceTypeNodePort || spec.Type == corev1.ServiceTypeLoadBalancer
}

// allot gives a Service the cluster address and the node ports that it had, or new ones. The lock is held.
func (a *API) allot(live *unstructured.Unstructured, spec *corev1.ServiceSpec) {
	if spec.Type == corev1.ServiceTypeExternalName {
		return
	}
	before := corev1.Service{}
	if live != nil && readTyped(live, &before, false) != nil {
		before = corev1.Service{}
	}
	fill(&spec.ClusterIP, before.Spec.ClusterIP)
	if spec.ClusterIP == "" {
		a.addresses++
		spec.ClusterIP = fmt.Sprintf("10.96.%d.%d", a.addresses/254, a.addresses%254+1)
	}
	if len(spec.ClusterIPs) == 0 {
		spec.ClusterIPs = []string{spec.ClusterIP}
	}
	for i := range spec.Ports {
		if !published(spec) {
			break
		}
		for _, old := range before.Spec.Ports {
			if old.Port == spec.Ports[i].Port && old.Protocol == spec.Ports[i].Protocol {
				fill(&spec.Ports[i].NodePort, old.NodePort)
			}
		}
		if spec.Ports[i].NodePort == 0 {
			spec.Ports[i].NodePort = int32(firstNodePort + a.ports)
			a.ports++
		}
	}
}
