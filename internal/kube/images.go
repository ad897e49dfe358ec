package kube

import (
	"maps"
	"slices"
	"strings"

	"github.com/penstock-dev/penstock/internal/workload"
)

// Image names what a run rolls out, for people: the images that it is told to set, or those that the target has. Several
// are separated by commas. It is empty where that is not known.
func (w *World) Image(set map[string]string) string {
	var all []string
	for _, container := range slices.Sorted(maps.Keys(set)) {
		all = append(all, set[container])
	}
	live, _ := w.store.snapshot()
	target, err := workload.FromObject(live[w.refs.Target])
	if err == nil && target != nil && len(all) == 0 && target.PodSpec() != nil {
		containers := target.PodSpec().Containers
		for i := range containers {
			all = append(all, containers[i].Image)
		}
	}
	return strings.Join(slices.Compact(all), ",")
}
