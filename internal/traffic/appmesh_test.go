package traffic_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/rollout"
)

var meshes = []string{"appmesh", "appmesh:v1beta2"}

// What is made for the canary is deleted after the handover, so that nothing that stays may name it.
func TestAMeshThatWasHandedOverNeedsNothingOfTheCanary(t *testing.T) {
	t.Parallel()
	for _, name := range meshes {
		for _, folder := range []string{"new", "foreign", "match"} {
			s := load(t, name, folder)
			for _, route := range []rollout.Route{{Managed: true}, {Managed: true, Canary: 100}} {
				s = s.take(t, s.render(t, route))
				if report := s.router.Read(s.canary, s.live); report.Handover {
					t.Errorf("%s: handed over before the handover: %+v", s.dir, report)
				}
			}
			s = s.take(t, s.render(t, handover))
			for _, ref := range s.router.Made(s.canary) {
				if owners := s.live[ref].GetOwnerReferences(); len(owners) != 1 {
					t.Errorf("%s: %s has the owners %v, so that it cannot be known for the canary's", s.dir, ref, owners)
				}
				s = s.put(ref, nil)
			}
			if report := s.router.Read(s.canary, s.live); !report.Handover || !report.Settled || report.Managed {
				t.Errorf("%s: without what was made for the canary: %+v", s.dir, report)
			}
			for _, o := range s.live {
				if made := o.GetAnnotations()["penstock.dev/canary"]; made != "" {
					t.Errorf("%s: %s %s would still be taken for Penstock's own", s.dir, o.GetKind(), o.GetName())
				}
			}
		}
	}
}

func TestAMeshSaysWhatItHasNotTakenUp(t *testing.T) {
	t.Parallel()
	status := func(text string) func(*testing.T, *unstructured.Unstructured) {
		return func(t *testing.T, o *unstructured.Unstructured) {
			o.Object["status"] = parse(t, "{apiVersion: v1, kind: Status, status: "+text+"}").Object["status"]
		}
	}
	for name, c := range map[string]struct {
		router string
		change func(*testing.T, *unstructured.Unstructured)
		want   string
	}{
		"an older generation": {
			"appmesh:v1beta2", status("{observedGeneration: 6, conditions: [{type: VirtualRouterActive, status: 'True'}]}"),
			`App Mesh has not taken up the latest change of VirtualRouter "shop/podinfo" yet (it has seen generation 6 of 7)`,
		},
		"no status": {"appmesh:v1beta2", status("{}"), `App Mesh has not taken up VirtualRouter "shop/podinfo" yet`},
		"refused": {
			"appmesh:v1beta2", status("{observedGeneration: 7, conditions: [{type: VirtualRouterActive, status: 'False', reason: Absent, message: no mesh}]}"),
			`App Mesh has not taken up VirtualRouter "shop/podinfo": VirtualRouterActive Absent: no mesh`,
		},
		"a controller that does not tell the generation": {"appmesh:v1beta2", status("{conditions: [{type: VirtualRouterActive, status: 'True'}]}"), ""},
		"the first version, which tells nothing":         {"appmesh", status("{}"), ""},
		"the first version, refused": {
			"appmesh", status("{conditions: [{type: RoutesActive, status: 'False'}]}"),
			`App Mesh has not taken up VirtualService "shop/podinfo.shop": RoutesActive is False: no reason is given`,
		},
	} {
		s := load(t, c.router, "new")
		s = s.take(t, s.render(t, rollout.Route{Managed: true, Canary: 20}))
		o := s.live[s.written()].DeepCopy()
		c.change(t, o)
		report := s.router.Read(s.canary, s.put(s.written(), o).live)
		if report.Settled != (c.want == "") || report.Message != c.want || report.Canary != 20 {
			t.Errorf("%s: %+v, want %q", name, report, c.want)
		}
	}
}

func TestAMeshIsNotSettledBeforeAllOfItIsThere(t *testing.T) {
	t.Parallel()
	for _, name := range meshes {
		s := load(t, name, "new")
		s = s.take(t, s.render(t, rollout.Route{Managed: true}))
		for _, ref := range s.router.Made(s.canary) {
			report := s.router.Read(s.canary, s.put(ref, nil).live)
			if report.Settled || report.Message != ref.String()+" does not exist yet" {
				t.Errorf("%s without %s: %+v", name, ref, report)
			}
		}
	}
}

func TestAMeshThatCannotBeWrittenIsAnErrorThatSaysWhy(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(scenario) scenario
		route  rollout.Route
		want   string
	}{
		"a third node with traffic": {
			change: func(s scenario) scenario {
				o := s.live[s.written()].DeepCopy()
				o.Object["spec"] = parse(t, "{apiVersion: v1, kind: S, spec: {routes: [{httpRoute: {action: {weightedTargets: ["+
					"{virtualNodeRef: {name: podinfo-primary}, weight: 1}, {virtualNodeRef: {name: old}, weight: 1}]}}}]}}").Object["spec"]
				return s.put(s.written(), o)
			},
			want: `route VirtualRouter "shop/podinfo": the canary's route sends requests to VirtualNode "old" too, so that weights are no percentages; give it a route of its own`,
		},
		"no pods to select": {
			change: func(s scenario) scenario {
				for ref := range s.live {
					if ref.Kind == "Deployment" {
						s = s.put(ref, nil)
					}
				}
				return s
			},
			want: `route VirtualRouter "shop/podinfo": Deployment "shop/podinfo" does not exist, so the label of its pods is not known`,
		},
		"a mirror":                 {route: rollout.Route{Mirror: 10}, want: `route VirtualRouter "shop/podinfo": the appmesh:v1beta2 router cannot copy requests to the canary`},
		"a weight above 100":       {route: rollout.Route{Canary: 101}, want: `route VirtualRouter "shop/podinfo": weight: 101 is not between 0 and 100`},
		"a test without condition": {route: rollout.Route{Match: true}, want: `route VirtualRouter "shop/podinfo": spec.analysis.match: there is no condition to select requests by`},
	} {
		s := load(t, "appmesh:v1beta2", "foreign")
		if c.change != nil {
			s = c.change(s)
		}
		objects, err := s.router.Render(s.canary, s.live, c.route)
		if err == nil || err.Error() != c.want || objects != nil {
			t.Errorf("%s: got %v, %v\nwant %s", name, objects, err, c.want)
		}
	}
}

func TestWhatAMeshHasNoWordsForIsRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		service, analysis string
		want              []string
	}{
		{"{match: [{uri: {prefix: /shop}}]}", "{iterations: 2, match: [{uri: {prefix: /a}, sourceLabels: {a: b}, queryParams: {a: {exact: b}}}, " +
			`{method: {prefix: G}}, {headers: {a: {exact: ""}}}]}`, []string{
			`spec.analysis.match[0].queryParams: App Mesh has no such condition; it has uri.prefix, method, scheme and headers`,
			`spec.analysis.match[0].sourceLabels: App Mesh does not know the labels of the pod that sends a request; match a header instead`,
			`spec.analysis.match[0].uri: App Mesh matches a prefix only, here one that begins with "/shop"`,
			`spec.analysis.match[1].method: App Mesh matches exact: only`,
			`spec.analysis.match[2].headers["a"]: App Mesh cannot compare with an empty text`,
		}},
		{"{portName: grpc}", "{iterations: 2, match: [{uri: {prefix: /a}}]}", []string{
			"spec.analysis.match[0].uri: the appmesh router matches requests of gRPC by headers only",
		}},
		{"{timeout: 10us, retries: {retryOn: 'gateway-error,5xx'}, match: [{uri: {regex: a}}]}", "{stepWeight: 20}", []string{
			"spec.service.match[0].uri: App Mesh has one prefix for the canary's route, as the first of the matches",
			`spec.service.retries.retryOn: App Mesh has no event "5xx"; it has server-error, gateway-error, client-error, stream-error and connection-error`,
			`spec.service.timeout: "10us" is not a number of milliseconds or more, which App Mesh counts in`,
		}},
		{"{}", "{iterations: 2, match: [" + strings.Repeat("{headers: {a: {exact: b}}}, ", 11) + "]}", []string{
			"spec.analysis.match: it has 11 elements; the appmesh router has routes for 10",
		}},
	} {
		got := router(t, "appmesh:v1beta2").Refuse(strategy(t, "appmesh:v1beta2", c.service, c.analysis))
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s, %s (-want +got):\n%s", c.service, c.analysis, diff)
		}
	}
	want := []string{"spec.service.meshName: the appmesh router needs the name of the mesh; appmesh:v1beta2 takes it from the namespace"}
	if diff := cmp.Diff(want, router(t, "appmesh").Refuse(strategy(t, "appmesh", "", "stepWeight: 20"))); diff != "" {
		t.Errorf("without a mesh (-want +got):\n%s", diff)
	}
}

// A Service as the target has no pods that are known, and its nodes are found by their names alone.
func TestTheNodesOfAServiceSelectNoPods(t *testing.T) {
	t.Parallel()
	s := load(t, "appmesh:v1beta2", "new")
	s.canary = copied(t, s.canary)
	s.canary.Spec.TargetRef = canary.ObjectRef{APIVersion: "v1", Kind: "Service", Name: "podinfo"}
	for _, o := range s.render(t, rollout.Route{Managed: true}) {
		if _, found, _ := unstructured.NestedFieldNoCopy(o.Object, "spec", "podSelector"); found {
			t.Errorf("%s %s selects pods", o.GetKind(), o.GetName())
		}
	}
}
