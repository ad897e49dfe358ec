package gate_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/penstock-dev/penstock/internal/approval"
	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/forge"
	"github.com/penstock-dev/penstock/internal/gate"
	"github.com/penstock-dev/penstock/internal/rollout"
)

// talk is a pull request and what people do on it. It is the ledger as well.
type talk struct {
	change    forge.Change
	notes     []forge.Note
	roles     map[int64]approval.Role
	id        int64
	asked     int
	reactions []string
	err       error
	log       approval.Log
	answers   approval.Answers
	replies   map[string]forge.Reply // by kind
	written   int
}

func (f *talk) Reply(_ context.Context, r forge.Reply) error {
	if f.replies == nil {
		f.replies = map[string]forge.Reply{}
	}
	f.replies[r.Kind], f.written = r, f.written+1
	return f.err
}

func (f *talk) Answers(_ context.Context, change func(approval.Answers) approval.Answers) error {
	f.answers = change(f.answers)
	return nil
}

func (f *talk) Read(context.Context) (forge.Change, error) { return f.change, f.err }
func (f *talk) Comments(context.Context, time.Time) ([]forge.Note, error) {
	return slices.Clone(f.notes), f.err
}
func (f *talk) Update(_ context.Context, add func(approval.Log) approval.Log) (approval.Log, error) {
	f.log = add(f.log)
	return f.log, nil
}

func (f *talk) React(_ context.Context, id int64, r forge.Reaction) error {
	f.reactions = append(f.reactions, fmt.Sprintf("%d %s", id, r))
	return nil
}

func (f *talk) Permission(_ context.Context, who approval.Actor, _ []string) (approval.Permission, error) {
	f.asked++
	role, ok := f.roles[who.ID]
	return approval.Permission{Known: ok, Role: role}, nil
}

type votes struct {
	*gate.Approvals
	t     *testing.T
	talk  *talk
	clock *clocktesting.FakeClock
	st    rollout.Status
}

const (
	author = 1
	bob    = 2
	carol  = 3
	guest  = 4
)

func approvals(t *testing.T, change func(*gate.ApprovalConfig)) *votes {
	t.Helper()
	v := &votes{t: t, clock: clocktesting.NewFakeClock(noon), talk: &talk{
		change: forge.Change{Number: 12, Author: author, LastPusher: author, Starters: []int64{author}, Head: "abc"},
		roles:  map[int64]approval.Role{author: approval.RoleAdmin, bob: approval.RoleWrite, carol: approval.RoleMaintain, guest: approval.RoleRead},
	}}
	policy := approval.Defaults()
	policy.Groups = []approval.Group{{Name: "approvers", MinRole: approval.RoleWrite, Count: 1}}
	c := gate.ApprovalConfig{
		Gates: []canary.HookType{canary.HookConfirmPromotion}, Policy: policy, Source: approval.Source{Platform: approval.GitHub, Repository: 7},
		Binding: approval.Binding{Rollout: "host-abcdef", Repository: 7, SHA: "abc"}, Key: []byte("key"), Change: v.talk, Ledger: v.talk, Clock: v.clock,
		Every: 20 * time.Second, Alone: true, Warn: func(error) {},
	}
	if change != nil {
		change(&c)
	}
	v.Approvals = gate.NewApprovals(c)
	v.clock.Step(time.Minute)
	v.st = rollout.Status{Phase: rollout.WaitingPromotion, Revision: "r1", Gate: canary.HookConfirmPromotion, GateSince: v.clock.Now()}
	return v
}

// answer lets the time until the next look pass and asks the gate.
func (v *votes) answer() rollout.HookAnswer {
	v.t.Helper()
	v.clock.Step(30 * time.Second)
	return v.Call(v.t.Context(), canary.HookConfirmPromotion, &v.st)
}

func (v *votes) is(want rollout.Verdict, text string) {
	v.t.Helper()
	if got := v.answer(); got.Verdict != want || !strings.Contains(got.Message, text) {
		v.t.Errorf("the gate says %v %q, and should say %v %q", got.Verdict, got.Message, want, text)
	}
}

func (v *votes) rollback(want rollout.Verdict) {
	v.t.Helper()
	v.clock.Step(30 * time.Second)
	if got := v.Call(v.t.Context(), canary.HookRollback, &v.st); got.Verdict != want {
		v.t.Errorf("the rollback says %v %q, and should say %v", got.Verdict, got.Message, want)
	}
}

// line is what the page asks people to copy.
func (v *votes) line() string {
	v.t.Helper()
	v.answer()
	g := v.Gate()
	if g == nil {
		v.t.Fatal("the page names no gate")
	}
	return g.Command
}

func (v *votes) says(who int64, body string) *forge.Note {
	v.clock.Step(5 * time.Second)
	at := v.clock.Now().Truncate(time.Second)
	v.talk.id++
	v.talk.notes = append(v.talk.notes, forge.Note{
		ID: v.talk.id, Actor: approval.Actor{ID: who, Login: fmt.Sprintf("user%d", who)}, Created: at, Updated: at, Body: body,
	})
	return &v.talk.notes[len(v.talk.notes)-1]
}

func TestACommentWithTheCopiedLineOpensTheGate(t *testing.T) {
	t.Parallel()
	v := approvals(t, nil)
	line := v.line()
	v.is(rollout.Fail, "lacks 1 more")
	if g := v.Gate(); g.Name != "confirm-promotion" || !g.Until.Equal(v.st.GateSince.Add(time.Hour)) || !strings.Contains(g.Who, "role write") {
		t.Errorf("the page says %+v", g)
	}
	v.says(bob, line)
	v.is(rollout.Pass, "approved by user2")
	if v.Gate() != nil {
		t.Error("the page still asks for approval")
	}
	if diff := cmp.Diff([]string{"1 +1"}, v.talk.reactions); diff != "" {
		t.Error(diff)
	}
	if n := len(v.talk.log.Decisions); n != 1 || approval.Verify(v.talk.log) != nil {
		t.Errorf("%d decisions", n)
	}
}

func TestWhatDoesNotOpenAGate(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		do   func(v *votes, line string)
		want string
	}{
		"the author":            {func(v *votes, line string) { v.says(author, line) }, "lacks 1 more"},
		"a guest":               {func(v *votes, line string) { v.says(guest, line) }, "lacks 1 more"},
		"somebody unknown":      {func(v *votes, line string) { v.says(99, line) }, "lacks 1 more"},
		"a bot":                 {func(v *votes, line string) { v.says(bob, line).Actor.Bot = true }, "lacks 1 more"},
		"an app":                {func(v *votes, line string) { v.says(bob, line).Actor.App = true }, "lacks 1 more"},
		"an edited comment":     {func(v *votes, line string) { n := v.says(bob, line); n.Updated = n.Updated.Add(time.Second) }, "lacks 1 more"},
		"a quoted line":         {func(v *votes, line string) { v.says(bob, "> "+line) }, "lacks 1 more"},
		"a line without target": {func(v *votes, _ string) { v.says(bob, "/canary approve") }, "lacks 1 more"},
		"another target":        {func(v *votes, _ string) { v.says(bob, "/canary approve abcdef-1-aaaaaaaa") }, "lacks 1 more"},
		"a new push":            {func(v *votes, line string) { v.says(bob, line); v.talk.change.Head = "def" }, "a new commit was pushed"},
		"a closed request":      {func(v *votes, line string) { v.says(bob, line); v.talk.change.Closed = true }, "lacks 1 more"},
		"an unknown pusher":     {func(v *votes, line string) { v.says(bob, line); v.talk.change.LastPusher = 0 }, "who pushed last"},
		"a pause":               {func(v *votes, line string) { v.says(bob, line); v.says(carol, "/canary pause") }, "paused"},
		"a new image":           {func(v *votes, line string) { v.says(bob, line); v.st.Revision = "r2" }, "lacks 1 more"},
		"a failed check":        {func(v *votes, line string) { v.says(bob, line); v.st.Failed++ }, "lacks 1 more"},
		"a later gate":          {func(v *votes, line string) { v.says(bob, line); v.st.GateSince = v.clock.Now() }, "lacks 1 more"},
		"too late":              {func(v *votes, line string) { v.clock.Step(time.Hour); v.says(bob, line) }, "lacks 1 more"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := approvals(t, nil)
			tt.do(v, v.line())
			v.is(rollout.Fail, tt.want)
			v.is(rollout.Fail, tt.want)
		})
	}
}

func TestADeletedOrWithdrawnApprovalIsTakenBackWhileTheGateWaits(t *testing.T) {
	t.Parallel()
	two := func(c *gate.ApprovalConfig) { c.Policy.Groups[0].Count = 2 }
	v := approvals(t, two)
	line := v.line()
	v.says(bob, line)
	v.is(rollout.Fail, "approved by user2; lacks 1 more")
	v.talk.notes = nil // deleted
	v.is(rollout.Fail, "lacks 2 more")
	v.says(carol, line)
	v.is(rollout.Fail, "approved by user3; lacks 1 more")
}

func TestRejectAndAbortAskForARollback(t *testing.T) {
	t.Parallel()
	for _, verb := range []string{"reject", "abort"} {
		t.Run(verb, func(t *testing.T) {
			t.Parallel()
			v := approvals(t, nil)
			v.line()
			v.rollback(rollout.Fail)
			v.says(guest, "/canary "+verb)
			v.rollback(rollout.Fail)
			v.says(author, "/canary "+verb) // brakes are for everybody with a role
			v.rollback(rollout.Pass)
		})
	}
}

func TestAnAbortNeedsNoGate(t *testing.T) {
	t.Parallel()
	v := approvals(t, nil)
	v.st = rollout.Status{Phase: rollout.Progressing}
	v.rollback(rollout.Fail)
	v.says(bob, "/canary abort")
	v.rollback(rollout.Pass)
}

func TestWhatCannotBeReadOpensNothing(t *testing.T) {
	t.Parallel()
	var warned []error
	v := approvals(t, func(c *gate.ApprovalConfig) { c.Warn = func(err error) { warned = append(warned, err) } })
	v.says(bob, v.line())
	v.talk.err = errors.New("GitHub answered 503")
	v.is(rollout.Error, "GitHub answered 503")
	v.is(rollout.Error, "GitHub answered 503")
	if len(warned) != 1 {
		t.Errorf("%d warnings: %v", len(warned), warned)
	}
	v.talk.err = nil
	v.is(rollout.Pass, "approved")
	v.talk.change.Number = 0
	v.is(rollout.Error, "no pull or merge request")
}

func TestAGateWithAWebhookNeedsBoth(t *testing.T) {
	t.Parallel()
	hooks := &hookStub{verdict: rollout.Fail}
	v := approvals(t, func(c *gate.ApprovalConfig) {
		c.Webhooks, c.Called = hooks, []canary.HookType{canary.HookConfirmPromotion, canary.HookRollback}
	})
	line := v.line()
	if hooks.verdict = rollout.Pass; v.answer().Verdict == rollout.Pass {
		t.Error("the webhook alone opened the gate")
	}
	hooks.verdict = rollout.Fail
	v.says(bob, line)
	v.is(rollout.Fail, "webhook")
	hooks.verdict = rollout.Pass
	v.is(rollout.Pass, "webhook")
	v.rollback(rollout.Pass) // the webhook's
	if got := v.Call(t.Context(), canary.HookRollout, &v.st); got.Verdict != rollout.Pass {
		t.Errorf("another hook: %+v", got)
	}
}

type hookStub struct{ verdict rollout.Verdict }

func (s *hookStub) Call(_ context.Context, hook canary.HookType, _ *rollout.Status) rollout.HookAnswer {
	return rollout.HookAnswer{Hook: hook, Verdict: s.verdict, Message: "webhook"}
}

func TestCommentsAreReadOnlyNowAndThenAndStrangersAskedAboutOnce(t *testing.T) {
	t.Parallel()
	v := approvals(t, nil)
	v.says(guest, v.line())
	for range 100 {
		v.clock.Step(time.Second)
		v.Call(t.Context(), canary.HookConfirmPromotion, &v.st)
	}
	if v.talk.asked != 1 {
		t.Errorf("asked %d times about a stranger", v.talk.asked)
	}
	v.says(bob, "/canary approve abcdef-1-aaaaaaaa")
	for range 100 {
		v.clock.Step(time.Second)
		v.Call(t.Context(), canary.HookConfirmPromotion, &v.st)
	}
	if v.talk.asked < 1+3 || v.talk.asked > 1+5 {
		t.Errorf("asked %d times in 100 s", v.talk.asked-1)
	}
}

func TestAMergedRequestIsApprovedForTheCommitThatIsRolledOut(t *testing.T) {
	t.Parallel()
	v := approvals(t, nil)
	v.talk.change.Merged, v.talk.change.Head = true, "head-of-the-branch"
	v.says(bob, v.line())
	v.is(rollout.Pass, "approved by user2")
}

func TestARolloutWithApprovalsAsksForItsGatesAndForTheBrakes(t *testing.T) {
	t.Parallel()
	got := gate.HookTypes([]canary.HookType{canary.HookConfirmPromotion}, []canary.HookType{canary.HookConfirmPromotion, canary.HookConfirmRollout})
	want := []canary.HookType{canary.HookConfirmPromotion, canary.HookConfirmRollout, canary.HookRollback}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
