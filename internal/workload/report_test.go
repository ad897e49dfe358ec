package workload_test

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/penstock-dev/penstock/internal/rollout"
	"github.com/penstock-dev/penstock/internal/workload"
)

var now = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)

// counts is a Deployment's status: wanted, all, updated and available pods.
func counts(wanted, all, updated, available int32, change ...func(*appsv1.Deployment)) *appsv1.Deployment {
	return newTarget(func(d *appsv1.Deployment) {
		d.Generation, d.Status.ObservedGeneration = 4, 4
		d.Spec.Replicas = &wanted
		d.Status.Replicas, d.Status.UpdatedReplicas = all, updated
		d.Status.ReadyReplicas, d.Status.AvailableReplicas = available, available
		for _, c := range change {
			c(d)
		}
	})
}

func withCondition(of appsv1.DeploymentConditionType, status corev1.ConditionStatus, reason, message string, age time.Duration) func(*appsv1.Deployment) {
	return func(d *appsv1.Deployment) {
		d.Status.Conditions = append(d.Status.Conditions, appsv1.DeploymentCondition{
			Type: of, Status: status, Reason: reason, Message: message, LastTransitionTime: metav1.NewTime(now.Add(-age)),
		})
	}
}

func TestReportSaysHowReadyADeploymentIs(t *testing.T) {
	t.Parallel()
	late := withCondition(appsv1.DeploymentProgressing, corev1.ConditionFalse, "ProgressDeadlineExceeded", "", 0)
	quota := func(age time.Duration) func(*appsv1.Deployment) {
		return withCondition(appsv1.DeploymentReplicaFailure, corev1.ConditionTrue, "FailedCreate",
			`pods "podinfo-7d9c-" is forbidden: exceeded quota: small`, age)
	}
	tests := map[string]struct {
		d         *appsv1.Deployment
		threshold int
		want      rollout.Workload
	}{
		"a Deployment that is not there does not exist":   {nil, 100, rollout.Workload{Message: "it does not exist"}},
		"all pods updated and available is ready":         {counts(3, 3, 3, 3), 100, rollout.Workload{Exists: true, Ready: true, Serving: true, Replicas: 3}},
		"as many pods as the threshold asks for is ready": {counts(4, 4, 4, 3), 75, rollout.Workload{Exists: true, Ready: true, Serving: true, Replicas: 4}},
		"fewer pods than the threshold asks for is not ready": {
			counts(4, 4, 4, 2), 75, rollout.Workload{Exists: true, Serving: true, Replicas: 4, Message: "2 of 4 pods available, 75 % needed"},
		},
		"a threshold of zero still needs a pod": {
			counts(1, 1, 1, 0), 0, rollout.Workload{Exists: true, Replicas: 1, Message: "0 of 1 pod available, 0 % needed"},
		},
		"zero pods are not ready": {
			counts(0, 0, 0, 0), 100, rollout.Workload{Exists: true, Message: "it is scaled to zero"},
		},
		"zero pods are not broken by an old condition": {
			counts(0, 0, 0, 0, late), 100, rollout.Workload{Exists: true, Message: "it is scaled to zero"},
		},
		"a change that was not observed is not ready, whatever the counts say": {
			counts(3, 3, 3, 3, late, func(d *appsv1.Deployment) { d.Generation++ }), 100,
			rollout.Workload{Exists: true, Serving: true, Replicas: 3, Message: "waiting for rollout: Kubernetes has not taken up the last change yet"},
		},
		"pods that are not updated yet are waited for": {
			counts(3, 4, 1, 3), 100, rollout.Workload{Exists: true, Serving: true, Replicas: 3, Message: "waiting for rollout: 1 of 3 pods updated"},
		},
		"old pods do not count as available new ones": {
			counts(2, 4, 2, 2), 100,
			rollout.Workload{Exists: true, Serving: true, Replicas: 2, Message: "waiting for rollout: 2 of 2 pods available, old pods still there: 2"},
		},
		"too many updated pods are waited for": {
			counts(1, 3, 3, 3), 100, rollout.Workload{Exists: true, Serving: true, Replicas: 1, Message: "waiting for rollout: 3 updated pods, wanted: 1"},
		},
		"a paused Deployment says so": {
			counts(3, 3, 0, 3, func(d *appsv1.Deployment) { d.Spec.Paused = true }), 100,
			rollout.Workload{Exists: true, Serving: true, Replicas: 3, Message: "the Deployment is paused (spec.paused) with 0 of 3 pods updated"},
		},
		"pods that are ready but not for long enough say so": {
			counts(3, 3, 3, 1, func(d *appsv1.Deployment) { d.Spec.MinReadySeconds, d.Status.ReadyReplicas = 10, 3 }), 100,
			rollout.Workload{Exists: true, Serving: true, Replicas: 3, Message: "1 of 3 pods available, 2 ready for less than minReadySeconds (10 s)"},
		},
		"an exceeded progress deadline is final": {
			counts(3, 3, 3, 0, late), 100,
			rollout.Workload{Exists: true, Broken: true, Replicas: 3, Message: "progress deadline exceeded; 0 of 3 pods available"},
		},
		"a quota may make room within a minute": {
			counts(3, 1, 1, 1, quota(10*time.Second)), 100, rollout.Workload{Exists: true, Serving: true, Replicas: 3,
				Message: `pods cannot be created: pods "podinfo-7d9c-" is forbidden: exceeded quota: small; waiting for rollout: 1 of 3 pods updated`},
		},
		"a quota that makes no room is final": {
			counts(3, 1, 1, 1, quota(time.Minute)), 100, rollout.Workload{Exists: true, Serving: true, Broken: true, Replicas: 3,
				Message: `pods cannot be created: pods "podinfo-7d9c-" is forbidden: exceeded quota: small; waiting for rollout: 1 of 3 pods updated`},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := workload.Report(live(t, test.d), nil, workload.Ready{Threshold: test.threshold, Deadline: 10 * time.Minute, Now: now})
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestReportNamesThePodThatIsWorstOffAndWhy(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ pods, want string }{
		"a pod that is ready is no news": {
			`- {metadata: {name: a}, status: {containerStatuses: [{name: podinfo, ready: true, state: {running: {}}}]}}`, "",
		},
		"an image that cannot be pulled": {
			`- {metadata: {name: a}, status: {phase: Pending, containerStatuses: [{name: podinfo, state: {waiting: {reason: ImagePullBackOff, message: 'Back-off pulling image "x:2"'}}}]}}`,
			`pod a: container podinfo: ImagePullBackOff: Back-off pulling image "x:2"`,
		},
		"a crash loop by lack of memory": {
			`- {metadata: {name: a}, status: {containerStatuses: [{name: podinfo, restartCount: 5, state: {waiting: {reason: CrashLoopBackOff, message: back-off 5m0s}}, lastState: {terminated: {exitCode: 137, reason: OOMKilled}}}]}}`,
			`pod a: container podinfo: CrashLoopBackOff: last exit code 137 (OOMKilled), 5 restarts`,
		},
		"a crash loop by an error, with how long it lived": {
			`- {metadata: {name: a}, status: {containerStatuses: [{name: podinfo, restartCount: 1, state: {waiting: {reason: CrashLoopBackOff}}, lastState: {terminated: {exitCode: 1, reason: Error, startedAt: "2026-01-01T00:00:00Z", finishedAt: "2026-01-01T00:00:03Z"}}}]}}`,
			`pod a: container podinfo: CrashLoopBackOff: last exit code 1 after 3s, 1 restart`,
		},
		"a container that has just ended": {
			`- {metadata: {name: a}, status: {containerStatuses: [{name: podinfo, state: {terminated: {exitCode: 2, reason: Error, message: 'no config'}}}]}}`,
			`pod a: container podinfo: ended with exit code 2: no config`,
		},
		"a missing ConfigMap": {
			`- {metadata: {name: a}, status: {containerStatuses: [{name: podinfo, state: {waiting: {reason: CreateContainerConfigError, message: 'configmap "c" not found'}}}]}}`,
			`pod a: container podinfo: CreateContainerConfigError: configmap "c" not found`,
		},
		"a pod that no node can take": {
			`- {metadata: {name: a}, status: {phase: Pending, conditions: [{type: PodScheduled, status: "False", reason: Unschedulable, message: "0/3 nodes are available: 3 Insufficient cpu."}]}}`,
			`pod a: Unschedulable: 0/3 nodes are available: 3 Insufficient cpu.`,
		},
		"a pod that no node has started": {
			`- {metadata: {name: a}, status: {phase: Pending}}`, `pod a: Pending: the node has not started it yet`,
		},
		"a readiness probe that does not pass": {
			`- {metadata: {name: a}, spec: {containers: [{name: podinfo, readinessProbe: {}}]}, status: {conditions: [{type: Ready, status: "False", reason: ContainersNotReady, message: x}], containerStatuses: [{name: podinfo, started: true, state: {running: {}}}]}}`,
			`pod a: container podinfo: running, but its readiness probe does not pass`,
		},
		"a startup probe that has not passed": {
			`- {metadata: {name: a}, spec: {containers: [{name: podinfo, readinessProbe: {}, startupProbe: {}}]}, status: {containerStatuses: [{name: podinfo, started: false, restartCount: 2, state: {running: {}}, lastState: {terminated: {exitCode: 143}}}]}}`,
			`pod a: container podinfo: running, but its startup probe has not passed yet, last exit code 143, 2 restarts`,
		},
		"a readiness gate that is not passed": {
			`- {metadata: {name: a}, status: {conditions: [{type: Ready, status: "False", reason: ReadinessGatesNotReady, message: 'corresponding condition of pod readiness gate "lb" does not exist.'}], containerStatuses: [{name: podinfo, ready: true, state: {running: {}}}]}}`,
			`pod a: not ready: ReadinessGatesNotReady: corresponding condition of pod readiness gate "lb" does not exist.`,
		},
		"an init container that crashes": {
			`- {metadata: {name: a}, status: {phase: Pending, initContainerStatuses: [{name: migrate, restartCount: 3, state: {waiting: {reason: CrashLoopBackOff}}, lastState: {terminated: {exitCode: 1}}}], containerStatuses: [{name: podinfo, state: {waiting: {reason: PodInitializing}}}]}}`,
			`pod a: init container migrate: CrashLoopBackOff: last exit code 1, 3 restarts`,
		},
		"an init container that still runs": {
			`- {metadata: {name: a}, status: {phase: Pending, initContainerStatuses: [{name: done, state: {terminated: {}}}, {name: migrate, state: {running: {}}}], containerStatuses: [{name: podinfo, state: {waiting: {reason: PodInitializing}}}]}}`,
			`pod a: init container migrate: still running`,
		},
		"a sidecar that runs is no news": {
			`- {metadata: {name: a}, spec: {initContainers: [{name: proxy, restartPolicy: Always}]}, status: {initContainerStatuses: [{name: proxy, ready: true, state: {running: {}}}], containerStatuses: [{name: podinfo, ready: true, state: {running: {}}}]}}`, "",
		},
		"an evicted pod": {
			`- {metadata: {name: a}, status: {phase: Failed, reason: Evicted, message: 'The node was low on resource: memory.'}}`,
			`pod a: Evicted: The node was low on resource: memory.`,
		},
		"the worst of several, whatever their order": {
			`- {metadata: {name: a}, status: {phase: Pending}}
- {metadata: {name: c}, status: {containerStatuses: [{name: podinfo, state: {waiting: {reason: ErrImagePull, message: not found}}}]}}
- {metadata: {name: b}, status: {containerStatuses: [{name: podinfo, state: {waiting: {reason: ErrImagePull, message: not found}}}]}}
- {metadata: {name: d}, status: {containerStatuses: [{name: podinfo, state: {waiting: {reason: ContainerCreating}}}]}}`,
			`pod b: container podinfo: ErrImagePull: not found`,
		},
		"a pod of an old template does not matter": {
			`- {metadata: {name: a, labels: {pod-template-hash: old}}, spec: {containers: [{name: podinfo, image: "podinfo:0"}]}, status: {containerStatuses: [{name: podinfo, state: {waiting: {reason: ErrImagePull}}}]}}
- {metadata: {name: b, labels: {pod-template-hash: new}}, spec: {containers: [{name: podinfo, image: "podinfo:1"}]}, status: {phase: Pending}}`,
			`pod b: Pending: the node has not started it yet`,
		},
		"of two templates with one image the last created matters": {
			`- {metadata: {name: a, labels: {pod-template-hash: old}, creationTimestamp: "2026-01-01T00:00:00Z"}, spec: {containers: [{name: podinfo, image: "podinfo:1"}]}, status: {containerStatuses: [{name: podinfo, state: {waiting: {reason: ErrImagePull}}}]}}
- {metadata: {name: b, labels: {pod-template-hash: new}, creationTimestamp: "2026-01-01T00:00:01Z"}, spec: {containers: [{name: podinfo, image: "podinfo:1"}, {name: injected, image: i}]}, status: {phase: Pending}}`,
			`pod b: Pending: the node has not started it yet`,
		},
		"a pod that is being deleted does not matter": {
			`- {metadata: {name: a, deletionTimestamp: "2026-01-01T00:00:00Z"}, status: {phase: Pending}}`, "",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pods := *parse[[]*corev1.Pod](t, test.pods)
			for _, pod := range pods {
				metav1.SetMetaDataLabel(&pod.ObjectMeta, "app", "podinfo")
			}
			got := workload.Report(live(t, counts(3, 3, 3, 1)), parts(t, pods...), workload.Ready{Threshold: 100, Now: now})
			want := "1 of 3 pods available"
			if test.want != "" {
				want += "; " + test.want
			}
			if diff := cmp.Diff(want, got.Message); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAMessageIsOneLineOfBoundedLength(t *testing.T) {
	t.Parallel()
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "a", Labels: map[string]string{"app": "podinfo"}}}
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "podinfo"}}
	pod.Status.ContainerStatuses[0].State.Waiting = &corev1.ContainerStateWaiting{
		Reason: "CreateContainerError", Message: "first\n\tsecond " + strings.Repeat("é", 1000),
	}
	got := workload.Report(live(t, counts(3, 3, 3, 1)), parts(t, pod), workload.Ready{Threshold: 100, Revision: "abc"})
	if n := utf8.RuneCountInString(got.Message); n != 300 {
		t.Errorf("the message is %d characters long", n)
	}
	if want := "1 of 3 pods available; pod a: container podinfo: CreateContainerError: first second é"; !strings.HasPrefix(got.Message, want) {
		t.Errorf("got %q", got.Message)
	}
	if got.Revision != "abc" {
		t.Errorf("the revision is %q", got.Revision)
	}
}
