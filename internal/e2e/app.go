package e2e

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
)

// App creates a Deployment as podinfo's: container podinfo, port http on 9898, label app=<name>. The end of the image's
// tag says how its pods behave: pending, badimage, crash, crash-primary (only the pods of a primary do), slow-N, dies-N; with
// any other tag they become ready at once.
func (n *Namespace) App(name, image string, replicas int32) *appsv1.Deployment {
	n.t.Helper()
	labels := map[string]string{"app": name}
	deployment := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels},
		Spec: appsv1.DeploymentSpec{
			Replicas: &replicas,
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec: corev1.PodSpec{Containers: []corev1.Container{{
					Name: "podinfo", Image: image,
					Ports: []corev1.ContainerPort{{Name: "http", ContainerPort: 9898}},
				}}},
			},
		},
	}
	created, err := n.cluster.Kube.AppsV1().Deployments(n.Name).Create(n.t.Context(), deployment, metav1.CreateOptions{})
	if err != nil {
		n.t.Fatalf("create deployment %s: %v", name, err)
	}
	return created
}

// SetImage changes the image of the container podinfo, as a deployment from CI does.
func (n *Namespace) SetImage(name, image string) {
	n.t.Helper()
	patch := fmt.Sprintf(`{"spec":{"template":{"spec":{"containers":[{"name":"podinfo","image":%q}]}}}}`, image)
	_, err := n.cluster.Kube.AppsV1().Deployments(n.Name).Patch(n.t.Context(), name,
		types.StrategicMergePatchType, []byte(patch), metav1.PatchOptions{FieldManager: "ci"})
	if err != nil {
		n.t.Fatalf("set the image of %s: %v", name, err)
	}
}

// AwaitReady waits until a Deployment has rolled out and all its pods are ready.
func (n *Namespace) AwaitReady(name string) {
	n.t.Helper()
	n.Await("deployment "+name+" to be ready", func(ctx context.Context) error {
		d, err := n.cluster.Kube.AppsV1().Deployments(n.Name).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		want, s := *d.Spec.Replicas, d.Status
		return unless(s.ObservedGeneration == d.Generation && s.UpdatedReplicas == want && s.ReadyReplicas == want && s.Replicas == want,
			"want %d, have %d, of these %d updated and %d ready", want, s.Replicas, s.UpdatedReplicas, s.ReadyReplicas)
	})
}

// AwaitPod waits until a pod of the app satisfies claim, and returns it.
func (n *Namespace) AwaitPod(app, what string, claim func(corev1.Pod) bool) corev1.Pod {
	n.t.Helper()
	var found corev1.Pod
	n.Await("a pod of "+app+" "+what, func(ctx context.Context) error {
		pods, err := n.cluster.Kube.CoreV1().Pods(n.Name).List(ctx, metav1.ListOptions{LabelSelector: "app=" + app})
		if err != nil {
			return err
		}
		for _, pod := range pods.Items {
			if claim(pod) {
				found = pod
				return nil
			}
		}
		return fmt.Errorf("none of %d", len(pods.Items))
	})
	return found
}

// Gateway creates a Gateway with one HTTP listener for routes of this namespace.
func (n *Namespace) Gateway(name string) {
	n.t.Helper()
	n.Create(gatewayResource("gateways"), map[string]any{
		"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": map[string]any{"name": name},
		"spec": map[string]any{
			"gatewayClassName": "e2e",
			"listeners":        []any{map[string]any{"name": "http", "protocol": "HTTP", "port": int64(80)}},
		},
	})
}

// Ingress creates an Ingress of class nginx that sends app.example.com to a Service's port.
func (n *Namespace) Ingress(name, service string, port int32) {
	n.t.Helper()
	class, prefix := "nginx", networkingv1.PathTypePrefix
	ingress := &networkingv1.Ingress{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"app": name}},
		Spec: networkingv1.IngressSpec{IngressClassName: &class, Rules: []networkingv1.IngressRule{{
			Host: "app.example.com",
			IngressRuleValue: networkingv1.IngressRuleValue{HTTP: &networkingv1.HTTPIngressRuleValue{
				Paths: []networkingv1.HTTPIngressPath{{Path: "/", PathType: &prefix, Backend: networkingv1.IngressBackend{
					Service: &networkingv1.IngressServiceBackend{Name: service, Port: networkingv1.ServiceBackendPort{Number: port}},
				}}},
			}},
		}}},
	}
	if _, err := n.cluster.Kube.NetworkingV1().Ingresses(n.Name).Create(n.t.Context(), ingress, metav1.CreateOptions{}); err != nil {
		n.t.Fatalf("create ingress %s: %v", name, err)
	}
}

// Create creates any object in the namespace.
func (n *Namespace) Create(resource schema.GroupVersionResource, object map[string]any) *unstructured.Unstructured {
	n.t.Helper()
	created, err := n.cluster.Dynamic.Resource(resource).Namespace(n.Name).
		Create(n.t.Context(), &unstructured.Unstructured{Object: object}, metav1.CreateOptions{})
	if err != nil {
		n.t.Fatalf("create one of %s: %v", resource.Resource, err)
	}
	return created
}

// Get returns any object of the namespace.
func (n *Namespace) Get(resource schema.GroupVersionResource, name string) *unstructured.Unstructured {
	n.t.Helper()
	object, err := n.cluster.Dynamic.Resource(resource).Namespace(n.Name).Get(n.t.Context(), name, metav1.GetOptions{})
	if err != nil {
		n.t.Fatalf("get %s %s: %v", resource.Resource, name, err)
	}
	return object
}
