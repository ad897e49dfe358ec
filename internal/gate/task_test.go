package gate_test

import (
	"context"
	"testing"
	"time"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/gate"
	"github.com/penstock-dev/penstock/internal/rollout"
)

// tester does tasks as it is told.
type tester struct {
	verdict rollout.Verdict
	message string
	did     []string
	within  time.Duration
}

func (t *tester) Do(ctx context.Context, hook *canary.Webhook, about gate.About) (rollout.Verdict, string) {
	if deadline, ok := ctx.Deadline(); ok {
		t.within = time.Until(deadline)
	}
	t.did = append(t.did, hook.Name+" "+about.Phase)
	return t.verdict, t.message
}

func TestATaskInProcessIsDoneByTheRun(t *testing.T) {
	t.Parallel()
	c := &canary.Canary{Spec: canary.Spec{Analysis: &canary.Analysis{Webhooks: []canary.Webhook{{
		Name: "load", URL: canary.InProcess, Timeout: "1m", Metadata: map[string]string{"token": "s3cret"},
	}}}}}
	tasks := &tester{verdict: rollout.Fail, message: "no request of s3cret was answered"}
	caller, err := gate.New(gate.Config{Canary: c, Tasks: tasks})
	if err != nil {
		t.Fatal(err)
	}
	defer caller.Close()
	got := caller.Call(t.Context(), canary.HookRollout, gate.About{Phase: "WaitingPromotion"})
	if got.Verdict != rollout.Fail || got.Message != `hook "load": no request of *** was answered` {
		t.Errorf("answer %v, want the failure, with its reason and without the secret", got)
	}
	if len(tasks.did) != 1 || tasks.did[0] != "load Progressing" || tasks.within <= 0 || tasks.within > time.Minute {
		t.Errorf("done %q within %s, want once, within a minute, as a load tester is told", tasks.did, tasks.within)
	}
	tasks.verdict = rollout.Pass
	if got := caller.Call(t.Context(), canary.HookRollout, gate.About{}); got.Verdict != rollout.Pass {
		t.Errorf("answer %v, want a pass", got)
	}
}

func TestATaskThatNobodyDoesIsNoPass(t *testing.T) {
	t.Parallel()
	c := &canary.Canary{Spec: canary.Spec{Analysis: &canary.Analysis{Webhooks: []canary.Webhook{{Name: "load", URL: canary.InProcess}}}}}
	caller, err := gate.New(gate.Config{Canary: c})
	if err != nil {
		t.Fatal(err)
	}
	defer caller.Close()
	if got := caller.Call(t.Context(), canary.HookRollout, gate.About{}); got.Verdict != rollout.Error {
		t.Errorf("answer %v, want an error", got)
	}
}
