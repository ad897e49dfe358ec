package workload

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// Changes says in words what of a target differs from what its primary runs, such as "image of podinfod (podinfo:1 ->
// podinfo:2), configmap/app". It is empty when nothing does, and for a target without pods. Both must have been tracked.
func Changes(target, primary *Workload) string {
	if target.Template == nil || primary == nil || primary.Template == nil {
		return ""
	}
	was, is := revisionTree(plainTemplate(primary, true)), revisionTree(plainTemplate(target, false))
	var all []string
	before, after := subtree(was, "spec"), subtree(is, "spec")
	for _, list := range []string{"initContainers", "containers"} {
		all = append(all, containerChanges(before[list], after[list])...)
		delete(before, list)
		delete(after, list)
	}
	all = append(all, differing(before, after)...)
	for _, part := range []string{"labels", "annotations"} {
		if !reflect.DeepEqual(was[part], is[part]) {
			all = append(all, "pod "+part)
		}
	}
	return sentence(strings.Join(append(all, configChanges(&target.configs, primary.copies)...), ", "))
}

func subtree(tree map[string]any, field string) map[string]any {
	below, _ := tree[field].(map[string]any)
	return below
}

// differing returns the fields that are not the same in both.
func differing(before, after map[string]any) []string {
	fields := map[string]bool{}
	for field := range before {
		fields[field] = true
	}
	for field := range after {
		fields[field] = true
	}
	maps.DeleteFunc(fields, func(field string, _ bool) bool { return reflect.DeepEqual(before[field], after[field]) })
	return slices.Sorted(maps.Keys(fields))
}

func containerChanges(before, after any) []string {
	was, is := byName(before), byName(after)
	var all []string
	for _, name := range differing(was, is) {
		a, b := subtree(was, name), subtree(is, name)
		switch {
		case a == nil:
			all = append(all, "new container "+name)
			continue
		case b == nil:
			all = append(all, "no container "+name)
			continue
		}
		for _, field := range differing(a, b) {
			text := field + " of " + name
			if field == "image" {
				text += fmt.Sprintf(" (%v -> %v)", a[field], b[field])
			}
			all = append(all, text)
		}
	}
	if len(all) == 0 && !reflect.DeepEqual(before, after) {
		return []string{"order of the containers"}
	}
	return all
}

// byName returns the containers of a list by their names, which are unique.
func byName(list any) map[string]any {
	containers, _ := list.([]any)
	named := make(map[string]any, len(containers))
	for _, container := range containers {
		fields, _ := container.(map[string]any)
		name, _ := fields["name"].(string)
		named[name] = fields
	}
	return named
}

func configChanges(target *configSet, primary copySet) []string {
	had := map[string]string{}
	for _, c := range primary {
		if c.live != "" || c.checksum != "" {
			had[c.config] = c.checksum
			if c.live != c.checksum {
				had[c.config] = "changed since" // by somebody else, or by a promotion that was cut short
			}
		}
	}
	var all []string
	for i := range target.all {
		c := &target.all[i]
		if old, ok := had[c.String()]; c.checksum != "" && (!ok || old != c.checksum) {
			all = append(all, c.String())
		}
		if c.checksum != "" {
			delete(had, c.String())
		}
	}
	for _, gone := range slices.Sorted(maps.Keys(had)) {
		all = append(all, "no "+gone)
	}
	return all
}
