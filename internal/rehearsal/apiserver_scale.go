package rehearsal

import (
	"fmt"

	autoscalingv1 "k8s.io/api/autoscaling/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
)

// scaleKind is the kind of the scale subresource.
func scaleKind() Kind {
	return Kind{GroupVersionKind: autoscalingv1.SchemeGroupVersion.WithKind("Scale"), Resource: "scales", Namespaced: true}
}

// scaleOf is the scale subresource of an object.
func scaleOf(k *apiKind, live *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	wanted, _, _ := unstructured.NestedInt64(live.Object, "spec", "replicas")
	have, _, _ := unstructured.NestedInt64(live.Object, "status", "replicas")
	matching, _, _ := unstructured.NestedStringMap(live.Object, "spec", "selector", "matchLabels")
	scale := &autoscalingv1.Scale{
		TypeMeta: metav1.TypeMeta{APIVersion: autoscalingv1.SchemeGroupVersion.String(), Kind: "Scale"},
		ObjectMeta: metav1.ObjectMeta{
			Name: live.GetName(), Namespace: live.GetNamespace(), UID: live.GetUID(),
			ResourceVersion: live.GetResourceVersion(), CreationTimestamp: live.GetCreationTimestamp(),
		},
		Spec:   autoscalingv1.ScaleSpec{Replicas: int32(wanted)},
		Status: autoscalingv1.ScaleStatus{Replicas: int32(have), Selector: labels.FormatLabels(matching)},
	}
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(scale)
	if err != nil {
		return nil, apierrors.NewInternalError(fmt.Errorf("scale of %s %q: %w", k.Resource, live.GetName(), err))
	}
	return &unstructured.Unstructured{Object: content}, nil
}

func (a *API) updateScale(k *apiKind, r APIRequest) (any, error) {
	sent, err := readBody(r.HTTP)
	if err != nil {
		return nil, err
	}
	return a.patchScale(k, r, func(*unstructured.Unstructured) (*unstructured.Unstructured, error) { return sent, nil })
}

// patchScale changes the replicas of an object through its scale.
func (a *API) patchScale(k *apiKind, r APIRequest, next change) (*unstructured.Unstructured, error) {
	object, err := a.update(k, r.object(), writeOf(r), func(live *unstructured.Unstructured) (*unstructured.Unstructured, error) {
		scale, err := scaleOf(k, live)
		if err != nil {
			return nil, err
		}
		if scale, err = next(scale); err != nil {
			return nil, err
		}
		replicas, err := replicasOf(scale)
		if err != nil {
			return nil, err
		}
		live.SetResourceVersion(scale.GetResourceVersion())
		return live, unstructured.SetNestedField(live.Object, replicas, "spec", "replicas")
	})
	if err != nil {
		return nil, err
	}
	return scaleOf(k, object)
}

// replicasOf reads the wanted replicas of a scale; none are 0, as in its Go type.
func replicasOf(scale *unstructured.Unstructured) (int64, error) {
	replicas, _, err := unstructured.NestedInt64(scale.Object, "spec", "replicas")
	if err != nil {
		return 0, apierrors.NewBadRequest(fmt.Sprintf("read scale %q: %v", scale.GetName(), err))
	}
	return replicas, nil
}

// unscale turns an applied scale into the same apply of the object itself.
func unscale(k *apiKind, r APIRequest, scale *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	if scale.GetKind() != "Scale" {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("kind %q is not Scale", scale.GetKind()))
	}
	replicas, err := replicasOf(scale)
	if err != nil {
		return nil, err
	}
	object := emptyObject(k.GroupVersionKind)
	object.SetName(r.Name)
	object.SetNamespace(r.Namespace)
	object.SetResourceVersion(scale.GetResourceVersion())
	return object, unstructured.SetNestedField(object.Object, replicas, "spec", "replicas")
}
