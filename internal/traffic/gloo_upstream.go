package traffic

import (
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/rollout"
)

// glooKinds are the fields of an Upstream that say what it stands for, one of which it has, and what discovery writes.
var glooKinds = [...]string{"kube", "static", "pipe", "aws", "azure", "consul", "awsEc2", "gcp", "ai", "discoveryMetadata"}

// upstreams returns those that the wanted route needs. At the handover that is the apex's, which stays; the others are
// left to be deleted, unless they are the user's own.
func (g glooCodec) upstreams(want rollout.Route) ([]*unstructured.Unstructured, error) {
	sides := []string{glooPrimary, glooCanary}
	if want.Handover {
		sides = []string{glooApex}
	}
	settings, err := g.settings(want)
	if err != nil {
		return nil, err
	}
	var upstreams []*unstructured.Unstructured
	for _, side := range sides {
		ref, service := glooUpstream(g.c, side), g.c.ServiceName()
		if side != glooApex {
			service += "-" + side
		}
		before := g.live[ref]
		if named := text(object(object(fields(before), "spec"), "kube"), "serviceName", ""); before != nil && named != service {
			return nil, fmt.Errorf("route %s: %s is there and stands for Service %q, not for %q; give it another name", g.table, ref, named, service)
		}
		upstream, err := g.upstream(ref, settings, want)
		if err != nil {
			return nil, err
		}
		object(upstream.Object, "spec")["kube"] = map[string]any{
			"serviceName": service, "serviceNamespace": g.c.Namespace, "servicePort": int64(g.c.Spec.Service.Port),
		}
		upstreams = append(upstreams, upstream)
	}
	return upstreams, nil
}

// upstream returns one with settings and metadata. The apex's belongs to nobody: it outlives the canary.
func (g glooCodec) upstream(ref canary.Ref, settings map[string]any, want rollout.Route) (*unstructured.Unstructured, error) {
	upstream, before := ref.New(), g.live[ref]
	if before != nil {
		upstream.SetResourceVersion(before.GetResourceVersion())
	}
	upstream.Object["spec"] = clone(settings)
	if want.Handover {
		return upstream, unmark(g.c, upstream, before, nil)
	}
	return upstream, mark(g.c, upstream, before, nil)
}

// settings returns what the Upstreams have beside the Service. At the handover it is what the primary's has: the apex
// must be reached as the primary was.
func (g glooCodec) settings(want rollout.Route) (map[string]any, error) {
	ref, given := glooSettings(g.c)
	from := g.live[ref]
	switch primary := g.live[glooUpstream(g.c, glooPrimary)]; {
	case want.Handover && primary != nil:
		from = primary
	case given && from == nil && !want.Handover:
		return nil, fmt.Errorf("read %s: it does not exist; spec.upstreamRef names it", ref)
	}
	spec := clone(object(fields(from), "spec"))
	for _, field := range glooKinds {
		delete(spec, field)
	}
	return spec, nil
}

// fields returns the fields of an object that may not exist.
func fields(o *unstructured.Unstructured) map[string]any {
	if o == nil {
		return nil
	}
	return o.Object
}
