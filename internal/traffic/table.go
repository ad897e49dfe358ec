package traffic

import (
	"fmt"
	"slices"
	"strings"

	"github.com/penstock-dev/penstock/internal/canary"
)

// Table returns what every router writes and can do, as a table in markdown, sorted by name.
func Table() string {
	var b strings.Builder
	b.WriteString("| `spec.provider` | writes | weights | `match` (A/B) | `mirror` | `mirrorWeight` | `sessionAffinity` | `--settle` |\n")
	b.WriteString("|---|---|---|---|---|---|---|---|\n")
	for _, name := range List() {
		r := registry[name]
		weights := "0 or 100 %"
		if r.Can.Weights {
			weights = "any"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s | %s | %s | %s |\n", name, strings.Join(writes(name, r), ", "), weights,
			yes(r.Can.Match), yes(r.Can.Mirror), yes(r.Can.MirrorWeight), yes(r.Can.SessionAffinity), r.Settle)
	}
	return b.String()
}

func yes(can bool) string {
	if can {
		return "yes"
	}
	return "–"
}

// writes lists the kinds of a router's objects, for a canary that refers to all that any router wants.
func writes(provider string, r Router) []string {
	c := &canary.Canary{}
	c.Name, c.Spec.Provider = "podinfo", provider
	ref := &canary.ObjectRef{Name: "podinfo"}
	c.Spec.TargetRef, c.Spec.IngressRef, c.Spec.RouteRef, c.Spec.UpstreamRef = *ref, ref, ref, ref
	refs := r.Refs(c)
	c.Spec.Service.GatewayRefs = []canary.ParentReference{{Name: "podinfo"}}
	var kinds []string
	for _, ref := range append(refs, r.Refs(c)...) {
		kind := ref.Kind
		if ref.Group == knativeGroup {
			kind += " of Knative"
		}
		if !slices.Contains(kinds, kind) {
			kinds = append(kinds, kind)
		}
	}
	return kinds
}
