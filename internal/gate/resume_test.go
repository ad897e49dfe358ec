package gate_test

import (
	"context"
	"testing"
	"time"

	"github.com/penstock-dev/penstock/internal/approval"
	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/gate"
	"github.com/penstock-dev/penstock/internal/rollout"
)

// postbox keeps what a run has posted.
type postbox struct{ last approval.Notice }

func (b *postbox) Post(_ context.Context, n approval.Notice) error {
	b.last = n
	return nil
}

// resumed is a run that comes back to the gate at which another one has suspended, an hour later. Somebody has approved
// meanwhile, by the line that the first run has shown.
func resumed(t *testing.T, change func(*gate.ApprovalConfig, *gate.Posted)) *votes {
	t.Helper()
	posted := &postbox{}
	first := approvals(t, func(c *gate.ApprovalConfig) { c.Board = posted })
	first.is(rollout.Fail, "lacks")
	st := first.st
	st.Suspended, st.Until = first.clock.Now(), first.clock.Now().Add(time.Hour)
	first.clock.Step(10 * time.Minute)
	first.says(bob, "/canary approve "+posted.last.Gate.Target().String())
	p := &gate.Posted{Gate: posted.last.Gate, Status: st}
	second := approvals(t, func(c *gate.ApprovalConfig) {
		c.Binding.Rollout, c.Key, c.Posted = "host-second", []byte("another key"), p
		change(c, p)
	})
	second.talk.notes, second.talk.id, second.talk.log = first.talk.notes, first.talk.id, first.talk.log
	second.clock.SetTime(first.clock.Now().Add(10 * time.Minute))
	second.st.GateSince = st.GateSince // the time of the gate goes on
	return second
}

func TestWhatIsSaidWhileTheRolloutIsSuspendedOpensTheGateOfTheRunThatResumes(t *testing.T) {
	t.Parallel()
	resumed(t, func(*gate.ApprovalConfig, *gate.Posted) {}).is(rollout.Pass, "approved by")
}

func TestAnyOtherGateIsOpenedByNothingThatWasSaidBefore(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*gate.ApprovalConfig, *gate.Posted){
		"nothing was posted":     func(c *gate.ApprovalConfig, _ *gate.Posted) { c.Posted = nil },
		"it was not suspended":   func(_ *gate.ApprovalConfig, p *gate.Posted) { p.Status.Suspended = time.Time{} },
		"another revision":       func(_ *gate.ApprovalConfig, p *gate.Posted) { p.Status.Revision = "r0" },
		"a check failed since":   func(_ *gate.ApprovalConfig, p *gate.Posted) { p.Status.Failed-- },
		"another gate":           func(_ *gate.ApprovalConfig, p *gate.Posted) { p.Status.Gate = canary.HookConfirmTrafficIncrease },
		"another policy":         func(c *gate.ApprovalConfig, _ *gate.Posted) { c.Policy.Groups[0].MinRole = approval.RoleMaintain },
		"another commit":         func(_ *gate.ApprovalConfig, p *gate.Posted) { p.Gate.SHA = "def" },
		"another repository":     func(_ *gate.ApprovalConfig, p *gate.Posted) { p.Gate.Repository = 8 },
		"it had become void":     func(_ *gate.ApprovalConfig, p *gate.Posted) { p.Gate.Void = approval.NewCommit },
		"it had not waited then": func(_ *gate.ApprovalConfig, p *gate.Posted) { p.Gate.OpenedAt = time.Time{} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			resumed(t, change).is(rollout.Fail, "lacks")
		})
	}
}
