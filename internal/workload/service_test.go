package workload_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/rollout"
	"github.com/penstock-dev/penstock/internal/workload"
)

func newService(change func(*corev1.Service)) *corev1.Service {
	s := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "podinfo", Namespace: "shop"}}
	s.Spec.Selector = map[string]string{"app": "blue"}
	s.Spec.Ports = []corev1.ServicePort{{Name: "http", Port: 80}}
	if change != nil {
		change(s)
	}
	return s
}

func TestTheRevisionOfAServiceIsWhatTheUserSaidOfIt(t *testing.T) {
	t.Parallel()
	base := newService(nil)
	for name, test := range map[string]struct {
		spec string
		same bool
	}{
		"what the API server fills in does not count": {`{selector: {app: blue}, type: ClusterIP, clusterIP: 10.0.0.1, clusterIPs: [10.0.0.1], ipFamilies: [IPv4],
  ipFamilyPolicy: SingleStack, sessionAffinity: None, internalTrafficPolicy: Cluster, ports: [{name: http, port: 80, targetPort: 80, protocol: TCP}]}`, true},
		"how it is reached from outside does not count": {`{selector: {app: blue}, type: LoadBalancer, externalTrafficPolicy: Local, healthCheckNodePort: 31000, loadBalancerClass: x,
  allocateLoadBalancerNodePorts: false, externalIPs: [192.0.2.1], loadBalancerSourceRanges: [10.0.0.0/8], ports: [{name: http, port: 80, nodePort: 30080}]}`, true},
		"the selector counts":         {`{selector: {app: green}, ports: [{name: http, port: 80}]}`, false},
		"a further label counts":      {`{selector: {app: blue, tier: web}, ports: [{name: http, port: 80}]}`, false},
		"another target port counts":  {`{selector: {app: blue}, ports: [{name: http, port: 80, targetPort: 8080}]}`, false},
		"a further port counts":       {`{selector: {app: blue}, ports: [{name: http, port: 80}, {name: x, port: 81}]}`, false},
		"the protocol counts":         {`{selector: {app: blue}, ports: [{name: http, port: 80, protocol: UDP}]}`, false},
		"an app protocol counts":      {`{selector: {app: blue}, ports: [{name: http, port: 80, appProtocol: http}]}`, false},
		"session affinity counts":     {`{selector: {app: blue}, sessionAffinity: ClientIP, ports: [{name: http, port: 80}]}`, false},
		"traffic distribution counts": {`{selector: {app: blue}, trafficDistribution: PreferClose, ports: [{name: http, port: 80}]}`, false},
		"being headless counts":       {`{selector: {app: blue}, clusterIP: None, ports: [{name: http, port: 80}]}`, false},
		"node local traffic counts":   {`{selector: {app: blue}, internalTrafficPolicy: Local, ports: [{name: http, port: 80}]}`, false},
		"an external name counts":     {`{type: ExternalName, externalName: a.example.com, ports: [{name: http, port: 80}]}`, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			other := newService(func(s *corev1.Service) { s.Spec = *parse[corev1.ServiceSpec](t, test.spec) })
			if same := workload.TargetRevision(live(t, base)) == workload.TargetRevision(live(t, other)); same != test.same {
				t.Errorf("same revision: %v, want %v", same, test.same)
			}
		})
	}
}

func TestAServiceIsReadyWithAReadyEndpoint(t *testing.T) {
	t.Parallel()
	slice := func(service, endpoints string) *unstructured.Unstructured {
		return &unstructured.Unstructured{Object: *parse[map[string]any](t, `{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, addressType: IPv4,
  metadata: {name: x, namespace: shop, labels: {kubernetes.io/service-name: `+service+`}}, endpoints: [`+endpoints+`]}`)}
	}
	const ready, unready = `{addresses: [10.0.0.1], conditions: {ready: true}, targetRef: {name: a}}`, `{addresses: [10.0.0.2], conditions: {ready: false}, targetRef: {name: b}}`
	for name, test := range map[string]struct {
		service *corev1.Service
		slices  []*unstructured.Unstructured
		want    rollout.Workload
	}{
		"one ready endpoint is enough": {
			newService(nil), []*unstructured.Unstructured{slice("podinfo", ready+","+unready)},
			rollout.Workload{Exists: true, Ready: true, Serving: true, Replicas: 2},
		},
		"an endpoint that says nothing is ready": {
			newService(nil), []*unstructured.Unstructured{slice("podinfo", `{addresses: [10.0.0.1]}`)},
			rollout.Workload{Exists: true, Ready: true, Serving: true, Replicas: 1},
		},
		"a pod in the slices of two address families is one": {
			newService(nil), []*unstructured.Unstructured{slice("podinfo", ready), slice("podinfo", ready)},
			rollout.Workload{Exists: true, Ready: true, Serving: true, Replicas: 1},
		},
		"endpoints that are not ready are not enough": {
			newService(nil), []*unstructured.Unstructured{slice("podinfo", unready)},
			rollout.Workload{Exists: true, Replicas: 1, Message: "it selects app=blue, where none of 1 pods is ready"},
		},
		"another Service's endpoints do not count": {
			newService(nil), []*unstructured.Unstructured{slice("podinfo-primary", ready)},
			rollout.Workload{Exists: true, Message: "it selects app=blue, which no pod has that could take requests"},
		},
		"without a selector nothing is waited for": {
			newService(func(s *corev1.Service) { s.Spec.Selector = nil }), nil, rollout.Workload{Exists: true, Ready: true, Serving: true},
		},
		"an external name is nothing to wait for": {
			newService(func(s *corev1.Service) { s.Spec.Type = corev1.ServiceTypeExternalName }), nil,
			rollout.Workload{Exists: true, Ready: true, Serving: true},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := workload.Report(live(t, test.service), test.slices, workload.Ready{Threshold: 100, Now: now})
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func serviceCanary(change func(*canary.Canary)) *canary.Canary {
	return newCanary(func(c *canary.Canary) {
		c.Spec.TargetRef = canary.ObjectRef{APIVersion: "v1", Kind: "Service", Name: "podinfo"}
		if change != nil {
			change(c)
		}
	})
}

func TestTheObjectsOfAServiceTarget(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		apex string
		want []string
	}{
		"the target may be the apex": {"", []string{"podinfo", "podinfo-primary", "podinfo", "podinfo-primary", "podinfo-canary"}},
		"an apex of its own":         {"web", []string{"podinfo", "web-primary", "web", "web-primary", "web-canary"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			refs, err := workload.RefsFor(serviceCanary(func(c *canary.Canary) { c.Spec.Service.Name = test.apex }))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, r := range []canary.Ref{refs.Target, refs.Primary, refs.Apex, refs.PrimaryService, refs.CanaryService} {
				got = append(got, r.Name)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
