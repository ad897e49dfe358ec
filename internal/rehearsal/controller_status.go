package rehearsal

import (
	"fmt"
	"strconv"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Reasons of the Progressing and Available conditions, as the Deployment controller gives them.
const (
	reasonSetCreated   = "NewReplicaSetCreated"
	reasonSetUpdated   = "ReplicaSetUpdated"
	reasonSetAvailable = "NewReplicaSetAvailable"
	reasonDeadline     = "ProgressDeadlineExceeded"
	reasonAvailable    = "MinimumReplicasAvailable"
	reasonUnavailable  = "MinimumReplicasUnavailable"
)

// progressMemory is when a Deployment last came closer to its template, more exactly than the API's seconds.
type progressMemory struct {
	hash  string
	last  time.Time
	ended bool
}

// syncDeploymentStatus adds up the ReplicaSets and judges the progress.
func (c *Controllers) syncDeploymentStatus(d *appsv1.Deployment, created bool) {
	hash := templateHash(&d.Spec.Template)
	before := d.Status.DeepCopy()
	status := appsv1.DeploymentStatus{ObservedGeneration: d.Generation, Conditions: before.Conditions, CollisionCount: before.CollisionCount}
	name := ""
	for _, set := range c.setsOf(d) {
		status.Replicas += set.Status.Replicas
		status.ReadyReplicas += set.Status.ReadyReplicas
		status.AvailableReplicas += set.Status.AvailableReplicas
		if set.Labels[appsv1.DefaultDeploymentUniqueLabelKey] == hash {
			name = set.Name
			status.UpdatedReplicas = set.Status.Replicas
			c.number(d, set)
		}
	}
	status.UnavailableReplicas = max(*d.Spec.Replicas-status.AvailableReplicas, 0)
	d.Status = status
	c.judgeAvailable(d)
	if !d.Spec.Paused {
		c.judgeProgress(d, before, progressNow{hash: hash, set: name, created: created})
	}
	// A lost race is repaired in the next round.
	_ = c.writeStatus(d)
}

// number copies the revision of the newest ReplicaSet to the Deployment.
func (c *Controllers) number(d *appsv1.Deployment, set *appsv1.ReplicaSet) {
	if d.Annotations == nil {
		d.Annotations = map[string]string{}
	}
	d.Annotations[revisionAnnotation] = strconv.Itoa(revisionOf(set))
}

func (c *Controllers) judgeAvailable(d *appsv1.Deployment) {
	_, unavailable := rollingBounds(d)
	if d.Status.AvailableReplicas >= *d.Spec.Replicas-unavailable {
		c.setCondition(d, newCondition(appsv1.DeploymentAvailable, corev1.ConditionTrue, reasonAvailable, "Deployment has minimum availability."), false)
		return
	}
	c.setCondition(d, newCondition(appsv1.DeploymentAvailable, corev1.ConditionFalse, reasonUnavailable, "Deployment does not have minimum availability."), false)
}

// progressNow is what the judgement of progress needs beside the status.
type progressNow struct {
	hash, set string
	created   bool
}

// judgeProgress sets the Progressing condition: done, on its way, or out of time. A Deployment that has once completed
// its template stays so, whatever becomes of its pods.
func (c *Controllers) judgeProgress(d *appsv1.Deployment, before *appsv1.DeploymentStatus, now progressNow) {
	memory := c.progress[d.UID]
	if memory == nil || memory.hash != now.hash {
		memory = &progressMemory{hash: now.hash, last: c.clock.Now()}
		c.progress[d.UID] = memory
	}
	if memory.ended {
		return
	}
	say := func(status corev1.ConditionStatus, reason, format string, touch bool) {
		c.setCondition(d, newCondition(appsv1.DeploymentProgressing, status, reason, fmt.Sprintf(format, now.set)), touch)
	}
	moved := advanced(before, &d.Status)
	if moved || now.created {
		memory.last = c.clock.Now()
	}
	wanted := *d.Spec.Replicas
	deadline := memory.last.Add(progressDeadline(d))
	switch {
	case d.Status.UpdatedReplicas == wanted && d.Status.Replicas == wanted && d.Status.AvailableReplicas == wanted:
		memory.ended = true
		say(corev1.ConditionTrue, reasonSetAvailable, "ReplicaSet %q has successfully progressed.", true)
	case now.created:
		say(corev1.ConditionTrue, reasonSetCreated, "Created new replica set %q", true)
	case moved:
		say(corev1.ConditionTrue, reasonSetUpdated, "ReplicaSet %q is progressing.", true)
	case !c.clock.Now().Before(deadline):
		say(corev1.ConditionFalse, reasonDeadline, "ReplicaSet %q has timed out progressing.", false)
		return
	}
	if !memory.ended {
		c.at(memory.last.Add(progressDeadline(d)))
	}
}

// advanced says whether a rollout has come closer to its end.
func advanced(before, after *appsv1.DeploymentStatus) bool {
	return after.UpdatedReplicas > before.UpdatedReplicas || after.ReadyReplicas > before.ReadyReplicas ||
		after.AvailableReplicas > before.AvailableReplicas ||
		after.Replicas-after.UpdatedReplicas < before.Replicas-before.UpdatedReplicas
}

func progressDeadline(d *appsv1.Deployment) time.Duration {
	return time.Duration(*d.Spec.ProgressDeadlineSeconds) * time.Second
}

func newCondition(kind appsv1.DeploymentConditionType, status corev1.ConditionStatus, reason, message string) appsv1.DeploymentCondition {
	return appsv1.DeploymentCondition{Type: kind, Status: status, Reason: reason, Message: message}
}

// setCondition replaces a condition. It keeps the time of the last transition while the status stays, and the time of
// the last update too while the reason stays, unless touch is set.
func (c *Controllers) setCondition(d *appsv1.Deployment, next appsv1.DeploymentCondition, touch bool) {
	now := metav1.NewTime(c.clock.Now())
	next.LastTransitionTime, next.LastUpdateTime = now, now
	for i, old := range d.Status.Conditions {
		if old.Type != next.Type {
			continue
		}
		if old.Status == next.Status {
			next.LastTransitionTime = old.LastTransitionTime
		}
		if old.Status == next.Status && old.Reason == next.Reason && !touch {
			next.LastUpdateTime = old.LastUpdateTime
		}
		d.Status.Conditions[i] = next
		return
	}
	d.Status.Conditions = append(d.Status.Conditions, next)
}
