package rehearsal

import (
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// maxConfigBytes is the most that a ConfigMap or a Secret may hold.
const maxConfigBytes = 1 << 20

// validateObject checks what a real API server would refuse, as far as a rollout can get it wrong.
func validateObject(k *apiKind, live, object *unstructured.Unstructured) field.ErrorList {
	names := validation.NameIsDNSSubdomain
	switch k.Kind.Kind {
	case "Service":
		names = validation.NameIsDNS1035Label
	case "Namespace":
		names = validation.NameIsDNSLabel
	}
	errs := validation.ValidateObjectMetaAccessor(object, k.Namespaced, names, field.NewPath("metadata"))
	if live != nil {
		errs = append(errs, validation.ValidateObjectMetaAccessorUpdate(object, live, field.NewPath("metadata"))...)
	}
	if !k.builtin {
		return append(errs, validateCustom(k, object)...)
	}
	typed, before := newTyped(k, object), newTyped(k, live)
	switch o := typed.(type) {
	case *appsv1.Deployment:
		old, _ := before.(*appsv1.Deployment)
		errs = append(errs, validateDeployment(old, o)...)
	case *appsv1.DaemonSet:
		old, _ := before.(*appsv1.DaemonSet)
		errs = append(errs, validateDaemonSet(old, o)...)
	case *corev1.Service:
		old, _ := before.(*corev1.Service)
		errs = append(errs, validateService(old, o)...)
	case *corev1.ConfigMap:
		errs = append(errs, validateConfigMap(before, o)...)
	case *networkingv1.Ingress:
		errs = append(errs, validateIngress(o)...)
	}
	return errs
}

// newTyped returns the object as its Go type, or nil for no object.
func newTyped(k *apiKind, object *unstructured.Unstructured) any {
	if object == nil {
		return nil
	}
	typed, err := builtinScheme().New(k.GroupVersionKind)
	if err != nil || readTyped(object, typed, false) != nil {
		return nil
	}
	return typed
}

func validateDeployment(old, d *appsv1.Deployment) field.ErrorList {
	spec := field.NewPath("spec")
	errs := validation.ValidateNonnegativeField(int64(*d.Spec.Replicas), spec.Child("replicas"))
	errs = append(errs, validateSelector(d.Spec.Selector, d.Spec.Template.Labels)...)
	if old != nil && !equality.Semantic.DeepEqual(old.Spec.Selector, d.Spec.Selector) {
		errs = append(errs, field.Invalid(spec.Child("selector"), d.Spec.Selector, validation.FieldImmutableErrorMsg))
	}
	return append(errs, validatePod(&d.Spec.Template.Spec, spec.Child("template", "spec"))...)
}

func validateDaemonSet(old, d *appsv1.DaemonSet) field.ErrorList {
	spec := field.NewPath("spec")
	errs := validateSelector(d.Spec.Selector, d.Spec.Template.Labels)
	if old != nil && !equality.Semantic.DeepEqual(old.Spec.Selector, d.Spec.Selector) {
		errs = append(errs, field.Invalid(spec.Child("selector"), d.Spec.Selector, validation.FieldImmutableErrorMsg))
	}
	return append(errs, validatePod(&d.Spec.Template.Spec, spec.Child("template", "spec"))...)
}

func validateSelector(selector *metav1.LabelSelector, template map[string]string) field.ErrorList {
	path := field.NewPath("spec", "selector")
	if selector == nil {
		return field.ErrorList{field.Required(path, "")}
	}
	parsed, err := metav1.LabelSelectorAsSelector(selector)
	switch {
	case err != nil:
		return field.ErrorList{field.Invalid(path, selector, "invalid label selector")}
	case parsed.Empty():
		return field.ErrorList{field.Invalid(path, selector, "empty selector is invalid for this kind")}
	case !parsed.Matches(labels.Set(template)):
		return field.ErrorList{field.Invalid(field.NewPath("spec", "template", "metadata", "labels"), template,
			"`selector` does not match template `labels`")}
	}
	return nil
}

func validatePod(spec *corev1.PodSpec, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if len(spec.Containers) == 0 {
		errs = append(errs, field.Required(path.Child("containers"), ""))
	}
	seen := map[string]bool{}
	for i, c := range spec.Containers {
		at := path.Child("containers").Index(i)
		switch {
		case c.Name == "":
			errs = append(errs, field.Required(at.Child("name"), ""))
		case seen[c.Name]:
			errs = append(errs, field.Duplicate(at.Child("name"), c.Name))
		}
		seen[c.Name] = true
		if c.Image == "" {
			errs = append(errs, field.Required(at.Child("image"), ""))
		}
		for j, port := range c.Ports {
			errs = append(errs, validatePort(port.ContainerPort, at.Child("ports").Index(j).Child("containerPort"))...)
		}
	}
	return errs
}

func validateConfigMap(before any, c *corev1.ConfigMap) field.ErrorList {
	var errs field.ErrorList
	size := 0
	for key, value := range c.Data {
		size += len(value)
		errs = append(errs, validateKey(key, "data")...)
	}
	for key, value := range c.BinaryData {
		size += len(value)
		errs = append(errs, validateKey(key, "binaryData")...)
	}
	if size > maxConfigBytes {
		errs = append(errs, field.TooLong(field.NewPath(""), "", maxConfigBytes))
	}
	old, _ := before.(*corev1.ConfigMap)
	if old != nil && old.Immutable != nil && *old.Immutable && !equality.Semantic.DeepEqual(old.Data, c.Data) {
		errs = append(errs, field.Forbidden(field.NewPath("data"), "field is immutable when `immutable` is set"))
	}
	return errs
}

// mustSpecifyVersion is the answer to an update without a resourceVersion of a kind that needs one.
func mustSpecifyVersion(k *apiKind, name string) error {
	return apierrors.NewInvalid(k.GroupKind(), name, field.ErrorList{field.Invalid(
		field.NewPath("metadata", "resourceVersion"), 0, "must be specified for an update")})
}
