package workload_test

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/rollout"
	"github.com/penstock-dev/penstock/internal/workload"
)

const paused = "autoscaling.keda.sh/paused-replicas"

func TestOnlyAScaledObjectIsPausedAndOnlyAtZeroResumed(t *testing.T) {
	t.Parallel()
	const pause, resume = `{"metadata":{"annotations":{"autoscaling.keda.sh/paused-replicas":"0"}}}`,
		`{"metadata":{"annotations":{"autoscaling.keda.sh/paused-replicas":null}}}`
	tests := map[string]struct {
		of, at string // at: the annotation's value, "-" for none
		to     rollout.Scale
		want   string
	}{
		"an HPA is left alone":                        {"hpa", "-", rollout.ScaleZero, ""},
		"down pauses":                                 {"keda", "-", rollout.ScaleZero, pause},
		"down while paused changes nothing":           {"keda", "0", rollout.ScaleZero, ""},
		"down while paused at another number":         {"keda", "3", rollout.ScaleZero, pause},
		"up resumes":                                  {"keda", "0", rollout.ScaleUp, resume},
		"up while not paused changes nothing":         {"keda", "-", rollout.ScaleUp, ""},
		"up while somebody has paused it at a number": {"keda", "3", rollout.ScaleUp, ""},
		"leaving the canary leaves its autoscaler":    {"keda", "0", rollout.ScaleLeave, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, live, refs := scalerCase(t, test.of)
			o := live[refs.Target]
			unstructured.RemoveNestedField(o.Object, "metadata", "annotations")
			if test.at != "-" {
				o.SetAnnotations(map[string]string{paused: test.at})
			}
			if got := string(workload.PauseScaler(o, test.to)); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

func TestAnAutoscalerIsDescribedInOneLine(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		object   string
		replicas int
		want     string
	}{
		"an HPA": {`{kind: HorizontalPodAutoscaler, metadata: {name: podinfo}, spec: {minReplicas: 2, maxReplicas: 10}}`, 4, "HPA podinfo 2..10, now 4"},
		"an HPA that wants more": {
			`{kind: HorizontalPodAutoscaler, metadata: {name: podinfo}, spec: {maxReplicas: 10}, status: {desiredReplicas: 6}}`, 4,
			"HPA podinfo 1..10, now 4, wants 6",
		},
		"an HPA at zero, which is disabled": {
			`{kind: HorizontalPodAutoscaler, metadata: {name: podinfo}, spec: {maxReplicas: 10}, status: {desiredReplicas: 2,
			  conditions: [{type: ScalingActive, status: "False", reason: ScalingDisabled, message: scaling is disabled}]}}`, 0,
			"HPA podinfo 1..10, off at 0",
		},
		"an HPA without metrics": {
			`{kind: HorizontalPodAutoscaler, metadata: {name: podinfo}, spec: {maxReplicas: 10}, status: {desiredReplicas: 4,
			  conditions: [{type: AbleToScale, status: "True"}, {type: ScalingActive, status: "False", reason: FailedGetResourceMetric, message: no metrics known}]}}`, 4,
			"HPA podinfo 1..10, now 4; FailedGetResourceMetric: no metrics known",
		},
		"a ScaledObject": {`{kind: ScaledObject, metadata: {name: so}, spec: {minReplicaCount: 1}}`, 3, "ScaledObject so 1..100, now 3"},
		"a paused ScaledObject": {
			`{kind: ScaledObject, metadata: {name: so, annotations: {autoscaling.keda.sh/paused-replicas: "0"}}, spec: {maxReplicaCount: 5}}`, 0,
			"ScaledObject so 0..5, paused at 0",
		},
		"a ScaledObject that does not work": {
			`{kind: ScaledObject, metadata: {name: so}, spec: {maxReplicaCount: 5}, status: {conditions: [{type: Ready, status: "False", reason: ScaledObjectCheckFailed, message: no such trigger}]}}`, 2,
			"ScaledObject so 0..5, now 2; ScaledObjectCheckFailed: no such trigger",
		},
		"a ScaledObject that has fallen back": {
			`{kind: ScaledObject, metadata: {name: so}, spec: {maxReplicaCount: 5}, status: {conditions: [{type: Ready, status: "True"}, {type: Fallback, status: "True", message: prometheus is away}]}}`, 2,
			"ScaledObject so 0..5, now 2; fallback: prometheus is away",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := workload.ScalerText(asServed(t, test.object), test.replicas); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

func TestTheCanaryStartsWithItsAutoscalersFewest(t *testing.T) {
	t.Parallel()
	for floor, want := range map[int32]int32{0: 5, 1: 1, 3: 3} {
		target := live(t, sized(0))
		target.Floor = floor
		if got, change := workload.CanaryReplicas(target, live(t, sized(5)), rollout.ScaleUp); got != want || !change {
			t.Errorf("at least %d: %d, %v", floor, got, change)
		}
		target = live(t, sized(2))
		target.Floor = floor
		if got, change := workload.CanaryReplicas(target, live(t, sized(5)), rollout.ScaleUp); got != 2 || change {
			t.Errorf("with replicas of its own: %d, %v", got, change)
		}
	}
}

func TestThePrimaryHasAtLeastItsAutoscalersFewest(t *testing.T) {
	t.Parallel()
	scaled := func(least *int32) *canary.Canary {
		return newCanary(func(c *canary.Canary) {
			c.Spec.AutoscalerRef = &canary.AutoscalerRef{}
			if least != nil {
				c.Spec.AutoscalerRef.PrimaryScalerReplicas = &canary.ScalerReplicas{MinReplicas: least}
			}
		})
	}
	tests := map[string]struct {
		canary          *canary.Canary
		target, primary *appsv1.Deployment
		floor           int32
		want            int64
	}{
		"a target that is down":           {scaled(nil), sized(0), nil, 3, 3},
		"a target with more":              {scaled(nil), sized(5), nil, 3, 5},
		"the primary's own, which counts": {scaled(new(int32(4))), sized(2), nil, 3, 4},
		"a live primary with fewer":       {scaled(new(int32(4))), sized(2), sized(2), 3, 4},
		"a live primary with more":        {scaled(new(int32(4))), sized(2), sized(9), 3, 9},
		"no autoscaler":                   {newCanary(nil), sized(2), nil, 0, 2},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if test.primary != nil {
				test.primary.Spec.Selector.MatchLabels = map[string]string{"app": "podinfo-primary"}
			}
			target := live(t, test.target)
			target.Floor = test.floor
			o, err := workload.RenderPrimary(test.canary, target, live(t, test.primary))
			if err != nil {
				t.Fatal(err)
			}
			if got, _, _ := unstructured.NestedInt64(o.Object, "spec", "replicas"); got != test.want {
				t.Errorf("got %d, want %d", got, test.want)
			}
		})
	}
}
