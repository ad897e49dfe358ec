package e2e

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// createCanary puts the scenario's canary into the cluster.
func (s *scenario) createCanary() {
	s.t.Helper()
	text, err := json.Marshal(s.canary)
	if err != nil {
		s.t.Fatal(err)
	}
	var object unstructured.Unstructured
	if err := object.UnmarshalJSON(text); err != nil {
		s.t.Fatal(err)
	}
	s.Create(Canaries(), object.Object)
}

// A shown status is what dashboards and kubectl see of a Canary.
type shown struct {
	phase, promoted, reason string
	weight, failed          int64
}

// shownIn returns what a Canary object said, change by change.
func shownIn(record *Recorder) []shown {
	var all []shown
	record.Replay(func(m Moment) {
		object := m.Object("Canary", "podinfo")
		if object == nil {
			return
		}
		var v shown
		v.phase, _, _ = unstructured.NestedString(object.Object, "status", "phase")
		v.weight, _, _ = unstructured.NestedInt64(object.Object, "status", "canaryWeight")
		v.failed, _, _ = unstructured.NestedInt64(object.Object, "status", "failedChecks")
		conditions, _, _ := unstructured.NestedSlice(object.Object, "status", "conditions")
		for _, c := range conditions {
			if c := c.(map[string]any); c["type"] == "Promoted" {
				v.promoted, v.reason = c["status"].(string), c["reason"].(string)
			}
		}
		if v.phase != "" && (len(all) == 0 || all[len(all)-1] != v) {
			all = append(all, v)
		}
	})
	return all
}

func TestTheCanarysStatusIsKeptAsFlaggerDoes(t *testing.T) {
	t.Parallel()
	cluster.InstallFlaggerCRDs(t)
	for name, asUser := range map[string]bool{"as administrator": false, "with the least permissions": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScenario(t, "gatewayapi:v1")
			record := s.Record(Canaries())
			s.createCanary()
			var as []string
			if asUser {
				s.grantRendered("--view")
				as = []string{"--kubeconfig", s.UserKubeconfig()}
			}
			s.end(s.run(as...), 0)
			s.end(s.rollOut(v2, as...), 0)
			if wait := s.Kubectl("wait", "canary/podinfo", "--for=condition=promoted", "--timeout=5s"); wait.Wait(patience) != 0 {
				t.Errorf("kubectl wait: %s", wait.Stderr())
			}
			s.prometheus.Script("", Value(12))
			s.end(s.rollOut(v3, as...), 1)
			want := []shown{
				{"Initializing", "Unknown", "Initializing", 0, 0}, {"Initialized", "True", "Initialized", 0, 0},
				{"Progressing", "Unknown", "Progressing", 0, 0}, {"Progressing", "Unknown", "Progressing", 10, 0},
				{"Progressing", "Unknown", "Progressing", 20, 0}, {"Progressing", "Unknown", "Progressing", 30, 0},
				{"Progressing", "Unknown", "Progressing", 40, 0}, {"Progressing", "Unknown", "Progressing", 50, 0},
				{"Promoting", "Unknown", "Promoting", 50, 0}, {"Finalising", "Unknown", "Finalising", 0, 0},
				{"Succeeded", "True", "Succeeded", 0, 0},
				{"Progressing", "Unknown", "Progressing", 0, 0}, {"Progressing", "Unknown", "Progressing", 10, 0},
				{"Progressing", "Unknown", "Progressing", 10, 1}, {"Progressing", "Unknown", "Progressing", 0, 2},
				{"Failed", "False", "Failed", 0, 2},
			}
			if got := shownIn(record); !slices.Equal(got, want) {
				t.Errorf("the Canary said\n%v, want\n%v", got, want)
			}
			s.wantSafe()
			s.wantEvents("New revision detected!", "Advance", "canary weight 10", "Halt podinfo."+s.Name+" advancement", "Rolling back", "Promotion completed!")
			s.wantOwned()
			t.Logf("%s%s", s.Kubectl("get", "canary").Stdout(), s.Kubectl("get", "canary", "podinfo", "-o", "jsonpath={.status}").Stdout())
		})
	}
}

// wantEvents checks that events about the canary have these texts.
func (s *scenario) wantEvents(texts ...string) {
	s.t.Helper()
	events, err := s.cluster.Kube.CoreV1().Events(s.Name).List(s.t.Context(), metav1.ListOptions{FieldSelector: "involvedObject.kind=Canary"})
	if err != nil {
		s.t.Fatal(err)
	}
	var all strings.Builder
	for _, e := range events.Items {
		all.WriteString(e.Type + " " + e.Reason + " " + e.Message + "\n")
	}
	for _, text := range texts {
		if !contains(all.String(), text) {
			s.t.Errorf("no event says %q; they say\n%s", text, all.String())
		}
	}
}

// wantOwned checks that what penstock made goes when the Canary goes.
func (s *scenario) wantOwned() {
	s.t.Helper()
	s.record.Replay(func(m Moment) {
		if m.Version.Object.GetName() != "podinfo-primary" && m.Version.key() != "HTTPRoute/podinfo" && m.Version.key() != "ConfigMap/penstock-podinfo" {
			return
		}
		owners := m.Version.Object.GetOwnerReferences()
		if m.Version.Object.GetKind() == "EndpointSlice" || len(owners) == 1 && owners[0].Kind == "Canary" {
			return
		}
		s.t.Errorf("%s is owned by %v", m.Version.key(), owners)
	})
}

func TestWithoutFlaggersDefinitionsEverythingElseWorks(t *testing.T) {
	t.Parallel()
	cluster.WithoutFlaggerCRDs(t)
	s := newScenario(t, "gatewayapi:v1")
	s.initialise()
	s.end(s.rollOut(v2), 0)
	s.wantPromoted(v2)
	s.wantWeights(0, 10, 20, 30, 40, 50, 0)
	s.wantSafe()
}

func TestACanaryThatFlaggerDrivesIsRefused(t *testing.T) {
	t.Parallel()
	cluster.InstallFlaggerCRDs(t)
	s := newScenario(t, "gatewayapi:v1")
	s.createCanary()
	live := s.Get(Canaries(), "podinfo")
	live.Object["status"] = map[string]any{"phase": "Succeeded", "canaryWeight": int64(0), "failedChecks": int64(0), "iterations": int64(0)}
	_, err := cluster.Dynamic.Resource(Canaries()).Namespace(s.Name).UpdateStatus(t.Context(), live, metav1.UpdateOptions{FieldManager: "flagger"})
	if err != nil {
		t.Fatal(err)
	}
	run := s.run()
	s.end(run, 2)
	s.wantLine(run, "spec.suspend: true")
	s.wantUntouched()
}
