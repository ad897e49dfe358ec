package traffic

import (
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/rollout"
)

// nothingLacks is Lacks of a router that needs nothing beyond the Service.
func nothingLacks(*canary.Canary) []string { return nil }

// nothingLimits is Limits of a router that has no words for the requests of a canary at all, as in Flagger: what
// spec.service says of matches, retries or timeouts is for others.
func nothingLimits(*canary.Canary) []string { return nil }

// onlyWeights refuses what a router that knows nothing but weights is asked for.
func onlyWeights(c *canary.Canary, ref canary.Ref, want rollout.Route) error {
	switch {
	case want.Mirror != 0:
		return fmt.Errorf("route %s: the %s router cannot copy requests to the canary", ref, c.Spec.Provider)
	case want.Match && !want.Handover:
		return fmt.Errorf("route %s: the %s router cannot send only matching requests to the canary", ref, c.Spec.Provider)
	}
	return percent("route "+ref.String()+": weight", want.Canary)
}

// label gives an object that carries the route its metadata. At the handover, one that was made for the canary keeps
// the markers by which it is known, to be deleted; the user's own loses what Penstock has put there.
func label(c *canary.Canary, object, live *unstructured.Unstructured, want rollout.Route) error {
	if live != nil {
		object.SetResourceVersion(live.GetResourceVersion())
	}
	ours, err := owned(c, live)
	if err != nil {
		return err
	}
	if want.Handover && !ours {
		return unmark(c, object, live, c.Spec.Service.Apex)
	}
	return mark(c, object, live, c.Spec.Service.Apex)
}

// release is label for an object that goes on carrying the traffic when the canary is gone, whoever has made it.
func release(c *canary.Canary, object, live *unstructured.Unstructured, want rollout.Route) error {
	if live != nil {
		object.SetResourceVersion(live.GetResourceVersion())
	}
	if want.Handover {
		return unmark(c, object, live, c.Spec.Service.Apex)
	}
	return mark(c, object, live, c.Spec.Service.Apex)
}

// unmanaged says that a route sends nothing to either side.
func unmanaged(c *canary.Canary, ref canary.Ref) string {
	apex := c.ServiceName()
	return fmt.Sprintf("%s sends no requests to Service %q or %q", ref, apex+primarySuffix, apex+canarySuffix)
}
