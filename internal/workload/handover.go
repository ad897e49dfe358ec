package workload

import (
	"maps"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/penstock-dev/penstock/internal/canary"
)

// HandOver returns the apex Service as it stays behind when a canary is uninstalled: it selects the target, and nothing
// about it belongs to the canary any more, so that it does not go away with it. It is nil when the target is the apex.
func HandOver(c *canary.Canary, target, primary *Workload) (*unstructured.Unstructured, error) {
	refs, err := RefsFor(c)
	if err != nil {
		return nil, err
	}
	wanted, err := target.kind.services(c, &refs, target, primary)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(wanted, func(w wantedService) bool { return w.ref == refs.Apex })
	if i < 0 || refs.Apex == refs.Target {
		return nil, nil //nolint:nilnil // nothing to write is not an error
	}
	selector := map[string]any{}
	if target.Template == nil { // a Service: its own selector is what it serves by
		for key, value := range target.Selector.MatchLabels {
			selector[key] = value
		}
	} else {
		key, value, err := Label(target)
		if err != nil {
			return nil, err
		}
		selector[key] = value
	}
	apex := refs.Apex.New()
	spec := maps.Clone(wanted[i].spec)
	spec["selector"] = selector
	apex.Object["spec"] = spec
	return apex, nil
}

// Owned reports whether a live object was made for this canary, by Penstock or by Flagger.
func Owned(c *canary.Canary, kind string, live metav1.Object) bool {
	mine, err := owned(c, kind, live)
	return err == nil && mine
}
