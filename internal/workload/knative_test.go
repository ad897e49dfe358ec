package workload_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/rollout"
	"github.com/penstock-dev/penstock/internal/workload"
)

const knativeText = `
apiVersion: serving.knative.dev/v1
kind: Service
metadata: {name: podinfo, namespace: shop, generation: 3, resourceVersion: "41"}
spec:
  template:
    spec:
      timeoutSeconds: 60
      containers:
      - {name: user-container, image: "podinfo:1"}
      - {name: sidecar, image: "proxy:1"}
status: {observedGeneration: 3, latestCreatedRevisionName: podinfo-00002, latestReadyRevisionName: podinfo-00001}
`

func knativeCanary() *canary.Canary {
	return newCanary(func(c *canary.Canary) {
		c.Spec.TargetRef.APIVersion, c.Spec.TargetRef.Kind = "serving.knative.dev/v1", "Service"
	})
}

func knative(t *testing.T, change func(o *unstructured.Unstructured)) (target, primary *workload.Workload) {
	t.Helper()
	o := &unstructured.Unstructured{Object: *parse[map[string]any](t, knativeText)}
	body, err := json.Marshal(o.Object)
	if err == nil {
		err = o.UnmarshalJSON(body) // numbers as the API has them
	}
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(o)
	}
	refs, err := workload.RefsFor(knativeCanary())
	if err != nil {
		t.Fatal(err)
	}
	target, primary, err = workload.ReadBoth(&refs, canary.Objects{refs.Target: o})
	if err != nil {
		t.Fatal(err)
	}
	return target, primary
}

func annotated(revision string) func(*unstructured.Unstructured) {
	return func(o *unstructured.Unstructured) {
		o.SetAnnotations(map[string]string{workload.PrimaryRevisionAnnotation: revision})
	}
}

func knativePart(name, status string) *unstructured.Unstructured {
	o := &unstructured.Unstructured{Object: map[string]any{
		"kind": "Revision",
		"status": map[string]any{"actualReplicas": int64(2), "conditions": []any{
			map[string]any{"type": "ContainerHealthy", "status": "True"},
			map[string]any{"type": "Ready", "status": status, "reason": "Because", "message": "in words"},
		}},
	}}
	o.SetNamespace("shop")
	o.SetName(name)
	return o
}

func TestAKnativeServiceIsItsOwnPrimary(t *testing.T) {
	t.Parallel()
	refs, err := workload.RefsFor(knativeCanary())
	if err != nil {
		t.Fatal(err)
	}
	if !refs.Shared() || refs.Target.Group != "serving.knative.dev" || refs.Parts.Resource != "revisions" {
		t.Errorf("%+v", refs)
	}
	if none := (canary.Ref{}); refs.Apex != none || refs.PrimaryService != none || refs.CanaryService != none {
		t.Errorf("Knative makes the Services itself: %+v", refs)
	}
	target, primary := knative(t, nil)
	if primary != nil {
		t.Fatal("there is a primary that nobody has named")
	}
	promotion, err := workload.RenderPrimary(knativeCanary(), target, nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]any{
		"apiVersion": "serving.knative.dev/v1", "kind": "Service", "metadata": map[string]any{
			"name": "podinfo", "namespace": "shop", "annotations": map[string]any{"flagger.app/primary-revision": "podinfo-00002"},
		},
	}, promotion.Object); diff != "" {
		t.Error(diff)
	}
	target, primary = knative(t, annotated("podinfo-00001"))
	if got := workload.PrimaryRevision(primary); got != "podinfo-00001" {
		t.Errorf("the primary is %s", got)
	}
	if got := workload.TargetRevision(target); got != "podinfo-00002" {
		t.Errorf("the target is %s", got)
	}
	if services, err := workload.Services(knativeCanary(), target, primary, nil); len(services) > 0 || err != nil {
		t.Errorf("%v, %v", services, err)
	}
}

func TestARevisionSaysHowReadyAKnativeServiceIs(t *testing.T) {
	t.Parallel()
	all := []*unstructured.Unstructured{knativePart("podinfo-00001", "True"), knativePart("podinfo-00002", "Unknown")}
	broken := []*unstructured.Unstructured{all[0], knativePart("podinfo-00002", "False")}
	behind := func(o *unstructured.Unstructured) { annotated("podinfo-00001")(o); o.SetGeneration(4) }
	for name, test := range map[string]struct {
		change  func(*unstructured.Unstructured)
		parts   []*unstructured.Unstructured
		primary bool
		want    rollout.Workload
	}{
		"a primary that is ready":          {annotated("podinfo-00001"), all, true, rollout.Workload{Ready: true, Serving: true, Replicas: 2}},
		"the same while a change is young": {behind, all, true, rollout.Workload{Ready: true, Serving: true, Replicas: 2}},
		"a canary that is not ready yet": {
			nil, all, false, rollout.Workload{Replicas: 2, Message: `Revision "podinfo-00002" is not ready yet; Because: in words`},
		},
		"a canary that has failed": {
			nil, broken, false, rollout.Workload{Broken: true, Replicas: 2, Message: `Revision "podinfo-00002" is not ready; Because: in words`},
		},
		"one that has failed and was changed": {
			behind, broken, false, rollout.Workload{Stale: true, Replicas: 2, Message: `Revision "podinfo-00002" is not ready; Because: in words`},
		},
		"a primary whose Revision is gone": {annotated("podinfo-00000"), all, true, rollout.Workload{Message: `Revision "podinfo-00000" is not there`}},
		"a new Service": {
			func(o *unstructured.Unstructured) { delete(o.Object, "status") }, all, false,
			rollout.Workload{Stale: true, Message: "Knative has made no Revision of it yet"},
		},
		"without Revisions, by the Service": {annotated("podinfo-00001"), nil, true, rollout.Workload{Ready: true, Serving: true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, primary := knative(t, test.change)
			if test.primary {
				w = primary
			}
			test.want.Exists, test.want.Revision = true, "r"
			if diff := cmp.Diff(test.want, workload.Report(w, test.parts, workload.Ready{Revision: "r"})); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAnImageOfAKnativeServiceKeepsTheOtherContainers(t *testing.T) {
	t.Parallel()
	target, _ := knative(t, nil)
	patch, err := workload.SetImage(target, map[string]string{"user-container": "podinfo:2"})
	if err != nil {
		t.Fatal(err)
	}
	want := `{"metadata":{"resourceVersion":"41"},"spec":{"template":{"spec":{"containers":[` +
		`{"image":"podinfo:2","name":"user-container"},{"image":"proxy:1","name":"sidecar"}]}}}}`
	if diff := cmp.Diff(want, string(patch)); diff != "" {
		t.Error(diff)
	}
	if patch, err := workload.SetImage(target, map[string]string{"sidecar": "proxy:1"}); patch != nil || err != nil {
		t.Errorf("%s, %v", patch, err)
	}
	named, _ := knative(t, func(o *unstructured.Unstructured) {
		if err := unstructured.SetNestedField(o.Object, "podinfo-blue", "spec", "template", "metadata", "name"); err != nil {
			t.Fatal(err)
		}
	})
	_, err = workload.SetImage(named, map[string]string{"user-container": "podinfo:2"})
	want = `set image: Service "shop/podinfo": spec.template.metadata.name: it is "podinfo-blue", and Knative makes no other Revision of that name; leave it out`
	if err == nil || err.Error() != want {
		t.Error(err)
	}
}
