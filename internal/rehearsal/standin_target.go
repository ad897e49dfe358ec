package rehearsal

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/workload"
)

// target finds the target, or stands in for it, and names the new version's image.
func (s *Stage) target(c *canary.Canary) error {
	kind, name := c.Spec.TargetRef.Kind, c.Spec.TargetRef.Name
	switch {
	case kind == "Deployment", kind == "DaemonSet", c.Knative():
	case kind == "Service":
		return fmt.Errorf("spec.targetRef.kind: Service %q has no pods of its own, and a rehearsal plays two versions of a container; "+
			"rehearse with the Deployment or the DaemonSet behind it as the target", name)
	default:
		return nil // said by whoever compiles the canary
	}
	o := s.findTarget(c)
	if o == nil {
		if err := s.standInTarget(c); err != nil {
			return err
		}
		o = s.findTarget(c)
	} else {
		s.say("the containers of %s %q: an app of the rehearsal answers in their place", kind, name)
	}
	s.nodes(o)
	containers, _, err := unstructured.NestedSlice(o.Object, "spec", "template", "spec", "containers")
	if err != nil || len(containers) == 0 {
		return fmt.Errorf("target %s %q: spec.template.spec.containers: at least one is needed", kind, name)
	}
	first, _ := containers[0].(map[string]any)
	container, _ := first["name"].(string)
	if container == "" && c.Knative() {
		container = "user-container" // as Knative calls it
	}
	image, _ := first["image"].(string)
	s.Container, s.OldImage, s.NewImage = container, image, nextImage(image)
	return nil
}

// standInTarget stands in for a target that the files do not contain.
func (s *Stage) standInTarget(c *canary.Canary) error {
	kind, size := c.Spec.TargetRef.Kind, "2 replicas"
	app, gvk := standInApp(c), appsv1.SchemeGroupVersion.WithKind(kind)
	switch {
	case c.Knative():
		app, size = standInKnative(c), "one pod for each Revision"
		gvk = schema.FromAPIVersionAndKind(c.Spec.TargetRef.APIVersion, kind)
	case kind == "DaemonSet":
		size = "on 2 nodes"
	}
	s.say("%s %q: an app of the rehearsal in the manner of podinfo, %s", kind, c.Spec.TargetRef.Name, size)
	return s.add(app, gvk)
}

// nodes says what the nodes of the rehearsal have that a DaemonSet selects them by.
func (s *Stage) nodes(target *unstructured.Unstructured) {
	selector := nodeSelector(target)
	for _, key := range slices.Sorted(maps.Keys(selector)) {
		s.say("label %s=%s: both nodes have it", key, selector[key])
	}
}

// nodeSelector is what a DaemonSet selects its nodes by, when it is not scaled to zero.
func nodeSelector(target *unstructured.Unstructured) map[string]string {
	if target == nil || target.GetKind() != "DaemonSet" {
		return nil
	}
	selector, _, _ := unstructured.NestedStringMap(target.Object, "spec", "template", "spec", "nodeSelector")
	delete(selector, workload.ScaleToZeroKey)
	return selector
}

// nextImage is the tag of the version after this one.
func nextImage(image string) string {
	repository, tag, tagged := strings.Cut(image, ":")
	if !tagged {
		return repository + ":next"
	}
	i := strings.LastIndex(tag, ".")
	var last int
	if _, err := fmt.Sscanf(tag[i+1:], "%d", &last); err == nil && fmt.Sprint(last) == tag[i+1:] {
		return fmt.Sprintf("%s:%s%d", repository, tag[:i+1], last+1)
	}
	return image + "-next"
}

func standInKnative(c *canary.Canary) runtime.Object {
	name := c.Spec.TargetRef.Name
	container := map[string]any{"name": "user-container", "image": name + ":1.0.0"}
	return &unstructured.Unstructured{Object: map[string]any{
		"metadata": map[string]any{"name": name, "namespace": c.Namespace},
		"spec":     map[string]any{"template": map[string]any{"spec": map[string]any{"containers": []any{container}}}},
	}}
}

func standInApp(c *canary.Canary) runtime.Object {
	name, replicas := c.Spec.TargetRef.Name, int32(2)
	labels := map[string]string{"app": name}
	port := c.Spec.Service.Port
	if target := c.Spec.Service.TargetPort; target != nil && target.IntVal > 0 {
		port = target.IntVal
	}
	meta, selector := metav1.ObjectMeta{Name: name, Namespace: c.Namespace}, &metav1.LabelSelector{MatchLabels: labels}
	template := corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: labels},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{
			Name: name, Image: name + ":1.0.0", Ports: []corev1.ContainerPort{{Name: "http", ContainerPort: port}},
		}}},
	}
	if c.Spec.TargetRef.Kind == "DaemonSet" {
		return &appsv1.DaemonSet{ObjectMeta: meta, Spec: appsv1.DaemonSetSpec{Selector: selector, Template: template}}
	}
	return &appsv1.Deployment{
		ObjectMeta: meta, Spec: appsv1.DeploymentSpec{Replicas: &replicas, Selector: selector, Template: template},
	}
}
