package rehearsal

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
)

func TestAPIKeepsAnObjectAsARealServerDoes(t *testing.T) {
	t.Parallel()
	withAPI(t, func(t *testing.T, c *apiTest) {
		deployments := c.typed.AppsV1().Deployments("test")
		d := mustDo[*appsv1.Deployment](t)(deployments.Create(c.ctx, podinfo(2, "podinfo:6.0.0"), metav1.CreateOptions{}))
		if d.UID == "" || d.ResourceVersion == "" || d.Generation != 1 || d.CreationTimestamp.IsZero() {
			t.Errorf("the new object lacks its identity: %+v", d.ObjectMeta)
		}
		if *d.Spec.RevisionHistoryLimit != 10 || *d.Spec.ProgressDeadlineSeconds != 600 || d.Spec.Strategy.RollingUpdate.MaxSurge.String() != "25%" {
			t.Errorf("the defaults are missing: %+v", d.Spec)
		}
		_, err := deployments.Create(c.ctx, podinfo(2, "podinfo:6.0.0"), metav1.CreateOptions{})
		if !apierrors.IsAlreadyExists(err) || err.Error() != `deployments.apps "podinfo" already exists` {
			t.Errorf("a second create: %v", err)
		}

		stale := d.DeepCopy()
		d.Spec.Template.Spec.Containers[0].Image = "podinfo:6.0.1"
		d.Status.Replicas = 7
		d = mustDo[*appsv1.Deployment](t)(deployments.Update(c.ctx, d, metav1.UpdateOptions{}))
		if d.Generation != 2 || d.Status.Replicas != 0 {
			t.Errorf("after a change of the spec: generation %d, status.replicas %d; want 2 and 0", d.Generation, d.Status.Replicas)
		}
		if _, err := deployments.Update(c.ctx, stale, metav1.UpdateOptions{}); !apierrors.IsConflict(err) {
			t.Errorf("an update of an old version: %v, want a conflict", err)
		}
		d.Status.Replicas = 3
		d.Spec.Paused = true
		d = mustDo[*appsv1.Deployment](t)(deployments.UpdateStatus(c.ctx, d, metav1.UpdateOptions{}))
		if d.Generation != 2 || d.Status.Replicas != 3 || d.Spec.Paused {
			t.Errorf("after a change of the status: generation %d, status.replicas %d, paused %v; want 2, 3, false", d.Generation, d.Status.Replicas, d.Spec.Paused)
		}
		same := mustDo[*appsv1.Deployment](t)(deployments.Update(c.ctx, d, metav1.UpdateOptions{}))
		if same.ResourceVersion != d.ResourceVersion {
			t.Errorf("an update that changes nothing made version %s of %s", same.ResourceVersion, d.ResourceVersion)
		}
		if _, err := deployments.Get(c.ctx, "nobody", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
			t.Errorf("get of what is not there: %v", err)
		}
	})
}

func TestAPIRefusesWhatARealServerRefuses(t *testing.T) {
	t.Parallel()
	change := func(f func(*appsv1.Deployment)) *appsv1.Deployment {
		d := podinfo(1, "podinfo:6.0.0")
		f(d)
		return d
	}
	tests := map[string]struct {
		object *appsv1.Deployment
		cause  string
	}{
		"a selector that does not match the template": {change(func(d *appsv1.Deployment) { d.Spec.Template.Labels = map[string]string{"app": "other"} }), "spec.template.metadata.labels"},
		"a name that is no subdomain":                 {change(func(d *appsv1.Deployment) { d.Name = "Pod_Info" }), "metadata.name"},
		"a container without an image":                {change(func(d *appsv1.Deployment) { d.Spec.Template.Spec.Containers[0].Image = "" }), "spec.template.spec.containers[0].image"},
		"a container port out of range":               {change(func(d *appsv1.Deployment) { d.Spec.Template.Spec.Containers[0].Ports[0].ContainerPort = 70000 }), "spec.template.spec.containers[0].ports[0].containerPort"},
		"fewer than no replicas":                      {change(func(d *appsv1.Deployment) { *d.Spec.Replicas = -1 }), "spec.replicas"},
		"a label value that is none":                  {change(func(d *appsv1.Deployment) { d.Labels = map[string]string{"a": "b c"} }), "metadata.labels"},
		"no selector":                                 {change(func(d *appsv1.Deployment) { d.Spec.Selector = nil }), "spec.selector"},
	}
	withAPI(t, func(t *testing.T, c *apiTest) {
		for name, test := range tests {
			_, err := c.typed.AppsV1().Deployments("test").Create(c.ctx, test.object, metav1.CreateOptions{})
			if !apierrors.IsInvalid(err) || !apierrors.HasStatusCause(err, causeOf(err)) || !strings.Contains(err.Error(), test.cause) {
				t.Errorf("%s: %v, want invalid because of %s", name, err, test.cause)
			}
		}
		d := mustDo[*appsv1.Deployment](t)(c.typed.AppsV1().Deployments("test").Create(c.ctx, podinfo(1, "a:1"), metav1.CreateOptions{}))
		d.Spec.Selector.MatchLabels = map[string]string{"app": "podinfo", "x": "y"}
		d.Spec.Template.Labels = d.Spec.Selector.MatchLabels
		if _, err := c.typed.AppsV1().Deployments("test").Update(c.ctx, d, metav1.UpdateOptions{}); !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), "field is immutable") {
			t.Errorf("a changed selector: %v", err)
		}
	})
}

func causeOf(err error) metav1.CauseType {
	status, ok := err.(apierrors.APIStatus)
	if !ok || status.Status().Details == nil || len(status.Status().Details.Causes) == 0 {
		return "no cause"
	}
	return status.Status().Details.Causes[0].Type
}

func TestAPIGivesAServiceAnAddressThatStays(t *testing.T) {
	t.Parallel()
	withAPI(t, func(t *testing.T, c *apiTest) {
		services := c.typed.CoreV1().Services("test")
		s := mustDo[*corev1.Service](t)(services.Create(c.ctx, &corev1.Service{
			ObjectMeta: metav1.ObjectMeta{Name: "podinfo"},
			Spec:       corev1.ServiceSpec{Ports: []corev1.ServicePort{{Name: "http", Port: 80}}},
		}, metav1.CreateOptions{}))
		if s.Spec.ClusterIP == "" || s.Spec.Type != corev1.ServiceTypeClusterIP || s.Spec.SessionAffinity != corev1.ServiceAffinityNone {
			t.Errorf("the defaults are missing: %+v", s.Spec)
		}
		if want := (corev1.ServicePort{Name: "http", Port: 80, Protocol: corev1.ProtocolTCP, TargetPort: intstr.FromInt32(80)}); s.Spec.Ports[0] != want {
			t.Errorf("port %+v, want %+v", s.Spec.Ports[0], want)
		}
		address := s.Spec.ClusterIP
		s.Spec.ClusterIP, s.Spec.ClusterIPs, s.ResourceVersion = "", nil, ""
		s.Spec.Selector = map[string]string{"app": "podinfo"}
		s = mustDo[*corev1.Service](t)(services.Update(c.ctx, s, metav1.UpdateOptions{}))
		if s.Spec.ClusterIP != address {
			t.Errorf("an update moved the service from %s to %s", address, s.Spec.ClusterIP)
		}
		s.Spec.Ports[0].Port = 70000
		if _, err := services.Update(c.ctx, s, metav1.UpdateOptions{}); !apierrors.IsInvalid(err) {
			t.Errorf("port 70000: %v", err)
		}
	})
}

func TestAPIPatchesInEveryFormat(t *testing.T) {
	t.Parallel()
	tests := map[types.PatchType]string{
		types.MergePatchType:          `{"spec":{"replicas":5}}`,
		types.JSONPatchType:           `[{"op":"replace","path":"/spec/replicas","value":5}]`,
		types.StrategicMergePatchType: `{"spec":{"replicas":5,"template":{"spec":{"containers":[{"name":"podinfod","env":[{"name":"A","value":"b"}]}]}}}}`,
	}
	withAPI(t, func(t *testing.T, c *apiTest) {
		deployments := c.typed.AppsV1().Deployments("test")
		for kind, patch := range tests {
			d := mustDo[*appsv1.Deployment](t)(deployments.Create(c.ctx, podinfo(1, "podinfo:6.0.0"), metav1.CreateOptions{}))
			d = mustDo[*appsv1.Deployment](t)(deployments.Patch(c.ctx, d.Name, kind, []byte(patch), metav1.PatchOptions{}))
			if *d.Spec.Replicas != 5 || d.Generation != 2 || len(d.Spec.Template.Spec.Containers) != 1 || d.Spec.Template.Spec.Containers[0].Image != "podinfo:6.0.0" {
				t.Errorf("%s made of it %+v", kind, d.Spec)
			}
			stale := []byte(`{"metadata":{"resourceVersion":"1"},"spec":{"replicas":9}}`)
			if _, err := deployments.Patch(c.ctx, d.Name, types.MergePatchType, stale, metav1.PatchOptions{}); !apierrors.IsConflict(err) {
				t.Errorf("a patch of an old version: %v", err)
			}
			if err := deployments.Delete(c.ctx, d.Name, metav1.DeleteOptions{}); err != nil {
				t.Error(err)
			}
		}
		route := mustDo[any](t)(c.dynamic.Resource(routesResource()).Namespace("test").Create(c.ctx, fromYAML(t, routeYAML), metav1.CreateOptions{}))
		_ = route
		_, err := c.dynamic.Resource(routesResource()).Namespace("test").Patch(c.ctx, "podinfo", types.StrategicMergePatchType, []byte(`{}`), metav1.PatchOptions{})
		if !apierrors.IsUnsupportedMediaType(err) {
			t.Errorf("a strategic merge patch of a custom resource: %v, want 415", err)
		}
	})
}

func TestAPIScalesThroughTheSubresource(t *testing.T) {
	t.Parallel()
	withAPI(t, func(t *testing.T, c *apiTest) {
		deployments := c.typed.AppsV1().Deployments("test")
		mustDo[*appsv1.Deployment](t)(deployments.Create(c.ctx, podinfo(1, "podinfo:6.0.0"), metav1.CreateOptions{}))
		scale := mustDo[*autoscalingv1.Scale](t)(deployments.GetScale(c.ctx, "podinfo", metav1.GetOptions{}))
		if scale.Spec.Replicas != 1 || scale.Status.Selector != "app=podinfo" {
			t.Errorf("scale %+v", scale)
		}
		scale.Spec.Replicas = 4
		scale = mustDo[*autoscalingv1.Scale](t)(deployments.UpdateScale(c.ctx, "podinfo", scale, metav1.UpdateOptions{FieldManager: "hpa"}))
		mustDo[*appsv1.Deployment](t)(deployments.Patch(c.ctx, "podinfo", types.MergePatchType, []byte(`{"spec":{"replicas":6}}`), metav1.PatchOptions{}, "scale"))
		scale.Spec.Replicas = 9
		if _, err := deployments.UpdateScale(c.ctx, "podinfo", scale, metav1.UpdateOptions{}); !apierrors.IsConflict(err) {
			t.Errorf("an update of an old scale: %v", err)
		}
		d := mustDo[*appsv1.Deployment](t)(deployments.Get(c.ctx, "podinfo", metav1.GetOptions{}))
		if *d.Spec.Replicas != 6 || d.Generation != 3 {
			t.Errorf("replicas %d, generation %d; want 6 and 3", *d.Spec.Replicas, d.Generation)
		}
		if diff := cmp.Diff([]string{"scale"}, subresourcesOf(d.ManagedFields)); diff != "" {
			t.Errorf("subresources in the managed fields (-want +got):\n%s", diff)
		}
	})
}

func subresourcesOf(entries []metav1.ManagedFieldsEntry) []string {
	var names []string
	for _, e := range entries {
		if e.Subresource != "" {
			names = append(names, e.Subresource)
		}
	}
	return names
}

func TestAPIDoesNotStoreADryRun(t *testing.T) {
	t.Parallel()
	withAPI(t, func(t *testing.T, c *apiTest) {
		deployments := c.typed.AppsV1().Deployments("test")
		dry := []string{metav1.DryRunAll}
		d := mustDo[*appsv1.Deployment](t)(deployments.Create(c.ctx, podinfo(1, "podinfo:6.0.0"), metav1.CreateOptions{DryRun: dry}))
		if d.UID == "" || *d.Spec.ProgressDeadlineSeconds != 600 {
			t.Errorf("a dry run shows not what would be: %+v", d)
		}
		if _, err := deployments.Get(c.ctx, d.Name, metav1.GetOptions{}); !apierrors.IsNotFound(err) {
			t.Errorf("get after a dry run: %v", err)
		}
	})
}

func TestAPICollectsWhatADeletedObjectOwned(t *testing.T) {
	t.Parallel()
	withAPI(t, func(t *testing.T, c *apiTest) {
		configs := c.typed.CoreV1().ConfigMaps("test")
		create := func(name string, owners ...*corev1.ConfigMap) *corev1.ConfigMap {
			object := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}}
			for _, owner := range owners {
				object.OwnerReferences = append(object.OwnerReferences, metav1.OwnerReference{APIVersion: "v1", Kind: "ConfigMap", Name: owner.Name, UID: owner.UID})
			}
			return mustDo[*corev1.ConfigMap](t)(configs.Create(c.ctx, object, metav1.CreateOptions{}))
		}
		one, two := create("one"), create("two")
		create("grandchild", create("child", one))
		create("shared", one, two)
		if err := configs.Delete(c.ctx, "one", metav1.DeleteOptions{Preconditions: metav1.NewUIDPreconditions("other")}); !apierrors.IsConflict(err) {
			t.Errorf("delete of another object of that name: %v", err)
		}
		if err := configs.Delete(c.ctx, "one", metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		left := mustDo[*corev1.ConfigMapList](t)(configs.List(c.ctx, metav1.ListOptions{}))
		var names []string
		for _, object := range left.Items {
			names = append(names, object.Name)
		}
		if diff := cmp.Diff([]string{"shared", "two"}, names); diff != "" {
			t.Errorf("left after the deletion (-want +got):\n%s", diff)
		}
	})
}

func TestAPIKeepsAnObjectUntilItsLastFinalizerGoes(t *testing.T) {
	t.Parallel()
	withAPI(t, func(t *testing.T, c *apiTest) {
		configs := c.typed.CoreV1().ConfigMaps("test")
		object := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "held", Finalizers: []string{"penstock.dev/hold"}}}
		mustDo[*corev1.ConfigMap](t)(configs.Create(c.ctx, object, metav1.CreateOptions{}))
		if err := configs.Delete(c.ctx, "held", metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		held := mustDo[*corev1.ConfigMap](t)(configs.Get(c.ctx, "held", metav1.GetOptions{}))
		if held.DeletionTimestamp == nil {
			t.Error("the object is not marked as being deleted")
		}
		held.Finalizers = nil
		mustDo[*corev1.ConfigMap](t)(configs.Update(c.ctx, held, metav1.UpdateOptions{}))
		if _, err := configs.Get(c.ctx, "held", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
			t.Errorf("get without finalizers: %v", err)
		}
	})
}
