package workload_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/penstock-dev/penstock/internal/rollout"
	"github.com/penstock-dev/penstock/internal/workload"
)

func newDaemonSet(change func(*appsv1.DaemonSet)) *appsv1.DaemonSet {
	from := newTarget(nil)
	d := &appsv1.DaemonSet{ObjectMeta: from.ObjectMeta, Spec: appsv1.DaemonSetSpec{Selector: from.Spec.Selector, Template: from.Spec.Template}}
	if change != nil {
		change(d)
	}
	return d
}

// nodes is a DaemonSet's status: nodes wanted, pods updated, ready and available.
func nodes(wanted, updated, ready, available int32, change ...func(*appsv1.DaemonSet)) *appsv1.DaemonSet {
	return newDaemonSet(func(d *appsv1.DaemonSet) {
		d.Generation, d.Status.ObservedGeneration = 4, 4
		d.Status.DesiredNumberScheduled, d.Status.UpdatedNumberScheduled = wanted, updated
		d.Status.NumberReady, d.Status.NumberAvailable = ready, available
		for _, c := range change {
			c(d)
		}
	})
}

func zeroNodes(d *appsv1.DaemonSet) {
	d.Spec.Template.Spec.NodeSelector = map[string]string{"flagger.app/scale-to-zero": "true"}
}

func TestReportSaysHowReadyADaemonSetIs(t *testing.T) {
	t.Parallel()
	pods := func(hashes ...string) string {
		var all []string
		for i, hash := range hashes {
			all = append(all, fmt.Sprintf(`- {metadata: {name: p%d, creationTimestamp: "2026-01-01T00:00:0%dZ", labels: {app: podinfo, controller-revision-hash: %s}},
  spec: {containers: [{name: podinfo, image: "podinfo:1"}]}, status: {conditions: [{type: Ready, status: "True"}]}}`, i, i, hash))
		}
		return strings.Join(all, "\n")
	}
	serving := rollout.Workload{Exists: true, Serving: true, Replicas: 10}
	with := func(w rollout.Workload, message string) rollout.Workload { w.Message = message; return w }
	ready := rollout.Workload{Exists: true, Serving: true, Ready: true, Replicas: 10}
	tests := map[string]struct {
		d         *appsv1.DaemonSet
		threshold int
		pods      string
		want      rollout.Workload
	}{
		"a pod on every node is ready": {nodes(10, 10, 10, 10), 100, "", ready},
		"one that is scaled to zero is not, whatever the counts still say": {
			nodes(10, 10, 10, 10, zeroNodes), 100, "",
			rollout.Workload{Exists: true, Serving: true, Message: "it is scaled to zero by the node selector flagger.app/scale-to-zero"},
		},
		"one that no node fits is not": {
			nodes(0, 0, 0, 0), 100, "",
			rollout.Workload{Exists: true, Message: "it has no pods to run: no node fits its node selector, its node affinity and its tolerations"},
		},
		"one that no node fits is not at a threshold of zero": {
			nodes(0, 0, 0, 0), 0, "",
			rollout.Workload{Exists: true, Message: "it has no pods to run: no node fits its node selector, its node affinity and its tolerations"},
		},
		"a change that was not observed is not": {
			nodes(10, 10, 10, 10, func(d *appsv1.DaemonSet) { d.Generation++ }), 100, "",
			with(serving, "waiting for rollout: Kubernetes has not taken up the last change yet"),
		},
		"pods that are not updated yet are waited for": {
			nodes(10, 7, 10, 10), 100, "", with(serving, "waiting for rollout: 7 of 10 pods updated"),
		},
		"pods that are not available are waited for": {nodes(10, 10, 9, 9), 100, "", with(serving, "9 of 10 pods available")},
		"pods that are ready but not for long enough say so": {
			nodes(10, 10, 10, 8, func(d *appsv1.DaemonSet) { d.Spec.MinReadySeconds = 5 }), 100, "",
			with(serving, "8 of 10 pods available, 2 ready for less than minReadySeconds (5 s)"),
		},
		"as many as the threshold asks for is ready":                   {nodes(10, 10, 9, 9), 90, "", ready},
		"a node that lags behind with a dead pod is let":               {nodes(10, 9, 9, 9), 90, pods("new", "new"), ready},
		"a node that lags behind with a pod that serves is waited for": {nodes(10, 9, 9, 9), 90, pods("old", "new"), with(serving, "waiting for rollout: 9 of 10 pods updated, old pods still ready: 1")},
		"fewer updated than the threshold asks for is not ready":       {nodes(10, 8, 9, 9), 90, pods("new"), with(serving, "waiting for rollout: 8 of 10 pods updated")},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			list := parts(t, *parse[[]*corev1.Pod](t, test.pods)...)
			got := workload.Report(live(t, test.d), list, workload.Ready{Threshold: test.threshold, Now: now})
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAPodOfTheOtherSideIsNotBlamed(t *testing.T) {
	t.Parallel()
	pod := *parse[corev1.Pod](t, `{metadata: {name: x, labels: {app: podinfo-primary}}, status: {phase: Pending}}`)
	got := workload.Report(live(t, nodes(2, 2, 1, 1)), parts(t, &pod), workload.Ready{Threshold: 100, Now: now})
	if want := "1 of 2 pods available"; got.Message != want {
		t.Errorf("got %q, want %q", got.Message, want)
	}
}

func TestTheScaleToZeroOfADaemonSetIsNoPartOfARevision(t *testing.T) {
	t.Parallel()
	up, down := newDaemonSet(nil), newDaemonSet(zeroNodes)
	other := newDaemonSet(func(d *appsv1.DaemonSet) { d.Spec.Template.Spec.NodeSelector = map[string]string{"disk": "ssd"} })
	revision := func(d *appsv1.DaemonSet) string { return workload.TargetRevision(live(t, d)) }
	if revision(up) != revision(down) {
		t.Error("scaling to zero is a new revision")
	}
	if revision(up) == revision(other) {
		t.Error("another node selector is no new revision")
	}
	if revision(up) != workload.TargetRevision(live(t, newTarget(nil))) {
		t.Error("the revision of a pod template depends on the kind")
	}
}

func TestADaemonSetIsScaledByAPatchOfItsNodeSelector(t *testing.T) {
	t.Parallel()
	const down = `{"spec":{"template":{"spec":{"nodeSelector":{"flagger.app/scale-to-zero":"true"}}}}}`
	const up = `{"spec":{"template":{"spec":{"nodeSelector":{"flagger.app/scale-to-zero":null}}}}}`
	for name, test := range map[string]struct {
		d    *appsv1.DaemonSet
		to   rollout.Scale
		want string
	}{
		"down":                       {newDaemonSet(nil), rollout.ScaleZero, down},
		"down when it is down":       {newDaemonSet(zeroNodes), rollout.ScaleZero, ""},
		"up":                         {newDaemonSet(zeroNodes), rollout.ScaleUp, up},
		"up when it is up":           {newDaemonSet(nil), rollout.ScaleUp, ""},
		"left alone when it is up":   {newDaemonSet(nil), rollout.ScaleLeave, ""},
		"left alone when it is down": {newDaemonSet(zeroNodes), rollout.ScaleLeave, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := ""
			if s := workload.ScaleCanary(live(t, test.d), nil, test.to); s != nil {
				got = string(s.Patch)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
