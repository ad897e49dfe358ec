package workload

import (
	"fmt"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/penstock-dev/penstock/internal/rollout"
)

const (
	// messageLength bounds a message, in characters: it has to fit a line of a log and a cell of a table.
	messageLength = 300

	// replicaFailureGrace is how long Kubernetes may be unable to create a pod before the workload counts as broken. A
	// rolling update in a tight quota fails until the old pods are gone, 30 seconds by default.
	replicaFailureGrace = time.Minute

	deadlineExceeded = "ProgressDeadlineExceeded" // reason of the condition Progressing
)

// Ready says what ready means for a workload.
type Ready struct {
	Revision  string        // of the workload's pod template; copied into the report
	Threshold int           // percent of the wanted pods that must be available
	Deadline  time.Duration // shortens the patience with failing pod creation when it is below a minute
	Now       time.Time
}

// Report says how ready a Deployment is, and when it is not, which pod keeps it from it and why. pods are the pods that
// its selector matches. A nil Deployment does not exist.
func Report(d *appsv1.Deployment, pods []*corev1.Pod, want Ready) rollout.Workload {
	if d == nil {
		return rollout.Workload{Message: "it does not exist"}
	}
	w := rollout.Workload{
		Exists: true, Revision: want.Revision, Replicas: int(Replicas(d)), Serving: d.Status.AvailableReplicas > 0,
	}
	waiting := waitingFor(d, want.Threshold)
	w.Ready = waiting == ""
	if w.Ready {
		return w
	}
	var cause string
	cause, w.Broken = failure(d, want)
	w.Message = sentence(cause, waiting, worstPod(newest(d, pods)))
	return w
}

// waitingFor returns what keeps a Deployment from being ready, or nothing. Old pods must be gone: as long as there are
// some, the number of available pods says nothing about the new ones, and part of the traffic reaches the old revision.
func waitingFor(d *appsv1.Deployment, threshold int) string {
	wanted, s := Replicas(d), &d.Status
	switch {
	case wanted == 0:
		return "it is scaled to zero"
	case d.Generation > s.ObservedGeneration:
		return "waiting for rollout: Kubernetes has not taken up the last change yet"
	case s.UpdatedReplicas > wanted:
		return fmt.Sprintf("waiting for rollout: %d updated pods, wanted: %d", s.UpdatedReplicas, wanted)
	case d.Spec.Paused && s.UpdatedReplicas != wanted:
		return fmt.Sprintf("the Deployment is paused (spec.paused) with %s updated", share(s.UpdatedReplicas, wanted))
	case s.UpdatedReplicas != wanted:
		return fmt.Sprintf("waiting for rollout: %s updated", share(s.UpdatedReplicas, wanted))
	case s.Replicas > s.UpdatedReplicas:
		return fmt.Sprintf("waiting for rollout: %s available, old pods still there: %d",
			share(s.AvailableReplicas, wanted), s.Replicas-s.UpdatedReplicas)
	case int64(s.AvailableReplicas)*100 < int64(wanted)*int64(threshold) || s.AvailableReplicas == 0:
		return availability(d, threshold)
	}
	return ""
}

func availability(d *appsv1.Deployment, threshold int) string {
	text := share(d.Status.AvailableReplicas, Replicas(d)) + " available"
	if threshold != 100 {
		text += fmt.Sprintf(", %d %% needed", threshold)
	}
	if seconds := d.Spec.MinReadySeconds; seconds > 0 && d.Status.ReadyReplicas > d.Status.AvailableReplicas {
		text += fmt.Sprintf(", %d ready for less than minReadySeconds (%d s)", d.Status.ReadyReplicas-d.Status.AvailableReplicas, seconds)
	}
	return text
}

func share(n, of int32) string {
	if of == 1 {
		return fmt.Sprintf("%d of 1 pod", n)
	}
	return fmt.Sprintf("%d of %d pods", n, of)
}

// failure returns what Kubernetes says has failed, or nothing, and whether that is final: the progress deadline, and pods
// that could not be created for longer than a rolling update may take to make room. Conditions are believed only once
// Kubernetes has taken up the last change, since before that they speak of the revision before.
func failure(d *appsv1.Deployment, want Ready) (cause string, final bool) {
	if d.Generation > d.Status.ObservedGeneration || Replicas(d) == 0 {
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

// sentence joins the parts that say something, on one line of bounded length.
func sentence(parts ...string) string {
	var said []string
	for _, part := range parts {
		if part = strings.Join(strings.Fields(part), " "); part != "" {
			said = append(said, part)
		}
	}
	text := []rune(strings.Join(said, "; "))
	if len(text) > messageLength {
		text = append(text[:messageLength-1], '…')
	}
	return string(text)
}
