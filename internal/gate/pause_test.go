package gate_test

import (
	"strings"
	"testing"
	"time"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/rollout"
)

func TestAPauseHoldsTheRolloutUntilSomebodyResumesIt(t *testing.T) {
	t.Parallel()
	v := approvals(t, nil)
	paused := func(want string) {
		t.Helper()
		v.clock.Step(30 * time.Second)
		if got := v.Call(t.Context(), canary.HookRollback, &rollout.Status{Phase: rollout.Progressing}); got.Paused != want || got.Verdict != rollout.Fail {
			t.Errorf("paused is %q (%v), and should be %q", got.Paused, got.Verdict, want)
		}
	}
	paused("")
	if v.Gate() != nil {
		t.Error("a gate is shown, and none waits")
	}
	v.says(carol, "/canary pause let me look")
	paused("paused by user3")
	g := v.Gate()
	if g == nil || !strings.HasPrefix(g.Command, "/canary resume ") {
		t.Fatalf("the page shows %+v", g)
	}
	v.says(guest, g.Command)
	paused("paused by user3")
	v.says(bob, g.Command)
	paused("")
	if v.Gate() != nil {
		t.Error("the page still says that it is paused")
	}
}

func TestAGateThatOpensByPromotionsSkipsTheRest(t *testing.T) {
	t.Parallel()
	v := approvals(t, nil)
	line := v.line()
	v.says(bob, strings.Replace(line, "approve", "promote", 1))
	if got := v.answer(); got.Verdict != rollout.Pass || !got.Skip {
		t.Errorf("the gate says %+v", got)
	}
	v = approvals(t, nil)
	v.says(bob, v.line())
	if got := v.answer(); got.Verdict != rollout.Pass || got.Skip {
		t.Errorf("an approval alone says %+v", got)
	}
}
