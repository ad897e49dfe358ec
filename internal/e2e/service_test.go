package e2e

import (
	"context"
	"maps"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// Users have a Service in front of their Deployment already, and its clients must not notice that a canary takes it over.
func TestAServiceThatWasThereBeforeIsTakenOverWithoutAGap(t *testing.T) {
	t.Parallel()
	for _, provider := range []string{"gatewayapi:v1", "nginx", "kubernetes"} {
		t.Run(provider, func(t *testing.T) {
			t.Parallel()
			s := newScenario(t, provider)
			services := s.cluster.Kube.CoreV1().Services(s.Name)
			before, err := services.Create(t.Context(), &corev1.Service{
				ObjectMeta: metav1.ObjectMeta{
					Name: "podinfo", Labels: map[string]string{"team": "shop"}, Annotations: map[string]string{"team/pager": "42"},
				},
				Spec: corev1.ServiceSpec{
					Type: corev1.ServiceTypeNodePort, Selector: map[string]string{"app": "podinfo"},
					Ports: []corev1.ServicePort{
						{Name: "http", Port: 80, TargetPort: intstr.FromInt32(9898)},
						{Name: "admin", Port: 9797, TargetPort: intstr.FromInt32(9797)},
					},
				},
			}, metav1.CreateOptions{FieldManager: "kubectl"})
			if err != nil {
				t.Fatal(err)
			}
			s.awaitEndpoints("podinfo", 2)
			s.record = s.Record()
			s.initialise()
			s.end(s.rollOut(v2), 0)
			s.wantPromoted(v2)
			s.wantNoGap("podinfo")
			s.wantSafe()
			after, err := services.Get(t.Context(), "podinfo", metav1.GetOptions{})
			if err != nil {
				t.Fatal(err)
			}
			wantKept(t, before, after)
			if got := after.Spec.Selector; !maps.Equal(got, map[string]string{"app": "podinfo-primary"}) {
				t.Errorf("in the end it selects %v", got)
			}
		})
	}
}

// wantKept checks that all of a Service is as it was that a canary has no say in.
func wantKept(t *testing.T, before, after *corev1.Service) {
	t.Helper()
	if before.UID != after.UID || before.Spec.ClusterIP != after.Spec.ClusterIP || before.Spec.Type != after.Spec.Type {
		t.Errorf("it was %s %s %s and is %s %s %s", before.UID, before.Spec.Type, before.Spec.ClusterIP,
			after.UID, after.Spec.Type, after.Spec.ClusterIP)
	}
	nodePorts := func(s *corev1.Service) map[string]int32 {
		ports := map[string]int32{}
		for _, p := range s.Spec.Ports {
			ports[p.Name] = p.NodePort
		}
		return ports
	}
	if was, is := nodePorts(before), nodePorts(after); !maps.Equal(was, is) {
		t.Errorf("the node ports were %v and are %v", was, is)
	}
	if after.Labels["team"] != "shop" || after.Annotations["team/pager"] != "42" || len(after.OwnerReferences) > 0 {
		t.Errorf("its metadata is %v, %v, %v", after.Labels, after.Annotations, after.OwnerReferences)
	}
}

func (s *scenario) awaitEndpoints(service string, want int) {
	s.t.Helper()
	s.Await("endpoints of "+service, func(ctx context.Context) error {
		found, err := s.cluster.Kube.DiscoveryV1().EndpointSlices(s.Name).List(ctx,
			metav1.ListOptions{LabelSelector: "kubernetes.io/service-name=" + service})
		if err != nil {
			return err
		}
		ready := 0
		for _, slice := range found.Items {
			for _, endpoint := range slice.Endpoints {
				if endpoint.Conditions.Ready == nil || *endpoint.Conditions.Ready {
					ready++
				}
			}
		}
		return unless(ready == want, "%d are ready, want %d", ready, want)
	})
}

// wantNoGap checks that a Service had a ready endpoint at every moment, and that each of them was a pod that was there.
func (s *scenario) wantNoGap(service string) {
	s.t.Helper()
	moments := 0
	s.record.Replay(func(m Moment) {
		moments++
		if m.ReadyEndpoints(service) == 0 {
			s.t.Errorf("%s %s: Service %s has no ready endpoint", m.Version.At.Format("15:04:05.000"), m.Version.key(), service)
		}
	})
	if moments == 0 {
		s.t.Error("nothing was recorded")
	}
}

// The whole service block of Flagger, as it arrives in the three Services.
func TestTheServiceBlockIsWrittenInFull(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "gatewayapi:v1", func(spec map[string]any) {
		block := spec["service"].(map[string]any)
		maps.Copy(block, map[string]any{
			"name": "web", "portName": "grpc-web", "port": 8080, "appProtocol": "kubernetes.io/h2c", "portDiscovery": true,
			"trafficDistribution": "PreferSameZone", "headless": true,
			"apex":              map[string]any{"labels": map[string]any{"tier": "apex"}, "annotations": map[string]any{"a": "1"}},
			"primary":           map[string]any{"labels": map[string]any{"tier": "primary"}},
			"canary":            map[string]any{"annotations": map[string]any{"a": "2", "foreign/note": "never"}},
			"unmanagedMetadata": map[string]any{"annotations": []any{"foreign/note"}},
		})
	})
	s.initialise()
	for name, want := range map[string]struct{ selects, tier, note string }{
		"web": {"podinfo-primary", "apex", "1"}, "web-primary": {"podinfo-primary", "primary", ""}, "web-canary": {"podinfo", "", "2"},
	} {
		service, err := s.cluster.Kube.CoreV1().Services(s.Name).Get(t.Context(), name, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		spec := service.Spec
		if !maps.Equal(spec.Selector, map[string]string{"app": want.selects}) || spec.ClusterIP != corev1.ClusterIPNone ||
			spec.TrafficDistribution == nil || *spec.TrafficDistribution != "PreferSameZone" {
			t.Errorf("%s: %+v", name, spec)
		}
		if service.Labels["tier"] != want.tier || service.Annotations["a"] != want.note || service.Annotations["foreign/note"] != "" {
			t.Errorf("%s: labels %v, annotations %v", name, service.Labels, service.Annotations)
		}
		i := slices.IndexFunc(spec.Ports, func(p corev1.ServicePort) bool { return p.Port == 8080 })
		if i < 0 || spec.Ports[i].Name != "grpc-web" || spec.Ports[i].TargetPort != intstr.FromString("http") ||
			spec.Ports[i].AppProtocol == nil || *spec.Ports[i].AppProtocol != "kubernetes.io/h2c" {
			t.Errorf("%s: ports %+v", name, spec.Ports)
		}
	}
}
