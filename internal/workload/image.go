package workload

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

type imagePatch struct {
	Name  string `json:"name"`
	Image string `json:"image"`
}

// SetImage returns the strategic merge patch that gives containers, init containers included, the images of a map from
// container name to image reference; of a custom resource, which knows no such patch, a JSON merge patch. It is nil when
// they all have them already. All problems are in one error.
//
// A Service has no containers: what it releases is chosen by its selector.
func SetImage(target *Workload, images map[string]string) ([]byte, error) {
	spec := target.PodSpec()
	if spec == nil && len(images) > 0 {
		return nil, fmt.Errorf("set image: %s has no containers; a new revision of it is a change of its spec.selector or spec.ports",
			target.describe())
	}
	if len(images) == 0 {
		return nil, nil
	}
	var problems []string
	for _, name := range slices.Sorted(maps.Keys(images)) {
		if image := images[name]; image == "" || strings.ContainsAny(image, " \t\r\n") {
			problems = append(problems, fmt.Sprintf("image of container %q: %q is not an image reference", name, image))
		}
		if names := containerNames(spec); !slices.Contains(names, name) {
			problems = append(problems, fmt.Sprintf("%s has no container %q; it has %s", target.describe(), name, strings.Join(names, ", ")))
		}
	}
	if len(problems) > 0 {
		return nil, fmt.Errorf("set image: %s", strings.Join(problems, "; "))
	}
	patch := map[string][]imagePatch{}
	for list, containers := range map[string][]corev1.Container{"containers": spec.Containers, "initContainers": spec.InitContainers} {
		for i := range containers {
			if image, ok := images[containers[i].Name]; ok && image != containers[i].Image {
				patch[list] = append(patch[list], imagePatch{containers[i].Name, image})
			}
		}
	}
	if len(patch) == 0 {
		return nil, nil
	}
	if service, ok := target.typed.(*knativeService); ok {
		return service.setImage(target, images)
	}
	return json.Marshal(map[string]any{"spec": map[string]any{"template": map[string]any{"spec": patch}}})
}

// PodSpec is what the pods of a workload are made of, or nil where it does not say.
func (w *Workload) PodSpec() *corev1.PodSpec {
	if service, ok := w.typed.(*knativeService); ok {
		return &service.pods
	}
	if w.Template == nil {
		return nil
	}
	return &w.Template.Spec
}

func containerNames(spec *corev1.PodSpec) []string {
	names := make([]string, 0, len(spec.Containers)+len(spec.InitContainers))
	for i := range spec.Containers {
		names = append(names, spec.Containers[i].Name)
	}
	for i := range spec.InitContainers {
		names = append(names, spec.InitContainers[i].Name)
	}
	return names
}
