package kube

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/workload"
)

// epochAnnotation says under which epoch of the lease an object was last written.
const epochAnnotation = "penstock.dev/epoch"

// ErrSuperseded means that another run holds the lease: this one may write nothing more.
var ErrSuperseded = errors.New("another run has taken over")

// applyObject sends one object as a server-side apply, unless the live one has all of it already. That is no reason for
// leaving out a primary: what makes it differ from its target may be a field that only the primary has.
func (w *World) applyObject(ctx context.Context, live canary.Objects, object *unstructured.Unstructured) error {
	ref, known := w.refOf(object)
	if !known {
		return fmt.Errorf("apply %s %q: it is not one of the objects of this canary", object.GetKind(), object.GetName())
	}
	if !w.copied(ref) && contains(live[ref], object, w.router.Exact(ref)...) {
		return nil
	}
	return w.writeObject(ctx, live, ref, object)
}

// copied reports whether an object is a primary that is a copy of its target.
func (w *World) copied(ref canary.Ref) bool { return ref == w.refs.Primary && !w.refs.Shared() }

// releaseObject is applyObject for what stays behind of a canary: what is the canary's about it has to go, too.
func (w *World) releaseObject(ctx context.Context, live canary.Objects, object *unstructured.Unstructured) error {
	ref, known := w.refOf(object)
	if !known || live[ref] == nil || !workload.Owned(w.canary, ref.Kind, live[ref]) {
		return w.applyObject(ctx, live, object)
	}
	if err := w.writeObject(ctx, live, ref, object); err != nil {
		return err
	}
	return w.disown(ctx, ref)
}

// disown takes the Canary from the owners of an object, whoever has put it there: otherwise the object, and the traffic
// with it, would go away with the Canary.
func (w *World) disown(ctx context.Context, ref canary.Ref) error {
	live, _ := w.store.snapshot()
	object := live[ref]
	owners := slices.DeleteFunc(slices.Clone(object.GetOwnerReferences()), func(o metav1.OwnerReference) bool {
		return o.Kind == "Canary" && o.Name == w.canary.Name
	})
	if len(owners) == len(object.GetOwnerReferences()) {
		return nil
	}
	if _, held := w.fence(); !held {
		return ErrSuperseded
	}
	body, err := json.Marshal(map[string]any{"metadata": map[string]any{
		"ownerReferences": owners, "resourceVersion": object.GetResourceVersion(),
	}})
	if err != nil {
		return fmt.Errorf("release %s: %w", ref, err)
	}
	answer, err := w.client.patch(ctx, ref, body)
	if err != nil {
		return fmt.Errorf("release %s: %w", ref, err)
	}
	w.store.put(ref, answer)
	return nil
}

func (w *World) writeObject(ctx context.Context, live canary.Objects, ref canary.Ref, object *unstructured.Unstructured) error {
	epoch, held := w.fence()
	if !held {
		return ErrSuperseded
	}
	object = object.DeepCopy()
	at := []string{"metadata", "annotations", epochAnnotation} // beside annotations that are null, to be removed
	if err := unstructured.SetNestedField(object.Object, strconv.FormatInt(epoch, 10), at...); err != nil {
		return fmt.Errorf("apply %s: %w", ref, err)
	}
	body, err := json.Marshal(object)
	if err != nil {
		return fmt.Errorf("apply %s: %w", ref, err)
	}
	how, force := types.ApplyPatchType, ptr.To(true)
	if ref == w.refs.Apex && live[ref] != nil && live[w.refs.Target] == nil {
		// Without the target only the router's part of the Service is known. An apply would take the rest away.
		how, force = types.MergePatchType, nil
	}
	if ref == w.refs.Primary && w.refs.Shared() {
		// It is the user's object. An apply would have to carry all that Penstock has ever written to it, and a patch can
		// take away what Flagger has written.
		how, force = types.MergePatchType, nil
	}
	answer, err := w.client.write(ctx, ref, how, body, metav1.PatchOptions{FieldManager: FieldManager, Force: force})
	if err != nil {
		return fmt.Errorf("apply %s: %w", ref, err)
	}
	w.store.put(ref, answer)
	return nil
}

func (w *World) refOf(o *unstructured.Unstructured) (canary.Ref, bool) {
	for _, ref := range w.watched() {
		if ref.Kind == o.GetKind() && ref.Name == o.GetName() && ref.Namespace == o.GetNamespace() &&
			ref.Group == o.GroupVersionKind().Group {
			return ref, true
		}
	}
	return canary.Ref{}, false
}

func (c *Client) write(
	ctx context.Context, ref canary.Ref, kind types.PatchType, body []byte, o metav1.PatchOptions, sub ...string,
) (*unstructured.Unstructured, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	return c.dynamic.Resource(ref.GroupVersionResource).Namespace(ref.Namespace).Patch(ctx, ref.Name, kind, body, o, sub...)
}

func (c *Client) patch(ctx context.Context, ref canary.Ref, body []byte, sub ...string) (*unstructured.Unstructured, error) {
	return c.write(ctx, ref, types.MergePatchType, body, metav1.PatchOptions{FieldManager: FieldManager}, sub...)
}

func (c *Client) strategicPatch(ctx context.Context, ref canary.Ref, body []byte) (*unstructured.Unstructured, error) {
	return c.write(ctx, ref, types.StrategicMergePatchType, body, metav1.PatchOptions{FieldManager: FieldManager})
}

// contains reports whether a live object already has everything that a rendered one asks for. The resourceVersion is a
// condition for writing, not something to write. The exact fields must be equal.
func contains(live, rendered *unstructured.Unstructured, exact ...[]string) bool {
	if live == nil {
		return false
	}
	want := rendered.DeepCopy()
	unstructured.RemoveNestedField(want.Object, "metadata", "resourceVersion")
	return within(want.Object, live.Object) &&
		!slices.ContainsFunc(exact, func(field []string) bool { return !equal(want, live, field) }) && sameScaler(want, live)
}

// equal compares a field to the letter, unless the rendered object does not have it. What the live one no longer should
// have is a difference too.
func equal(want, live *unstructured.Unstructured, field []string) bool {
	a, _, _ := unstructured.NestedFieldNoCopy(want.Object, field...)
	b, _, _ := unstructured.NestedFieldNoCopy(live.Object, field...)
	return a == nil || within(b, a)
}

// within reports whether a is part of b: maps may have more keys in b, lists must match element by element.
func within(a, b any) bool {
	switch a := a.(type) {
	case map[string]any:
		bm, ok := b.(map[string]any)
		if !ok {
			return len(a) == 0 && b == nil
		}
		for key, value := range a {
			if !within(value, bm[key]) {
				return false
			}
		}
		return true
	case []any:
		bl, ok := b.([]any)
		if !ok || len(a) != len(bl) {
			return len(a) == 0 && b == nil
		}
		for i := range a {
			if !within(a[i], bl[i]) {
				return false
			}
		}
		return true
	}
	return equalScalar(a, b)
}

// equalScalar compares JSON scalars; numbers may be int64 on one side and float64 on the other.
func equalScalar(a, b any) bool {
	an, aok := number(a)
	bn, bok := number(b)
	if aok && bok {
		return an == bn
	}
	return reflect.DeepEqual(a, b)
}

func number(v any) (float64, bool) {
	switch v := v.(type) {
	case int64:
		return float64(v), true
	case float64:
		return v, true
	case int32:
		return float64(v), true
	case int:
		return float64(v), true
	}
	return 0, false
}

func same(a, b *unstructured.Unstructured) bool {
	return a.GetKind() == b.GetKind() && a.GetName() == b.GetName() && a.GetNamespace() == b.GetNamespace()
}

// after returns live objects with one of them as it is when a rendered one has been written to it.
func after(live canary.Objects, ref canary.Ref, rendered *unstructured.Unstructured) canary.Objects {
	next := maps.Clone(live)
	next[ref] = live[ref].DeepCopy()
	merge(next[ref].Object, rendered.Object)
	return next
}

// merge writes b over a, map by map. What is null in b goes away.
func merge(a, b map[string]any) {
	for key, value := range b {
		if value == nil {
			delete(a, key)
			continue
		}
		am, aok := a[key].(map[string]any)
		bm, bok := value.(map[string]any)
		if aok && bok {
			merge(am, bm)
			continue
		}
		a[key] = value
	}
}

// permanent reports whether trying again cannot help.
func permanent(err error) bool {
	return apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err) || apierrors.IsInvalid(err) ||
		apierrors.IsBadRequest(err) || apierrors.IsMethodNotSupported(err) || errors.Is(err, errBadToken)
}

// served says in plain words that a kind of object is not served.
func served(err error) error {
	if apierrors.IsNotFound(err) {
		return errors.New("the cluster does not serve this kind of object; is its CRD installed?")
	}
	return err
}
