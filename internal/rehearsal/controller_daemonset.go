package rehearsal

import (
	"maps"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/rand"
)

// nodeNames are the nodes of the cluster. Only DaemonSets ask for them.
var nodeNames = [...]string{"node-1", "node-2"}

// syncDaemonSets brings every DaemonSet a little closer to what it asks for.
func (c *Controllers) syncDaemonSets() {
	for _, d := range typedAll[appsv1.DaemonSet](c.api, daemonSetsResource(), "") {
		if d.DeletionTimestamp == nil {
			c.syncDaemonSet(d)
		}
	}
}

func (c *Controllers) syncDaemonSet(d *appsv1.DaemonSet) {
	hash, wanted := templateHash(&d.Spec.Template), c.nodesFor(d)
	for _, pod := range c.daemons(d) {
		if !wanted[pod.Spec.NodeName] {
			c.deletePod(pod)
		}
	}
	c.replaceDaemons(d, hash)
	running := map[string]bool{}
	for _, pod := range c.daemons(d) {
		running[pod.Spec.NodeName] = true
	}
	for _, node := range nodeNames {
		if wanted[node] && !running[node] {
			// The pod is new and valid, as its template has been found to be.
			_ = write(newDaemon(d, hash, node), c.api.Create)
		}
	}
	c.syncDaemonSetStatus(d, hash, int32(len(wanted)))
}

func (c *Controllers) daemons(d *appsv1.DaemonSet) []*corev1.Pod {
	return typedAll[corev1.Pod](c.api, podsResource(), d.UID)
}

func (c *Controllers) deletePod(pod *corev1.Pod) {
	// A pod that is gone already is as good as one deleted.
	_ = c.api.Delete(podsResource(), pod.Namespace, pod.Name)
}

// nodesFor are the nodes that have every label of the template's node selector. Affinity and taints are not looked at.
func (c *Controllers) nodesFor(d *appsv1.DaemonSet) map[string]bool {
	fit := map[string]bool{}
	for _, node := range nodeNames {
		has := labels.Set{corev1.LabelHostname: node, corev1.LabelOSStable: "linux", corev1.LabelArchStable: "amd64"}
		maps.Copy(has, c.options.NodeLabels)
		if labels.SelectorFromSet(d.Spec.Template.Spec.NodeSelector).Matches(has) {
			fit[node] = true
		}
	}
	return fit
}

// replaceDaemons deletes pods of older templates: those that do not work at once, the others as far as maxUnavailable
// allows. A surge is played as one pod that is missing, since there is no room for two on a node here.
func (c *Controllers) replaceDaemons(d *appsv1.DaemonSet, hash string) {
	if d.Spec.UpdateStrategy.Type != appsv1.RollingUpdateDaemonSetStrategyType {
		return
	}
	pods := c.daemons(d)
	spare, err := intstr.GetScaledValueFromIntOrPercent(d.Spec.UpdateStrategy.RollingUpdate.MaxUnavailable, len(pods), true)
	if err != nil {
		return
	}
	spare = max(spare, 1)
	var working []*corev1.Pod
	for _, pod := range pods {
		memory := c.pods[pod.UID]
		works := memory != nil && c.available(memory, d.Spec.MinReadySeconds)
		old := pod.Labels[appsv1.ControllerRevisionHashLabelKey] != hash
		switch {
		case !works && old:
			c.deletePod(pod)
			spare--
		case !works:
			spare--
		case old:
			working = append(working, pod)
		}
	}
	for _, pod := range working[:min(max(spare, 0), len(working))] {
		c.deletePod(pod)
	}
}

func newDaemon(d *appsv1.DaemonSet, hash, node string) *corev1.Pod {
	podLabels := maps.Clone(d.Spec.Template.Labels)
	podLabels[appsv1.ControllerRevisionHashLabelKey] = hash
	pod := &corev1.Pod{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{
			Namespace:       d.Namespace,
			GenerateName:    d.Name + "-",
			Name:            d.Name + "-" + rand.String(5),
			Labels:          podLabels,
			Annotations:     d.Spec.Template.Annotations,
			OwnerReferences: ownedBy(appsv1.SchemeGroupVersion.WithKind("DaemonSet"), d),
		},
		Spec: *d.Spec.Template.Spec.DeepCopy(),
	}
	pod.Spec.NodeName = node
	return pod
}

func (c *Controllers) syncDaemonSetStatus(d *appsv1.DaemonSet, hash string, wanted int32) {
	status := appsv1.DaemonSetStatus{ObservedGeneration: d.Generation, DesiredNumberScheduled: wanted}
	of := types.NamespacedName{Namespace: d.Namespace, Name: d.Name}
	for _, pod := range c.daemons(d) {
		memory := c.syncPod(of, &corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: pod.Labels}, Spec: pod.Spec}, pod)
		status.CurrentNumberScheduled++
		if pod.Labels[appsv1.ControllerRevisionHashLabelKey] == hash {
			status.UpdatedNumberScheduled++
		}
		if memory.ready {
			status.NumberReady++
		}
		if c.available(memory, d.Spec.MinReadySeconds) {
			status.NumberAvailable++
		}
	}
	status.NumberUnavailable = max(wanted-status.NumberAvailable, 0)
	d.Status = status
	// A lost race is repaired in the next round.
	_ = c.writeStatus(d)
}
