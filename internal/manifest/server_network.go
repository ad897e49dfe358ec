package manifest

import (
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

func networkPort(protocol corev1.Protocol, number int32) networkingv1.NetworkPolicyPort {
	n := intstr.FromInt32(number)
	return networkingv1.NetworkPolicyPort{Protocol: &protocol, Port: &n}
}

// network lets anybody in to the one port, since the forge comes through whatever Ingress controller there is, and lets
// out only names, the forge and the API server, and a load tester to the namespaces whose canaries it is for.
func (s *Server) network() Object {
	return Object{
		Comment: "In: the one port. Out: names (53), and the forge and the API server (443, 6443).",
		Body: &networkingv1.NetworkPolicy{
			TypeMeta: metav1.TypeMeta{APIVersion: networkingv1.SchemeGroupVersion.String(), Kind: "NetworkPolicy"}, ObjectMeta: s.meta(),
			Spec: networkingv1.NetworkPolicySpec{
				PodSelector: metav1.LabelSelector{MatchLabels: serverLabels()},
				PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress},
				Ingress:     []networkingv1.NetworkPolicyIngressRule{{Ports: []networkingv1.NetworkPolicyPort{networkPort(corev1.ProtocolTCP, serverPort)}}},
				Egress:      s.egress(),
			},
		},
	}
}

func (s *Server) egress() []networkingv1.NetworkPolicyEgressRule {
	ports := []networkingv1.NetworkPolicyPort{
		networkPort(corev1.ProtocolUDP, 53), networkPort(corev1.ProtocolTCP, 53), networkPort(corev1.ProtocolTCP, 443), networkPort(corev1.ProtocolTCP, 6443),
	}
	for _, port := range s.EgressPorts {
		ports = append(ports, networkPort(corev1.ProtocolTCP, port))
	}
	rules := []networkingv1.NetworkPolicyEgressRule{{Ports: ports}}
	if s.LoadTester {
		served := metav1.LabelSelectorRequirement{Key: corev1.LabelMetadataName, Operator: metav1.LabelSelectorOpIn, Values: s.Served}
		rules = append(rules, networkingv1.NetworkPolicyEgressRule{To: []networkingv1.NetworkPolicyPeer{{
			NamespaceSelector: &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{served}},
		}}})
	}
	return rules
}
