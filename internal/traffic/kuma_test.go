package traffic_test

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/penstock-dev/penstock/internal/rollout"
)

func TestATrafficRouteOfTheWholeClusterIsSharedWithNobody(t *testing.T) {
	t.Parallel()
	field := func(value any, path ...string) func(*testing.T, *unstructured.Unstructured) {
		return func(t *testing.T, o *unstructured.Unstructured) {
			if err := unstructured.SetNestedField(o.Object, value, path...); err != nil {
				t.Fatal(err)
			}
		}
	}
	of := func(service string) []any {
		return []any{map[string]any{"match": map[string]any{"kuma.io/service": service}}}
	}
	for name, c := range map[string]struct {
		change func(*testing.T, *unstructured.Unstructured)
		want   string
	}{
		"a canary of the same name in another namespace": {
			change: field(map[string]any{"penstock.dev/canary": "market/podinfo"}, "metadata", "annotations"),
			want:   `TrafficRoute "podinfo" was made for Canary "market/podinfo", not for "shop/podinfo"; two canaries cannot share it`,
		},
		"Flagger's of another namespace": {
			change: field(of("podinfo_market_svc_80"), "spec", "destinations"),
			want:   `route TrafficRoute "podinfo": it is there for requests to service "podinfo_market_svc_80", and the canary has those to "podinfo_shop_svc_80"`,
		},
		"one for everything": {
			change: field(append(of("podinfo_shop_svc_80"), of("*")...), "spec", "destinations"),
			want:   `route TrafficRoute "podinfo": it is there for requests to service "*"`,
		},
		"another mesh": {
			change: field("other", "mesh"),
			want:   `route TrafficRoute "podinfo": it is there for mesh "other", and a TrafficRoute cannot change its mesh; the annotation kuma.io/mesh of the Canary asks for "shops"`,
		},
		"a single destination": {
			change: field(map[string]any{"destination": map[string]any{"kuma.io/service": "podinfo_shop_svc_80"}}, "spec", "conf"),
			want:   `route TrafficRoute "podinfo": spec.conf.destination excludes a split`,
		},
		"a third service with traffic": {
			change: field([]any{map[string]any{"weight": int64(3), "destination": map[string]any{"kuma.io/service": "old_shop_svc_80"}}}, "spec", "conf", "split"),
			want:   `route TrafficRoute "podinfo": it sends requests to service "old_shop_svc_80" too, so that weights are no percentages`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := load(t, "kuma", "foreign")
			o := s.live[s.written()].DeepCopy()
			c.change(t, o)
			s = s.put(s.written(), o)
			objects, err := s.router.Render(s.canary, s.live, rollout.Route{Managed: true})
			if err == nil || !strings.HasPrefix(err.Error(), c.want) || objects != nil {
				t.Errorf("got %v, %v\nwant %s", objects, err, c.want)
			}
			if strings.Contains(c.want, "it is there") {
				if report := s.router.Read(s.canary, s.live); report.Managed || report.Settled || report.Handover {
					t.Errorf("it is taken for the canary's: %+v", report)
				}
			}
		})
	}
}

// The Canary is in a namespace and cannot own what is in none; Kubernetes would delete it at once.
func TestATrafficRouteHasNoOwner(t *testing.T) {
	t.Parallel()
	s := load(t, "kuma", "new")
	s = s.take(t, s.render(t, rollout.Route{Managed: true}))
	if owners := s.live[s.written()].GetOwnerReferences(); len(owners) > 0 {
		t.Errorf("owners %v", owners)
	}
	if ref := s.router.Made(s.canary)[0]; ref.Namespace != "" || ref.String() != `TrafficRoute "podinfo"` {
		t.Errorf("it is %s, in namespace %q", ref, ref.Namespace)
	}
}
