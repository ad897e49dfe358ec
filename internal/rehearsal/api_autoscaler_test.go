package rehearsal

import (
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/penstock-dev/penstock/internal/canary"
)

func (c *apiTest) podinfo(t *testing.T, replicas int32) {
	t.Helper()
	mustDo[*appsv1.Deployment](t)(c.typed.AppsV1().Deployments("test").Create(c.ctx, podinfo(replicas, "podinfo:6.0.0"), metav1.CreateOptions{}))
}

func (c *apiTest) resize(t *testing.T, replicas string) {
	t.Helper()
	mustDo[*appsv1.Deployment](t)(c.typed.AppsV1().Deployments("test").Patch(c.ctx, "podinfo", types.MergePatchType,
		[]byte(`{"spec":{"replicas":`+replicas+`}}`), metav1.PatchOptions{}))
}

func TestAPIAnHPAKeepsTheReplicasWithinItsBoundsAndIsOffAtZero(t *testing.T) {
	t.Parallel()
	withCluster(t, ControllerOptions{}, func(t *testing.T, c *apiTest, _ *Controllers) {
		hpa := &autoscalingv2.HorizontalPodAutoscaler{
			ObjectMeta: metav1.ObjectMeta{Name: "podinfo"},
			Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
				ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "podinfo"}, MaxReplicas: 4,
			},
		}
		hpas := c.typed.AutoscalingV2().HorizontalPodAutoscalers("test")
		made := mustDo[*autoscalingv2.HorizontalPodAutoscaler](t)(hpas.Create(c.ctx, hpa, metav1.CreateOptions{}))
		if made.Spec.MinReplicas == nil || *made.Spec.MinReplicas != 1 {
			t.Errorf("minReplicas is %v, want the default of 1", made.Spec.MinReplicas)
		}
		c.podinfo(t, 7)
		for _, step := range []struct {
			to   string
			want int32
		}{{"7", 4}, {"2", 2}, {"0", 0}, {"5", 4}} {
			c.resize(t, step.to)
			d := c.after(t, time.Second)
			live := mustDo[*autoscalingv2.HorizontalPodAutoscaler](t)(hpas.Get(c.ctx, "podinfo", metav1.GetOptions{}))
			if *d.Spec.Replicas != step.want || live.Status.DesiredReplicas != step.want || live.Status.CurrentReplicas != step.want {
				t.Errorf("scaled to %s: %d replicas, status %+v, want %d", step.to, *d.Spec.Replicas, live.Status, step.want)
			}
		}
		settled := c.api.current()
		if c.after(t, time.Hour); c.api.current() != settled {
			t.Errorf("the controllers wrote %d times while nothing happened", c.api.current()-settled)
		}
	})
}

func TestAPIAPausedScaledObjectHoldsItsTarget(t *testing.T) {
	t.Parallel()
	withCluster(t, ControllerOptions{}, func(t *testing.T, c *apiTest, _ *Controllers) {
		so := &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "metadata": map[string]any{"name": "podinfo", "namespace": "test"},
			"spec": map[string]any{"scaleTargetRef": map[string]any{"name": "podinfo"}, "minReplicaCount": int64(2)},
		}}
		sos := c.dynamic.Resource(scaledObjectsResource()).Namespace("test")
		mustDo[*unstructured.Unstructured](t)(sos.Create(c.ctx, so, metav1.CreateOptions{}))
		c.podinfo(t, 1)
		if d := c.after(t, time.Second); *d.Spec.Replicas != 2 {
			t.Errorf("%d replicas below the least", *d.Spec.Replicas)
		}
		pause := func(value string) {
			t.Helper()
			mustDo[*unstructured.Unstructured](t)(sos.Patch(c.ctx, "podinfo", types.MergePatchType,
				[]byte(`{"metadata":{"annotations":{"autoscaling.keda.sh/paused-replicas":`+value+`}}}`), metav1.PatchOptions{}))
		}
		pause(`"0"`)
		c.resize(t, "3")
		if d := c.after(t, time.Second); *d.Spec.Replicas != 0 {
			t.Errorf("%d replicas while paused at zero", *d.Spec.Replicas)
		}
		pause("null")
		if d := c.after(t, time.Second); *d.Spec.Replicas != 2 {
			t.Errorf("%d replicas after the pause", *d.Spec.Replicas)
		}
	})
}

func TestAnAutoscalerThatTheFilesLackIsStoodInFor(t *testing.T) {
	t.Parallel()
	for kind, apiVersion := range map[string]string{"HorizontalPodAutoscaler": "autoscaling/v2", "ScaledObject": "keda.sh/v1alpha1"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			c := &canary.Canary{ObjectMeta: metav1.ObjectMeta{Name: "podinfo", Namespace: "shop"}}
			c.Spec.TargetRef = canary.ObjectRef{APIVersion: "apps/v1", Kind: "Deployment", Name: "podinfo"}
			c.Spec.AutoscalerRef = &canary.AutoscalerRef{APIVersion: apiVersion, Kind: kind, Name: "scaler"}
			stage, err := NewStage(c, nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			o := stage.find(kind, "scaler")
			if o == nil || o.GetAPIVersion() != apiVersion || o.GetNamespace() != "shop" || !kept(&canary.Canary{}, o) {
				t.Fatalf("the stand-in is %v", o)
			}
			if said := strings.Join(stage.StandIns, "\n"); !strings.Contains(said, kind+` "scaler": one with at least 1 and at most 2 replicas`) {
				t.Errorf("it is not said:\n%s", said)
			}
			again, err := NewStage(c, []*unstructured.Unstructured{o}, nil)
			if err != nil {
				t.Fatal(err)
			}
			if said := strings.Join(again.StandIns, "\n"); !strings.Contains(said, kind+` "scaler": keeps the replicas within its bounds`) {
				t.Errorf("it is not said of the user's own:\n%s", said)
			}
		})
	}
}
