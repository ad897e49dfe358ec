package rehearsal

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/intstr"
	k8svalidation "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Limits of the HTTPRoute definition.
const (
	maxRouteRules    = 16
	maxBackendRefs   = 16
	maxBackendWeight = 1_000_000
)

func validatePort(port int32, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for _, problem := range k8svalidation.IsValidPortNum(int(port)) {
		errs = append(errs, field.Invalid(path, port, problem))
	}
	return errs
}

func validateKey(key, in string) field.ErrorList {
	var errs field.ErrorList
	for _, problem := range k8svalidation.IsConfigMapKey(key) {
		errs = append(errs, field.Invalid(field.NewPath(in).Key(key), key, problem))
	}
	return errs
}

func validateService(old, s *corev1.Service) field.ErrorList {
	path := field.NewPath("spec", "ports")
	var errs field.ErrorList
	if len(s.Spec.Ports) == 0 && s.Spec.ClusterIP != corev1.ClusterIPNone && s.Spec.Type != corev1.ServiceTypeExternalName {
		errs = append(errs, field.Required(path, ""))
	}
	names, ports := map[string]bool{}, map[string]bool{}
	for i, port := range s.Spec.Ports {
		at := path.Index(i)
		errs = append(errs, validatePort(port.Port, at.Child("port"))...)
		if port.TargetPort.Type == intstr.Int {
			errs = append(errs, validatePort(port.TargetPort.IntVal, at.Child("targetPort"))...)
		}
		number := fmt.Sprintf("%d/%s", port.Port, port.Protocol)
		switch {
		case port.Name == "" && len(s.Spec.Ports) > 1:
			errs = append(errs, field.Required(at.Child("name"), ""))
		case port.Name != "" && names[port.Name]:
			errs = append(errs, field.Duplicate(at.Child("name"), port.Name))
		case ports[number]:
			errs = append(errs, field.Duplicate(at, number))
		}
		names[port.Name], ports[number] = true, true
	}
	if old != nil && old.Spec.ClusterIP != "" && old.Spec.Type == s.Spec.Type && old.Spec.ClusterIP != s.Spec.ClusterIP {
		errs = append(errs, field.Invalid(field.NewPath("spec", "clusterIPs").Index(0), []string{s.Spec.ClusterIP}, "may not change once set"))
	}
	return errs
}

func validateIngress(i *networkingv1.Ingress) field.ErrorList {
	var errs field.ErrorList
	spec := field.NewPath("spec")
	if len(i.Spec.Rules) == 0 && i.Spec.DefaultBackend == nil {
		errs = append(errs, field.Invalid(spec, i.Spec.Rules, "either `defaultBackend` or `rules` must be specified"))
	}
	for r, rule := range i.Spec.Rules {
		if rule.HTTP == nil {
			continue
		}
		for p, path := range rule.HTTP.Paths {
			at := spec.Child("rules").Index(r).Child("http", "paths").Index(p)
			if path.PathType == nil {
				errs = append(errs, field.Required(at.Child("pathType"), "pathType must be specified"))
			}
			if path.Backend.Service != nil && path.Backend.Service.Name == "" {
				errs = append(errs, field.Required(at.Child("backend", "service", "name"), ""))
			}
		}
	}
	return errs
}

func validateCustom(k *apiKind, object *unstructured.Unstructured) field.ErrorList {
	if k.Kind.Kind != "HTTPRoute" || k.Group != gatewayGroup {
		return nil
	}
	path := field.NewPath("spec", "rules")
	rules := subObjects(subObject(object.Object, "spec"), "rules")
	var errs field.ErrorList
	if len(rules) > maxRouteRules {
		errs = append(errs, field.TooMany(path, len(rules), maxRouteRules))
	}
	for r, rule := range rules {
		backends := subObjects(rule, "backendRefs")
		at := path.Index(r).Child("backendRefs")
		if len(backends) > maxBackendRefs {
			errs = append(errs, field.TooMany(at, len(backends), maxBackendRefs))
		}
		for b, backend := range backends {
			errs = append(errs, validateBackend(backend, at.Index(b))...)
		}
	}
	return errs
}

func validateBackend(backend map[string]any, at *field.Path) field.ErrorList {
	var errs field.ErrorList
	if name, _ := backend["name"].(string); name == "" {
		errs = append(errs, field.Required(at.Child("name"), ""))
	}
	weight, isNumber := backend["weight"].(int64)
	if !isNumber {
		errs = append(errs, field.TypeInvalid(at.Child("weight"), backend["weight"], "must be an integer"))
	} else {
		errs = append(errs, validation.ValidateNonnegativeField(weight, at.Child("weight"))...)
		if weight > maxBackendWeight {
			errs = append(errs, field.Invalid(at.Child("weight"), weight, fmt.Sprintf("should be less than or equal to %d", maxBackendWeight)))
		}
	}
	if port, found := backend["port"].(int64); found {
		errs = append(errs, validatePort(int32(min(port, 1<<17)), at.Child("port"))...)
	}
	return errs
}
