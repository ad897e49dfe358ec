package kube

import (
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/rehearsal"
	"github.com/penstock-dev/penstock/internal/rollout"
)

func (f *fixture) podState(types.NamespacedName, *corev1.PodTemplateSpec) rehearsal.PodOutcome {
	return rehearsal.PodOutcome(f.state.Load())
}

func TestAWorldIsObservedAsItIs(t *testing.T) {
	inCluster(t, func(f *fixture) {
		w := f.world()
		pass(time.Second)
		o := f.observe(w)
		if !o.Target.Exists || !o.Target.Ready || o.Target.Replicas != 2 || o.Primary.Exists || o.Route.Known {
			t.Errorf("before the first run: %+v", o)
		}
		f.edit(deploymentGVR, "podinfo", func(o map[string]any) {
			_ = unstructured.SetNestedField(o, int64(3), "spec", "replicas")
		})
		if o := f.observe(w); o.Target.Replicas != 3 {
			t.Errorf("the change of somebody else was not seen: %+v", o.Target)
		}
		if err := f.api.Delete(deploymentGVR, "shop", "podinfo"); err != nil {
			t.Fatal(err)
		}
		if o := f.observe(w); o.Target.Exists {
			t.Errorf("the target was deleted: %+v", o.Target)
		}
		f.create(targetYAML)
		pass(time.Second)
		if o := f.observe(w); !o.Target.Ready {
			t.Errorf("the target was made anew: %+v", o.Target)
		}
	})
}

func TestAPodThatCannotStartIsNamedWithItsReason(t *testing.T) {
	inCluster(t, func(f *fixture) {
		f.state.Store(int64(rehearsal.PodImagePullBackOff))
		w := f.world()
		f.observe(w) // now the label of the pods is known
		pass(time.Second)
		if o := f.observe(w); o.Target.Ready || !strings.Contains(o.Target.Message, "ImagePullBackOff") {
			t.Errorf("target %+v", o.Target)
		}
		f.state.Store(int64(rehearsal.PodReady))
		f.control.Reconcile()
		pass(time.Second)
		if o := f.observe(w); !o.Target.Ready {
			t.Errorf("target %+v", o.Target)
		}
	})
}

func TestTheFirstApplyMakesWhatIsMissingAndOwnsIt(t *testing.T) {
	inCluster(t, func(f *fixture) {
		w := f.world()
		f.initialise(w)
		for name, gvr := range map[string]struct{ kind, name string }{
			"primary": {"Deployment", "podinfo-primary"}, "apex": {"Service", "podinfo"}, "primary's": {"Service", "podinfo-primary"},
			"canary's": {"Service", "podinfo-canary"}, "route": {"HTTPRoute", "podinfo"},
		} {
			i := slices.IndexFunc(w.watched(), func(r canary.Ref) bool { return r.Kind == gvr.kind && r.Name == gvr.name })
			o := f.get(w.watched()[i].GroupVersionResource, gvr.name)
			owner := o.GetOwnerReferences()
			if len(owner) != 1 || owner[0].Kind != "Canary" || owner[0].UID != "7a1d" {
				t.Errorf("%s %s: owners %v", name, gvr.kind, owner)
			}
			if o.GetAnnotations()[epochAnnotation] != "3" {
				t.Errorf("%s %s: annotations %v", name, gvr.kind, o.GetAnnotations())
			}
		}
		if target := f.get(deploymentGVR, "podinfo"); target.GetOwnerReferences() != nil {
			t.Errorf("the user's own target is owned by %v", target.GetOwnerReferences())
		}
	})
}

func TestTheApexKeepsServingUntilThePrimaryIsReady(t *testing.T) {
	inCluster(t, func(f *fixture) {
		f.create(`{apiVersion: v1, kind: Service, metadata: {name: podinfo, namespace: shop}, spec: {selector: {app: podinfo}, ports: [{port: 80}]}}`)
		w := f.world()
		f.apply(w, rollout.World{Primary: f.observe(w).Target.Revision})
		selector, _, _ := unstructured.NestedStringMap(f.get(serviceGVR, "podinfo").Object, "spec", "selector")
		if diff := cmp.Diff(map[string]string{"app": "podinfo"}, selector); diff != "" {
			t.Errorf("the apex was moved before the primary was ready (-want +got):\n%s", diff)
		}
	})
}

func TestWhatIsAlreadySoCostsNoRequest(t *testing.T) {
	for _, provider := range []string{"gatewayapi:v1", "kubernetes"} {
		t.Run(provider, func(t *testing.T) {
			inCluster(t, func(f *fixture) {
				f.canary.Spec.Provider = provider
				w := f.world()
				revision := f.initialise(w)
				want := rollout.World{Primary: revision, Route: rollout.Route{Managed: true}, Canary: rollout.ScaleZero}
				f.apply(w, want)
				pass(time.Second)
				before := f.requests()
				f.apply(w, want)
				pass(time.Hour)
				f.observe(w)
				made := f.sent(before)
				for key := range made { // a server ends each watch after some minutes
					if !strings.HasPrefix(key, "watch ") {
						t.Errorf("%d requests to %s although nothing was to be done", made[key], key)
					}
				}
			})
		})
	}
}

func TestAnIdleWaitMakesNoRequests(t *testing.T) {
	inCluster(t, func(f *fixture) {
		w := f.world()
		f.initialise(w)
		before := f.requests()
		pass(time.Minute)
		if made := f.sent(before); len(made) > 0 {
			t.Errorf("requests in an idle minute: %v", made)
		}
	})
}

func TestWeightsAreSetAndForeignFieldsStay(t *testing.T) {
	inCluster(t, func(f *fixture) {
		w := f.world()
		revision := f.initialise(w)
		f.edit(routeGVR, "podinfo", func(o map[string]any) {
			_ = unstructured.SetNestedField(o, "kept", "metadata", "annotations", "team")
			rules, _, _ := unstructured.NestedSlice(o, "spec", "rules")
			_ = unstructured.SetNestedSlice(o, append(rules, foreignRule()), "spec", "rules")
		})
		f.edit(serviceGVR, "podinfo-primary", func(o map[string]any) {
			_ = unstructured.SetNestedField(o, "kept", "metadata", "labels", "team")
		})
		pass(time.Second)
		for _, weight := range []rollout.Weight{10, 50, 100, 0} {
			f.apply(w, rollout.World{Primary: revision, Route: rollout.Route{Managed: true, Canary: weight}})
			if o := f.observe(w); o.Route.Canary != weight || o.Route.Settled {
				t.Errorf("at once after the write: %+v, want %d %% and not settled", o.Route, weight)
			}
			pass(time.Second)
			if o := f.observe(w); o.Route.Canary != weight || !o.Route.Settled {
				t.Errorf("after the gateway: %+v, want %d %%", o.Route, weight)
			}
			f.keepsForeign()
		}
		if got := f.get(serviceGVR, "podinfo-primary").GetLabels()["team"]; got != "kept" {
			t.Errorf("the label of somebody else is %q", got)
		}
	})
}

func foreignRule() map[string]any {
	return map[string]any{
		"matches":     []any{map[string]any{"path": map[string]any{"type": "PathPrefix", "value": "/docs"}}},
		"backendRefs": []any{map[string]any{"name": "docs", "port": int64(80)}},
	}
}

func (f *fixture) keepsForeign() {
	f.t.Helper()
	route := f.get(routeGVR, "podinfo")
	rules, _, _ := unstructured.NestedSlice(route.Object, "spec", "rules")
	there := slices.ContainsFunc(rules, func(r any) bool {
		refs, _, _ := unstructured.NestedSlice(r.(map[string]any), "backendRefs")
		return len(refs) == 1 && refs[0].(map[string]any)["name"] == "docs"
	})
	if !there {
		f.t.Errorf("the rule of somebody else is gone: %v", rules)
	}
}

func TestAConcurrentEditOfTheRouteIsAConflictAndLosesNothing(t *testing.T) {
	inCluster(t, func(f *fixture) {
		w := f.world()
		revision := f.initialise(w)
		var edited atomic.Bool
		f.api.Intercept(func(r rehearsal.APIRequest) rehearsal.APIFault {
			if r.Verb == "patch" && r.Resource.Resource == "httproutes" && edited.CompareAndSwap(false, true) { // somebody was faster
				f.edit(routeGVR, "podinfo", func(o map[string]any) {
					rules, _, _ := unstructured.NestedSlice(o, "spec", "rules")
					_ = unstructured.SetNestedSlice(o, append(rules, foreignRule()), "spec", "rules")
				})
			}
			return rehearsal.APIFault{}
		})
		want := rollout.World{Touch: true, Primary: revision, Route: rollout.Route{Managed: true, Canary: 30}}
		if err := w.Apply(f.ctx, want); err == nil || !strings.Contains(err.Error(), "HTTPRoute") {
			t.Fatalf("the first try: %v, want a conflict", err)
		}
		<-w.Changed()
		f.observe(w)
		f.apply(w, want)
		f.keepsForeign()
		if o := f.observe(w); o.Route.Canary != 30 {
			t.Errorf("route %+v", o.Route)
		}
	})
}

func TestTheCanaryIsScaledThroughTheSubresourceOnly(t *testing.T) {
	inCluster(t, func(f *fixture) {
		w := f.world()
		revision := f.initialise(w)
		zero := rollout.World{Primary: revision, Route: rollout.Route{Managed: true}, Canary: rollout.ScaleZero}
		before, target := f.requests(), f.get(deploymentGVR, "podinfo")
		f.apply(w, zero)
		if diff := cmp.Diff(map[string]int{"patch deployments/scale": 1}, f.sent(before)); diff != "" {
			t.Errorf("requests (-want +got):\n%s", diff)
		}
		if got := f.deployment("podinfo"); *got.Spec.Replicas != 0 || got.Annotations[epochAnnotation] != "" {
			t.Errorf("replicas %d, annotations %v", *got.Spec.Replicas, got.Annotations)
		}
		after := f.get(deploymentGVR, "podinfo")
		before1, _, _ := unstructured.NestedMap(target.Object, "spec", "template")
		after1, _, _ := unstructured.NestedMap(after.Object, "spec", "template")
		if diff := cmp.Diff(before1, after1); diff != "" {
			t.Errorf("the template changed:\n%s", diff)
		}
		zero.Canary = rollout.ScaleUp
		f.observe(w)
		f.apply(w, zero)
		pass(time.Second)
		if o := f.observe(w); o.Target.Replicas != 2 || !o.Target.Ready {
			t.Errorf("scaled up: %+v, want as many as the primary has", o.Target)
		}
	})
}

func TestSetImageChangesTheTargetOnce(t *testing.T) {
	inCluster(t, func(f *fixture) {
		w := f.world()
		old := f.observe(w).Target.Revision
		images := map[string]string{"podinfod": "podinfo:2"}
		if err := w.CheckImages(images); err != nil {
			t.Error(err)
		}
		changed, err := w.SetImage(f.ctx, images)
		if err != nil || !changed {
			t.Fatalf("changed %v, %v", changed, err)
		}
		o, err := w.Observe(time.Now()) // at once: the answer of the write is as good as a watch
		if err != nil || o.Target.Revision == old {
			t.Errorf("the new revision is not seen: %+v, %v", o.Target, err)
		}
		before := f.requests()
		if changed, err := w.SetImage(f.ctx, images); err != nil || changed || len(f.sent(before)) > 0 {
			t.Errorf("again: changed %v, %v, requests %v", changed, err, f.sent(before))
		}
		wrong := map[string]string{"nginx": "nginx:1"}
		if _, err := w.SetImage(f.ctx, wrong); err == nil || !strings.Contains(err.Error(), `no container "nginx"; it has podinfod`) {
			t.Errorf("a container that is not there: %v", err)
		}
		if err := w.CheckImages(wrong); err == nil {
			t.Error("a container that is not there passes the check")
		}
	})
}

func TestAMirrorAndAnABTestAreWrittenOnceAndTakenAway(t *testing.T) {
	inCluster(t, func(f *fixture) {
		f.canary.Spec.Analysis.Match = []canary.HTTPMatchRequest{{Headers: map[string]canary.StringMatch{"x-group": {Exact: new("insider")}}}}
		w := f.world()
		f.initialise(w)
		promoted := f.observe(w).Primary.Revision
		for _, route := range []rollout.Route{
			{Managed: true, Mirror: 100}, {Managed: true, Match: true}, {Managed: true, Canary: 30}, {Managed: true},
		} {
			want := rollout.World{Touch: true, Primary: promoted, Route: route}
			f.apply(w, want)
			if got := f.observe(w).Route.Route; got != route {
				t.Errorf("the route says %+v, want %+v", got, route)
			}
			pass(time.Second)
			before := f.requests()
			f.apply(w, want)
			if made := f.sent(before); len(made) > 0 {
				t.Errorf("%+v again: requests %v", route, made)
			}
		}
	})
}
