package e2e

import (
	"context"
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/intstr"
)

func readyReplicas(deployment *unstructured.Unstructured) int64 {
	n, _, _ := unstructured.NestedInt64(deployment.Object, "status", "readyReplicas")
	return n
}

func (n *Namespace) service(name, app string) {
	n.t.Helper()
	_, err := n.cluster.Kube.CoreV1().Services(n.Name).Create(n.t.Context(), &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: corev1.ServiceSpec{Selector: map[string]string{"app": app}, Ports: []corev1.ServicePort{
			{Name: "http", Port: 80, TargetPort: intstr.FromString("http")},
		}},
	}, metav1.CreateOptions{})
	if err != nil {
		n.t.Fatalf("create service %s: %v", name, err)
	}
}

func TestTheRecorderSeesEveryMoment(t *testing.T) {
	t.Parallel()
	ns := cluster.Namespace(t)
	ns.App("podinfo", "podinfo:1.0.0", 1)
	ns.AwaitReady("podinfo")
	record := ns.Record()
	for i := range 5 {
		ns.SetImage("podinfo", fmt.Sprintf("podinfo:1.0.%d", i+1))
	}
	ns.service("podinfo", "podinfo")
	ns.AwaitReady("podinfo")
	ns.Await("endpoints", func(context.Context) error {
		ready := 0
		record.Replay(func(m Moment) { ready = m.ReadyEndpoints("podinfo") })
		return unless(ready == 1, "%d are ready", ready)
	})
	images := map[string]bool{}
	record.Replay(func(m Moment) {
		containers, _, _ := unstructured.NestedSlice(m.Object("Deployment", "podinfo").Object, "spec", "template", "spec", "containers")
		images[containers[0].(map[string]any)["image"].(string)] = true
	})
	if len(images) != 5 {
		t.Errorf("saw the images %v, want 5", sortedKeys(images))
	}
}
