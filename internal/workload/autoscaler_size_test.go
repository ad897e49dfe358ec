package workload_test

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/penstock-dev/penstock/internal/rollout"
	"github.com/penstock-dev/penstock/internal/workload"
)

// sizePod is a pod of podinfo whose container started at 10 seconds and whose readiness last changed at another time.
func sizePod(name string, ready bool, changed int, change func(p *corev1.Pod)) *corev1.Pod {
	at := func(seconds int) metav1.Time { return metav1.NewTime(time.Unix(int64(seconds), 0)) }
	status := corev1.ConditionFalse
	if ready {
		status = corev1.ConditionTrue
	}
	target := newTarget(nil)
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"app": "podinfo", "pod-template-hash": "a"}},
		Spec:       *target.Spec.Template.Spec.DeepCopy(),
		Status: corev1.PodStatus{
			Conditions:        []corev1.PodCondition{{Type: corev1.PodReady, Status: status, LastTransitionTime: at(changed)}},
			ContainerStatuses: []corev1.ContainerStatus{{State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: at(10)}}}},
		},
	}
	if change != nil {
		change(p)
	}
	return p
}

func TestAWorkloadThatOnlyChangesItsSizeIsToldFromOneThatLostPods(t *testing.T) {
	t.Parallel()
	served := sizePod("a", true, 12, nil)
	waiting := rollout.Workload{Exists: true, Serving: true}
	tests := map[string]struct {
		report rollout.Workload
		pods   []*corev1.Pod
		want   bool
	}{
		"a new pod starts":                {waiting, []*corev1.Pod{served, sizePod("b", false, 9, nil)}, true},
		"a new pod in its first second":   {waiting, []*corev1.Pod{served, sizePod("b", false, 10, nil)}, true},
		"a new pod that no node has yet":  {waiting, []*corev1.Pod{served, sizePod("b", false, 0, func(p *corev1.Pod) { p.Status = corev1.PodStatus{} })}, true},
		"a pod too many is about to go":   {waiting, []*corev1.Pod{served, sizePod("b", true, 12, nil), sizePod("c", true, 12, nil)}, true},
		"the new pod is not made yet":     {waiting, []*corev1.Pod{served}, true},
		"a pod is no longer ready":        {waiting, []*corev1.Pod{served, sizePod("b", false, 30, nil)}, false},
		"a new pod crashes":               {waiting, []*corev1.Pod{served, sizePod("b", false, 9, func(p *corev1.Pod) { p.Status.ContainerStatuses[0].RestartCount = 1 })}, false},
		"a pod has failed":                {waiting, []*corev1.Pod{served, sizePod("b", false, 9, func(p *corev1.Pod) { p.Status.Phase = corev1.PodFailed })}, false},
		"another template is on its way":  {waiting, []*corev1.Pod{served, sizePod("b", false, 9, func(p *corev1.Pod) { p.Labels["pod-template-hash"] = "b" })}, false},
		"no pod serves":                   {waiting, []*corev1.Pod{sizePod("b", false, 9, nil)}, false},
		"nothing is known of its pods":    {waiting, nil, false},
		"it is ready":                     {rollout.Workload{Ready: true, Serving: true}, []*corev1.Pod{served}, false},
		"it is broken":                    {rollout.Workload{Broken: true, Serving: true}, []*corev1.Pod{served}, false},
		"it serves nobody by its own say": {rollout.Workload{}, []*corev1.Pod{served}, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := live(t, sized(2))
			if got := workload.Resizing(&test.report, w, parts(t, test.pods...)); got != test.want {
				t.Errorf("got %v", got)
			}
		})
	}
	if workload.Resizing(&waiting, nil, nil) || workload.Resizing(&waiting, live(t, sized(0)), parts(t, served)) {
		t.Error("what is not there or at zero is resizing")
	}
}
