package workload_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/rollout"
	"github.com/penstock-dev/penstock/internal/workload"
)

func sized(n int32) *appsv1.Deployment {
	return newTarget(func(d *appsv1.Deployment) { d.Spec.Replicas = &n })
}

func TestCanaryReplicas(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		target, primary *appsv1.Deployment
		scale           rollout.Scale
		want            int32
		change          bool
	}{
		"scaling up keeps the target's own replicas":           {sized(2), sized(5), rollout.ScaleUp, 2, false},
		"scaling up from zero takes the primary's replicas":    {sized(0), sized(5), rollout.ScaleUp, 5, true},
		"scaling up without a primary takes one":               {sized(0), nil, rollout.ScaleUp, 1, true},
		"scaling up beside a primary of zero takes one":        {sized(0), sized(0), rollout.ScaleUp, 1, true},
		"a target that names no replicas has one":              {newTarget(nil), sized(5), rollout.ScaleUp, 1, false},
		"scaling to zero is a change when there are some":      {sized(2), sized(5), rollout.ScaleZero, 0, true},
		"scaling to zero is none when there are none":          {sized(0), sized(5), rollout.ScaleZero, 0, false},
		"leaving it alone changes nothing":                     {sized(2), sized(5), rollout.ScaleLeave, 2, false},
		"leaving a target of zero alone changes nothing too":   {sized(0), sized(5), rollout.ScaleLeave, 0, false},
		"the zero value of a scale leaves the canary as it is": {sized(3), nil, rollout.Scale(0), 3, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n, change := workload.CanaryReplicas(live(t, test.target), live(t, test.primary), test.scale)
			if n != test.want || change != test.change {
				t.Errorf("got %d, %v; want %d, %v", n, change, test.want, test.change)
			}
		})
	}
}

func TestPrimaryReplicas(t *testing.T) {
	t.Parallel()
	scaled := func(c *canary.Canary) { c.Spec.AutoscalerRef = &canary.AutoscalerRef{} }
	tests := map[string]struct {
		canary          *canary.Canary
		target, primary *appsv1.Deployment
		want            int64
	}{
		"a new primary is as large as the target":           {newCanary(nil), sized(3), nil, 3},
		"a new primary has at least one pod":                {newCanary(nil), sized(0), nil, 1},
		"a promotion takes the target's replicas":           {newCanary(nil), sized(3), sized(7), 3},
		"a target of zero leaves the primary its own":       {newCanary(nil), sized(0), sized(7), 7},
		"a primary with an autoscaler keeps its own":        {newCanary(scaled), sized(3), sized(7), 7},
		"a primary that was scaled to zero gets one again":  {newCanary(scaled), sized(3), sized(0), 1},
		"a new primary with an autoscaler is the target's":  {newCanary(scaled), sized(3), nil, 3},
		"a target that names no replicas counts as one pod": {newCanary(nil), newTarget(nil), nil, 1},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if test.primary != nil {
				test.primary.Spec.Selector.MatchLabels = map[string]string{"app": "podinfo-primary"}
			}
			o, err := workload.RenderPrimary(test.canary, live(t, test.target), live(t, test.primary))
			if err != nil {
				t.Fatal(err)
			}
			if got, _, _ := unstructured.NestedInt64(o.Object, "spec", "replicas"); got != test.want {
				t.Errorf("got %d, want %d", got, test.want)
			}
		})
	}
}

func TestThePrimaryKeepsASelectorThatFits(t *testing.T) {
	t.Parallel()
	target := newTarget(func(d *appsv1.Deployment) { d.Spec.Template.Labels["tier"] = "web" })
	primary := newTarget(func(d *appsv1.Deployment) {
		d.Spec.Selector.MatchLabels = map[string]string{"app": "podinfo-primary", "tier": "web"}
	})
	o, err := workload.RenderPrimary(newCanary(nil), live(t, target), live(t, primary))
	if err != nil {
		t.Fatal(err)
	}
	got, _, _ := unstructured.NestedStringMap(o.Object, "spec", "selector", "matchLabels")
	if diff := cmp.Diff(primary.Spec.Selector.MatchLabels, got); diff != "" {
		t.Error(diff)
	}
}

func TestSetImage(t *testing.T) {
	t.Parallel()
	target := newTarget(func(d *appsv1.Deployment) {
		d.Spec.Template.Spec.InitContainers = []corev1.Container{{Name: "migrate", Image: "m:1"}}
		d.Spec.Template.Spec.Containers = append(d.Spec.Template.Spec.Containers, corev1.Container{Name: "side", Image: "s:1"})
	})
	tests := map[string]struct {
		images map[string]string
		want   string
	}{
		"an image that is set already is no patch": {map[string]string{"podinfo": "podinfo:1"}, ""},
		"no image is no patch":                     {nil, ""},
		"only what differs is patched": {
			map[string]string{"podinfo": "podinfo:2", "side": "s:1"},
			`{"spec":{"template":{"spec":{"containers":[{"name":"podinfo","image":"podinfo:2"}]}}}}`,
		},
		"init containers are patched too": {
			map[string]string{"podinfo": "podinfo:2", "migrate": "m:2"},
			`{"spec":{"template":{"spec":{"containers":[{"name":"podinfo","image":"podinfo:2"}],"initContainers":[{"name":"migrate","image":"m:2"}]}}}}`,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := workload.SetImage(live(t, target), test.images)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, string(got)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAdoptTakesThePodTemplateFromItsFirstWriter(t *testing.T) {
	t.Parallel()
	entry := func(manager, subresource, fields string, op metav1.ManagedFieldsOperationType) metav1.ManagedFieldsEntry {
		return metav1.ManagedFieldsEntry{
			Manager: manager, Operation: op, Subresource: subresource, APIVersion: "apps/v1",
			FieldsType: "FieldsV1", FieldsV1: metav1.NewFieldsV1(fields),
		}
	}
	flagger := entry("flagger", "", `{"f:spec":{"f:template":{"f:spec":{"f:hostNetwork":{}}}}}`, metav1.ManagedFieldsOperationUpdate)
	scaler := entry("kube-controller-manager", "scale", `{"f:spec":{"f:replicas":{}}}`, metav1.ManagedFieldsOperationUpdate)
	ours := entry("penstock", "", `{"f:spec":{"f:template":{}}}`, metav1.ManagedFieldsOperationApply)
	object := func(entries ...metav1.ManagedFieldsEntry) *unstructured.Unstructured {
		o := &unstructured.Unstructured{Object: map[string]any{"kind": "Deployment"}}
		o.SetManagedFields(entries)
		o.SetResourceVersion("7")
		return o
	}
	patch, err := workload.Adopt(object(flagger, scaler), "penstock")
	if err != nil {
		t.Fatal(err)
	}
	var operations []struct {
		Path  string
		Value json.RawMessage
	}
	if err := json.Unmarshal(patch, &operations); err != nil {
		t.Fatal(err)
	}
	text := string(patch)
	if len(operations) != 2 || string(operations[1].Value) != `"7"` || strings.Contains(text, `"flagger"`) ||
		!strings.Contains(text, `"manager":"penstock","operation":"Apply"`) || !strings.Contains(text, "kube-controller-manager") {
		t.Errorf("unexpected patch: %s", text)
	}
	if patch, err := workload.Adopt(object(ours, scaler), "penstock"); err != nil || patch != nil {
		t.Errorf("a primary of ours: got %s, %v; want no patch", patch, err)
	}
}
