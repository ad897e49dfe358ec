package kube

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/penstock-dev/penstock/internal/rollout"
)

var (
	daemonSetGVR = appsv1.SchemeGroupVersion.WithResource("daemonsets")
	sliceGVR     = schema.GroupVersionResource{Group: "discovery.k8s.io", Version: "v1", Resource: "endpointslices"}
)

// withDaemonSet is inCluster with a DaemonSet for a target.
func withDaemonSet(t *testing.T, test func(f *fixture)) {
	t.Helper()
	inCluster(t, func(f *fixture) {
		if err := f.api.Delete(deploymentGVR, "shop", "podinfo"); err != nil {
			t.Fatal(err)
		}
		text := strings.NewReplacer("kind: Deployment", "kind: DaemonSet", "  replicas: 2\n", "",
			"disk: ssd", "kubernetes.io/os: linux").Replace(targetYAML)
		f.create(text)
		f.canary.Spec.TargetRef.Kind = "DaemonSet"
		test(f)
	})
}

func nodeSelectorOf(f *fixture, name string) map[string]string {
	f.t.Helper()
	selector, _, _ := unstructured.NestedStringMap(f.get(daemonSetGVR, name).Object, "spec", "template", "spec", "nodeSelector")
	return selector
}

func TestADaemonSetIsScaledByItsNodeSelectorAndItsPrimaryHasNone(t *testing.T) {
	withDaemonSet(t, func(f *fixture) {
		w := f.world()
		revision := f.initialise(w)
		want := rollout.World{Primary: revision, Route: rollout.Route{Managed: true}, Canary: rollout.ScaleZero}
		before := f.requests()
		f.apply(w, want)
		if diff := cmp.Diff(map[string]int{"patch daemonsets": 1}, f.sent(before)); diff != "" {
			t.Errorf("requests (-want +got):\n%s", diff)
		}
		pass(time.Second)
		o := f.observe(w)
		if o.Target.Ready || o.Target.Replicas != 0 || o.Target.Revision != revision || !strings.Contains(o.Target.Message, "scaled to zero") {
			t.Errorf("scaled to zero: %+v", o.Target)
		}
		os := map[string]string{"kubernetes.io/os": "linux"}
		zero := map[string]string{"kubernetes.io/os": "linux", "flagger.app/scale-to-zero": "true"}
		if diff := cmp.Diff(zero, nodeSelectorOf(f, "podinfo")); diff != "" {
			t.Errorf("the target (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(os, nodeSelectorOf(f, "podinfo-primary")); diff != "" {
			t.Errorf("the primary (-want +got):\n%s", diff)
		}
		before = f.requests()
		f.apply(w, want)
		if made := f.sent(before); len(made) > 0 {
			t.Errorf("again: requests %v", made)
		}
		want.Canary = rollout.ScaleUp
		f.apply(w, want)
		if o, err := w.Observe(time.Now()); err != nil || o.Target.Ready {
			t.Errorf("at once after scaling up: %+v, %v", o.Target, err)
		}
		pass(time.Second)
		if o := f.observe(w); !o.Target.Ready || o.Target.Replicas != 2 {
			t.Errorf("scaled up: %+v", o.Target)
		}
		if diff := cmp.Diff(os, nodeSelectorOf(f, "podinfo")); diff != "" {
			t.Errorf("the target (-want +got):\n%s", diff)
		}
	})
}

func TestADaemonSetThatIsScaledToZeroIsPromotedWithoutTheNodeSelector(t *testing.T) {
	withDaemonSet(t, func(f *fixture) {
		w := f.world()
		revision := f.initialise(w)
		f.apply(w, rollout.World{Primary: revision, Route: rollout.Route{Managed: true}, Canary: rollout.ScaleZero})
		if changed, err := w.SetImage(f.ctx, map[string]string{"podinfod": "podinfo:2"}); err != nil || !changed {
			t.Fatalf("changed %v, %v", changed, err)
		}
		next := f.observe(w).Target.Revision
		if next == revision {
			t.Fatal("another image is no other revision")
		}
		f.apply(w, rollout.World{Primary: next, Route: rollout.Route{Managed: true}})
		if o := f.observe(w); o.Primary.Revision != next || o.Primary.Ready {
			t.Errorf("at once after the promotion: %+v", o.Primary)
		}
		pass(5 * time.Second)
		if o := f.observe(w); !o.Primary.Ready || o.Primary.Revision != next || o.Target.Replicas != 0 {
			t.Errorf("primary %+v, target %+v", o.Primary, o.Target)
		}
	})
}

func TestADaemonSetThatNoNodeFitsSaysSo(t *testing.T) {
	withDaemonSet(t, func(f *fixture) {
		f.edit(daemonSetGVR, "podinfo", func(o map[string]any) {
			_ = unstructured.SetNestedField(o, "windows", "spec", "template", "spec", "nodeSelector", "kubernetes.io/os")
		})
		w := f.world()
		pass(time.Second)
		o := f.observe(w)
		if o.Target.Ready || o.Target.Broken || o.Target.Message != "it has no pods to run: no node fits its node selector, its node affinity and its tolerations" {
			t.Errorf("%+v", o.Target)
		}
	})
}

func TestADaemonSetNeedsNoScaleSubresource(t *testing.T) {
	withDaemonSet(t, func(f *fixture) {
		var got []string
		for _, p := range f.closedWorld().Permissions() {
			if p.Group == "apps" || p.Subresource != "" {
				got = append(got, p.String())
			}
		}
		want := []string{
			`list daemonsets.apps "podinfo" in namespace "shop"`, `watch daemonsets.apps "podinfo" in namespace "shop"`,
			`patch daemonsets.apps "podinfo" in namespace "shop"`,
			`list daemonsets.apps "podinfo-primary" in namespace "shop"`, `watch daemonsets.apps "podinfo-primary" in namespace "shop"`,
			`create daemonsets.apps "podinfo-primary" in namespace "shop"`, `patch daemonsets.apps "podinfo-primary" in namespace "shop"`,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

const serviceYAML = `{apiVersion: v1, kind: Service, metadata: {name: podinfo, namespace: shop, labels: {team: shop}},
  spec: {selector: {app: podinfo, version: blue}, ports: [{name: http, port: 80, targetPort: 9898}]}}`

// withService is inCluster with a Service for a target.
func withService(t *testing.T, test func(f *fixture)) {
	t.Helper()
	inCluster(t, func(f *fixture) {
		f.create(serviceYAML)
		f.canary.Spec.TargetRef.Kind, f.canary.Spec.TargetRef.APIVersion = "Service", "v1"
		test(f)
	})
}

// endpoint makes the only endpoint of a Service, as its controller would.
func (f *fixture) endpoint(service string, ready bool) {
	f.t.Helper()
	o := object(f.t, `{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, addressType: IPv4, endpoints: [{addresses: [10.0.0.1]}]}`)
	o.SetNamespace("shop")
	o.SetName(service + "-x")
	o.SetLabels(map[string]string{"kubernetes.io/service-name": service})
	endpoints, _, _ := unstructured.NestedSlice(o.Object, "endpoints")
	endpoints[0].(map[string]any)["conditions"] = map[string]any{"ready": ready}
	_ = unstructured.SetNestedSlice(o.Object, endpoints, "endpoints")
	_ = f.api.Delete(sliceGVR, "shop", service+"-x")
	if _, err := f.api.Create(o, "endpointslice-controller"); err != nil {
		f.t.Fatal(err)
	}
}

func selectorOf(f *fixture, name string) map[string]string {
	f.t.Helper()
	selector, _, _ := unstructured.NestedStringMap(f.get(serviceGVR, name).Object, "spec", "selector")
	return selector
}

func TestAServiceTargetIsPromotedByItsSelectorAndNeverWritten(t *testing.T) {
	withService(t, func(f *fixture) {
		w := f.world()
		f.endpoint("podinfo", true)
		f.endpoint("podinfo-primary", true)
		f.observe(w) // opens the watch of the EndpointSlices
		blue := f.initialise(w)
		f.edit(serviceGVR, "podinfo", func(o map[string]any) {
			_ = unstructured.SetNestedField(o, "green", "spec", "selector", "version")
		})
		before := f.get(serviceGVR, "podinfo")
		green := f.observe(w).Target.Revision
		if green == blue {
			t.Fatal("another selector is no other revision")
		}
		f.apply(w, rollout.World{Primary: blue, Route: rollout.Route{Managed: true, Canary: 10}, Canary: rollout.ScaleUp})
		is := func(version string) map[string]string { return map[string]string{"app": "podinfo", "version": version} }
		if diff := cmp.Diff(is("blue"), selectorOf(f, "podinfo-primary")) + cmp.Diff(is("green"), selectorOf(f, "podinfo-canary")); diff != "" {
			t.Errorf("while it is analysed (-want +got):\n%s", diff)
		}
		f.apply(w, rollout.World{Primary: green, Route: rollout.Route{Managed: true}, Canary: rollout.ScaleZero})
		if diff := cmp.Diff(is("green"), selectorOf(f, "podinfo-primary")); diff != "" {
			t.Errorf("the primary after the promotion (-want +got):\n%s", diff)
		}
		if o := f.observe(w); o.Primary.Revision != green || !o.Primary.Ready {
			t.Errorf("primary %+v", o.Primary)
		}
		if diff := cmp.Diff(before.Object, f.get(serviceGVR, "podinfo").Object); diff != "" {
			t.Errorf("the target was written:\n%s", diff)
		}
		f.endpoint("podinfo-primary", false)
		if o := f.observe(w); o.Primary.Ready || o.Primary.Serving || o.Primary.Message != "it selects app=podinfo, version=green, where none of 1 pods is ready" {
			t.Errorf("without a ready endpoint: %+v", o.Primary)
		}
	})
}

func TestAServiceTargetHasNoImage(t *testing.T) {
	withService(t, func(f *fixture) {
		w := f.world()
		const want = `set image: Service "shop/podinfo" has no containers; a new revision of it is a change of its spec.selector or spec.ports`
		if err := w.CheckImages(map[string]string{"podinfod": "podinfo:2"}); err == nil || err.Error() != want {
			t.Errorf("got %v", err)
		}
		if changed, err := w.SetImage(f.ctx, nil); changed || err != nil {
			t.Errorf("no image: %v, %v", changed, err)
		}
	})
}

func TestAServiceTargetNeedsItsEndpointSlicesAndNoPods(t *testing.T) {
	withService(t, func(f *fixture) {
		permissions := f.closedWorld().Permissions()
		has := func(resource string) bool {
			return slices.ContainsFunc(permissions, func(p Permission) bool { return p.Resource == resource })
		}
		if !has("endpointslices") || has("pods") || has("deployments") {
			t.Errorf("%v", permissions)
		}
	})
}

func TestAServiceThatFlaggerMadeLosesThePortThatTheCanaryNoLongerHas(t *testing.T) {
	inCluster(t, func(f *fixture) {
		service := func(name, text string) {
			o := object(t, text)
			o.SetName(name)
			o.SetNamespace("shop")
			if name == "podinfo-canary" {
				owner := owners(f.canary)
				owner[0].Controller = new(true)
				o.SetOwnerReferences(owner)
			}
			if _, err := f.api.Create(o, "flagger"); err != nil {
				t.Fatal(err)
			}
		}
		service("podinfo-canary", `{apiVersion: v1, kind: Service, spec: {selector: {app: podinfo}, ports: [{name: http, port: 8080}]}}`)
		service("podinfo", `{apiVersion: v1, kind: Service, spec: {selector: {app: podinfo}, ports: [{name: admin, port: 8080}]}}`)
		w := f.world()
		f.initialise(w)
		for name, want := range map[string][]int64{"podinfo-canary": {80}, "podinfo": {8080, 80}} {
			ports, _, _ := unstructured.NestedSlice(f.get(serviceGVR, name).Object, "spec", "ports")
			var got []int64
			for _, port := range ports {
				got = append(got, port.(map[string]any)["port"].(int64))
			}
			slices.Sort(got)
			slices.Sort(want)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("ports of %s (-want +got):\n%s", name, diff)
			}
		}
	})
}
