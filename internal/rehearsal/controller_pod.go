package rehearsal

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// podMemory is what the kubelet knows of a pod, with times more exact than the API's seconds.
type podMemory struct {
	created time.Time
	outcome PodOutcome
	// since is when the outcome began.
	since      time.Time
	started    bool
	ready      bool
	readySince time.Time
	restarts   int32
	ip         string
}

// syncPod lets time pass for a pod of a workload, and writes what has become of it.
func (c *Controllers) syncPod(of types.NamespacedName, template *corev1.PodTemplateSpec, pod *corev1.Pod) *podMemory {
	now := c.clock.Now()
	outcome := PodReady
	if c.options.PodState != nil {
		outcome = c.options.PodState(of, template.DeepCopy())
	}
	memory := c.pods[pod.UID]
	if memory == nil {
		c.lastIP++
		memory = &podMemory{created: now, outcome: outcome, since: now, ip: fmt.Sprintf("10.244.%d.%d", c.lastIP/254, c.lastIP%254+1)}
		c.pods[pod.UID] = memory
		memory.enter(outcome)
	}
	if memory.outcome != outcome {
		memory.outcome, memory.since = outcome, now
		memory.enter(outcome)
	}
	if outcome == PodReady && !memory.ready {
		when := memory.since.Add(c.options.ReadyAfter)
		if when.After(now) {
			c.at(when)
		} else {
			memory.started, memory.ready, memory.readySince = true, true, when
		}
	}
	pod.Status = memory.status(pod)
	// A pod that has gone meanwhile needs no status.
	_ = c.writeStatus(pod)
	return memory
}

// enter begins an outcome: whatever it is, the pod is not ready at first.
func (m *podMemory) enter(outcome PodOutcome) {
	m.ready = false
	switch outcome {
	case PodCrashLoopBackOff:
		m.started = true
		m.restarts++
	case PodNotReady:
		m.started = true
	}
}

// status is what the kubelet says of the pod.
func (m *podMemory) status(pod *corev1.Pod) corev1.PodStatus {
	scheduled := m.outcome != PodUnschedulable || m.started
	status := corev1.PodStatus{Phase: corev1.PodPending, QOSClass: corev1.PodQOSBestEffort}
	status.Conditions = m.conditions(scheduled)
	if !scheduled {
		return status
	}
	start := metav1.NewTime(m.created)
	status.StartTime = &start
	status.HostIP = "10.0.0.1"
	if m.started {
		status.Phase = corev1.PodRunning
		status.PodIP = m.ip
		status.PodIPs = []corev1.PodIP{{IP: m.ip}}
	}
	for _, container := range pod.Spec.Containers {
		status.ContainerStatuses = append(status.ContainerStatuses, m.container(pod, container))
	}
	return status
}

func (m *podMemory) conditions(scheduled bool) []corev1.PodCondition {
	condition := func(kind corev1.PodConditionType, ok bool, since time.Time) corev1.PodCondition {
		c := corev1.PodCondition{Type: kind, Status: corev1.ConditionFalse, LastTransitionTime: metav1.NewTime(since)}
		if ok {
			c.Status = corev1.ConditionTrue
		}
		return c
	}
	placed := condition(corev1.PodScheduled, scheduled, m.created)
	if !scheduled {
		placed.Reason = corev1.PodReasonUnschedulable
		placed.Message = "0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod."
		return []corev1.PodCondition{placed}
	}
	since := m.since
	if m.ready {
		since = m.readySince
	}
	conditions := []corev1.PodCondition{
		condition(corev1.PodReadyToStartContainers, true, m.created),
		condition(corev1.PodInitialized, true, m.created),
		condition(corev1.PodReady, m.ready, since),
		condition(corev1.ContainersReady, m.ready, since),
		placed,
	}
	if !m.ready {
		for i := 2; i < 4; i++ {
			conditions[i].Reason = "ContainersNotReady"
			conditions[i].Message = "containers with unready status"
		}
	}
	return conditions
}

func (m *podMemory) container(pod *corev1.Pod, container corev1.Container) corev1.ContainerStatus {
	started := m.started && m.outcome != PodCrashLoopBackOff && m.outcome != PodImagePullBackOff
	status := corev1.ContainerStatus{Name: container.Name, Image: container.Image, Ready: m.ready, Started: &started, RestartCount: m.restarts}
	since := metav1.NewTime(m.since)
	waiting := func(reason, message string) {
		status.State.Waiting = &corev1.ContainerStateWaiting{Reason: reason, Message: message}
	}
	switch {
	case m.outcome == PodCrashLoopBackOff:
		waiting("CrashLoopBackOff", fmt.Sprintf("back-off 10s restarting failed container=%s pod=%s_%s(%s)", container.Name, pod.Name, pod.Namespace, pod.UID))
		status.LastTerminationState.Terminated = &corev1.ContainerStateTerminated{ExitCode: 1, Reason: "Error", StartedAt: since, FinishedAt: since}
	case m.outcome == PodImagePullBackOff:
		waiting("ImagePullBackOff", fmt.Sprintf("Back-off pulling image %q: ErrImagePull: not found", container.Image))
	case m.started:
		status.ImageID = container.Image
		status.State.Running = &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(m.created)}
	default:
		waiting("ContainerCreating", "")
	}
	return status
}
