package rehearsal

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	appsapply "k8s.io/client-go/applyconfigurations/apps/v1"
	coreapply "k8s.io/client-go/applyconfigurations/core/v1"
)

const routeYAML = `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: podinfo, namespace: test}
spec:
  hostnames: [app.example.com]
  parentRefs: [{name: gateway}]
  rules:
  - backendRefs:
    - {name: podinfo-primary, port: 80, weight: 100}
    - {name: podinfo-canary, port: 80, weight: 0}
`

func TestAPIAppliesOnlyWhatTheManagerOwns(t *testing.T) {
	t.Parallel()
	withAPI(t, func(t *testing.T, c *apiTest) {
		deployments := c.typed.AppsV1().Deployments("test")
		mustDo[*appsv1.Deployment](t)(deployments.Create(c.ctx, podinfo(2, "podinfo:6.0.0"), metav1.CreateOptions{FieldManager: "user"}))
		container := func(image string) *appsapply.DeploymentApplyConfiguration {
			return appsapply.Deployment("podinfo", "test").WithSpec(appsapply.DeploymentSpec().WithTemplate(coreapply.PodTemplateSpec().
				WithSpec(coreapply.PodSpec().WithContainers(coreapply.Container().WithName("podinfod").WithImage(image)))))
		}
		_, err := deployments.Apply(c.ctx, container("podinfo:6.0.1"), metav1.ApplyOptions{FieldManager: "penstock"})
		if !apierrors.IsConflict(err) || !strings.Contains(err.Error(), `conflict with "user"`) || causeOf(err) != metav1.CauseTypeFieldManagerConflict {
			t.Errorf("an apply of another's field: %v", err)
		}
		d := mustDo[*appsv1.Deployment](t)(deployments.Apply(c.ctx, container("podinfo:6.0.1"), metav1.ApplyOptions{FieldManager: "penstock", Force: true}))
		if got := d.Spec.Template.Spec.Containers; len(got) != 1 || got[0].Image != "podinfo:6.0.1" || len(got[0].Ports) != 1 || *d.Spec.Replicas != 2 {
			t.Errorf("the apply lost fields of others: %+v", d.Spec)
		}
		again := mustDo[*appsv1.Deployment](t)(deployments.Apply(c.ctx, container("podinfo:6.0.1"), metav1.ApplyOptions{FieldManager: "penstock"}))
		if again.ResourceVersion != d.ResourceVersion || again.Generation != 2 {
			t.Errorf("the same apply again made version %s of %s, generation %d", again.ResourceVersion, d.ResourceVersion, again.Generation)
		}
		stale := container("podinfo:6.0.2").WithResourceVersion("1")
		if _, err := deployments.Apply(c.ctx, stale, metav1.ApplyOptions{FieldManager: "penstock"}); !apierrors.IsConflict(err) {
			t.Errorf("an apply to an old version: %v", err)
		}
		if _, err := deployments.Apply(c.ctx, container("a:1"), metav1.ApplyOptions{}); err == nil {
			t.Error("an apply without a field manager passed")
		}
	})
}

func TestAPIAppliesServicePortsByTheirKey(t *testing.T) {
	t.Parallel()
	withAPI(t, func(t *testing.T, c *apiTest) {
		services := c.typed.CoreV1().Services("test")
		port := func(name string, number int32) *coreapply.ServiceApplyConfiguration {
			return coreapply.Service("podinfo", "test").WithSpec(coreapply.ServiceSpec().WithPorts(
				coreapply.ServicePort().WithName(name).WithPort(number).WithProtocol(corev1.ProtocolTCP)))
		}
		mustDo[*corev1.Service](t)(services.Apply(c.ctx, port("http", 80), metav1.ApplyOptions{FieldManager: "one"}))
		s := mustDo[*corev1.Service](t)(services.Apply(c.ctx, port("grpc", 9999), metav1.ApplyOptions{FieldManager: "two"}))
		if len(s.Spec.Ports) != 2 {
			t.Errorf("ports %+v, want those of both managers", s.Spec.Ports)
		}
		s = mustDo[*corev1.Service](t)(services.Apply(c.ctx, coreapply.Service("podinfo", "test"), metav1.ApplyOptions{FieldManager: "two"}))
		if len(s.Spec.Ports) != 1 || s.Spec.Ports[0].Name != "http" {
			t.Errorf("ports %+v, want only that of the first manager", s.Spec.Ports)
		}
	})
}

func TestAPIReplacesTheRulesOfARouteAsAWhole(t *testing.T) {
	t.Parallel()
	withAPI(t, func(t *testing.T, c *apiTest) {
		routes := c.dynamic.Resource(routesResource()).Namespace("test")
		route := mustDo[*unstructured.Unstructured](t)(routes.Apply(c.ctx, "podinfo", fromYAML(t, routeYAML), metav1.ApplyOptions{FieldManager: "user"}))
		rule := subObjects(subObject(route.Object, "spec"), "rules")[0]
		want := []any{map[string]any{"path": map[string]any{"type": "PathPrefix", "value": "/"}}}
		if diff := cmp.Diff(want, rule["matches"]); diff != "" {
			t.Errorf("default matches (-want +got):\n%s", diff)
		}
		shift := &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
			"metadata": map[string]any{"name": "podinfo", "namespace": "test"},
			"spec": map[string]any{"rules": []any{map[string]any{"backendRefs": []any{
				map[string]any{"name": "podinfo-primary", "port": int64(80), "weight": int64(80)},
			}}}},
		}}
		if _, err := routes.Apply(c.ctx, "podinfo", shift, metav1.ApplyOptions{FieldManager: "penstock"}); !apierrors.IsConflict(err) {
			t.Errorf("an apply of another's rules: %v", err)
		}
		route = mustDo[*unstructured.Unstructured](t)(routes.Apply(c.ctx, "podinfo", shift, metav1.ApplyOptions{FieldManager: "penstock", Force: true}))
		spec := subObject(route.Object, "spec")
		if backends := subObjects(subObjects(spec, "rules")[0], "backendRefs"); len(backends) != 1 {
			t.Errorf("backends %v, want the rules replaced as a whole", backends)
		}
		if hosts, _, _ := unstructured.NestedStringSlice(spec, "hostnames"); len(hosts) != 1 || route.GetGeneration() != 2 {
			t.Errorf("hostnames %v, generation %d; want what the user owns, and 2", hosts, route.GetGeneration())
		}
		if _, err := routes.Update(c.ctx, withoutVersion(route), metav1.UpdateOptions{}); !apierrors.IsInvalid(err) {
			t.Errorf("an update of a custom resource without a version: %v", err)
		}
	})
}

func withoutVersion(object *unstructured.Unstructured) *unstructured.Unstructured {
	object = object.DeepCopy()
	object.SetResourceVersion("")
	return object
}

func TestAPIAppliesTheStatusOfACanaryApart(t *testing.T) {
	t.Parallel()
	withAPI(t, func(t *testing.T, c *apiTest) {
		canaries := c.dynamic.Resource(FlaggerKinds()[0].GVR()).Namespace("test")
		canary := fromYAML(t, `
apiVersion: flagger.app/v1beta1
kind: Canary
metadata: {name: podinfo, namespace: test}
spec: {targetRef: {kind: Deployment, name: podinfo}}
status: {phase: Succeeded}
`)
		created := mustDo[*unstructured.Unstructured](t)(canaries.Create(c.ctx, canary, metav1.CreateOptions{}))
		if _, found := created.Object["status"]; found {
			t.Error("a create kept the status")
		}
		updated := mustDo[*unstructured.Unstructured](t)(canaries.ApplyStatus(c.ctx, "podinfo", canary, metav1.ApplyOptions{FieldManager: "penstock"}))
		if phase, _, _ := unstructured.NestedString(updated.Object, "status", "phase"); phase != "Succeeded" || updated.GetGeneration() != 1 {
			t.Errorf("phase %q, generation %d; want Succeeded and 1", phase, updated.GetGeneration())
		}
	}, FlaggerKinds()...)
}
