package kube

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/rollout"
)

func TestThePrimaryGetsCopiesOfWhatTheTargetIsConfiguredBy(t *testing.T) {
	inCluster(t, func(f *fixture) {
		f.configure()
		w := f.world()
		revision := f.initialise(w)
		if copied := f.get(configMapGVR, "app-primary"); copied.Object["binaryData"] == nil || !cmp.Equal(f.data("app-primary"), f.data("app")) {
			t.Errorf("the copy is %v", copied.Object)
		}
		if copied := f.get(secretGVR, "token-primary"); copied.Object["type"] != "kubernetes.io/basic-auth" ||
			copied.GetAnnotations()[epochAnnotation] != "3" || len(copied.GetOwnerReferences()) != 1 {
			t.Errorf("the copy is %v", copied.Object)
		}
		from := f.deployment("podinfo-primary").Spec.Template.Spec.Containers[0].EnvFrom
		if from[0].ConfigMapRef.Name != "app-primary" || from[1].SecretRef.Name != "token-primary" {
			t.Errorf("the primary refers to %v", from)
		}
		tracked := slices.Sorted(maps.Keys(w.TrackedConfigs()))
		if !slices.Equal(tracked, []string{"configmap/app", "secret/token"}) {
			t.Errorf("tracked are %v", tracked)
		}
		before := f.requests()
		f.apply(w, rollout.World{Primary: revision, Route: rollout.Route{Managed: true}})
		pass(time.Hour)
		if made := f.sent(before); made["patch configmaps"]+made["patch secrets"]+made["patch deployments"] > 0 {
			t.Errorf("what is so already costs %v", made)
		}
	})
}

func TestCopiesAreChangedDeletedAndMadeAnewAsTheirOriginalsNeed(t *testing.T) {
	inCluster(t, func(f *fixture) {
		f.configure()
		f.refer("app", "token", map[string]any{"configMapRef": map[string]any{"name": "extra", "optional": true}},
			map[string]any{"configMapRef": map[string]any{"name": "fixed"}})
		f.create(`{apiVersion: v1, kind: ConfigMap, metadata: {name: extra, namespace: shop}, data: {a: b}}`)
		fixed := func(content string) {
			f.create(`{apiVersion: v1, kind: ConfigMap, metadata: {name: fixed, namespace: shop}, immutable: true, data: {a: ` + content + `}}`)
		}
		fixed("one")
		w := f.world()
		f.initialise(w)
		promote := func() {
			t.Helper()
			revision := f.observe(w).Target.Revision
			f.apply(w, rollout.World{Primary: revision, Route: rollout.Route{Managed: true}})
			pass(time.Second)
			if o := f.observe(w); o.Primary.Revision != revision || !o.Primary.Ready {
				t.Errorf("the primary is at %s, want %s: %s", o.Primary.Revision, revision, o.Primary.Message)
			}
		}
		remove := func(name string) {
			if err := f.api.Delete(configMapGVR, "shop", name); err != nil {
				t.Fatal(err)
			}
		}
		remove("extra")
		promote()
		if _, err := f.api.Get(configMapGVR, "shop", "extra-primary"); !apierrors.IsNotFound(err) {
			t.Errorf("the copy of what is gone is still there: %v", err)
		}
		for _, content := range []string{"two", "three", "four"} {
			remove("fixed")
			fixed(content)
			promote()
		}
		if got := f.data("fixed-primary")["a"] + " " + f.data("fixed-podinfo-primary")["a"]; got != "three four" {
			t.Errorf("the copies of what cannot be changed hold %q", got)
		}
	})
}

func TestAPreviewShowsTheCopiesAndNoSecret(t *testing.T) {
	inCluster(t, func(f *fixture) {
		f.configure()
		w := f.world()
		changes, err := w.Preview(rollout.World{Touch: true, Primary: f.observe(w).Target.Revision})
		if err != nil {
			t.Fatal(err)
		}
		shown := map[string]canary.Ref{}
		for _, c := range changes {
			shown[c.Ref.Name] = c.Ref
			if c.Ref.Kind == "Secret" && contentOf(c.After, "data")["password"] != "***" {
				t.Errorf("the preview shows %v", c.After.Object)
			}
		}
		if shown["app-primary"].Kind != "ConfigMap" || shown["token-primary"].Kind != "Secret" {
			t.Errorf("the preview shows %v", shown)
		}
		f.create(`{apiVersion: v1, kind: Secret, metadata: {name: token-primary, namespace: shop}}`)
		f.create(`{apiVersion: v1, kind: Secret, metadata: {name: token-podinfo-primary, namespace: shop}}`)
		f.observe(w)
		f.observe(w)
		if _, err := w.Preview(rollout.World{Touch: true}); err == nil || !strings.Contains(err.Error(), "both names are taken") {
			t.Errorf("a copy that cannot be made: %v", err)
		}
	})
}

func TestTheStatusShowsWhatIsTrackedAndNoMore(t *testing.T) {
	withFlagger(t, func(f *fixture) {
		f.createCanary()
		f.configure()
		v := f.view()
		w := f.world()
		v.Track(w)
		shown := func() []string {
			t.Helper()
			f.observe(w)
			if err := v.Write(f.ctx, canary.Status{Phase: "Initialized"}); err != nil {
				t.Fatal(err)
			}
			tracked, _, _ := unstructured.NestedStringMap(f.get(canaryGVR, "podinfo").Object, "status", "trackedConfigs")
			return slices.Sorted(maps.Keys(tracked))
		}
		if got := shown(); !slices.Equal(got, []string{"configmap/app", "secret/token"}) {
			t.Errorf("shown are %v", got)
		}
		v = f.view() // of the next run
		v.Track(w)
		f.envFrom(map[string]any{"configMapRef": map[string]any{"name": "app"}})
		if got := shown(); !slices.Equal(got, []string{"configmap/app"}) {
			t.Errorf("shown are %v", got)
		}
	})
}
