package kube

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/penstock-dev/penstock/internal/canary"
)

// gatewayGroup is the API group of the Gateway API.
const gatewayGroup = "gateway.networking.k8s.io"

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
	if ref != w.refs.Primary && contains(live[ref], object) {
		return nil
	}
	epoch, held := w.fence()
	if !held {
		return ErrSuperseded
	}
	object = object.DeepCopy()
	annotations := object.GetAnnotations()
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[epochAnnotation] = strconv.FormatInt(epoch, 10)
	object.SetAnnotations(annotations)
	body, err := json.Marshal(object)
	if err != nil {
		return fmt.Errorf("apply %s: %w", ref, err)
	}
	how, force := types.ApplyPatchType, ptr.To(true)
	if ref == w.refs.Apex && live[ref] != nil && live[w.refs.Target] == nil {
		// Without the target only the router's part of the Service is known. An apply would take the rest away.
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
// condition for writing, not something to write.
func contains(live, rendered *unstructured.Unstructured) bool {
	if live == nil {
		return false
	}
	want := rendered.DeepCopy()
	unstructured.RemoveNestedField(want.Object, "metadata", "resourceVersion")
	return within(want.Object, live.Object) && sameRules(want, live)
}

// sameRules compares the rules of a route to the letter. Their list is one field to the API and is rendered from the live
// one, so that what a rule no longer has, such as a mirror, is a difference too.
func sameRules(want, live *unstructured.Unstructured) bool {
	if want.GroupVersionKind().Group != gatewayGroup {
		return true
	}
	a, _, _ := unstructured.NestedFieldNoCopy(want.Object, "spec", "rules")
	b, _, _ := unstructured.NestedFieldNoCopy(live.Object, "spec", "rules")
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

// merge writes b over a, map by map.
func merge(a, b map[string]any) {
	for key, value := range b {
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
		apierrors.IsBadRequest(err) || apierrors.IsMethodNotSupported(err)
}

// served says in plain words that a kind of object is not served.
func served(err error) error {
	if apierrors.IsNotFound(err) {
		return errors.New("the cluster does not serve this kind of object; is its CRD installed?")
	}
	return err
}
