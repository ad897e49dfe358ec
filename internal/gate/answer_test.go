package gate_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/penstock-dev/penstock/internal/approval"
	"github.com/penstock-dev/penstock/internal/forge"
	"github.com/penstock-dev/penstock/internal/gate"
	"github.com/penstock-dev/penstock/internal/report"
	"github.com/penstock-dev/penstock/internal/rollout"
)

// answering is how the questions of the talk are answered.
func (f *talk) answering() *gate.Answering {
	return &gate.Answering{Speaker: f, Notebook: f, Standing: func(context.Context) (report.Standing, error) {
		return report.Standing{Namespace: "shop", Canary: "podinfo", Record: rollout.Record{Status: rollout.Status{
			Phase: rollout.WaitingPromotion, Weight: 30, Step: 2, Gate: "confirm-promotion",
		}}}, nil
	}}
}

// asked is a run whose questions are answered.
func asked(t *testing.T) *votes {
	t.Helper()
	v := approvals(t, func(c *gate.ApprovalConfig) { c.Answer = c.Ledger.(*talk).answering() })
	v.answer()
	return v
}

func TestHelpAndStatusAreAnsweredByOneCommentEach(t *testing.T) {
	t.Parallel()
	v := asked(t)
	v.says(guest, "/canary help")
	v.says(guest, "/canary status")
	v.answer()
	help, status := v.talk.replies["help"], v.talk.replies["status shop/podinfo"]
	if v.talk.written != 2 || help.Question != 1 || status.Question != 2 {
		t.Fatalf("%d replies: %+v", v.talk.written, v.talk.replies)
	}
	if !strings.Contains(help.Body, "`/canary approve <target>`") || !strings.Contains(status.Body, "30%") {
		t.Errorf("help:\n%s\nstatus:\n%s", help.Body, status.Body)
	}
	v.answer()
	v.answer()
	if v.talk.written != 2 {
		t.Errorf("%d replies to two questions", v.talk.written)
	}
	for range 500 {
		v.says(guest, "/canary help")
	}
	v.answer()
	if got := v.talk.replies["help"]; v.talk.written != 3 || got.Question != 502 {
		t.Errorf("a storm of questions got %d replies, the last to %d", v.talk.written-2, got.Question)
	}
	if got := v.talk.reactions; len(got) != 502 || got[0] != "1 eyes" {
		t.Errorf("%d reactions", len(got))
	}
}

func TestAQuestionIsAnsweredOnceHoweverManyReadIt(t *testing.T) {
	t.Parallel()
	v := asked(t)
	v.says(guest, "/canary help")
	g := approval.Gate{Source: approval.Source{Platform: approval.GitHub, Repository: 7, Change: 12}, Rollout: "host-abcdef", Started: noon.Add(-time.Hour), SHA: "abc"}
	replica := func() *gate.Tally {
		return &gate.Tally{Change: v.talk, Ledger: v.talk, Clock: v.clock, Via: approval.Webhook, Answering: v.talk.answering()}
	}
	look := func(one *gate.Tally) error {
		if _, _, err := one.Take(t.Context(), g, v.Policy); err != nil {
			t.Fatal(err)
		}
		return one.Answer(t.Context(), g)
	}
	one := replica()
	v.talk.err = nil
	if err := errors.Join(look(one), look(one), look(replica()), look(replica())); err != nil {
		t.Error(err)
	}
	v.answer()
	if v.talk.written != 1 {
		t.Errorf("%d replies to one question", v.talk.written)
	}
	// One that was taken up by somebody who died is answered by the next one, a while later.
	v.says(guest, "/canary help")
	v.talk.answers, _ = v.talk.answers.Take(approval.Help, g.Source, 2, v.clock.Now())
	if err := look(one); err == nil || v.talk.written != 1 {
		t.Errorf("%v; %d replies", err, v.talk.written)
	}
	v.clock.Step(2 * time.Minute)
	if err := look(replica()); err != nil || v.talk.written != 2 {
		t.Errorf("%v; %d replies", err, v.talk.written)
	}
}

func TestWhoIsAnsweredAndWhoIsNot(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		say     func(v *votes)
		replies int
		holds   string
	}{
		"a command that is not understood": {func(v *votes) { v.says(guest, "/canary aprove") }, 1, `did you mean "approve"`},
		"a machine":                        {func(v *votes) { v.says(guest, "/canary help").Actor.Bot = true }, 0, ""},
		"an application":                   {func(v *votes) { v.says(guest, "/canary help").Actor.App = true }, 0, ""},
		"what Penstock wrote itself":       {func(v *votes) { v.says(guest, "<!-- penstock:help 1 -->\n\n/canary help") }, 0, ""},
		"what stood there before the run":  {func(v *votes) { v.says(guest, "/canary help").Created = noon.Add(-time.Hour) }, 0, ""},
		"who asks about this rollout":      {func(v *votes) { v.says(guest, "/canary status abcdef-1-aaaaaaaa") }, 1, "30%"},
		"who asks about the one before":    {func(v *votes) { v.says(guest, "/canary status zzzzzz-1-aaaaaaaa") }, 1, "30%"},
		"who asks about a rollout beside it": {func(v *votes) {
			v.Alone = false
			v.Approvals = gate.NewApprovals(v.ApprovalConfig)
			v.clock.Step(time.Minute)
			v.says(guest, "/canary status zzzzzz-1-aaaaaaaa")
		}, 0, ""},
		"a quoted question": {func(v *votes) { v.says(guest, "> /canary help") }, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := asked(t)
			c.say(v)
			v.answer()
			text := ""
			for _, r := range v.talk.replies {
				text += r.Body
			}
			if v.talk.written != c.replies || !strings.Contains(text, c.holds) {
				t.Errorf("%d replies: %s", v.talk.written, text)
			}
		})
	}
}

func TestAReplyThatFailsHoldsUpNoGateAndIsTriedAgain(t *testing.T) {
	t.Parallel()
	v := approvals(t, nil)
	silent := &mute{}
	answering := v.talk.answering()
	answering.Speaker = silent
	v.ApprovalConfig.Answer = answering
	v.Approvals = gate.NewApprovals(v.ApprovalConfig)
	v.clock.Step(time.Minute)
	line := v.line()
	v.says(guest, "/canary help")
	v.says(bob, line)
	v.is(rollout.Pass, "")
	for range 6 {
		v.rollback(rollout.Fail)
	}
	if silent.tries < 2 {
		t.Errorf("tried %d times", silent.tries)
	}
}

// mute is a forge that takes no comments.
type mute struct{ tries int }

func (m *mute) Reply(context.Context, forge.Reply) error {
	m.tries++
	return fmt.Errorf("no answer to try %d", m.tries)
}
