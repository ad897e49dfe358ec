package workload

import (
	"cmp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/penstock-dev/penstock/internal/canary"
)

// The kinds of objects that hold the configuration of pods.
const (
	configMapKind = "ConfigMap"
	secretKind    = "Secret"
)

var configKinds = map[string]schema.GroupVersionResource{
	configMapKind: {Version: "v1", Resource: "configmaps"},
	secretKind:    {Version: "v1", Resource: "secrets"},
}

// ConfigRef is a ConfigMap or a Secret that a pod template refers to.
type ConfigRef struct {
	Kind     string // "ConfigMap" or "Secret"
	Name     string
	Optional bool // every reference to it is optional: pods start without it
}

// String returns the reference as Flagger writes it in the status of a Canary, such as "configmap/app".
func (r ConfigRef) String() string { return strings.ToLower(r.Kind) + "/" + r.Name }

// in returns the object behind a reference, in the canary's namespace.
func (r ConfigRef) in(c *canary.Canary) canary.Ref { return configRef(c, r.Kind, r.Name) }

func configRef(c *canary.Canary, kind, name string) canary.Ref {
	return c.RefOf(configKinds[kind], kind, name)
}

// Configs returns the ConfigMaps and the Secrets that a pod template refers to, sorted and each once: in volumes,
// projected volumes, env and envFrom, of containers and of init containers. Credentials for pulling images or for mounting
// storage are not among them: they do not configure what runs in the pod. A nil template refers to nothing.
func Configs(template *corev1.PodTemplateSpec) []ConfigRef {
	if template == nil {
		return nil
	}
	var all []ConfigRef
	eachConfig(&template.Spec, func(kind string, name *string, optional *bool) {
		r := ConfigRef{Kind: kind, Name: *name, Optional: optional != nil && *optional}
		i := slices.IndexFunc(all, func(o ConfigRef) bool { return o.Kind == r.Kind && o.Name == r.Name })
		if i >= 0 {
			all[i].Optional = all[i].Optional && r.Optional
			return
		}
		all = append(all, r)
	})
	slices.SortFunc(all, func(a, b ConfigRef) int { return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name)) })
	return all
}

// eachConfig visits every place in a pod spec that names a ConfigMap or a Secret; the name may be changed in place.
func eachConfig(spec *corev1.PodSpec, visit func(kind string, name *string, optional *bool)) {
	named := func(kind string, name *string, optional *bool) {
		if *name != "" {
			visit(kind, name, optional)
		}
	}
	for i := range spec.Volumes {
		v := &spec.Volumes[i]
		if v.ConfigMap != nil {
			named(configMapKind, &v.ConfigMap.Name, v.ConfigMap.Optional)
		}
		if v.Secret != nil {
			named(secretKind, &v.Secret.SecretName, v.Secret.Optional)
		}
		if v.Projected == nil {
			continue
		}
		for j := range v.Projected.Sources {
			s := &v.Projected.Sources[j]
			if s.ConfigMap != nil {
				named(configMapKind, &s.ConfigMap.Name, s.ConfigMap.Optional)
			}
			if s.Secret != nil {
				named(secretKind, &s.Secret.Name, s.Secret.Optional)
			}
		}
	}
	for _, containers := range [][]corev1.Container{spec.InitContainers, spec.Containers} {
		for i := range containers {
			eachEnv(&containers[i], named)
		}
	}
}

func eachEnv(c *corev1.Container, visit func(kind string, name *string, optional *bool)) {
	for i := range c.EnvFrom {
		if r := c.EnvFrom[i].ConfigMapRef; r != nil {
			visit(configMapKind, &r.Name, r.Optional)
		}
		if r := c.EnvFrom[i].SecretRef; r != nil {
			visit(secretKind, &r.Name, r.Optional)
		}
	}
	for i := range c.Env {
		from := c.Env[i].ValueFrom
		if from == nil {
			continue
		}
		if r := from.ConfigMapKeyRef; r != nil {
			visit(configMapKind, &r.Name, r.Optional)
		}
		if r := from.SecretKeyRef; r != nil {
			visit(secretKind, &r.Name, r.Optional)
		}
	}
}
