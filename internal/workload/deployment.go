package workload

import (
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/rollout"
)

const (
	// replicaFailureGrace is how long Kubernetes may be unable to create a pod before the workload counts as broken. A
	// rolling update in a tight quota fails until the old pods are gone, 30 seconds by default.
	replicaFailureGrace = time.Minute

	deadlineExceeded = "ProgressDeadlineExceeded" // reason of the condition Progressing
)

var deployments = kind{
	gvr:         appsv1.SchemeGroupVersion.WithResource("deployments"),
	parts:       PodGVR,
	scaleBy:     "scale",
	content:     templateField,
	read:        readDeployment,
	check:       checkPods,
	revision:    podRevision,
	primary:     primaryDeployment,
	services:    podServices,
	selectParts: selectPods,
	report:      reportDeployment,
	scale:       scaleDeployment,
}

func readDeployment(live *unstructured.Unstructured, w *Workload) error {
	d, err := Read[appsv1.Deployment](live)
	if err != nil {
		return err
	}
	w.ObjectMeta, w.Template, w.Selector, w.typed = d.ObjectMeta, &d.Spec.Template, d.Spec.Selector, d
	w.Replicas = 1 // what Kubernetes takes none given for
	if d.Spec.Replicas != nil {
		w.Replicas = *d.Spec.Replicas
	}
	return nil
}

func primaryDeployment(c *canary.Canary, target, live *Workload) (*unstructured.Unstructured, error) {
	pods, err := copyPods(c, target, live)
	if err != nil {
		return nil, err
	}
	from, replicas := target.typed.(*appsv1.Deployment), primaryReplicas(c, target, live)
	return renderCopy(target, &appsv1.Deployment{
		TypeMeta:   metav1.TypeMeta{APIVersion: appsv1.SchemeGroupVersion.String(), Kind: target.Kind},
		ObjectMeta: pods.meta,
		Spec: appsv1.DeploymentSpec{
			Replicas: &replicas, Selector: pods.selector, Template: pods.template, Strategy: from.Spec.Strategy,
			MinReadySeconds: from.Spec.MinReadySeconds, RevisionHistoryLimit: from.Spec.RevisionHistoryLimit,
			ProgressDeadlineSeconds: from.Spec.ProgressDeadlineSeconds,
		},
	})
}

func reportDeployment(w *Workload, pods []*unstructured.Unstructured, want Ready) rollout.Workload {
	d := w.typed.(*appsv1.Deployment)
	r := rollout.Workload{Replicas: int(w.Replicas), Serving: d.Status.AvailableReplicas > 0}
	waiting := deploymentWaits(d, w.Replicas, want.Threshold)
	if r.Ready = waiting == ""; r.Ready {
		return r
	}
	var cause string
	cause, r.Broken = deploymentFailure(d, w.Replicas, want)
	r.Message = sentence(cause, waiting, worstPod(newest(w, pods)))
	return r
}

// deploymentWaits returns what keeps a Deployment from being ready, or nothing. Old pods must be gone: as long as there
// are some, the number of available pods says nothing about the new ones, and part of the traffic reaches the old revision.
func deploymentWaits(d *appsv1.Deployment, wanted int32, threshold int) string {
	s := &d.Status
	switch {
	case wanted == 0:
		return "it is scaled to zero"
	case d.Generation > s.ObservedGeneration:
		return notTakenUp
	case s.UpdatedReplicas > wanted:
		return fmt.Sprintf("waiting for rollout: %d updated pods, wanted: %d", s.UpdatedReplicas, wanted)
	case d.Spec.Paused && s.UpdatedReplicas != wanted:
		return fmt.Sprintf("the Deployment is paused (spec.paused) with %s updated", share(s.UpdatedReplicas, wanted))
	case s.UpdatedReplicas != wanted:
		return fmt.Sprintf("waiting for rollout: %s updated", share(s.UpdatedReplicas, wanted))
	case s.Replicas > s.UpdatedReplicas:
		return fmt.Sprintf("waiting for rollout: %s available, old pods still there: %d",
			share(s.AvailableReplicas, wanted), s.Replicas-s.UpdatedReplicas)
	}
	return availability{
		wanted: wanted, ready: s.ReadyReplicas, available: s.AvailableReplicas,
		threshold: threshold, minReady: d.Spec.MinReadySeconds,
	}.lacks()
}

// deploymentFailure returns what Kubernetes says has failed, or nothing, and whether that is final: the progress deadline,
// and pods that could not be created for longer than a rolling update may take to make room. Conditions are believed only
// once Kubernetes has taken up the last change, since before that they speak of the revision before.
func deploymentFailure(d *appsv1.Deployment, wanted int32, want Ready) (cause string, final bool) {
	if d.Generation > d.Status.ObservedGeneration || wanted == 0 {
		return "", false
	}
	if f := condition(d, appsv1.DeploymentReplicaFailure); f != nil && f.Status == corev1.ConditionTrue {
		patience := replicaFailureGrace
		if want.Deadline > 0 {
			patience = min(patience, want.Deadline)
		}
		cause = colons("pods cannot be created", f.Message)
		final = want.Now.Sub(f.LastTransitionTime.Time) >= patience
	}
	if p := condition(d, appsv1.DeploymentProgressing); p != nil && p.Status == corev1.ConditionFalse && p.Reason == deadlineExceeded {
		return sentence("progress deadline exceeded", cause), true
	}
	return cause, final
}

func condition(d *appsv1.Deployment, of appsv1.DeploymentConditionType) *appsv1.DeploymentCondition {
	for i := range d.Status.Conditions {
		if d.Status.Conditions[i].Type == of {
			return &d.Status.Conditions[i]
		}
	}
	return nil
}

// scaleDeployment goes through the scale subresource, so that no other field of the target is touched.
func scaleDeployment(target, primary *Workload, to rollout.Scale) *Scaling {
	n, change := CanaryReplicas(target, primary, to)
	if !change {
		return nil
	}
	return &Scaling{Patch: fmt.Appendf(nil, `{"spec":{"replicas":%d}}`, n), To: fmt.Sprint(n)}
}
