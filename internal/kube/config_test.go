package kube

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/penstock-dev/penstock/internal/rehearsal"
	"github.com/penstock-dev/penstock/internal/rollout"
	"github.com/penstock-dev/penstock/internal/workload"
)

// configure gives the target a ConfigMap and a Secret.
func (f *fixture) configure() {
	f.t.Helper()
	f.create(`{apiVersion: v1, kind: ConfigMap, metadata: {name: app, namespace: shop}, data: {colour: blue, shape: round}, binaryData: {logo: AAAA}}`)
	f.create(`{apiVersion: v1, kind: Secret, metadata: {name: token, namespace: shop}, type: kubernetes.io/basic-auth, data: {password: MTIz}}`)
	f.refer("app", "token")
}

// refer makes the target refer to a ConfigMap and to a Secret, and to more ConfigMaps.
func (f *fixture) refer(configMap, secret string, more ...any) {
	f.t.Helper()
	f.envFrom(append([]any{
		map[string]any{"configMapRef": map[string]any{"name": configMap}},
		map[string]any{"secretRef": map[string]any{"name": secret}},
	}, more...)...)
}

func (f *fixture) envFrom(from ...any) {
	f.t.Helper()
	synctest.Wait()
	f.edit(deploymentGVR, "podinfo", func(o map[string]any) {
		containers, _, _ := unstructured.NestedSlice(o, "spec", "template", "spec", "containers")
		containers[0].(map[string]any)["envFrom"] = from
		_ = unstructured.SetNestedSlice(o, containers, "spec", "template", "spec", "containers")
	})
}

// colour changes the ConfigMap.
func (f *fixture) colour(colour string) {
	f.t.Helper()
	f.edit(configMapGVR, "app", func(o map[string]any) { o["data"] = map[string]any{"colour": colour} })
}

func (f *fixture) data(name string) map[string]string {
	f.t.Helper()
	data, _, _ := unstructured.NestedStringMap(f.get(configMapGVR, name).Object, "data")
	return data
}

func TestAChangeOfAConfigMapIsARevisionThatThePrimaryGetsOnlyWhenItIsPromoted(t *testing.T) {
	inCluster(t, func(f *fixture) {
		f.configure()
		w := f.world()
		old := f.initialise(w)
		f.apply(w, rollout.World{Primary: old, Route: rollout.Route{Managed: true}, Canary: rollout.ScaleZero})
		pass(time.Second)
		f.colour("green")
		o := f.observe(w)
		if o.Target.Revision == old || o.Primary.Revision != old || o.Target.Changed != "configmap/app" {
			t.Fatalf("target %+v, primary %+v", o.Target, o.Primary)
		}
		f.apply(w, rollout.World{Primary: old, Route: rollout.Route{Managed: true}, Canary: rollout.ScaleUp})
		pass(time.Second)
		if o := f.observe(w); !o.Target.Ready || !o.Primary.Ready {
			t.Errorf("scaled up: target %+v, primary %+v", o.Target, o.Primary)
		}
		if got := f.data("app-primary"); got["colour"] != "blue" {
			t.Errorf("the primary's copy was changed before the promotion: %v", got)
		}
		generation := f.deployment("podinfo-primary").Generation
		f.apply(w, rollout.World{Primary: o.Target.Revision, Route: rollout.Route{Managed: true}, Canary: rollout.ScaleUp})
		pass(time.Second)
		if o := f.observe(w); o.Primary.Revision != o.Target.Revision || !o.Primary.Ready || o.Target.Changed != "" {
			t.Errorf("promoted: target %+v, primary %+v", o.Target, o.Primary)
		}
		if diff := cmp.Diff(map[string]string{"colour": "green"}, f.data("app-primary")); diff != "" {
			t.Errorf("the copy (-want +got):\n%s", diff)
		}
		if f.deployment("podinfo-primary").Generation == generation {
			t.Error("the primary's pods were not started anew")
		}
	})
}

func TestPodsOfTheCanaryThatRunAnOldConfigurationAreNotReadyAndAreStartedAnew(t *testing.T) {
	inCluster(t, func(f *fixture) {
		f.configure()
		w := f.world()
		old := f.initialise(w)
		up := rollout.World{Primary: old, Route: rollout.Route{Managed: true}, Canary: rollout.ScaleUp}
		f.colour("green")
		o := f.observe(w)
		if o.Target.Ready || o.Target.Message != "its pods may have been started before the last change of configmap/app, secret/token" {
			t.Errorf("with pods of nobody knows when: %+v", o.Target)
		}
		f.apply(w, up)
		pass(time.Second)
		if o := f.observe(w); !o.Target.Ready {
			t.Errorf("started anew: %+v", o.Target)
		}
		marker := f.deployment("podinfo").Spec.Template.Annotations[workload.ConfigsAnnotation]
		f.colour("red")
		if o := f.observe(w); o.Target.Ready || !strings.HasSuffix(o.Target.Message, "the last change of configmap/app") {
			t.Errorf("changed while the canary is up: %+v", o.Target)
		}
		f.apply(w, up)
		pass(time.Second)
		if got := f.deployment("podinfo").Spec.Template.Annotations[workload.ConfigsAnnotation]; got == marker {
			t.Errorf("the pods were not started anew: %s", got)
		}
		before := f.requests()
		f.apply(w, up)
		if made := f.sent(before); len(made) > 0 {
			t.Errorf("requests for what is so: %v", made)
		}
		if o := f.observe(w); !o.Target.Ready || o.Target.Revision == old {
			t.Errorf("started anew: %+v", o.Target)
		}
	})
}

func TestTheCanaryIsNotStartedAnewWhileNothingElseServes(t *testing.T) {
	inCluster(t, func(f *fixture) {
		f.configure()
		w := f.world()
		old := f.initialise(w)
		f.edit(deploymentGVR, "podinfo-primary", func(o map[string]any) { _ = unstructured.SetNestedField(o, int64(0), "spec", "replicas") })
		pass(time.Second)
		f.colour("green")
		f.observe(w)
		f.apply(w, rollout.World{Primary: old, Canary: rollout.ScaleUp})
		if f.deployment("podinfo").Spec.Template.Annotations[workload.ConfigsAnnotation] != "" {
			t.Error("the only pods that serve were started anew")
		}
	})
}

func TestATargetWhoseSecretDoesNotExistIsNotReadyAndNotCopied(t *testing.T) {
	inCluster(t, func(f *fixture) {
		f.configure()
		f.refer("app", "password")
		w := f.world()
		o := f.observe(w)
		if o.Target.Ready || o.Target.Broken || o.Target.Message != `Secret "password" does not exist` || !strings.Contains(o.Primary.Message, o.Target.Message) {
			t.Errorf("target %+v, primary %+v", o.Target, o.Primary)
		}
		f.apply(w, rollout.World{Primary: o.Target.Revision})
		if f.observe(w).Primary.Exists {
			t.Error("a primary whose pods could not start")
		}
		f.create(`{apiVersion: v1, kind: Secret, metadata: {name: password, namespace: shop}, data: {password: MTIz}}`)
		pass(time.Second)
		if next := f.observe(w); next.Target.Revision == o.Target.Revision || !next.Target.Ready {
			t.Errorf("when it exists: %+v", next.Target)
		}
		f.initialise(w)
	})
}

func TestWhatANewTemplateRefersToIsKnownBeforeItsRevisionIs(t *testing.T) {
	inCluster(t, func(f *fixture) {
		w := f.world()
		old := f.initialise(w)
		f.configure()
		synctest.Wait()
		o, err := w.Observe(time.Now()) // opens the watches
		if err != nil || o.Target.Revision != old || w.TrackedConfigs() != nil {
			t.Errorf("before it is known: %v, %+v", err, o.Target)
		}
		o = f.observe(w)
		if o.Target.Revision == old || len(w.TrackedConfigs()) != 2 || o.Target.Changed != "envFrom of podinfod, configmap/app, secret/token" {
			t.Errorf("when it is known: %+v, %v", o.Target, w.TrackedConfigs())
		}
		f.apply(w, rollout.World{Primary: o.Target.Revision, Route: rollout.Route{Managed: true}})
		if got := f.observe(w).Primary.Revision; got != o.Target.Revision {
			t.Errorf("the primary is at %s, want %s", got, o.Target.Revision)
		}
	})
}

func TestASecretThatMayNotBeReadBreaksARevisionThatRefersToIt(t *testing.T) {
	inCluster(t, func(f *fixture) {
		w := f.world()
		old := f.initialise(w)
		f.api.Deny(func(r rehearsal.APIRequest) bool { return r.Resource.Resource == "secrets" })
		f.configure()
		f.observe(w)
		pass(time.Second)
		o := f.observe(w)
		if o.Target.Revision == old || !o.Target.Broken || !strings.HasPrefix(o.Target.Message, `Secret "token" cannot be read: `) {
			t.Errorf("%+v", o.Target)
		}
		f.api.Deny(nil)
		pass(time.Minute)
		if o := f.observe(w); o.Target.Broken || o.Target.Changed != "envFrom of podinfod, configmap/app, secret/token" {
			t.Errorf("when it may be read again: %+v", o.Target)
		}
	})
}

func TestOnlyTheNamedConfigMapsAndSecretsNeedPermissions(t *testing.T) {
	inCluster(t, func(f *fixture) {
		f.configure()
		f.create(`{apiVersion: v1, kind: Secret, metadata: {name: other, namespace: shop}, data: {password: MTIz}}`)
		var permitted []Permission
		f.api.Deny(func(r rehearsal.APIRequest) bool {
			if r.Resource.Resource != "secrets" && r.Resource.Resource != "configmaps" {
				return false
			}
			return !permits(permitted, r)
		})
		err := f.closedWorld().Start(f.ctx, 20*time.Second)
		if !errors.Is(err, ErrRefused) || strings.Contains(err.Error(), "other") {
			t.Fatalf("without permissions: %v", err)
		}
		for _, resource := range []string{`configmaps "app"`, `configmaps "app-primary"`, `secrets "token"`, `secrets "token-primary"`} {
			verbs := []string{"list", "watch", "create", "patch", "delete"}
			if !strings.Contains(resource, "-primary") {
				verbs = verbs[:2]
			}
			kind, name, _ := strings.Cut(resource, " ")
			for _, verb := range verbs {
				if !strings.Contains(err.Error(), "no permission to "+verb+" "+resource+` in namespace "shop"`) {
					t.Errorf("%s %s is not asked for", verb, resource)
				}
				permitted = append(permitted, Permission{Verb: verb, Resource: kind, Namespace: "shop", Name: strings.Trim(name, `"`)})
			}
		}
		if got, want := strings.Count(err.Error(), "no permission"), 14; got != want {
			t.Errorf("%d permissions are asked for, want %d: %v", got, want, err)
		}
		w := f.world()
		old := f.initialise(w)
		f.colour("green")
		revision := f.observe(w).Target.Revision
		f.apply(w, rollout.World{Primary: revision, Route: rollout.Route{Managed: true}})
		if got := f.observe(w).Primary.Revision; got == old || got != revision {
			t.Errorf("the primary is at %s, want %s", got, revision)
		}
	})
}

// The role that the manifests of a target ask for no longer has what the target has dropped, and the primary has not yet.
func TestWhatATargetHasDroppedNeedsNoPermission(t *testing.T) {
	inCluster(t, func(f *fixture) {
		f.configure()
		f.create(`{apiVersion: v1, kind: ConfigMap, metadata: {name: plain, namespace: shop, annotations: {flagger.app/config-tracking: disabled}}, data: {a: b}}`)
		f.refer("app", "token", map[string]any{"configMapRef": map[string]any{"name": "plain"}})
		old := f.initialise(f.world())
		f.envFrom(map[string]any{"configMapRef": map[string]any{"name": "app"}})
		f.api.Deny(func(r rehearsal.APIRequest) bool {
			return r.Resource.Resource == "secrets" || r.Resource.Resource == "configmaps" && r.Name == "plain"
		})
		w := f.world()
		o := f.observe(w)
		if o.Primary.Revision != old || o.Target.Revision == old || o.Target.Broken {
			t.Fatalf("target %+v, primary %+v", o.Target, o.Primary)
		}
		f.apply(w, rollout.World{Primary: o.Target.Revision, Route: rollout.Route{Managed: true}})
		if got := f.observe(w).Primary.Revision; got != o.Target.Revision {
			t.Errorf("promoted, the primary is at %s, want %s", got, o.Target.Revision)
		}
	})
}

func TestAnUninstallNeedsPermissionForWhatATargetHasDropped(t *testing.T) {
	inCluster(t, func(f *fixture) {
		f.configure()
		f.initialise(f.world())
		f.envFrom(map[string]any{"configMapRef": map[string]any{"name": "app"}})
		f.api.Deny(func(r rehearsal.APIRequest) bool { return r.Resource.Resource == "secrets" })
		w := f.closedWorld()
		if err := w.PreflightUninstall(f.ctx); err != nil {
			t.Fatal(err)
		}
		err := w.Start(f.ctx, 20*time.Second)
		if !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), `no permission to delete secrets "token-primary" in namespace "shop"`) {
			t.Errorf("got %v", err)
		}
	})
}
