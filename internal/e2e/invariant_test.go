package e2e

import (
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// wantSafe checks what must hold at every moment of every rollout, however it ends:
//
//   - the canary's share grows only while a pod of the canary is ready, or was a second ago: no view of a cluster is newer;
//   - the canary is scaled down only when it has no traffic;
//   - once penstock has put the primary behind it, the apex Service always has a ready endpoint;
//   - the record said so first: the route never has a weight, and the primary never an image, that was not saved before;
//   - whatever names an epoch was written under that of the lease.
//
// It returns how many moments there were.
func (s *scenario) wantSafe() (moments int) {
	s.t.Helper()
	before, lastReady := state{}, time.Time{}
	s.record.Replay(func(m Moment) {
		moments++
		now := s.stateAt(m)
		saved := recordAt(m)
		now.initialised = before.initialised || saved.Status.Phase == "Initialized" && m.ReadyEndpoints("podinfo") > 0
		if now.readyPods > 0 {
			lastReady = m.Version.At
		}
		if now.weight > before.weight && m.Version.At.Sub(lastReady) > time.Second {
			s.t.Errorf("%s: the canary got %d %% of the traffic without a ready pod", now.at, now.weight)
		}
		if now.replicas == 0 && before.replicas > 0 && now.weight > 0 {
			s.t.Errorf("%s: the canary was scaled down with %d %% of the traffic", now.at, now.weight)
		}
		if now.initialised && m.ReadyEndpoints("podinfo") == 0 {
			s.t.Errorf("%s: the apex Service has no ready endpoint", now.at)
		}
		if now.weight != before.weight && now.weight != saved.Status.Weight && !saved.Status.Handed {
			s.t.Errorf("%s: the canary got %d %% while the record said %d", now.at, now.weight, saved.Status.Weight)
		}
		if before.primary != "" && now.primary != before.primary && saved.Status.Phase != "Promoting" && !(now.primary == "" && saved.Status.Handed) {
			s.t.Errorf("%s: the primary changed from %s to %s in the phase %s", now.at, before.primary, now.primary, saved.Status.Phase)
		}
		before = now
	})
	s.wantEpochs()
	return moments
}

// A state is what a moment looks like to wantSafe.
type state struct {
	at          string
	weight      int
	replicas    int64
	readyPods   int
	primary     string // image
	initialised bool
}

func (s *scenario) stateAt(m Moment) state {
	now := state{at: m.Version.At.Format("15:04:05.000") + " " + m.Version.key(), readyPods: readyPods(m, "podinfo")}
	now.weight, _ = s.weight(m)
	if canary := m.Object("Deployment", "podinfo"); canary != nil {
		now.replicas, _, _ = unstructured.NestedInt64(canary.Object, "spec", "replicas")
	}
	if primary := m.Object("Deployment", "podinfo-primary"); primary != nil {
		now.primary = imageOf(primary)
	}
	return now
}

func readyPods(m Moment, app string) int {
	count := 0
	for _, pod := range m.Objects("Pod") {
		conditions, _, _ := unstructured.NestedSlice(pod.Object, "status", "conditions")
		for _, c := range conditions {
			if c, _ := c.(map[string]any); pod.GetLabels()["app"] == app && c["type"] == "Ready" && c["status"] == "True" {
				count++
			}
		}
	}
	return count
}

func imageOf(workload *unstructured.Unstructured) string {
	containers, _, _ := unstructured.NestedSlice(workload.Object, "spec", "template", "spec", "containers")
	if len(containers) == 0 {
		return ""
	}
	image, _, _ := unstructured.NestedString(containers[0].(map[string]any), "image")
	return image
}

func contains(text, part string) bool { return strings.Contains(text, part) }
