package traffic_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/penstock-dev/penstock/internal/rollout"
)

// patchKnative writes to a Service of Knative, and lets Knative take up its traffic.
func patchKnative(t *testing.T, live, patch *unstructured.Unstructured) *unstructured.Unstructured {
	t.Helper()
	return takeKnative(t, mergeJSON(live.DeepCopy().Object, patch.DeepCopy().Object))
}

// mergeJSON is RFC 7396.
func mergeJSON(into, patch map[string]any) map[string]any {
	for key, value := range patch {
		if value == nil {
			delete(into, key)
			continue
		}
		below, isMap := value.(map[string]any)
		if !isMap {
			into[key] = value
			continue
		}
		old, _ := into[key].(map[string]any)
		if old == nil {
			old = map[string]any{}
		}
		into[key] = mergeJSON(old, below)
	}
	return into
}

func takeKnative(t *testing.T, content map[string]any) *unstructured.Unstructured {
	t.Helper()
	o := &unstructured.Unstructured{Object: content}
	o.SetGeneration(generation)
	newest, _, _ := unstructured.NestedString(content, "status", "latestReadyRevisionName")
	entries, _, _ := unstructured.NestedSlice(content, "spec", "traffic")
	for _, entry := range entries {
		if fields := entry.(map[string]any); fields["latestRevision"] == true {
			fields["revisionName"] = newest
		} else {
			fields["latestRevision"] = false
		}
	}
	status := map[string]any{
		"observedGeneration": int64(generation), "latestReadyRevisionName": newest, "latestCreatedRevisionName": newest,
		"traffic": entries, "conditions": []any{map[string]any{"type": "RoutesReady", "status": "True"}},
	}
	content["status"] = status
	return o
}

func TestWhatKnativeHasNotTakenUpIsNotSettled(t *testing.T) {
	t.Parallel()
	s := load(t, "knative", "new")
	s = s.take(t, s.render(t, rollout.Route{Managed: true, Canary: 20}))
	for name, test := range map[string]struct {
		change func(o map[string]any)
		want   rollout.RouteReport
	}{
		"a generation that was not seen": {
			func(o map[string]any) { at(o, "status").(map[string]any)["observedGeneration"] = int64(generation - 1) },
			rollout.RouteReport{Message: `Knative has not taken up the last change of Service "shop/podinfo" yet`},
		},
		"other shares": {
			func(o map[string]any) { at(o, "status.traffic.0").(map[string]any)["percent"] = int64(10) },
			rollout.RouteReport{Message: `Knative has not taken up spec.traffic of Service "shop/podinfo" yet`},
		},
		"no shares": {
			func(o map[string]any) { delete(at(o, "status").(map[string]any), "traffic") },
			rollout.RouteReport{Message: `Knative has not taken up spec.traffic of Service "shop/podinfo" yet`},
		},
		"a route that is not ready": {
			func(o map[string]any) {
				condition := at(o, "status.conditions.0").(map[string]any)
				condition["status"], condition["message"] = "Unknown", "in words"
			},
			rollout.RouteReport{Message: `the route of Service "shop/podinfo" is not ready: in words`},
		},
		"a newest Revision that is not ready": {
			func(o map[string]any) {
				at(o, "status").(map[string]any)["latestCreatedRevisionName"] = "podinfo-00003"
			},
			rollout.RouteReport{Message: `Service "shop/podinfo" sends the share of the canary to Revision "podinfo-00002", because "podinfo-00003" is not ready`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := s.live[s.written()].DeepCopy()
			test.change(o.Object)
			test.want.Known, test.want.Managed, test.want.Canary = true, true, 20
			if diff := cmp.Diff(test.want, s.router.Read(s.canary, s.put(s.written(), o).live)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestWithoutARevisionThereIsNothingToSplit(t *testing.T) {
	t.Parallel()
	s := load(t, "knative", "new")
	o := s.live[s.written()].DeepCopy()
	o.SetAnnotations(nil)
	delete(o.Object, "status")
	if objects := s.put(s.written(), o).render(t, rollout.Route{Managed: true}); len(objects) > 0 {
		t.Errorf("%v", objects)
	}
}

func TestAPromotionReplacesThePrimaryOfAKnativeService(t *testing.T) {
	t.Parallel()
	s := load(t, "knative", "new")
	s = s.take(t, s.render(t, rollout.Route{Managed: true, Canary: 50}))
	promoted := s.live[s.written()].DeepCopy()
	promoted.SetAnnotations(map[string]string{"flagger.app/primary-revision": "podinfo-00002"})
	s = s.put(s.written(), promoted)
	s = s.take(t, s.render(t, rollout.Route{Managed: true, Canary: 50}))
	want := []any{
		map[string]any{"latestRevision": true, "percent": int64(50)},
		map[string]any{"revisionName": "podinfo-00002", "percent": int64(50)},
	}
	if diff := cmp.Diff(want, at(s.live[s.written()].Object, "spec.traffic")); diff != "" {
		t.Error(diff)
	}
}

func TestTrafficOfAKnativeServiceThatIsSomebodyElsesIsRefused(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ annotation, traffic, want string }{
		"a third Revision": {
			"podinfo-00001", `[{latestRevision: true, percent: 10}, {revisionName: podinfo-00001, percent: 60}, {revisionName: podinfo-00000, percent: 30}]`,
			`spec.traffic sends requests to Revision "podinfo-00000" too`,
		},
		"a third Revision with a tag": {
			"podinfo-00001", `[{revisionName: podinfo-00000, tag: blue, percent: 100}]`, `spec.traffic sends requests to Revision "podinfo-00000" too`,
		},
		"a primary that nobody names": {
			"", `[{latestRevision: true, percent: 20}, {revisionName: podinfo-00001, percent: 80}]`, "it has no annotation flagger.app/primary-revision",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := load(t, "knative", "new")
			o := s.live[s.written()].DeepCopy()
			o.Object["spec"].(map[string]any)["traffic"] = at(parse(t, "{apiVersion: v1, kind: List, traffic: "+test.traffic+"}").Object, "traffic")
			o.SetAnnotations(map[string]string{"flagger.app/primary-revision": test.annotation})
			_, err := s.router.Render(s.canary, s.put(s.written(), o).live, rollout.Route{Managed: true, Canary: 20})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
}
