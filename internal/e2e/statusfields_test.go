package e2e

import (
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// statuses returns what the status of the Canary object was, change by change.
func statuses(record *Recorder) []map[string]any {
	var all []map[string]any
	record.Replay(func(m Moment) {
		if object := m.Object("Canary", "podinfo"); object != nil && m.Version.key() == "Canary/podinfo" {
			if status, there, _ := unstructured.NestedMap(object.Object, "status"); there {
				all = append(all, status)
			}
		}
	})
	return all
}

// What dashboards and kubectl read beside the phase and the weight.
func TestTheWholeStatusOfACanaryIsKept(t *testing.T) {
	t.Parallel()
	cluster.InstallFlaggerCRDs(t)
	s := newScenario(t, "gatewayapi:v1", affinity, analysis("stepWeight", 20))
	record := s.Record(Canaries())
	s.createCanary()
	s.createConfig(&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "app"}, Data: map[string]string{"colour": "blue"}})
	s.patchTarget(`{"spec":{"template":{"spec":{"containers":[{"name":"podinfo","envFrom":[{"configMapRef":{"name":"app"}}]}]}}}}`)
	s.AwaitReady("podinfo")
	s.initialise()
	first := statuses(record)[len(statuses(record))-1]
	configs, _ := first["trackedConfigs"].(map[string]any)
	if len(configs) != 1 || configs["configmap/app"] == "" || first["lastAppliedSpec"] == "" || first["lastPromotedSpec"] != first["lastAppliedSpec"] {
		t.Errorf("after the first run the status is %v", first)
	}
	s.end(s.rollOut(v2), 0)
	all := statuses(record)
	last := all[len(all)-1]
	if last["lastPromotedSpec"] != last["lastAppliedSpec"] || last["lastPromotedSpec"] == first["lastPromotedSpec"] {
		t.Errorf("after the promotion the status is %v, before it was %v", last, first)
	}
	var before map[string]any
	kept := false
	for _, now := range all {
		if before != nil && now["phase"] == before["phase"] && now["lastTransitionTime"] != before["lastTransitionTime"] {
			t.Errorf("in the phase %v the time of the last transition moved from %v to %v", now["phase"], before["lastTransitionTime"], now["lastTransitionTime"])
		}
		if now["phase"] == "Progressing" && now["lastPromotedSpec"] != first["lastPromotedSpec"] {
			t.Errorf("during the analysis the status says that %v was promoted", now["lastPromotedSpec"])
		}
		cookie, _ := now["sessionAffinityCookie"].(string)
		primary, _ := now["primarySessionAffinityCookie"].(string)
		kept = kept || strings.HasPrefix(cookie, "canary-session=") && strings.HasPrefix(primary, "primary-session=")
		before = now
	}
	if previous, _ := last["previousSessionAffinityCookie"].(string); !kept || !strings.HasPrefix(previous, "canary-session=") || last["sessionAffinityCookie"] != nil {
		t.Errorf("the cookies were never shown (%v), or are wrong at the end: %v", kept, last)
	}
	if times := transitions(all); len(times) < 2 {
		t.Errorf("the time of the last transition was %v", times)
	}
	wide := s.kubectl("get", "canary", "podinfo", "-o", "wide")
	for _, want := range []string{"STATUS", "WEIGHT", "FAILEDCHECKS", "INTERVAL", "STEPWEIGHT", "MAXWEIGHT", "LASTTRANSITIONTIME", "Succeeded"} {
		if !strings.Contains(wide, want) {
			t.Errorf("kubectl get canary -o wide does not show %s:\n%s", want, wide)
		}
	}
}

// transitions are the different times of the last transition.
func transitions(all []map[string]any) []string {
	var times []string
	for _, status := range all {
		if at, _ := status["lastTransitionTime"].(string); len(times) == 0 || times[len(times)-1] != at {
			times = append(times, at)
		}
	}
	return times
}

func TestIterationsAreShownInTheStatus(t *testing.T) {
	t.Parallel()
	cluster.InstallFlaggerCRDs(t)
	s := newScenario(t, "kubernetes", iterations(2))
	record := s.Record(Canaries())
	s.createCanary()
	s.initialise()
	s.end(s.rollOut(v2), 0)
	var shown []int64
	for _, status := range statuses(record) {
		if n, _ := status["iterations"].(int64); len(shown) == 0 || shown[len(shown)-1] != n {
			shown = append(shown, n)
		}
	}
	if want := []int64{0, 1, 2, 3}; !slices.Equal(shown[:min(len(shown), 4)], want) {
		t.Errorf("the status counted %v, want %v", shown, want)
	}
	s.wantEvents("canary iteration 1/2", "canary iteration 2/2", "Routing all traffic to canary")
}
