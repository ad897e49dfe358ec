package kube

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/penstock-dev/penstock/internal/rollout"
)

func TestAPromotionTakesAwayWhatTheNewRevisionNoLongerHas(t *testing.T) {
	tests := map[string]func(template map[string]any){
		"a node selector": func(o map[string]any) { unstructured.RemoveNestedField(o, "spec", "nodeSelector") },
		"an annotation":   func(o map[string]any) { unstructured.RemoveNestedField(o, "metadata", "annotations") },
		"a limit": func(o map[string]any) {
			containers, _, _ := unstructured.NestedSlice(o, "spec", "containers")
			unstructured.RemoveNestedField(containers[0].(map[string]any), "resources", "limits", "cpu")
			_ = unstructured.SetNestedSlice(o, containers, "spec", "containers")
		},
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			inCluster(t, func(f *fixture) {
				w := f.world()
				old := f.initialise(w)
				f.edit(deploymentGVR, "podinfo", func(o map[string]any) {
					change(o["spec"].(map[string]any)["template"].(map[string]any))
				})
				revision := f.observe(w).Target.Revision
				if revision == old {
					t.Fatal("the change is no new revision")
				}
				want := rollout.World{Touch: true, Primary: revision, Route: rollout.Route{Managed: true}}
				if changes, err := w.Preview(want); err != nil || len(changes) != 1 || changes[0].Ref.Name != "podinfo-primary" {
					t.Errorf("preview: %v, %v", changes, err)
				}
				f.apply(w, want)
				if got := f.observe(w).Primary.Revision; got != revision {
					t.Errorf("the primary is at %s, want %s", got, revision)
				}
			})
		})
	}
}

func TestAPrimaryThatFlaggerMadeIsTakenOverWhole(t *testing.T) {
	inCluster(t, func(f *fixture) {
		primary := strings.NewReplacer("name: podinfo,", "name: podinfo-primary,", "app: podinfo}", "app: podinfo-primary}").Replace(targetYAML)
		o := object(t, primary)
		o.SetOwnerReferences(owners(f.canary))
		if _, err := f.api.Create(o, "flagger"); err != nil {
			t.Fatal(err)
		}
		w := f.world()
		pass(time.Second)
		if o := f.observe(w); o.Primary.Revision != o.Target.Revision || !o.Primary.Ready {
			t.Fatalf("Flagger's primary is not recognised: %+v and %+v", o.Primary, o.Target)
		}
		f.edit(deploymentGVR, "podinfo", func(o map[string]any) {
			unstructured.RemoveNestedField(o, "spec", "template", "spec", "nodeSelector")
		})
		revision := f.observe(w).Target.Revision
		f.apply(w, rollout.World{Primary: revision, Route: rollout.Route{Managed: true}})
		if got := f.observe(w).Primary.Revision; got != revision {
			t.Errorf("the primary is at %s, want %s: %v", got, revision, f.deployment("podinfo-primary").Spec.Template.Spec)
		}
	})
}

func TestNothingIsWrittenWithoutTheLease(t *testing.T) {
	inCluster(t, func(f *fixture) {
		w := f.world()
		revision := f.initialise(w)
		f.lost.Store(true)
		before := f.requests()
		for name, want := range map[string]rollout.World{
			"a weight":         {Touch: true, Primary: revision, Route: rollout.Route{Managed: true, Canary: 10}},
			"a scale":          {Touch: true, Primary: revision, Route: rollout.Route{Managed: true}, Canary: rollout.ScaleZero},
			"a canary's scale": {Touch: true, Canary: rollout.ScaleZero},
		} {
			if err := w.Apply(f.ctx, want); !errors.Is(err, ErrSuperseded) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if _, err := w.SetImage(f.ctx, map[string]string{"podinfod": "podinfo:2"}); !errors.Is(err, ErrSuperseded) {
			t.Errorf("an image: %v", err)
		}
		if err := w.Apply(f.ctx, rollout.World{}); err != nil {
			t.Errorf("nothing: %v", err)
		}
		if made := f.sent(before); len(made) > 0 {
			t.Errorf("requests without the lease: %v", made)
		}
	})
}

func TestTheTrafficCanBeMovedWhenTheTargetIsGone(t *testing.T) {
	for _, provider := range []string{"gatewayapi:v1", "kubernetes"} {
		t.Run(provider, func(t *testing.T) {
			inCluster(t, func(f *fixture) {
				f.canary.Spec.Provider = provider
				w := f.world()
				revision := f.initialise(w)
				f.apply(w, rollout.World{Primary: revision, Route: rollout.Route{Managed: true, Canary: 100}})
				if err := f.api.Delete(deploymentGVR, "shop", "podinfo"); err != nil {
					t.Fatal(err)
				}
				f.observe(w)
				f.apply(w, rollout.World{Primary: revision, Route: rollout.Route{Managed: true}, Canary: rollout.ScaleZero})
				pass(time.Second)
				if o := f.observe(w); o.Route.Canary != 0 || !o.Route.Settled {
					t.Errorf("route %+v", o.Route)
				}
			})
		})
	}
}

func TestAPreviewChangesNothing(t *testing.T) {
	inCluster(t, func(f *fixture) {
		w := f.world()
		want := rollout.World{Touch: true, Primary: f.observe(w).Target.Revision, Route: rollout.Route{Managed: true}}
		before := f.requests()
		changes, err := w.Preview(want)
		if err != nil || len(f.sent(before)) > 0 {
			t.Fatalf("%v, requests %v", err, f.sent(before))
		}
		var names []string
		for _, c := range changes {
			if c.Before != nil || c.After == nil {
				t.Errorf("%s: before %v, after %v", c.Ref, c.Before, c.After)
			}
			names = append(names, c.Ref.Kind+" "+c.Ref.Name)
		}
		slices.Sort(names)
		all := []string{"Deployment podinfo-primary", "HTTPRoute podinfo", "Service podinfo", "Service podinfo-canary", "Service podinfo-primary"}
		if diff := cmp.Diff(all, names); diff != "" {
			t.Errorf("changes (-want +got):\n%s", diff)
		}
		f.initialise(w)
		if changes, err := w.Preview(want); err != nil || len(changes) != 0 {
			t.Errorf("when all is so: %v, %v", changes, err)
		}
		want.Route.Canary = 20
		if changes, err := w.Preview(want); err != nil || len(changes) != 1 || changes[0].Before == nil {
			t.Errorf("a weight: %v, %v", changes, err)
		}
	})
}

func TestAWorldWithoutAUsableTargetIsAnErrorThatSaysWhy(t *testing.T) {
	inCluster(t, func(f *fixture) {
		if err := f.api.Delete(deploymentGVR, "shop", "podinfo"); err != nil {
			t.Fatal(err)
		}
		f.create(strings.ReplaceAll(targetYAML, "app: podinfo", "tier: podinfo"))
		w := f.world()
		revision := f.observe(w).Target.Revision
		err := w.Apply(f.ctx, rollout.World{Touch: true, Primary: revision})
		if err == nil || !strings.Contains(err.Error(), "none of which tells the canary's pods") {
			t.Errorf("a target without a usable label: %v", err)
		}
		if _, err := w.Preview(rollout.World{Touch: true, Primary: revision}); err == nil {
			t.Error("a preview of what cannot be applied")
		}
		f.canary.Spec.TargetRef.Kind = "CronJob"
		if _, err := NewWorld(f.client, f.canary, w.router, f.fence); err == nil {
			t.Error("a target of an unknown kind")
		}
	})
}
