package rehearsal

import (
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

// normalise reads an object as a real API server does: as its Go type when it is a built-in kind, so that wrong types
// are refused and unknown fields dropped; then it fills in the defaults.
func (a *API) normalise(k *apiKind, live, object *unstructured.Unstructured, strict bool) (*unstructured.Unstructured, error) {
	if !k.builtin {
		object = object.DeepCopy()
		if k.Defaults != nil {
			k.Defaults(object)
		}
		return object, nil
	}
	typed, err := builtinScheme().New(k.GroupVersionKind)
	if err != nil {
		return nil, apierrors.NewInternalError(err)
	}
	if err := readTyped(object, typed, strict); err != nil {
		return nil, unreadable(k, err)
	}
	switch o := typed.(type) {
	case *appsv1.Deployment:
		defaultDeployment(&o.Spec)
	case *appsv1.DaemonSet:
		defaultDaemonSet(&o.Spec)
	case *appsv1.ReplicaSet:
		defaultReplicas(&o.Spec.Replicas)
		defaultPod(&o.Spec.Template.Spec)
	case *autoscalingv2.HorizontalPodAutoscaler:
		fillPtr(&o.Spec.MinReplicas, 1)
	case *corev1.Pod:
		defaultPod(&o.Spec)
	case *corev1.Service:
		defaultService(&o.Spec)
		a.allot(live, &o.Spec)
	case *corev1.Secret:
		defaultSecret(o)
	case *corev1.Namespace:
		o.Status.Phase = corev1.NamespaceActive
	}
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(typed)
	if err != nil {
		return nil, apierrors.NewInternalError(err)
	}
	dropNulls(content)
	normal := &unstructured.Unstructured{Object: content}
	normal.SetGroupVersionKind(k.GroupVersionKind)
	return normal, nil
}

// readTyped decodes into a Go type. The converter reports unknown fields as an error of their own, and decodes the
// rest all the same.
func readTyped(object *unstructured.Unstructured, into any, strict bool) error {
	err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(object.Object, into, true)
	if err != nil && runtime.IsStrictDecodingError(err) && !strict {
		return nil
	}
	return err
}

func unreadable(k *apiKind, err error) error {
	return apierrors.NewBadRequest(fmt.Sprintf("%s in version %q cannot be handled as a %s: %v", k.Kind.Kind, k.Version, k.Kind.Kind, err))
}

// dropNulls removes the empty timestamps that Go types write as null.
func dropNulls(content map[string]any) {
	for field, value := range content {
		switch v := value.(type) {
		case nil:
			delete(content, field)
		case map[string]any:
			dropNulls(v)
		case []any:
			for _, item := range v {
				if m, ok := item.(map[string]any); ok {
					dropNulls(m)
				}
			}
		}
	}
}

// ensureNamespace makes the namespace exist. The lock is held.
func (a *API) ensureNamespace(name string) {
	k := a.kinds[corev1.SchemeGroupVersion.WithResource("namespaces")]
	if name == "" || k == nil || a.objects[apiKey{gvr: k.GVR(), name: name}] != nil {
		return
	}
	namespace := emptyObject(k.GroupVersionKind)
	namespace.SetName(name)
	namespace.SetLabels(map[string]string{corev1.LabelMetadataName: name})
	// It fails only for a name that no object can have passed validation with; a reader then finds no such namespace.
	_, _ = a.createLocked(k, namespace, apiWrite{manager: "kube-apiserver"})
}
