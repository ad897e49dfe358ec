package report

import (
	"strings"
	"testing"

	"github.com/penstock-dev/penstock/internal/rollout"
)

func TestChapter(t *testing.T) {
	t.Parallel()
	at := func(phase rollout.Phase, step int, weight rollout.Weight) Snapshot {
		return Snapshot{Namespace: "shop", Canary: "web", Spec: rollout.Spec{Steps: make([]rollout.Step, 10)},
			Status: rollout.Status{Phase: phase, Step: step, Weight: weight}}
	}
	ended := at(rollout.Succeeded, 10, 0)
	ended.Outcome = rollout.Promoted
	hostile := at(rollout.Progressing, 1, 5)
	hostile.Canary = "web\n::error::x\r\x1b[0Ksection_end:1:penstock_1\r##[error]é"
	tests := []struct {
		s    Snapshot
		want string
	}{
		{at("", 0, 0), "shop/web: look at what is there"},
		{at(rollout.Initializing, 0, 0), "shop/web: make the primary"},
		{at(rollout.Waiting, 0, 0), "shop/web: wait for the gate of the rollout"},
		{at(rollout.Progressing, 0, 0), "shop/web: start the canary"},
		{at(rollout.Progressing, 3, 30), "shop/web: step 3/10, 30%"},
		{at(rollout.WaitingPromotion, 10, 100), "shop/web: wait for the gate of the promotion"},
		{at(rollout.Promoting, 10, 100), "shop/web: promote"},
		{at(rollout.Finalising, 10, 0), "shop/web: promote"},
		{at(rollout.RollingBack, 3, 0), "shop/web: roll back"},
		{at(rollout.Terminating, 0, 0), "shop/web: uninstall"},
		{ended, ""},
	}
	for _, test := range tests {
		if got := Chapter(test.s); got != test.want {
			t.Errorf("%s, step %d: %q, want %q", test.s.Status.Phase, test.s.Status.Step, got, test.want)
		}
	}
	if got := Chapter(hostile); strings.ContainsAny(got, "\n\r\x1b") || strings.Contains(got, "##[") || strings.HasPrefix(got, "::") {
		t.Errorf("a hostile name: %q", got)
	}
}
