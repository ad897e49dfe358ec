package kube

import (
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/rehearsal"
	"github.com/penstock-dev/penstock/internal/rollout"
	"github.com/penstock-dev/penstock/internal/workload"
)

var (
	hpaGVR = autoscalingv2.SchemeGroupVersion.WithResource("horizontalpodautoscalers")
	soGVR  = schema.GroupVersionResource{Group: "keda.sh", Version: "v1alpha1", Resource: "scaledobjects"}
)

const hpaYAML = `
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: podinfo, namespace: shop, labels: {team: checkout, tier: web}}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: podinfo}
  minReplicas: 2
  maxReplicas: 4
  metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 80}}}]
  behavior: {scaleDown: {stabilizationWindowSeconds: 60, policies: [{type: Pods, value: 1, periodSeconds: 60}]}}
`

const soYAML = `
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata: {name: podinfo, namespace: shop}
spec:
  scaleTargetRef: {name: podinfo}
  minReplicaCount: 1
  maxReplicaCount: 3
  cooldownPeriod: 30
  triggers: [{type: prometheus, metadata: {query: 'up{app="podinfo"}', threshold: "5", ignoreNullValues: "false"}}]
`

// scaledBy gives the target an autoscaler.
func (f *fixture) scaledBy(text string) {
	f.t.Helper()
	o := f.create(text)
	f.canary.Spec.AutoscalerRef = &canary.AutoscalerRef{APIVersion: o.GetAPIVersion(), Kind: o.GetKind(), Name: o.GetName()}
}

func (f *fixture) hpa(name string) *autoscalingv2.HorizontalPodAutoscaler {
	f.t.Helper()
	hpa, err := workload.Read[autoscalingv2.HorizontalPodAutoscaler](f.get(hpaGVR, name))
	if err != nil {
		f.t.Fatal(err)
	}
	return hpa
}

func TestThePrimaryGetsACopyOfTheAutoscaler(t *testing.T) {
	inCluster(t, func(f *fixture) {
		f.scaledBy(hpaYAML)
		w := f.world()
		revision := f.initialise(w)
		primary, target := f.hpa("podinfo-primary"), f.hpa("podinfo")
		if got := primary.Spec.ScaleTargetRef.Name; got != "podinfo-primary" {
			t.Errorf("it scales %s", got)
		}
		primary.Spec.ScaleTargetRef = target.Spec.ScaleTargetRef
		if diff := cmp.Diff(target.Spec, primary.Spec); diff != "" {
			t.Errorf("the copy differs (-target +primary):\n%s", diff)
		}
		if len(primary.OwnerReferences) != 1 || primary.Annotations[epochAnnotation] != "3" || primary.Labels["team"] != "checkout" {
			t.Errorf("metadata %+v", primary.ObjectMeta)
		}
		f.apply(w, rollout.World{Primary: revision, Route: rollout.Route{Managed: true}, Canary: rollout.ScaleZero})
		pass(time.Second)
		o := f.observe(w)
		if o.Target.Scaler != "HPA podinfo 2..4, off at 0" || o.Primary.Scaler != "HPA podinfo-primary 2..4, now 2" {
			t.Errorf("target %q, primary %q", o.Target.Scaler, o.Primary.Scaler)
		}
		before := f.requests()
		f.apply(w, rollout.World{Primary: revision, Route: rollout.Route{Managed: true}, Canary: rollout.ScaleZero})
		if made := f.sent(before); len(made) > 0 {
			t.Errorf("requests although nothing was to be done: %v", made)
		}
	})
}

// What goes away from the target's autoscaler goes from the primary's, and not before the promotion.
func TestThePrimarysAutoscalerFollowsAtThePromotion(t *testing.T) {
	inCluster(t, func(f *fixture) {
		f.scaledBy(hpaYAML)
		w := f.world()
		old := f.initialise(w)
		f.edit(hpaGVR, "podinfo", func(o map[string]any) {
			unstructured.RemoveNestedField(o, "spec", "behavior")
			unstructured.RemoveNestedField(o, "metadata", "labels", "tier")
			_ = unstructured.SetNestedField(o, int64(7), "spec", "maxReplicas")
		})
		f.edit(deploymentGVR, "podinfo", func(o map[string]any) {
			_ = unstructured.SetNestedField(o, "two", "spec", "template", "metadata", "annotations", "note")
		})
		revision := f.observe(w).Target.Revision
		f.apply(w, rollout.World{Primary: old, Route: rollout.Route{Managed: true}, Canary: rollout.ScaleUp})
		if hpa := f.hpa("podinfo-primary"); hpa.Spec.MaxReplicas != 4 || hpa.Spec.Behavior == nil {
			t.Errorf("changed while another revision is analysed: %+v", hpa.Spec)
		}
		want := rollout.World{Primary: revision, Route: rollout.Route{Managed: true}, Canary: rollout.ScaleUp}
		f.apply(w, want)
		hpa := f.hpa("podinfo-primary")
		if hpa.Spec.MaxReplicas != 7 || hpa.Spec.Behavior != nil || hpa.Labels["tier"] != "" || hpa.Labels["team"] != "checkout" {
			t.Errorf("after the promotion: %+v, labels %v", hpa.Spec, hpa.Labels)
		}
		pass(time.Second)
		before := f.requests()
		f.apply(w, want)
		if made := f.sent(before); len(made) > 0 {
			t.Errorf("requests although nothing was to be done: %v", made)
		}
	})
}

// A crash between the primary and its autoscaler leaves nothing behind.
func TestAPromotionThatStoppedBeforeTheAutoscalerIsTakenUp(t *testing.T) {
	inCluster(t, func(f *fixture) {
		f.scaledBy(hpaYAML)
		w := f.world()
		var fault atomic.Bool
		fault.Store(true)
		f.api.Intercept(func(r rehearsal.APIRequest) rehearsal.APIFault {
			if fault.Load() && r.Verb == "patch" && r.Resource == hpaGVR {
				return rehearsal.FaultInternal("etcd is away")
			}
			return rehearsal.APIFault{}
		})
		want := rollout.World{Touch: true, Primary: f.observe(w).Target.Revision, Route: rollout.Route{Managed: true}}
		if err := w.Apply(f.ctx, want); err == nil {
			t.Fatal("the API server's trouble was not said")
		}
		fault.Store(false)
		f.observe(w)
		f.apply(w, want)
		if got := f.hpa("podinfo-primary").Spec.ScaleTargetRef.Name; got != "podinfo-primary" {
			t.Errorf("it scales %s", got)
		}
	})
}

func TestAnAutoscalerThatFlaggerMadeIsTakenOverWhole(t *testing.T) {
	inCluster(t, func(f *fixture) {
		f.scaledBy(soYAML)
		o := object(t, strings.NewReplacer("name: podinfo,", "name: podinfo-primary,", "{name: podinfo}", "{name: podinfo-primary}",
			"cooldownPeriod: 30", "cooldownPeriod: 30\n  idleReplicaCount: 0").Replace(soYAML))
		o.SetOwnerReferences(owners(f.canary))
		if _, err := f.api.Create(o, "flagger"); err != nil {
			t.Fatal(err)
		}
		w := f.world()
		revision := f.initialise(w)
		spec, _, _ := unstructured.NestedMap(f.get(soGVR, "podinfo-primary").Object, "spec")
		if _, there := spec["idleReplicaCount"]; there {
			t.Errorf("what Flagger wrote and the target does not have is still there: %v", spec)
		}
		query, _, _ := unstructured.NestedString(spec["triggers"].([]any)[0].(map[string]any), "metadata", "query")
		if query != `up{app="podinfo-primary"}` {
			t.Errorf("the query is %s", query)
		}
		// A list is one field to the API: an entry that lost a key differs, though all that is left of it is there.
		f.edit(soGVR, "podinfo", func(o map[string]any) {
			triggers, _, _ := unstructured.NestedSlice(o, "spec", "triggers")
			unstructured.RemoveNestedField(triggers[0].(map[string]any), "metadata", "ignoreNullValues")
			_ = unstructured.SetNestedSlice(o, triggers, "spec", "triggers")
		})
		f.observe(w)
		f.apply(w, rollout.World{Primary: revision, Route: rollout.Route{Managed: true}})
		spec, _, _ = unstructured.NestedMap(f.get(soGVR, "podinfo-primary").Object, "spec")
		if metadata := spec["triggers"].([]any)[0].(map[string]any)["metadata"].(map[string]any); metadata["ignoreNullValues"] != nil {
			t.Errorf("the trigger is still %v", metadata)
		}
	})
}

func TestAClusterWithoutKedaIsNamedAsTheReason(t *testing.T) {
	inClusterOf(t, slices.Concat(rehearsal.BuiltinKinds(), rehearsal.GatewayKinds()), func(f *fixture) {
		f.canary.Spec.AutoscalerRef = &canary.AutoscalerRef{APIVersion: "keda.sh/v1alpha1", Kind: "ScaledObject", Name: "podinfo"}
		err := f.closedWorld().Start(f.ctx, 20*time.Second)
		if !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "is its CRD installed?") || !strings.Contains(err.Error(), "ScaledObject") {
			t.Errorf("%v", err)
		}
	})
}

func TestTheAutoscalersPermissionsAreAsked(t *testing.T) {
	inCluster(t, func(f *fixture) {
		f.scaledBy(soYAML)
		var verbs []string
		for _, p := range f.closedWorld().Permissions() {
			if p.Resource == "scaledobjects" && p.Group == "keda.sh" && p.Namespace == "shop" {
				verbs = append(verbs, p.Verb+" "+p.Name)
			}
		}
		want := []string{
			"list podinfo", "watch podinfo", "patch podinfo",
			"list podinfo-primary", "watch podinfo-primary", "create podinfo-primary", "patch podinfo-primary",
		}
		if !slices.Equal(verbs, want) {
			t.Errorf("verbs %v, want %v", verbs, want)
		}
		if _, err := f.api.Get(soGVR, "shop", "podinfo-primary"); !apierrors.IsNotFound(err) {
			t.Errorf("%v", err)
		}
	})
}

func TestAMissingAutoscalerIsSaidBeforeAnythingIsTouched(t *testing.T) {
	inCluster(t, func(f *fixture) {
		f.canary.Spec.AutoscalerRef = &canary.AutoscalerRef{APIVersion: "autoscaling/v2", Kind: "HorizontalPodAutoscaler", Name: "podinfo"}
		w := f.world()
		const want = `spec.autoscalerRef: HorizontalPodAutoscaler "podinfo" does not exist in namespace "shop"`
		if err := w.CheckScaler(); err == nil || err.Error() != want {
			t.Errorf("got %v\nwant %s", err, want)
		}
		if _, err := w.Preview(rollout.World{Touch: true}); err == nil || err.Error() != want {
			t.Errorf("got %v\nwant %s", err, want)
		}
		f.create(hpaYAML)
		f.observe(w)
		if err := w.CheckScaler(); err != nil {
			t.Error(err)
		}
		// One that is deleted later must not keep anybody's traffic where it is.
		revision := f.initialise(w)
		if err := f.api.Delete(hpaGVR, "shop", "podinfo"); err != nil {
			t.Fatal(err)
		}
		f.observe(w)
		f.apply(w, rollout.World{Primary: revision, Route: rollout.Route{Managed: true, Canary: 20}})
	})
}
