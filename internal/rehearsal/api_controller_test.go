package rehearsal

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
)

// after lets time pass and everything settle, and returns the Deployment.
func (c *apiTest) after(t *testing.T, d time.Duration) *appsv1.Deployment {
	t.Helper()
	pass(d)
	return mustDo[*appsv1.Deployment](t)(c.typed.AppsV1().Deployments("test").Get(c.ctx, "podinfo", metav1.GetOptions{}))
}

func (c *apiTest) podsOf(t *testing.T) []corev1.Pod {
	t.Helper()
	return mustDo[*corev1.PodList](t)(c.typed.CoreV1().Pods("test").List(c.ctx, metav1.ListOptions{LabelSelector: "app=podinfo"})).Items
}

func conditionOf(d *appsv1.Deployment, kind appsv1.DeploymentConditionType) appsv1.DeploymentCondition {
	for _, condition := range d.Status.Conditions {
		if condition.Type == kind {
			return condition
		}
	}
	return appsv1.DeploymentCondition{}
}

func imageIn(image string, outcome PodOutcome) func(types.NamespacedName, *corev1.PodTemplateSpec) PodOutcome {
	return func(_ types.NamespacedName, template *corev1.PodTemplateSpec) PodOutcome {
		if template.Spec.Containers[0].Image == image {
			return outcome
		}
		return PodReady
	}
}

func TestAPIDeploymentBecomesReadyAfterItsDelay(t *testing.T) {
	t.Parallel()
	withCluster(t, ControllerOptions{}, func(t *testing.T, c *apiTest, _ *Controllers) {
		mustDo[*appsv1.Deployment](t)(c.typed.AppsV1().Deployments("test").Create(c.ctx, podinfo(3, "podinfo:6.0.0"), metav1.CreateOptions{}))
		d := c.after(t, 100*time.Millisecond)
		if d.Status.Replicas != 3 || d.Status.ReadyReplicas != 0 || conditionOf(d, appsv1.DeploymentAvailable).Status != corev1.ConditionFalse {
			t.Errorf("before the delay: %+v", d.Status)
		}
		d = c.after(t, 200*time.Millisecond)
		progress := conditionOf(d, appsv1.DeploymentProgressing)
		if d.Status.ReadyReplicas != 3 || d.Status.UpdatedReplicas != 3 || d.Status.ObservedGeneration != d.Generation || d.Generation != 1 ||
			progress.Reason != "NewReplicaSetAvailable" || d.Annotations["deployment.kubernetes.io/revision"] != "1" {
			t.Errorf("after the delay: generation %d, annotations %v, %+v", d.Generation, d.Annotations, d.Status)
		}
		pods := c.podsOf(t)
		if len(pods) != 3 || !strings.HasPrefix(pods[0].Name, "podinfo-"+pods[0].Labels["pod-template-hash"]+"-") || pods[0].Status.Phase != corev1.PodRunning {
			t.Errorf("pods %+v", pods)
		}
		settled := c.api.current()
		if c.after(t, time.Hour); c.api.current() != settled {
			t.Errorf("the controllers wrote %d times while nothing happened", c.api.current()-settled)
		}
		mustDo[*appsv1.Deployment](t)(c.typed.AppsV1().Deployments("test").Patch(c.ctx, "podinfo", types.MergePatchType, []byte(`{"spec":{"replicas":0}}`), metav1.PatchOptions{}))
		if d = c.after(t, 0); d.Status.Replicas != 0 || len(c.podsOf(t)) != 0 {
			t.Errorf("after scaling to zero: %+v", d.Status)
		}
		if err := c.typed.AppsV1().Deployments("test").Delete(c.ctx, "podinfo", metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		sets := mustDo[*appsv1.ReplicaSetList](t)(c.typed.AppsV1().ReplicaSets("test").List(c.ctx, metav1.ListOptions{}))
		if len(sets.Items) != 0 {
			t.Errorf("%d replica sets outlive their deployment", len(sets.Items))
		}
	})
}

func TestAPIDeploymentRollsToANewTemplateWithinItsBounds(t *testing.T) {
	t.Parallel()
	withCluster(t, ControllerOptions{}, func(t *testing.T, c *apiTest, _ *Controllers) {
		mustDo[*appsv1.Deployment](t)(c.typed.AppsV1().Deployments("test").Create(c.ctx, podinfo(4, "podinfo:6.0.0"), metav1.CreateOptions{}))
		c.after(t, time.Second)
		image := []byte(`[{"op":"replace","path":"/spec/template/spec/containers/0/image","value":"podinfo:6.0.1"}]`)
		mustDo[*appsv1.Deployment](t)(c.typed.AppsV1().Deployments("test").Patch(c.ctx, "podinfo", types.JSONPatchType, image, metav1.PatchOptions{}))
		mixed := false
		for range 20 {
			d := c.after(t, 50*time.Millisecond)
			if d.Status.AvailableReplicas < 3 || d.Status.Replicas > 5 {
				t.Fatalf("the update leaves its bounds: %+v", d.Status)
			}
			mixed = mixed || d.Status.UpdatedReplicas > 0 && d.Status.UpdatedReplicas < 4
		}
		d := c.after(t, time.Second)
		if !mixed || d.Status.UpdatedReplicas != 4 || d.Status.Replicas != 4 || d.Annotations["deployment.kubernetes.io/revision"] != "2" {
			t.Errorf("mixed %v; in the end: %v %+v", mixed, d.Annotations, d.Status)
		}
		for _, pod := range c.podsOf(t) {
			if pod.Spec.Containers[0].Image != "podinfo:6.0.1" {
				t.Errorf("pod %s still runs %s", pod.Name, pod.Spec.Containers[0].Image)
			}
		}
	})
}

func TestAPIPodsThatDoNotWorkSayWhy(t *testing.T) {
	t.Parallel()
	waiting := func(reason string) func(corev1.Pod) bool {
		return func(pod corev1.Pod) bool {
			return len(pod.Status.ContainerStatuses) == 1 && pod.Status.ContainerStatuses[0].State.Waiting != nil &&
				pod.Status.ContainerStatuses[0].State.Waiting.Reason == reason
		}
	}
	tests := map[string]struct {
		outcome PodOutcome
		says    func(corev1.Pod) bool
	}{
		"an image that cannot be pulled": {PodImagePullBackOff, waiting("ImagePullBackOff")},
		"a crash":                        {PodCrashLoopBackOff, waiting("CrashLoopBackOff")},
		"no room": {PodUnschedulable, func(pod corev1.Pod) bool {
			return pod.Status.Phase == corev1.PodPending && pod.Status.Conditions[0].Reason == corev1.PodReasonUnschedulable
		}},
		"a failing probe": {PodNotReady, func(pod corev1.Pod) bool {
			return pod.Status.Phase == corev1.PodRunning && !pod.Status.ContainerStatuses[0].Ready
		}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			withCluster(t, ControllerOptions{PodState: imageIn("podinfo:bad", test.outcome)}, func(t *testing.T, c *apiTest, _ *Controllers) {
				mustDo[*appsv1.Deployment](t)(c.typed.AppsV1().Deployments("test").Create(c.ctx, podinfo(1, "podinfo:bad"), metav1.CreateOptions{}))
				d := c.after(t, 599*time.Second)
				if condition := conditionOf(d, appsv1.DeploymentProgressing); condition.Status != corev1.ConditionTrue {
					t.Errorf("before the deadline: %+v", condition)
				}
				if pods := c.podsOf(t); len(pods) != 1 || !test.says(pods[0]) {
					t.Errorf("pods %+v", pods)
				}
				d = c.after(t, 2*time.Second)
				if condition := conditionOf(d, appsv1.DeploymentProgressing); condition.Reason != "ProgressDeadlineExceeded" || condition.Status != corev1.ConditionFalse {
					t.Errorf("after the deadline: %+v", condition)
				}
			})
		})
	}
}

func TestAPIReadyPodsCrashWhenAFaultStarts(t *testing.T) {
	t.Parallel()
	var crash atomic.Bool
	options := ControllerOptions{PodState: func(types.NamespacedName, *corev1.PodTemplateSpec) PodOutcome {
		if crash.Load() {
			return PodCrashLoopBackOff
		}
		return PodReady
	}}
	withCluster(t, options, func(t *testing.T, c *apiTest, controllers *Controllers) {
		mustDo[*appsv1.Deployment](t)(c.typed.AppsV1().Deployments("test").Create(c.ctx, podinfo(2, "podinfo:6.0.0"), metav1.CreateOptions{}))
		c.after(t, time.Second)
		crash.Store(true)
		controllers.Reconcile()
		d := c.after(t, 0)
		if d.Status.ReadyReplicas != 0 || c.podsOf(t)[0].Status.ContainerStatuses[0].RestartCount != 1 || conditionOf(d, appsv1.DeploymentAvailable).Status != corev1.ConditionFalse {
			t.Errorf("after the crash: %+v", d.Status)
		}
		if reason := conditionOf(d, appsv1.DeploymentProgressing).Reason; reason != "NewReplicaSetAvailable" {
			t.Errorf("a completed rollout is %s after a crash", reason)
		}
		crash.Store(false)
		controllers.Reconcile()
		if d = c.after(t, time.Second); d.Status.ReadyReplicas != 2 {
			t.Errorf("after the recovery: %+v", d.Status)
		}
	})
}

func TestAPIGatewayAcceptsEachGenerationOfARoute(t *testing.T) {
	t.Parallel()
	var refuse atomic.Bool
	options := ControllerOptions{RouteAfter: time.Second, RouteRefused: func(types.NamespacedName) string {
		if refuse.Load() {
			return "NoMatchingListenerHostname"
		}
		return ""
	}}
	withCluster(t, options, func(t *testing.T, c *apiTest, controllers *Controllers) {
		routes := c.dynamic.Resource(routesResource()).Namespace("test")
		mustDo[*unstructured.Unstructured](t)(routes.Create(c.ctx, fromYAML(t, routeYAML), metav1.CreateOptions{}))
		accepted := func(after time.Duration) (status any, generation any) {
			pass(after)
			route := mustDo[*unstructured.Unstructured](t)(routes.Get(c.ctx, "podinfo", metav1.GetOptions{}))
			for _, parent := range subObjects(subObject(route.Object, "status"), "parents") {
				condition := subObjects(parent, "conditions")[0]
				return condition["status"], condition["observedGeneration"]
			}
			return nil, nil
		}
		if status, _ := accepted(500 * time.Millisecond); status != nil {
			t.Errorf("before its delay the gateway said %v", status)
		}
		if status, generation := accepted(time.Second); status != "True" || generation != int64(1) {
			t.Errorf("accepted %v at generation %v", status, generation)
		}
		shift := []byte(`[{"op":"replace","path":"/spec/rules/0/backendRefs/0/weight","value":80}]`)
		mustDo[*unstructured.Unstructured](t)(routes.Patch(c.ctx, "podinfo", types.JSONPatchType, shift, metav1.PatchOptions{}))
		if _, generation := accepted(500 * time.Millisecond); generation != int64(1) {
			t.Errorf("the gateway knows generation %v before its delay", generation)
		}
		if _, generation := accepted(time.Second); generation != int64(2) {
			t.Errorf("the gateway knows generation %v, want 2", generation)
		}
		refuse.Store(true)
		controllers.Reconcile()
		if status, _ := accepted(0); status != "False" {
			t.Errorf("accepted %v, want a refusal", status)
		}
		if _, err := routes.Get(c.ctx, "other", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
			t.Errorf("another route: %v", err)
		}
	})
}
