package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// say writes the status of the Canary as a Flagger controller does: whole, under its own name.
func (s *scenario) say(status map[string]any) {
	s.t.Helper()
	status["lastTransitionTime"] = time.Now().UTC().Format(time.RFC3339)
	promoted := map[string]string{"Initialized": "True", "Succeeded": "True", "Failed": "False"}[status["phase"].(string)]
	if promoted == "" {
		promoted = "Unknown"
	}
	status["conditions"] = []any{map[string]any{
		"type": "Promoted", "status": promoted, "reason": status["phase"], "message": "as Flagger says",
		"lastTransitionTime": status["lastTransitionTime"], "lastUpdateTime": status["lastTransitionTime"],
	}}
	body, err := json.Marshal(map[string]any{"status": status})
	if err != nil {
		s.t.Fatal(err)
	}
	_, err = s.cluster.Dynamic.Resource(Canaries()).Namespace(s.Name).Patch(s.t.Context(), "podinfo", types.MergePatchType, body,
		metav1.PatchOptions{FieldManager: "flagger"}, "status")
	if err != nil {
		s.t.Fatal(err)
	}
}

// warn writes an event as Flagger does.
func (s *scenario) warn(message string) {
	s.t.Helper()
	object := s.Get(Canaries(), "podinfo")
	now := metav1.Now()
	_, err := s.cluster.Kube.CoreV1().Events(s.Name).Create(s.t.Context(), &corev1.Event{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "podinfo."},
		InvolvedObject: corev1.ObjectReference{
			APIVersion: "flagger.app/v1beta1", Kind: "Canary", Namespace: s.Name, Name: "podinfo", UID: object.GetUID(),
		},
		Reason: "Synced", Type: "Warning", Message: message, FirstTimestamp: now, LastTimestamp: now, Count: 1,
		Source: corev1.EventSource{Component: "flagger"},
	}, metav1.CreateOptions{})
	if err != nil {
		s.t.Fatal(err)
	}
}

// awaitImage waits until the target runs an image.
func (s *scenario) awaitImage(image string) {
	s.t.Helper()
	s.Await("the target to have "+image, func(ctx context.Context) error {
		d, err := s.cluster.Kube.AppsV1().Deployments(s.Name).Get(ctx, "podinfo", metav1.GetOptions{})
		if err != nil {
			return err
		}
		if got := d.Spec.Template.Spec.Containers[0].Image; got != image {
			return fmt.Errorf("it has %s", got)
		}
		return nil
	})
}

// driven is a canary that a Flagger controller has brought to its first promotion. The test plays the controller.
func driven(t *testing.T) *scenario {
	t.Helper()
	cluster.InstallFlaggerCRDs(t)
	s := newScenario(t, "gatewayapi:v1")
	s.createCanary()
	s.App("podinfo-primary", v1, 1)
	s.AwaitReady("podinfo-primary")
	s.say(map[string]any{
		"phase": "Succeeded", "canaryWeight": 0, "failedChecks": 0, "iterations": 0, "lastAppliedSpec": "111", "lastPromotedSpec": "111",
	})
	return s
}

func (s *scenario) step(phase string, weight, failed int) {
	s.t.Helper()
	s.say(map[string]any{
		"phase": phase, "canaryWeight": weight, "failedChecks": failed, "iterations": 0, "lastAppliedSpec": "222", "lastPromotedSpec": "111",
	})
}

func TestARolloutThatFlaggerDrivesIsFollowedToItsPromotion(t *testing.T) {
	t.Parallel()
	s := driven(t)
	refused := s.rollOut(v2)
	s.end(refused, 2)
	s.wantLine(refused, "--driver follow")
	run := s.rollOut(v2, "--driver", "follow")
	s.awaitImage(v2)
	s.step("Progressing", 0, 0)
	for _, weight := range []int{10, 20, 50} {
		s.step("Progressing", weight, 0)
		run.AwaitLine(fmt.Sprintf("%d%%", weight))
	}
	s.step("Promoting", 50, 0)
	s.SetImage("podinfo-primary", v2)
	s.AwaitReady("podinfo-primary")
	s.step("Finalising", 0, 0)
	s.say(map[string]any{
		"phase": "Succeeded", "canaryWeight": 0, "failedChecks": 0, "iterations": 0, "lastAppliedSpec": "222", "lastPromotedSpec": "222",
	})
	s.end(run, 0)
	s.wantLine(run, "Promoted: podinfo 2.0.0")
}

func TestARolloutThatFlaggerRollsBackFailsWithItsReason(t *testing.T) {
	t.Parallel()
	s := driven(t)
	run := s.rollOut(v2, "--driver", "follow")
	s.awaitImage(v2)
	s.step("Progressing", 0, 0)
	s.step("Progressing", 10, 0)
	run.AwaitLine("10%")
	s.warn("Halt podinfo." + s.Name + " advancement success rate 42.00% < 99%")
	s.step("Progressing", 10, 1)
	run.AwaitLine("42.00%")
	s.step("Failed", 0, 2)
	s.end(run, 1)
	s.wantLine(run, "Rolled back")
}
