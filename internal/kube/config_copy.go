package kube

import (
	"context"
	"fmt"
	"strconv"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/rollout"
	"github.com/penstock-dev/penstock/internal/workload"
)

// copies returns what the primary has to be configured by when it is to be made a copy of what the target runs.
func (w *World) copies(target, primary *workload.Workload, want rollout.World) ([]workload.ConfigCopy, error) {
	if !w.promotes(target, primary, want) {
		return nil, nil
	}
	return workload.ConfigCopies(w.canary, target, primary)
}

// checkCopies finds a copy that cannot be made before the promotion that needs it.
func (w *World) checkCopies(target, primary *workload.Workload) error {
	if target == nil {
		return nil
	}
	if problem, _ := workload.ConfigProblem(target); problem != "" {
		return nil // nothing is promoted as long as there is one
	}
	_, err := workload.ConfigCopies(w.canary, target, primary)
	return err
}

// applyCopies brings the copies of the configuration to what the new primary refers to, before it refers to it.
func (w *World) applyCopies(ctx context.Context, live canary.Objects, copies []workload.ConfigCopy) error {
	for i := range copies {
		c := &copies[i]
		there := live[c.Ref]
		switch {
		case there == nil && c.Object == nil, there != nil && c.Object != nil && !c.Replace && sameConfig(there, c.Object):
			continue
		}
		epoch, held := w.fence()
		if !held {
			return ErrSuperseded
		}
		if there != nil && (c.Replace || c.Object == nil) {
			if err := w.deleteCopy(ctx, c.Ref, there); err != nil {
				return err
			}
			there = nil
		}
		if c.Object == nil {
			continue
		}
		if err := w.writeCopy(ctx, c, there, epoch); err != nil {
			return err
		}
	}
	return nil
}

func (w *World) deleteCopy(ctx context.Context, ref canary.Ref, there *unstructured.Unstructured) error {
	uid := there.GetUID()
	err := w.client.remove(ctx, ref, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &uid}})
	if err != nil {
		return fmt.Errorf("delete %s: %w", ref, err)
	}
	w.store.remove(ref)
	return nil
}

func (c *Client) remove(ctx context.Context, ref canary.Ref, o metav1.DeleteOptions) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	err := c.dynamic.Resource(ref.GroupVersionResource).Namespace(ref.Namespace).Delete(ctx, ref.Name, o)
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// writeCopy creates a copy by an apply. One that exists is patched instead, since keys that another client wrote, such as
// Flagger, would stay after an apply.
func (w *World) writeCopy(ctx context.Context, c *workload.ConfigCopy, there *unstructured.Unstructured, epoch int64) error {
	body, kind, options, err := copyPatch(c.Object, there, epoch)
	if err != nil {
		return fmt.Errorf("write %s: %w", c.Ref, err)
	}
	answer, err := w.client.write(ctx, c.Ref, kind, body, options)
	if err != nil {
		return fmt.Errorf("copy %s to %s: %w", c.Original, c.Ref, err)
	}
	w.store.put(c.Ref, answer)
	return nil
}

func copyPatch(
	wanted, there *unstructured.Unstructured, epoch int64,
) (body []byte, kind types.PatchType, o metav1.PatchOptions, err error) {
	o.FieldManager = FieldManager
	object := wanted.DeepCopy()
	annotations := object.GetAnnotations()
	annotations[epochAnnotation] = strconv.FormatInt(epoch, 10)
	object.SetAnnotations(annotations)
	if there == nil {
		yes := true
		o.Force = &yes
		body, err = object.MarshalJSON()
		return body, types.ApplyPatchType, o, err
	}
	object.SetResourceVersion(there.GetResourceVersion())
	for _, field := range contentFields {
		for key := range contentOf(there, field) {
			if _, kept := contentOf(wanted, field)[key]; !kept {
				if err := unstructured.SetNestedField(object.Object, nil, field, key); err != nil {
					return nil, "", o, err
				}
			}
		}
	}
	body, err = object.MarshalJSON()
	return body, types.MergePatchType, o, err
}

// contentFields hold what pods get of a ConfigMap or a Secret.
var contentFields = [...]string{"data", "binaryData"}

func contentOf(o *unstructured.Unstructured, field string) map[string]any {
	data, _, _ := unstructured.NestedFieldNoCopy(o.Object, field)
	content, _ := data.(map[string]any)
	return content
}

// sameConfig reports whether a copy is as wanted and has no key beside.
func sameConfig(there, wanted *unstructured.Unstructured) bool {
	for _, field := range contentFields {
		if len(contentOf(there, field)) != len(contentOf(wanted, field)) {
			return false
		}
	}
	return contains(there, wanted)
}

// previewCopies shows which copies an apply would change. Of a Secret only the keys are shown.
func previewCopies(live canary.Objects, copies []workload.ConfigCopy) []Change {
	var changes []Change
	for i := range copies {
		c := &copies[i]
		there := live[c.Ref]
		if c.Object == nil || there != nil && sameConfig(there, c.Object) {
			continue
		}
		change := Change{Ref: c.Ref, Before: concealed(there), After: concealed(c.Object)}
		changes = append(changes, change)
	}
	return changes
}

func concealed(o *unstructured.Unstructured) *unstructured.Unstructured {
	if o == nil || o.GetKind() != "Secret" {
		return o
	}
	o = o.DeepCopy()
	for key := range contentOf(o, "data") {
		contentOf(o, "data")[key] = "***"
	}
	return o
}
