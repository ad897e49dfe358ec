package workload

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// problem is what is wrong with a pod. The one of the highest rank is what a person must hear about first.
type problem struct {
	rank int
	text string
}

// Ranks of problems that have no reason of their own in reasonRanks.
const (
	rankStarting    = 10
	rankPending     = 20
	rankNotReady    = 30
	rankFailedPod   = 40
	rankWaiting     = 50 // a container that waits for a reason not listed here
	rankUnscheduled = 60
	rankTerminated  = 70
)

// reasonRanks ranks the reasons for which a container waits: first what no waiting can heal, then what rarely heals.
var reasonRanks = map[string]int{
	"InvalidImageName":           95,
	"ErrImageNeverPull":          95,
	"CreateContainerConfigError": 90,
	"CreateContainerError":       90,
	"RunContainerError":          90,
	"ImageInspectError":          85,
	"SignatureValidationFailed":  85,
	"ImagePullBackOff":           85,
	"ErrImagePull":               85,
	"RegistryUnavailable":        85,
	"CrashLoopBackOff":           80,
	"ContainerCreating":          rankStarting,
	"PodInitializing":            rankStarting,
}

// worstPod names the pod that is worst off, and why. It is empty when there is nothing to say.
func worstPod(pods []*corev1.Pod) string {
	var worst problem
	var name string
	for _, pod := range pods {
		p := podProblem(pod)
		if p.rank > worst.rank || p.rank == worst.rank && p.rank > 0 && pod.Name < name {
			worst, name = p, pod.Name
		}
	}
	if worst.rank == 0 {
		return ""
	}
	return "pod " + name + ": " + worst.text
}

func podProblem(pod *corev1.Pod) problem {
	worst := podState(pod)
	consider := func(p problem) {
		if p.rank > worst.rank {
			worst = p
		}
	}
	for i := range pod.Status.InitContainerStatuses {
		s := &pod.Status.InitContainerStatuses[i]
		consider(initProblem(s, specOf(pod.Spec.InitContainers, s.Name)))
	}
	for i := range pod.Status.ContainerStatuses {
		s := &pod.Status.ContainerStatuses[i]
		p := containerProblem(s, specOf(pod.Spec.Containers, s.Name))
		p.text = "container " + s.Name + ": " + p.text
		consider(p)
	}
	return worst
}

// podState is what is wrong with a pod as a whole.
func podState(pod *corev1.Pod) problem {
	if pod.Status.Phase == corev1.PodFailed {
		return problem{rankFailedPod, colons(cmp.Or(pod.Status.Reason, "Failed"), pod.Status.Message)}
	}
	for i := range pod.Status.Conditions {
		c := &pod.Status.Conditions[i]
		switch {
		case c.Status != corev1.ConditionFalse:
		case c.Type == corev1.PodScheduled:
			return problem{rankUnscheduled, colons(cmp.Or(c.Reason, "not scheduled"), c.Message)}
		case c.Type == corev1.PodReady && c.Reason != "" && c.Reason != "ContainersNotReady" && c.Reason != "PodCompleted":
			return problem{rankNotReady, colons("not ready", c.Reason, c.Message)} // its containers say the rest
		}
	}
	if pod.Status.Phase == corev1.PodPending && len(pod.Status.ContainerStatuses) == 0 {
		return problem{rankPending, "Pending: the node has not started it yet"}
	}
	return problem{}
}

func specOf(containers []corev1.Container, name string) *corev1.Container {
	for i := range containers {
		if containers[i].Name == name {
			return &containers[i]
		}
	}
	return &corev1.Container{Name: name}
}

// initProblem is containerProblem for an init container, which is well when it has ended well, or, as a sidecar, runs.
func initProblem(s *corev1.ContainerStatus, spec *corev1.Container) problem {
	sidecar := spec.RestartPolicy != nil && *spec.RestartPolicy == corev1.ContainerRestartPolicyAlways
	p := containerProblem(s, spec)
	switch {
	case sidecar:
	case s.State.Terminated != nil && s.State.Terminated.ExitCode == 0:
		return problem{}
	case s.State.Running != nil:
		p = problem{rankPending, "still running" + history(s)}
	}
	p.text = "init container " + s.Name + ": " + p.text
	return p
}

func containerProblem(s *corev1.ContainerStatus, spec *corev1.Container) problem {
	switch state := &s.State; {
	case state.Waiting != nil:
		reason := cmp.Or(state.Waiting.Reason, "Waiting")
		rank, known := reasonRanks[reason]
		if !known {
			rank = rankWaiting
		}
		if last := s.LastTerminationState.Terminated; last != nil && reason == "CrashLoopBackOff" {
			// The message repeats the back-off and the names; how it ended is what matters.
			return problem{rank, reason + ": last " + ending(last) + restarts(s)}
		}
		return problem{rank, colons(reason, state.Waiting.Message)}
	case state.Terminated != nil:
		return problem{rankTerminated, colons("ended with "+ending(state.Terminated), state.Terminated.Message)}
	case s.Ready:
		return problem{}
	case state.Running != nil:
		return problem{rankNotReady, unready(s, spec) + history(s)}
	}
	return problem{rankStarting, "not started yet"}
}

// unready says which probe a running container does not pass.
func unready(s *corev1.ContainerStatus, spec *corev1.Container) string {
	switch {
	case spec.StartupProbe != nil && (s.Started == nil || !*s.Started):
		return "running, but its startup probe has not passed yet"
	case spec.ReadinessProbe != nil:
		return "running, but its readiness probe does not pass"
	}
	return "running, but not ready yet"
}

func history(s *corev1.ContainerStatus) string {
	if last := s.LastTerminationState.Terminated; last != nil {
		return ", last " + ending(last) + restarts(s)
	}
	return ""
}

func restarts(s *corev1.ContainerStatus) string {
	switch s.RestartCount {
	case 0:
		return ""
	case 1:
		return ", 1 restart"
	}
	return fmt.Sprintf(", %d restarts", s.RestartCount)
}

// ending says how a container ended. "Error" and "Completed" say no more than the exit code does.
func ending(t *corev1.ContainerStateTerminated) string {
	text := fmt.Sprintf("exit code %d", t.ExitCode)
	if t.Reason != "" && t.Reason != "Error" && t.Reason != "Completed" {
		text += " (" + t.Reason + ")"
	}
	if ran := t.FinishedAt.Sub(t.StartedAt.Time); !t.StartedAt.IsZero() && ran >= 0 {
		text += " after " + ran.Truncate(time.Second).String()
	}
	return text
}

func colons(parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(p string) bool { return p == "" }), ": ")
}
