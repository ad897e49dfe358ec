package workload

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// ConfigsAnnotation says, on a pod template, with which configuration its pods were started. Pods do not restart when a
// ConfigMap or a Secret changes, but they do when this annotation does. It is no part of a revision and is not copied.
//
// On a primary it also says which copy stands for which original, so that a copy is recognised whatever it is called.
const ConfigsAnnotation = "penstock.dev/configs"

// marked is one entry of ConfigsAnnotation: "configmap/app=app-primary@0123456789abcdef".
type marked struct {
	config   string // "configmap/app"
	copy     string // name of the copy; empty on a target
	checksum string // of the content that pods start with; empty when there was none
}

func (m marked) String() string {
	text := m.config
	if m.copy != "" {
		text += "=" + m.copy
	}
	return text + "@" + m.checksum
}

func writeMarker(entries []marked) string {
	parts := make([]string, len(entries))
	for i, m := range entries {
		parts[i] = m.String()
	}
	return strings.Join(parts, ",")
}

// readMarker leaves out what it does not understand: the revision is then another, and the template is written anew.
func readMarker(template *corev1.PodTemplateSpec) []marked {
	if template == nil {
		return nil
	}
	var entries []marked
	for part := range strings.SplitSeq(template.Annotations[ConfigsAnnotation], ",") {
		name, sum, ok := strings.Cut(part, "@")
		if !ok {
			continue
		}
		config, copied, _ := strings.Cut(name, "=")
		entries = append(entries, marked{config, copied, sum})
	}
	return entries
}

// marker is what ConfigsAnnotation of a target's pod template should say.
func (s *configSet) marker() string {
	var entries []marked
	for i := range s.all {
		if c := &s.all[i]; c.checksum != "" {
			entries = append(entries, marked{config: c.String(), checksum: c.checksum})
		}
	}
	return writeMarker(entries)
}

// OutdatedConfigs names the ConfigMaps and the Secrets whose present content the pods of a target may not have been
// started with, in words. It is empty when all its pods have it.
func OutdatedConfigs(target *Workload) string {
	started := map[string]string{}
	for _, m := range readMarker(target.Template) {
		started[m.config] = m.checksum
	}
	var names []string
	for i := range target.configs.all {
		if c := &target.configs.all[i]; c.checksum != "" && started[c.String()] != c.checksum {
			names = append(names, c.String())
		}
	}
	return strings.Join(names, ", ")
}

// RestartPatch returns the merge patch on a target that starts its pods anew with its present configuration, as
// `kubectl rollout restart` does, or nil when they have it.
func RestartPatch(target *Workload) []byte {
	if OutdatedConfigs(target) == "" {
		return nil
	}
	return fmt.Appendf(nil, `{"spec":{"template":{"metadata":{"annotations":{%q:%q}}}}}`, ConfigsAnnotation, target.configs.marker())
}
