package kube

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/manifest"
	"github.com/penstock-dev/penstock/internal/rehearsal"
	"github.com/penstock-dev/penstock/internal/rollout"
	"github.com/penstock-dev/penstock/internal/workload"
)

var knativeGVR = schema.GroupVersionResource{Group: "serving.knative.dev", Version: "v1", Resource: "services"}

const knativeYAML = `
apiVersion: serving.knative.dev/v1
kind: Service
metadata: {name: hello, namespace: shop, annotations: {team: payments}}
spec:
  template:
    spec:
      containerConcurrency: 50
      containers:
      - {name: user-container, image: "hello:1", env: [{name: A, value: b}]}
`

func withKnative(t *testing.T, test func(f *fixture, w *World)) {
	t.Helper()
	inClusterOf(t, slices.Concat(rehearsal.DefaultKinds(), rehearsal.RouterKinds()), func(f *fixture) {
		f.create(knativeYAML)
		f.canary.Spec.Provider = "knative"
		f.canary.Spec.TargetRef = canary.ObjectRef{APIVersion: "serving.knative.dev/v1", Kind: "Service", Name: "hello"}
		f.canary.Spec.Service = canary.Service{}
		pass(time.Second)
		test(f, f.world())
	})
}

func (f *fixture) knativeTraffic() []any {
	f.t.Helper()
	entries, _, _ := unstructured.NestedSlice(f.get(knativeGVR, "hello").Object, "spec", "traffic")
	return entries
}

func split(canary int64, primary string) []any {
	return []any{
		map[string]any{"latestRevision": true, "percent": canary},
		map[string]any{"revisionName": primary, "percent": 100 - canary},
	}
}

func TestARolloutOfAKnativeServiceEndsAtAnotherRevision(t *testing.T) {
	withKnative(t, func(f *fixture, w *World) {
		if o := f.observe(w); o.Target.Revision != "hello-00001" || !o.Target.Ready || o.Primary.Exists {
			t.Fatalf("before: %+v", o)
		}
		f.initialise(w)
		if changed, err := w.SetImage(f.ctx, map[string]string{"user-container": "hello:2"}); !changed || err != nil {
			t.Fatalf("the image: %v, %v", changed, err)
		}
		if o := f.observe(w); !o.Target.Stale || o.Target.Revision != "hello-00001" {
			t.Errorf("a Revision that Knative has not made: %+v", o.Target)
		}
		pass(time.Second)
		if o := f.observe(w); o.Target.Stale || o.Target.Revision != "hello-00002" || !o.Target.Ready || o.Primary.Revision != "hello-00001" {
			t.Fatalf("the new Revision: %+v", o)
		}
		if got := w.Revision(); got != "hello-00002" {
			t.Errorf("the Revision to be analysed is %q", got)
		}
		f.apply(w, rollout.World{Primary: "hello-00001", Canary: rollout.ScaleUp, Route: rollout.Route{Managed: true, Canary: 30}})
		pass(time.Second)
		if diff := cmp.Diff(split(30, "hello-00001"), f.knativeTraffic()); diff != "" {
			t.Errorf("30 %%:\n%s", diff)
		}
		promotion := rollout.World{Touch: true, Primary: "hello-00002", Route: rollout.Route{Managed: true, Canary: 30}}
		if changes, err := w.Preview(promotion); err != nil || len(changes) != 1 || changes[0].Ref.Resource != "services" {
			t.Errorf("preview: %v, %v", changes, err)
		}
		f.apply(w, promotion)
		if diff := cmp.Diff(split(30, "hello-00002"), f.knativeTraffic()); diff != "" {
			t.Errorf("the promotion names the new primary in one write:\n%s", diff)
		}
		pass(time.Second)
		last := rollout.World{Primary: "hello-00002", Canary: rollout.ScaleZero, Route: rollout.Route{Managed: true}}
		f.apply(w, last)
		pass(time.Second)
		o := f.observe(w)
		if o.Primary.Revision != "hello-00002" || !o.Primary.Ready || !o.Route.Settled || o.Route.Canary != 0 {
			t.Errorf("after: %+v", o)
		}
		before := f.requests()
		f.apply(w, last)
		if sent := f.sent(before); len(sent) > 0 {
			t.Errorf("what is so already costs %v", sent)
		}
	})
}

// What Flagger has written is taken away, and what is the user's stays.
func TestAKnativeServiceIsGivenBackAsItWas(t *testing.T) {
	withKnative(t, func(f *fixture, w *World) {
		f.edit(knativeGVR, "hello", func(o map[string]any) {
			_ = unstructured.SetNestedField(o, "hello-00001", "metadata", "annotations", workload.PrimaryRevisionAnnotation)
		})
		pass(time.Second)
		f.initialise(w)
		last := rollout.World{Route: rollout.Route{Managed: true, Canary: 100, Handover: true}, Remove: true}
		f.apply(w, last)
		pass(time.Second)
		if o := f.observe(w); !o.Route.Handover || !o.Route.Settled || o.Primary.Exists {
			t.Errorf("after the handover: %+v", o)
		}
		service := f.get(knativeGVR, "hello")
		if diff := cmp.Diff(map[string]string{"team": "payments", epochAnnotation: "3"}, service.GetAnnotations()); diff != "" {
			t.Errorf("annotations:\n%s", diff)
		}
		if diff := cmp.Diff([]any{map[string]any{"latestRevision": true, "percent": int64(100)}}, f.knativeTraffic()); diff != "" {
			t.Errorf("traffic:\n%s", diff)
		}
		want := object(t, knativeYAML).Object["spec"].(map[string]any)["template"]
		if diff := cmp.Diff(want, service.Object["spec"].(map[string]any)["template"]); diff != "" {
			t.Errorf("template:\n%s", diff)
		}
	})
}

func TestARunWithKnativeNeedsNoPermissionsForServicesOfKubernetes(t *testing.T) {
	withKnative(t, func(f *fixture, w *World) {
		resources, subject := map[string]bool{}, w.subject()
		removals := manifest.Permissions(subject.Removal())
		for _, p := range slices.Concat(w.Permissions(), removals) {
			resources[p.Resource+"."+p.Group] = true
		}
		want := map[string]bool{"services.serving.knative.dev": true, "revisions.serving.knative.dev": true, "configmaps.": true, "leases.coordination.k8s.io": true}
		if diff := cmp.Diff(want, resources); diff != "" {
			t.Error(diff)
		}
		for _, p := range removals {
			if p.Group == "serving.knative.dev" {
				t.Errorf("an uninstall may not %s", p)
			}
		}
	})
}
