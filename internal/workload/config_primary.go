package workload

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/penstock-dev/penstock/internal/canary"
)

// copied is one copy that a primary refers to.
type copied struct {
	marked
	live string // hash of what the copy holds now; empty: there is none
}

// copySet is the configuration that a primary's pods were started with.
type copySet []copied

// readCopies undoes what rewriteConfigs has done to a primary's pod template, or what Flagger has: its primaries say
// nothing of their copies, which are known by their name and their owner. A copy that this run may not read is taken to hold
// what the pods were started with. The template is not modified.
func readCopies(c *canary.Canary, template *corev1.PodTemplateSpec, view ConfigView) (*corev1.PodTemplateSpec, copySet) {
	if template == nil {
		return nil, nil
	}
	var copies copySet
	entries := readMarker(template)
	known := map[string]marked{}
	template = template.DeepCopy()
	eachConfig(&template.Spec, func(kind string, name *string, _ *bool) {
		ref := configRef(c, kind, *name)
		object := view.Live[ref]
		as := ConfigRef{Kind: kind, Name: *name}
		m, ok := known[as.String()]
		if !ok {
			if m, ok = originalOf(c, as, entries, object); !ok {
				return // referred to as it is
			}
			known[as.String()] = m
			holds := checksumOf(object)
			if object == nil && view.Refused[ref] != nil {
				holds = m.checksum
			}
			copies = append(copies, copied{m, holds})
		}
		_, *name, _ = strings.Cut(m.config, "/")
	})
	slices.SortFunc(copies, func(a, b copied) int { return strings.Compare(a.config, b.config) })
	return template, copies
}

// originalOf says what a name in a primary's pod template stands for, when it is a copy.
func originalOf(c *canary.Canary, as ConfigRef, entries []marked, live *unstructured.Unstructured) (marked, bool) {
	prefix := strings.ToLower(as.Kind) + "/"
	for _, m := range entries {
		if m.copy == as.Name && strings.HasPrefix(m.config, prefix) {
			return m, true
		}
	}
	original, ok := strings.CutSuffix(as.Name, primarySuffix)
	if !ok || live == nil {
		return marked{}, false
	}
	if ours, err := owned(c, as.Kind, live); err != nil || !ours {
		return marked{}, false
	}
	return marked{prefix + original, as.Name, checksum(live)}, true
}

func checksumOf(live *unstructured.Unstructured) string {
	if live == nil {
		return ""
	}
	return checksum(live)
}

// revision extends the revision of a primary's pod template by its configuration, as configSet does for a target. A copy
// that holds something else than what the pods were started with makes it a revision that no target has.
func (s copySet) revision(template string) string {
	var lines []string
	for _, c := range s {
		switch {
		case c.checksum != c.live:
			lines = append(lines, c.config+" "+c.checksum+" and now "+c.live)
		case c.live != "":
			lines = append(lines, c.config+" "+c.live)
		}
	}
	return combine(template, lines)
}

// nameOf returns what the copy of a ConfigMap or a Secret is called at present, or nothing.
func (s copySet) nameOf(r ConfigRef) string {
	for _, c := range s {
		if c.config == r.String() {
			return c.copy
		}
	}
	return ""
}

// CopiesOf lists what may be there as a copy of the configuration of a primary that Track has seen: what it refers to, and
// the other name that each copy may have had before. It may be nil.
func CopiesOf(c *canary.Canary, primary *Workload) []canary.Ref {
	if primary == nil {
		return nil
	}
	var refs []canary.Ref
	for _, copied := range primary.copies {
		kind, name, _ := strings.Cut(copied.config, "/")
		r := ConfigRef{Kind: configMapKind, Name: name}
		if kind == strings.ToLower(secretKind) {
			r.Kind = secretKind
		}
		for _, name := range copyNames(c, r) {
			refs = append(refs, configRef(c, r.Kind, name))
		}
	}
	return refs
}

// rewriteConfigs returns a target's pod template for the primary: with the names of the copies, and with the annotation
// that restarts pods when a copy changes. It is the template itself when there are no copies.
func rewriteConfigs(template *corev1.PodTemplateSpec, copies []ConfigCopy) (rewritten *corev1.PodTemplateSpec, annotation string) {
	if len(copies) == 0 {
		return template, ""
	}
	names, entries := map[string]string{}, make([]marked, 0, len(copies))
	for i := range copies {
		c := &copies[i]
		names[c.Original.String()] = c.Ref.Name
		entries = append(entries, marked{c.Original.String(), c.Ref.Name, checksumOf(c.Object)})
	}
	rewritten = template.DeepCopy()
	eachConfig(&rewritten.Spec, func(kind string, name *string, _ *bool) {
		if copied, ok := names[ConfigRef{Kind: kind, Name: *name}.String()]; ok {
			*name = copied
		}
	})
	return rewritten, writeMarker(entries)
}
