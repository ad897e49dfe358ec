package rehearsal

import (
	"cmp"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/rand"
)

// revisionAnnotation numbers the templates of a Deployment.
const revisionAnnotation = "deployment.kubernetes.io/revision"

// syncDeployments brings every Deployment a little closer to what it asks for.
func (c *Controllers) syncDeployments() {
	alive := map[types.UID]bool{}
	for _, d := range typedAll[appsv1.Deployment](c.api, deploymentsResource(), "") {
		alive[d.UID] = true
		if d.DeletionTimestamp == nil {
			c.syncDeployment(d)
		}
	}
	maps.DeleteFunc(c.progress, func(uid types.UID, _ *progressMemory) bool { return !alive[uid] })
}

func (c *Controllers) syncDeployment(d *appsv1.Deployment) {
	newest, created := c.newestSet(d)
	c.scaleSets(d, newest)
	for _, set := range c.setsOf(d) {
		c.syncSet(d, set)
	}
	c.syncDeploymentStatus(d, created)
	c.pruneSets(d, newest)
}

// pruneSets deletes the oldest ReplicaSets without pods, beyond the history that the Deployment keeps.
func (c *Controllers) pruneSets(d *appsv1.Deployment, newest string) {
	var idle []*appsv1.ReplicaSet
	for _, set := range c.setsOf(d) {
		if set.Labels[appsv1.DefaultDeploymentUniqueLabelKey] != newest && *set.Spec.Replicas == 0 && set.Status.Replicas == 0 {
			idle = append(idle, set)
		}
	}
	for _, set := range idle[:max(len(idle)-int(*d.Spec.RevisionHistoryLimit), 0)] {
		// A set that is gone already is as good as one deleted.
		_ = c.api.Delete(replicaSetsResource(), set.Namespace, set.Name)
	}
}

// setsOf are the ReplicaSets of a Deployment, the oldest revision first.
func (c *Controllers) setsOf(d *appsv1.Deployment) []*appsv1.ReplicaSet {
	sets := typedAll[appsv1.ReplicaSet](c.api, replicaSetsResource(), d.UID)
	slices.SortFunc(sets, func(x, y *appsv1.ReplicaSet) int {
		return cmp.Or(cmp.Compare(revisionOf(x), revisionOf(y)), cmp.Compare(x.Name, y.Name))
	})
	return sets
}

func revisionOf(object metav1.Object) int {
	n, err := strconv.Atoi(object.GetAnnotations()[revisionAnnotation])
	if err != nil {
		return 0
	}
	return n
}

// templateHash names a pod template.
func templateHash(template *corev1.PodTemplateSpec) string {
	template = template.DeepCopy()
	delete(template.Labels, appsv1.DefaultDeploymentUniqueLabelKey)
	// A pod template is plain data, which always has a JSON form.
	data, _ := json.Marshal(template)
	sum := fnv.New32a()
	_, _ = sum.Write(data)
	return rand.SafeEncodeString(strconv.FormatUint(uint64(sum.Sum32()), 10))
}

// newestSet returns the hash of the template that the Deployment asks for, and whether its ReplicaSet has been made, or
// made the newest again, just now. A paused Deployment starts nothing new.
func (c *Controllers) newestSet(d *appsv1.Deployment) (hash string, created bool) {
	hash = templateHash(&d.Spec.Template)
	revision := 0
	var set *appsv1.ReplicaSet
	for _, other := range c.setsOf(d) {
		revision = max(revision, revisionOf(other))
		if other.Labels[appsv1.DefaultDeploymentUniqueLabelKey] == hash {
			set = other
		}
	}
	switch {
	case d.Spec.Paused:
		return hash, false
	case set == nil:
		return hash, write(newReplicaSet(d, hash, revision+1), c.api.Create) == nil
	case revisionOf(set) < revision:
		set.Annotations[revisionAnnotation] = strconv.Itoa(revision + 1)
		return hash, write(set, c.api.Update) == nil
	}
	return hash, false
}

func newReplicaSet(d *appsv1.Deployment, hash string, revision int) *appsv1.ReplicaSet {
	template := d.Spec.Template.DeepCopy()
	template.Labels = hashLabelled(template.Labels, hash)
	selector := d.Spec.Selector.DeepCopy()
	selector.MatchLabels = hashLabelled(selector.MatchLabels, hash)
	none := int32(0)
	return &appsv1.ReplicaSet{
		TypeMeta: metav1.TypeMeta{APIVersion: "apps/v1", Kind: "ReplicaSet"},
		ObjectMeta: metav1.ObjectMeta{
			Namespace:       d.Namespace,
			Name:            fmt.Sprintf("%s-%s", d.Name, hash),
			Labels:          template.Labels,
			Annotations:     map[string]string{revisionAnnotation: strconv.Itoa(revision)},
			OwnerReferences: ownedBy(appsv1.SchemeGroupVersion.WithKind("Deployment"), d),
		},
		Spec: appsv1.ReplicaSetSpec{Replicas: &none, MinReadySeconds: d.Spec.MinReadySeconds, Selector: selector, Template: *template},
	}
}

func hashLabelled(labels map[string]string, hash string) map[string]string {
	labels = maps.Clone(labels)
	if labels == nil {
		labels = map[string]string{}
	}
	labels[appsv1.DefaultDeploymentUniqueLabelKey] = hash
	return labels
}
