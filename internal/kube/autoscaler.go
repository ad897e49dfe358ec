package kube

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/rollout"
	"github.com/penstock-dev/penstock/internal/workload"
)

// CheckScaler reports an autoscaler that the canary names and that does not exist or cannot be used, before anything is
// touched.
func (w *World) CheckScaler() error {
	live, _ := w.store.snapshot()
	return workload.CheckScaler(w.canary, live)
}

// scalerView is the snapshot that the autoscalers are seen in.
type scalerView struct {
	live            canary.Objects
	parts           []*unstructured.Unstructured
	target, primary *workload.Workload
}

// observeScalers adds to an observation what the autoscalers of both sides say.
func (w *World) observeScalers(o *rollout.Observation, s scalerView) {
	o.Target.Scaler = workload.ScalerText(s.live[w.scaled.Target], o.Target.Replicas)
	o.Primary.Scaler = workload.ScalerText(s.live[w.scaled.Primary], o.Primary.Replicas)
	o.Target.Resizing = o.Target.Scaler != "" && workload.Resizing(&o.Target, s.target, s.parts)
	o.Primary.Resizing = o.Primary.Scaler != "" && workload.Resizing(&o.Primary, s.primary, s.parts)
}

// renderScaler returns the primary's autoscaler, or nil when it is to be left as it is. The autoscaler of the target goes
// with the target's revision: the primary gets it when it is to run that revision, and keeps its own while another one is
// under analysis.
func (w *World) renderScaler(
	live canary.Objects, target *workload.Workload, primary string,
) (*unstructured.Unstructured, error) {
	if primary == "" || workload.TargetRevision(target) != primary {
		return nil, nil //nolint:nilnil // documented
	}
	return workload.RenderPrimaryScaler(w.canary, live)
}

// pauseScaler stops the target's autoscaler before the canary is scaled to zero, and lets it go on before the canary is
// scaled up.
func (w *World) pauseScaler(ctx context.Context, live canary.Objects, to rollout.Scale) error {
	patch := workload.PauseScaler(live[w.scaled.Target], to)
	if patch == nil || live[w.refs.Target] == nil {
		return nil
	}
	if _, held := w.fence(); !held {
		return ErrSuperseded
	}
	answer, err := w.client.patch(ctx, w.scaled.Target, patch)
	if err != nil {
		how := "resume"
		if to == rollout.ScaleZero {
			how = "pause"
		}
		return fmt.Errorf("%s %s: %w", how, w.scaled.Target, err)
	}
	w.store.put(w.scaled.Target, answer)
	return nil
}

// sameScaler compares autoscalers to the letter. Their lists are one field to the API each; and what the target's no
// longer has is to go from the primary's too, as far as it is Penstock's.
func sameScaler(want, live *unstructured.Unstructured) bool {
	if !workload.IsScaler(want.GroupVersionKind().GroupKind()) {
		return true
	}
	if !sameLists(want.Object["spec"], live.Object["spec"]) {
		return false
	}
	for _, entry := range live.GetManagedFields() {
		if entry.Manager != FieldManager || entry.Operation != metav1.ManagedFieldsOperationApply || entry.FieldsV1 == nil {
			continue
		}
		var owned map[string]any
		if json.Unmarshal([]byte(entry.FieldsV1.GetRawString()), &owned) != nil || surplus(owned, want.Object) {
			return false
		}
	}
	return true
}

// sameLists reports whether each list in want is the same as the one in its place in live.
func sameLists(want, live any) bool {
	switch want := want.(type) {
	case map[string]any:
		other, _ := live.(map[string]any)
		for key, value := range want {
			if !sameLists(value, other[key]) {
				return false
			}
		}
	case []any:
		return within(want, live) && within(live, want)
	}
	return true
}

// surplus reports whether Penstock owns a field that it no longer wants. The epoch is added to what is wanted only when it
// is written.
func surplus(owned, want map[string]any) bool {
	for key, below := range owned {
		name, isField := strings.CutPrefix(key, "f:")
		if !isField || name == epochAnnotation {
			continue
		}
		value, wanted := want[name]
		if !wanted {
			return true
		}
		fields, isMap := value.(map[string]any)
		deeper, _ := below.(map[string]any)
		if isMap && surplus(deeper, fields) {
			return true
		}
	}
	return false
}
