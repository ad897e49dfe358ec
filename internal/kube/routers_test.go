package kube

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-dev/penstock/internal/rehearsal"
	"github.com/penstock-dev/penstock/internal/rollout"
	"github.com/penstock-dev/penstock/internal/traffic"
)

// TestRoutersLeaveBehindWhatCarriesTheTraffic makes a canary and takes it away again, by the API server.
func TestRoutersLeaveBehindWhatCarriesTheTraffic(t *testing.T) {
	for provider, want := range map[string][]string{
		"gloo":            {`RouteTable "shop/podinfo"`, `Upstream "shop/shop-podinfo-80"`},
		"kuma":            nil, // the mesh has a route of its own for everything
		"appmesh":         {`VirtualNode "shop/podinfo"`, `VirtualService "shop/podinfo.shop"`},
		"appmesh:v1beta2": {`VirtualNode "shop/podinfo-canary"`, `VirtualRouter "shop/podinfo"`, `VirtualService "shop/podinfo"`},
	} {
		t.Run(provider, func(t *testing.T) {
			inClusterOf(t, slices.Concat(rehearsal.DefaultKinds(), rehearsal.RouterKinds()), func(f *fixture) {
				f.canary.Spec.Provider, f.canary.Spec.Service.MeshName = provider, "global"
				w := f.world()
				revision := f.initialise(w)
				f.apply(w, rollout.World{Primary: revision, Route: rollout.Route{Managed: true, Canary: 30}})
				pass(time.Second)
				if o := f.observe(w); !o.Route.Settled || o.Route.Canary != 30 {
					t.Fatalf("30 %%: %+v", o.Route)
				}
				last := rollout.World{Primary: revision, Route: rollout.Route{Managed: true, Canary: 100, Handover: true}}
				f.apply(w, last)
				pass(time.Second)
				if o := f.observe(w); !o.Route.Handover || !o.Route.Settled {
					t.Fatalf("after the handover: %+v", o.Route)
				}
				last.Remove = true
				f.apply(w, last)
				pass(time.Second)
				if diff := cmp.Diff(want, f.left(provider)); diff != "" {
					t.Errorf("what is left (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// left names the objects of a router that are there, and fails for one that would go away with the canary.
func (f *fixture) left(provider string) []string {
	f.t.Helper()
	router, err := traffic.For(provider)
	if err != nil {
		f.t.Fatal(err)
	}
	var left []string
	for _, ref := range router.Refs(f.canary) {
		object, err := f.api.Get(ref.GroupVersionResource, ref.Namespace, ref.Name)
		if err != nil || ref.Kind == "Deployment" {
			continue
		}
		left = append(left, ref.String())
		if len(object.GetOwnerReferences()) > 0 || object.GetAnnotations()["penstock.dev/canary"] != "" {
			f.t.Errorf("%s is still the canary's: %v, %v", ref, object.GetOwnerReferences(), object.GetAnnotations())
		}
	}
	slices.Sort(left)
	return left
}
