package workload

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/penstock-dev/penstock/internal/canary"
)

// configTracking is the annotation by which a ConfigMap or a Secret is left out, with a value that starts with "disable".
const configTracking = "flagger.app/config-tracking"

// trackedTypes are the types of Secrets that configure an application. Others belong to Kubernetes, such as the
// credentials of a registry, and are referred to as they are.
var trackedTypes = [...]corev1.SecretType{
	corev1.SecretTypeOpaque, corev1.SecretTypeBasicAuth, corev1.SecretTypeSSHAuth, corev1.SecretTypeTLS,
}

// config is a ConfigMap or a Secret that a target refers to, as it is in the cluster.
type config struct {
	ConfigRef
	live      *unstructured.Unstructured // nil: there is none
	refused   error                      // why it cannot be read
	untracked bool                       // referred to as it is
	checksum  string                     // of its content, when it is tracked and there
}

// configSet is the configuration that a target's pods start with.
type configSet struct {
	all  []config
	live canary.Objects
}

// ConfigView is what a cluster says of ConfigMaps and Secrets.
type ConfigView struct {
	Live    canary.Objects
	Refused map[canary.Ref]error // which of them this run may not read, and why; may be nil
}

// Track makes the configuration of a target and of its primary a part of both: of their revisions, of the primary's
// template, which has the names of the originals from here on, and of the copy that RenderPrimary makes. Without it, both
// are taken to refer to nothing. Either may be nil.
func Track(c *canary.Canary, target, primary *Workload, view ConfigView) {
	if target != nil {
		target.configs = readConfigs(c, target.Template, view)
	}
	if primary != nil {
		primary.Template, primary.copies = readCopies(c, primary.Template, view)
	}
}

func readConfigs(c *canary.Canary, template *corev1.PodTemplateSpec, view ConfigView) configSet {
	s := configSet{live: view.Live}
	for _, r := range Configs(template) {
		ref := r.in(c)
		found := config{ConfigRef: r, live: view.Live[ref]}
		switch {
		case found.live == nil:
			found.refused = view.Refused[ref]
		case !tracked(found.live):
			found.untracked = true
		default:
			found.checksum = checksum(found.live)
		}
		s.all = append(s.all, found)
	}
	return s
}

// tracked reports whether a ConfigMap or a Secret is to be copied for the primary.
func tracked(live *unstructured.Unstructured) bool {
	if strings.HasPrefix(live.GetAnnotations()[configTracking], "disable") {
		return false
	}
	if live.GetKind() != secretKind {
		return true
	}
	for _, t := range trackedTypes {
		if secretType(live) == t {
			return true
		}
	}
	return false
}

func secretType(live *unstructured.Unstructured) corev1.SecretType {
	if t, _, _ := unstructured.NestedString(live.Object, "type"); t != "" {
		return corev1.SecretType(t)
	}
	return corev1.SecretTypeOpaque
}

// checksum is a short hash of the content: that of Flagger's status.trackedConfigs, with binaryData, which Flagger does
// not look at, added where there is some.
func checksum(live *unstructured.Unstructured) string {
	text := content(live, "data")
	if binary := content(live, "binaryData"); string(binary) != "null" {
		text = append(append(text, '\n'), binary...)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:revisionBytes])
}

func content(live *unstructured.Unstructured, field string) []byte {
	data, _, _ := unstructured.NestedStringMap(live.Object, field)
	if len(data) == 0 {
		data = nil
	}
	text, err := json.Marshal(data)
	if err != nil {
		panic(fmt.Sprintf("workload: write a map of strings: %v", err)) // cannot fail
	}
	return text
}

// TrackedConfigs returns the hash of each ConfigMap and Secret of a target, as Flagger shows them in status.trackedConfigs
// of a Canary: by "configmap/name" and "secret/name". It is nil when there are none.
func TrackedConfigs(target *Workload) map[string]string {
	var sums map[string]string
	for i := range target.configs.all {
		if c := &target.configs.all[i]; c.checksum != "" {
			if sums == nil {
				sums = map[string]string{}
			}
			sums[c.String()] = c.checksum
		}
	}
	return sums
}

// revision extends the revision of a target's pod template by its configuration: a change of either is a new revision.
// Without a tracked ConfigMap or Secret it is the template's own.
func (s *configSet) revision(template string) string {
	var lines []string
	for i := range s.all {
		switch c := &s.all[i]; {
		case c.refused != nil:
			lines = append(lines, c.String()+" unknown")
		case c.checksum != "":
			lines = append(lines, c.String()+" "+c.checksum)
		}
	}
	return combine(template, lines)
}

func combine(template string, lines []string) string {
	if len(lines) == 0 {
		return template
	}
	sum := sha256.Sum256([]byte(template + "\n" + strings.Join(lines, "\n")))
	return hex.EncodeToString(sum[:revisionBytes])
}

// ConfigProblem says what keeps the pods of a target from starting: a ConfigMap or a Secret that is not optional and not
// there, or one that cannot be read, which no waiting heals. It is empty when there is nothing to say.
func ConfigProblem(target *Workload) (text string, final bool) {
	var parts []string
	for i := range target.configs.all {
		part, refused := target.configs.all[i].problem()
		final = final || refused
		if part != "" {
			parts = append(parts, part)
		}
	}
	return sentence(parts...), final
}

func (c *config) problem() (text string, final bool) {
	switch {
	case c.refused != nil:
		return fmt.Sprintf("%s %q cannot be read: %v", c.Kind, c.Name, c.refused), true
	case c.live == nil && !c.Optional:
		return fmt.Sprintf("%s %q does not exist", c.Kind, c.Name), false
	}
	return "", false
}
