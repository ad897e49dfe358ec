package e2e

import (
	"context"
	"encoding/json"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// saved is the part of penstock's record that scenarios look at.
type saved struct {
	ID     string
	Epoch  int64
	Status struct {
		Phase, Revision, Promoted string
		Step, Weight              int
		Handed                    bool
	}
	History []struct {
		Phase                string
		Step, Weight, Failed int
	}
}

// recordAt returns the record as it was at a moment; it is zero when there was none.
func recordAt(m Moment) (r saved) {
	if object := m.Object("ConfigMap", "penstock-podinfo"); object != nil {
		text, _, _ := unstructured.NestedString(object.Object, "data", "record.json")
		_ = json.Unmarshal([]byte(text), &r) // a record that cannot be read is as good as none, and some claim then fails
	}
	return r
}

// phases returns the phases of the record, one after the other.
func (s *scenario) phases() []string {
	s.t.Helper()
	var phases []string
	s.record.Replay(func(m Moment) {
		if p := recordAt(m).Status.Phase; p != "" && (len(phases) == 0 || phases[len(phases)-1] != p) {
			phases = append(phases, p)
		}
	})
	return phases
}

// awaitStep waits until the record says that a step is in force.
func (s *scenario) awaitStep(step int) {
	s.t.Helper()
	s.awaitRecord(fmt.Sprintf("step %d", step), func(r saved) bool { return r.Status.Step >= step })
}

// awaitRecord waits until the record satisfies claim.
func (s *scenario) awaitRecord(what string, claim func(saved) bool) saved {
	s.t.Helper()
	var found saved
	s.Await("the record to say "+what, func(ctx context.Context) error {
		object, err := s.cluster.Kube.CoreV1().ConfigMaps(s.Name).Get(ctx, "penstock-podinfo", metav1.GetOptions{})
		if err != nil {
			return err
		}
		var r saved
		if err := json.Unmarshal([]byte(object.Data["record.json"]), &r); err != nil {
			return err
		}
		found = r
		return unless(claim(r), "it says %+v", r.Status)
	})
	return found
}
