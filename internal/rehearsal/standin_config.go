package rehearsal

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/workload"
)

// configs stands in for the ConfigMaps and Secrets that the target refers to and that the files do not contain: they are
// empty, since the app of the rehearsal reads none. What is optional may be missing here as it may be in a cluster.
func (s *Stage) configs(c *canary.Canary) error {
	o := s.findTarget(c)
	if o == nil {
		return nil // said by whoever compiles the canary
	}
	target, err := workload.FromObject(o)
	if err != nil {
		return fmt.Errorf("target %s %q: %w", o.GetKind(), o.GetName(), err)
	}
	for _, r := range workload.Configs(target.Template) {
		if r.Optional || s.find(r.Kind, r.Name) != nil {
			continue
		}
		s.say("%s %q: an empty one", r.Kind, r.Name)
		meta := metav1.ObjectMeta{Name: r.Name, Namespace: c.Namespace}
		var empty runtime.Object = &corev1.ConfigMap{ObjectMeta: meta}
		if r.Kind == "Secret" {
			empty = &corev1.Secret{ObjectMeta: meta, Type: corev1.SecretTypeOpaque}
		}
		if err := s.add(empty, corev1.SchemeGroupVersion.WithKind(r.Kind)); err != nil {
			return err
		}
	}
	return nil
}
