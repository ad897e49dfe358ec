package workload

import (
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/rollout"
)

// ScaleToZeroKey is the key of the node selector that scales a DaemonSet, which has no replicas, to zero: no node fits it.
// It is Flagger's. It is on the target only; no revision and no primary has it.
const ScaleToZeroKey = "flagger.app/scale-to-zero"

const zeroNodesValue = "true"

// daemonSets have no condition that says that they make no progress: only the rollout's own deadline ends a wait.
var daemonSets = kind{
	gvr:         appsv1.SchemeGroupVersion.WithResource("daemonsets"),
	parts:       PodGVR,
	content:     templateField,
	read:        readDaemonSet,
	check:       checkDaemonSet,
	revision:    podRevision,
	primary:     primaryDaemonSet,
	services:    podServices,
	selectParts: selectPods,
	report:      reportDaemonSet,
	scale:       scaleDaemonSet,
}

// daemonSet is a live DaemonSet, and whether it is scaled to zero.
type daemonSet struct {
	*appsv1.DaemonSet
	zero bool
}

func readDaemonSet(live *unstructured.Unstructured, w *Workload) error {
	d, err := Read[appsv1.DaemonSet](live)
	if err != nil {
		return err
	}
	_, zero := d.Spec.Template.Spec.NodeSelector[ScaleToZeroKey]
	delete(d.Spec.Template.Spec.NodeSelector, ScaleToZeroKey) // d is a copy
	w.ObjectMeta, w.Template, w.Selector, w.typed = d.ObjectMeta, &d.Spec.Template, d.Spec.Selector, daemonSet{d, zero}
	if !zero {
		w.Replicas = d.Status.DesiredNumberScheduled
	}
	return nil
}

// checkDaemonSet refuses the strategy OnDelete: nothing would ever replace the primary's pods.
func checkDaemonSet(c *canary.Canary, target *Workload) error {
	if s := target.typed.(daemonSet).Spec.UpdateStrategy.Type; s != "" && s != appsv1.RollingUpdateDaemonSetStrategyType {
		return fmt.Errorf("%s: spec.updateStrategy.type: %q would leave the primary's old pods running at a promotion; supported is %s",
			target.describe(), s, appsv1.RollingUpdateDaemonSetStrategyType)
	}
	return checkPods(c, target)
}

func primaryDaemonSet(c *canary.Canary, target, live *Workload) (*unstructured.Unstructured, error) {
	pods, err := copyPods(c, target, live)
	if err != nil {
		return nil, err
	}
	from := target.typed.(daemonSet)
	return renderCopy(target, &appsv1.DaemonSet{
		TypeMeta:   metav1.TypeMeta{APIVersion: appsv1.SchemeGroupVersion.String(), Kind: target.Kind},
		ObjectMeta: pods.meta,
		Spec: appsv1.DaemonSetSpec{
			Selector: pods.selector, Template: pods.template, UpdateStrategy: from.Spec.UpdateStrategy,
			MinReadySeconds: from.Spec.MinReadySeconds, RevisionHistoryLimit: from.Spec.RevisionHistoryLimit,
		},
	})
}

func reportDaemonSet(w *Workload, pods []*unstructured.Unstructured, want Ready) rollout.Workload {
	d := w.typed.(daemonSet)
	r := rollout.Workload{Replicas: int(w.Replicas), Serving: d.Status.NumberAvailable > 0}
	waiting := d.waits(w, pods, want.Threshold)
	if r.Ready = waiting == ""; r.Ready {
		return r
	}
	r.Message = sentence(waiting, worstPod(newest(w, pods)))
	return r
}

// waits returns what keeps a DaemonSet from being ready, or nothing. Where the threshold lets some nodes lag behind, none
// of the old pods may still be getting traffic.
func (d daemonSet) waits(w *Workload, pods []*unstructured.Unstructured, threshold int) string {
	s := &d.Status
	wanted := s.DesiredNumberScheduled
	switch {
	case d.zero:
		return "it is scaled to zero by the node selector " + ScaleToZeroKey
	case d.Generation > s.ObservedGeneration:
		return notTakenUp
	case wanted == 0:
		return "it has no pods to run: no node fits its node selector, its node affinity and its tolerations"
	case below(s.UpdatedNumberScheduled, wanted, threshold):
		return fmt.Sprintf("waiting for rollout: %s updated", share(s.UpdatedNumberScheduled, wanted))
	case s.UpdatedNumberScheduled < wanted:
		if old := servingOld(w, pods); old > 0 {
			return fmt.Sprintf("waiting for rollout: %s updated, old pods still ready: %d", share(s.UpdatedNumberScheduled, wanted), old)
		}
	}
	return availability{
		wanted: wanted, ready: s.NumberReady, available: s.NumberAvailable,
		threshold: threshold, minReady: d.Spec.MinReadySeconds,
	}.lacks()
}

// scaleDaemonSet adds the node selector, or takes it away. Any value of it counts: Flagger's is the same.
func scaleDaemonSet(target, _ *Workload, to rollout.Scale) *Scaling {
	zero := target.typed.(daemonSet).zero
	switch {
	case to == rollout.ScaleZero && !zero:
		return &Scaling{Patch: nodeSelectorPatch(`"` + zeroNodesValue + `"`), To: "no node"}
	case to == rollout.ScaleUp && zero:
		return &Scaling{Patch: nodeSelectorPatch("null"), To: "every node that fits"}
	}
	return nil
}

func nodeSelectorPatch(value string) []byte {
	return fmt.Appendf(nil, `{"spec":{"template":{"spec":{"nodeSelector":{%q:%s}}}}}`, ScaleToZeroKey, value)
}
