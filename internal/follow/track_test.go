package follow

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/kube"
	"github.com/penstock-dev/penstock/internal/rollout"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// seen is a cluster with a target and a primary that run images, and a status of Flagger.
func seen(target, primary string, s canary.Status) *kube.Driven {
	d := &kube.Driven{Canary: &canary.Canary{Status: s}}
	if target != "" {
		d.Target, d.TargetImages = rollout.Workload{Exists: true, Revision: target}, map[string]string{"app": target}
	}
	if primary != "" {
		d.Primary, d.PrimaryImages = rollout.Workload{Exists: true, Revision: primary}, map[string]string{"app": primary}
	}
	return d
}

func status(phase, applied, promoted string) canary.Status {
	return canary.Status{Phase: phase, LastAppliedSpec: applied, LastPromotedSpec: promoted}
}

func weighted(s canary.Status, weight int) canary.Status { s.CanaryWeight = weight; return s }

func touched(s canary.Status, second int) canary.Status {
	s.LastTransitionTime = metav1.NewTime(noon.Add(time.Duration(second) * time.Second))
	return s
}

var testLimits = limits{interval: 10 * time.Second, act: 80 * time.Second, stall: 10 * time.Minute, gate: time.Hour}

func TestOnlyWhatFlaggerSaysAboutOurRevisionCounts(t *testing.T) {
	t.Parallel()
	type look struct {
		after time.Duration
		seen  *kube.Driven
	}
	tests := map[string]struct {
		before  canary.Status
		patched bool
		primary string // at the start; default: v1
		looks   []look
		outcome rollout.Outcome
		reason  string // a part of it, or of the error
		failed  bool
	}{
		"the end of the last rollout is not the end of this one": {
			before: status("Succeeded", "a", "a"), patched: true,
			looks: []look{{time.Second, seen("v2", "v1", status("Succeeded", "a", "a"))}}, outcome: rollout.Running,
		},
		"a failure of the last rollout is not one of this one": {
			before: status("Failed", "a", "z"), patched: true,
			looks: []look{{time.Second, seen("v2", "v1", status("Failed", "a", "z"))}}, outcome: rollout.Running,
		},
		"promoted when Flagger has succeeded with another spec and the primary runs the image": {
			before: status("Succeeded", "a", "a"), patched: true,
			looks: []look{
				{time.Second, seen("v2", "v1", weighted(status("Progressing", "b", "a"), 10))},
				{time.Minute, seen("v2", "v2", status("Succeeded", "b", "b"))},
			},
			outcome: rollout.Promoted,
		},
		"promoted when a broken watch has missed everything between": {
			before: status("Succeeded", "a", "a"), patched: true,
			looks:   []look{{time.Minute, seen("v2", "v2", status("Succeeded", "b", "b"))}},
			outcome: rollout.Promoted,
		},
		"not promoted while the primary runs something else": {
			before: status("Succeeded", "a", "a"), patched: true,
			looks: []look{{time.Second, seen("v2", "v1", status("Succeeded", "b", "b"))}}, outcome: rollout.Running,
		},
		"an error when the primary never runs what Flagger says is promoted": {
			before: status("Succeeded", "a", "a"), patched: true,
			looks: []look{
				{time.Second, seen("v2", "v1", status("Succeeded", "b", "b"))},
				{2 * time.Minute, seen("v2", "v1", status("Succeeded", "b", "b"))},
			},
			failed: true, reason: "the primary runs app=v1 and not app=v2",
		},
		"rolled back when Flagger has failed with another spec": {
			before: status("Succeeded", "a", "a"), patched: true,
			looks: []look{
				{time.Second, seen("v2", "v1", weighted(status("Progressing", "b", "a"), 10))},
				{time.Minute, seen("v2", "v1", status("Failed", "b", "a"))},
			},
			outcome: rollout.RolledBack, reason: "Flagger has rolled the revision back",
		},
		"halted when Flagger has left the traffic on the canary": {
			before: status("Succeeded", "a", "a"), patched: true,
			looks: []look{
				{time.Second, seen("v2", "v1", status("Promoting", "b", "a"))},
				{time.Minute, seen("v2", "v2", weighted(status("Failed", "b", "a"), 100))},
			},
			outcome: rollout.Halted, reason: "left the traffic on the canary",
		},
		"superseded when somebody changes the target": {
			before: status("Succeeded", "a", "a"), patched: true,
			looks: []look{
				{time.Second, seen("v2", "v1", weighted(status("Progressing", "b", "a"), 10))},
				{time.Minute, seen("v3", "v1", weighted(status("Progressing", "b", "a"), 10))},
			},
			outcome: rollout.Superseded, reason: "app=v3",
		},
		"nothing to do when the primary runs it": {
			before: status("Succeeded", "a", "a"), primary: "v2",
			looks: []look{{0, seen("v2", "v2", status("Succeeded", "a", "a"))}}, outcome: rollout.Unchanged,
		},
		"nothing to do after a failure when the image is that of the primary again": {
			before: status("Failed", "b", "a"), patched: true, primary: "v2",
			looks: []look{{0, seen("v2", "v2", status("Failed", "b", "a"))}}, outcome: rollout.Unchanged,
		},
		"a revision that Flagger has rejected is said to be rejected": {
			before: status("Failed", "b", "a"),
			looks: []look{
				{time.Second, seen("v2", "v1", status("Failed", "b", "a"))},
				{81 * time.Second, seen("v2", "v1", status("Failed", "b", "a"))},
			},
			outcome: rollout.RolledBack, reason: "has rejected this revision already and will not retry it",
		},
		"a controller that writes the status and takes nothing up has rejected the revision": {
			before: status("Failed", "b", "a"), patched: true,
			looks: []look{
				{time.Second, seen("v2", "v1", touched(status("Failed", "b", "a"), 1))},
				{11 * time.Second, seen("v2", "v1", touched(status("Failed", "b", "a"), 11))},
				{21 * time.Second, seen("v2", "v1", touched(status("Failed", "b", "a"), 21))},
				{31 * time.Second, seen("v2", "v1", touched(status("Failed", "b", "a"), 31))},
			},
			outcome: rollout.RolledBack, reason: "will not retry it",
		},
		"an error when no controller acts": {
			before: status("Succeeded", "a", "a"), patched: true,
			looks: []look{
				{79 * time.Second, seen("v2", "v1", status("Succeeded", "a", "a"))},
				{80 * time.Second, seen("v2", "v1", status("Succeeded", "a", "a"))},
			},
			failed: true, reason: "no Flagger controller seems to act",
		},
		"an error when Flagger stands still": {
			before: status("Succeeded", "a", "a"), patched: true,
			looks: []look{
				{time.Second, seen("v2", "v1", status("Progressing", "b", "a"))},
				{11 * time.Minute, seen("v2", "v1", status("Progressing", "b", "a"))},
			},
			failed: true, reason: "has not moved for 10m0s in phase Progressing",
		},
		"a gate has a longer bound": {
			before: status("Succeeded", "a", "a"), patched: true,
			looks: []look{
				{time.Second, seen("v2", "v1", status("WaitingPromotion", "b", "a"))},
				{59 * time.Minute, seen("v2", "v1", status("WaitingPromotion", "b", "a"))},
			},
			outcome: rollout.Running,
		},
		"initialised when the first primary runs the image": {
			before: canary.Status{}, patched: true,
			looks: []look{
				{time.Second, seen("v2", "", canary.Status{})},
				{2 * time.Second, seen("v2", "v2", status("Initializing", "b", ""))},
				{time.Minute, seen("v2", "v2", status("Initialized", "b", "b"))},
			},
			outcome: rollout.Initialised,
		},
		"not initialised with another image": {
			before: canary.Status{}, patched: true,
			looks: []look{
				{time.Second, seen("v2", "v1", status("Initialized", "b", "b"))},
				{2 * time.Minute, seen("v2", "v1", status("Initialized", "b", "b"))},
			},
			failed: true, reason: "Flagger says Initialized, but the primary runs app=v1",
		},
		"a re-run goes on with the rollout of the same image": {
			before:  weighted(status("Progressing", "b", "a"), 10),
			looks:   []look{{time.Second, seen("v2", "v1", status("Failed", "b", "a"))}},
			outcome: rollout.RolledBack,
		},
		"suspended meanwhile": {
			before: status("Succeeded", "a", "a"), patched: true,
			looks: []look{{time.Second, func() *kube.Driven {
				d := seen("v2", "v1", status("Succeeded", "a", "a"))
				d.Canary.Spec.Suspend = true
				return d
			}()}},
			outcome: rollout.Suspended,
		},
		"an error when the Canary is deleted": {
			before: status("Succeeded", "a", "a"), patched: true,
			looks: []look{{time.Second, &kube.Driven{}}}, failed: true, reason: "the Canary was deleted",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tr := track{images: map[string]string{"app": "v2"}, limits: testLimits, moved: noon}
			tr.baseline(test.before)
			tr.last, tr.patched = test.before, test.patched
			primary := test.primary
			if primary == "" {
				primary = "v1"
			}
			tr.begin(seen("v2", primary, test.before), noon)
			var got verdict
			for _, l := range test.looks {
				got = tr.judge(l.seen, noon.Add(l.after))
			}
			if got.outcome != test.outcome || (got.err != nil) != test.failed {
				t.Fatalf("outcome %v, error %v; want %v", got.outcome, got.err, test.outcome)
			}
			said := got.reason.String()
			if got.err != nil {
				said = got.err.Error()
			}
			if !strings.Contains(said, test.reason) {
				t.Errorf("reason %q; want %q in it", said, test.reason)
			}
			if got.err == nil && got.outcome == rollout.Running && !got.wakeAt.After(noon) {
				t.Errorf("waits without a bound")
			}
		})
	}
}

func TestTheImageWaitsWhileFlaggerMakesThePrimaryOfAnother(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		primary string
		status  canary.Status
		want    bool
	}{
		"no primary yet":               {"", canary.Status{}, true},
		"a primary of the same image":  {"v2", status("Initializing", "", ""), true},
		"a primary of another image":   {"v1", status("Initializing", "", ""), false},
		"initialised":                  {"v1", status("Initialized", "a", "a"), true},
		"in the middle of another one": {"v1", status("Progressing", "b", "a"), true},
		"being taken away":             {"v1", status("Terminating", "a", "a"), false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tr := track{images: map[string]string{"app": "v2"}, limits: testLimits}
			if got := tr.mayStart(seen("v1", test.primary, test.status)); got != test.want {
				t.Errorf("may start: %v", got)
			}
		})
	}
}

func TestFlaggersStatusIsShownAsARollouts(t *testing.T) {
	t.Parallel()
	spec := &rollout.Spec{Steps: []rollout.Step{{Weight: 10}, {Weight: 20}, {Weight: 30}}}
	iterations := status("Progressing", "b", "a")
	iterations.Iterations = 2
	tests := map[string]struct {
		status canary.Status
		before *rollout.Status
		step   int
		weight rollout.Weight
	}{
		"before any traffic": {status("Progressing", "b", "a"), nil, 0, 0},
		"on a step":          {weighted(status("Progressing", "b", "a"), 20), nil, 2, 20},
		"between two steps":  {weighted(status("Progressing", "b", "a"), 25), nil, 2, 25},
		"iterations":         {iterations, nil, 2, 0},
		"at the gate the traffic stays where it is": {status("WaitingPromotion", "b", "a"), &rollout.Status{Revision: "b", Weight: 30, Step: 3}, 3, 30},
		"promoting":                     {weighted(status("Promoting", "b", "a"), 30), nil, 3, 30},
		"rolled back from where it was": {status("Failed", "b", "a"), &rollout.Status{Revision: "b", Weight: 20, Step: 2}, 2, 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tr := track{begun: true}
			got := tr.status(spec, seen("v2", "v1", test.status), test.before)
			if got.Step != test.step || got.Weight != test.weight {
				t.Errorf("step %d, weight %d; want %d, %d", got.Step, got.Weight, test.step, test.weight)
			}
		})
	}
}
