package gate_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	clocktesting "k8s.io/utils/clock/testing"

	"github.com/penstock-dev/penstock/internal/approval"
	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/forge"
	"github.com/penstock-dev/penstock/internal/gate"
)

// flagged is a server that a Flagger asks about the canary shop/podinfo.
type flagged struct {
	*gate.Keeper
	*gate.Desk
	t       *testing.T
	talk    *talk
	clock   *clocktesting.FakeClock
	notices map[string]approval.Notice // by gate
	ask     canary.GateAsk
	found   []approval.Source // of the commit
	sought  int
}

const rolledOut = "0123456789012345678901234567890123456789"

func (f *flagged) All() []approval.Notice   { return slices.Collect(maps.Values(f.notices)) }
func (f *flagged) Changed() <-chan struct{} { return nil }
func (f *flagged) For(of approval.Source) []approval.Notice {
	return slices.DeleteFunc(f.All(), func(n approval.Notice) bool { return n.Gate.Source != of })
}

func (f *flagged) Keep(_ context.Context, n approval.Notice, change func(*approval.Notice) approval.Notice) (approval.Notice, error) {
	var old *approval.Notice
	if was, there := f.notices[n.Gate.Name]; there {
		old = &was
	}
	next := change(old)
	text, err := approval.RenderNotice(next)
	if err != nil {
		f.t.Error(err)
	}
	if _, err = approval.ParseNotice(text); err != nil { // what others read
		f.t.Error(err)
	}
	f.notices[n.Gate.Name] = next
	return next, nil
}

func newFlagged(t *testing.T) *flagged {
	t.Helper()
	f := &flagged{t: t, clock: clocktesting.NewFakeClock(noon), notices: map[string]approval.Notice{}, talk: &talk{
		change: forge.Change{Repository: 7, Number: 12, Author: author, LastPusher: author, Head: rolledOut},
		roles:  map[int64]approval.Role{author: approval.RoleAdmin, bob: approval.RoleWrite, guest: approval.RoleRead},
	}}
	policy := approval.Defaults()
	policy.Groups = []approval.Group{{Name: "approvers", MinRole: approval.RoleWrite, Count: 1}}
	forum := func(approval.Notice) (gate.Forum, error) { return f.talk, nil }
	ledger := func(approval.Notice) gate.Ledger { return f.talk }
	f.Keeper = gate.NewKeeper(gate.KeeperConfig{
		Shelf: f, Ledger: ledger, Change: forum, Policy: policy, Clock: f.clock,
		Allowed: func(p approval.Platform, id int64) bool { return p == approval.GitHub && id == 7 },
		Find: func(_ context.Context, s forge.Sought) ([]approval.Source, error) {
			if f.sought++; s != (forge.Sought{Platform: approval.GitHub, Repository: "shop/podinfo", Commit: rolledOut}) {
				t.Errorf("looked for %+v", s)
			}
			return f.found, f.talk.err
		},
	})
	f.Desk = gate.NewDesk(gate.DeskConfig{Waiting: f, Ledger: ledger, Change: forum, Clock: f.clock, Answer: func(_ approval.Notice, on gate.Forum) *gate.Answering {
		return &gate.Answering{Speaker: on, Notebook: f.talk}
	}})
	f.ask = canary.GateAsk{Gate: canary.Gate{Namespace: "shop", Name: "podinfo"}, Checksum: "85d557f47b", Metadata: map[string]string{
		"repository": "github:shop/podinfo", "change": "12", "commit": rolledOut, "gate": "confirm-rollout",
	}}
	return f
}

// check is one question of Flagger's, and a look at the change as a webhook causes it.
func (f *flagged) check(want bool, says string) {
	f.t.Helper()
	f.clock.Step(10 * time.Second)
	open, why, err := f.Ask(f.t.Context(), f.ask)
	if err != nil || open != want || !strings.Contains(why, says) {
		f.t.Errorf("open %v %q %v; want %v with %q", open, why, err, want, says)
	}
	if err := f.Look(f.t.Context(), approval.Source{Platform: approval.GitHub, Repository: 7, Change: 12}); err != nil {
		f.t.Error(err)
	}
}

func (f *flagged) says(who int64, body string) {
	f.clock.Step(5 * time.Second)
	at := f.clock.Now().Truncate(time.Second)
	f.talk.id++
	f.talk.notes = append(f.talk.notes, forge.Note{ID: f.talk.id, Actor: approval.Actor{ID: who, Login: "user"}, Created: at, Updated: at, Body: body})
	if err := f.Look(f.t.Context(), approval.Source{Platform: approval.GitHub, Repository: 7, Change: 12}); err != nil {
		f.t.Error(err)
	}
}

// line is what the comment of a gate tells people to copy.
func (f *flagged) line(hook string) string {
	f.t.Helper()
	body := f.talk.replies["flagger shop/podinfo "+hook].Body
	i := strings.Index(body, "/canary approve ")
	if i < 0 {
		f.t.Fatalf("no line to copy in %q", body)
	}
	line, _, _ := strings.Cut(body[i:], "\n")
	return line
}

func TestAGateOfFlaggersIsOpenedByAComment(t *testing.T) {
	t.Parallel()
	f := newFlagged(t)
	f.check(false, "lacks 1 more of group approvers")
	f.says(guest, f.line("confirm-rollout"))
	f.says(author, f.line("confirm-rollout"))
	f.check(false, "lacks 1 more of group approvers")
	if body := f.talk.replies["flagger shop/podinfo confirm-rollout"].Body; !strings.Contains(body, "user's approval does not count") {
		t.Errorf("the comment does not say why they do not count:\n%s", body)
	}
	f.says(bob, f.line("confirm-rollout"))
	if body := f.talk.replies["flagger shop/podinfo confirm-rollout"].Body; !strings.Contains(body, "was approved") || !strings.Contains(body, "user's approval counts for group approvers") {
		t.Errorf("the comment does not say who approved:\n%s", body)
	}
	f.check(true, "Approved")
	f.check(true, "Approved")
}

func TestTheRequestOfAGateIsFoundByItsCommit(t *testing.T) {
	t.Parallel()
	f := newFlagged(t)
	delete(f.ask.Metadata, "change")
	f.found = []approval.Source{{Platform: approval.GitHub, Repository: 7, Change: 12}}
	f.check(false, "lacks 1 more of group approvers")
	f.says(bob, f.line("confirm-rollout"))
	f.check(true, "Approved")
	f.check(true, "Approved")
	if n := f.notices["confirm-rollout"]; f.sought != 1 || n.Gate.Change != 12 {
		t.Errorf("looked %d times and found %d", f.sought, n.Gate.Change)
	}
	f.ask.Rollback = true
	f.check(false, "nobody asks for a rollback")
	f.says(bob, "/canary abort")
	f.check(true, "ask for a rollback")
}

func TestTheRepositorysOwnPolicyMayAskForMore(t *testing.T) {
	t.Parallel()
	f := newFlagged(t)
	var own *approval.Policy
	var wrong error
	f.File = func(_ context.Context, n approval.Notice) (*approval.Policy, error) {
		if n.Path != "shop/podinfo" || n.Gate.Platform != approval.GitHub {
			t.Errorf("asked for the policy of %s", n.Path)
		}
		return own, wrong
	}
	wrong = &gate.BadAsk{Err: errors.New("no policy")}
	if open, _, err := f.Ask(t.Context(), f.ask); open || err == nil || len(f.notices) != 0 {
		t.Errorf("a policy that cannot be read: %v %v", open, err)
	}
	strict := approval.Defaults()
	strict.Groups = []approval.Group{{Name: "sre", Users: []int64{bob, carol}, Count: 2}}
	strict.Bans.Author, strict.SurvivesPush = false, true
	own, wrong = &strict, nil
	f.check(false, "lacks 2 more of group sre")
	f.says(bob, f.line("confirm-rollout"))
	f.says(author, f.line("confirm-rollout"))
	own = nil // what is asked for at a gate stays
	f.check(false, "lacks 1 more of group sre")
	f.talk.roles[carol] = approval.RoleWrite
	f.says(carol, f.line("confirm-rollout"))
	f.check(true, "Approved")
	n := f.notices["confirm-rollout"]
	if n.Policy.SurvivesPush || !n.Policy.Bans.Author || n.Gate.PolicyHash != n.Policy.Hash() || n.Gate.PolicyHash == f.KeeperConfig.Policy.Hash() {
		t.Errorf("the policy of the gate is %+v", n.Policy)
	}
	for _, d := range f.talk.log.Decisions {
		if d.Policy != n.Gate.PolicyHash {
			t.Errorf("a decision by the policy %q", d.Policy)
		}
	}
}

// Each case changes one thing after the gate was opened by an approval.
func TestWhatClosesAGateOfFlaggersAgain(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(f *flagged)
		says   string
	}{
		"another checksum": {func(f *flagged) { f.ask.Checksum = "other" }, "lacks 1 more"},
		"another commit": {func(f *flagged) {
			f.ask.Metadata["commit"] = strings.Repeat("b", 40)
			f.talk.change.Head = strings.Repeat("b", 40)
		}, "lacks 1 more"},
		"another gate":               {func(f *flagged) { f.ask.Metadata["gate"] = "confirm-promotion" }, "lacks 1 more"},
		"another canary":             {func(f *flagged) { f.ask.Name = "other" }, "lacks 1 more"},
		"another namespace":          {func(f *flagged) { f.ask.Namespace = "other" }, "lacks 1 more"},
		"a push to the request":      {func(f *flagged) { f.talk.change.Head = "new" }, "a new commit was pushed"},
		"the request is another one": {func(f *flagged) { f.ask.Metadata["change"] = "13"; f.talk.change.Number = 13 }, "lacks 1 more"},
		"the time is over":           {func(f *flagged) { f.clock.Step(61 * time.Minute) }, "lacks 1 more"},
		"the comment is deleted":     {func(f *flagged) { f.talk.notes = nil; f.says(guest, "/canary help") }, "lacks 1 more"},
		"a rejection":                {func(f *flagged) { f.says(bob, "/canary reject") }, "the gate was rejected"},
		"a policy of another server": {func(f *flagged) { f.KeeperConfig.Policy.Groups[0].Count = 2 }, "lacks 2 more"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFlagged(t)
			f.check(false, "")
			f.says(bob, f.line("confirm-rollout"))
			f.check(true, "Approved")
			c.change(f)
			f.check(false, c.says)
		})
	}
}

func TestFlaggerIsToldOfAnAbortByItsRollbackHook(t *testing.T) {
	t.Parallel()
	f := newFlagged(t)
	delete(f.ask.Metadata, "gate")
	f.ask.Rollback = true
	f.check(false, "nobody asks for a rollback")
	f.says(guest, "/canary abort")
	f.check(false, "nobody asks for a rollback")
	f.says(bob, "/canary abort")
	f.check(true, "ask for a rollback")
	if len(f.talk.replies) != 0 {
		t.Errorf("a gate that nobody can approve is shown: %v", f.talk.replies)
	}
	f.ask.Checksum = "the next revision"
	f.check(false, "nobody asks for a rollback")
}

func TestAGateThatNobodyCanBeAskedAboutStaysClosed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(f *flagged)
		says   string
		bad    bool
	}{
		"a repository that is not listed": {func(f *flagged) { f.talk.change.Repository = 8 }, "none of those", true},
		"no number of a request":          {func(f *flagged) { f.ask.Metadata["change"] = "twelve" }, `metadata change is "twelve"`, true},
		"a short commit":                  {func(f *flagged) { f.ask.Metadata["commit"] = "0123456" }, `metadata commit is "0123456"`, true},
		"a gate that is none":             {func(f *flagged) { f.ask.Metadata["gate"] = "rollout" }, `metadata gate is "rollout"`, true},
		"another forge":                   {func(f *flagged) { f.ask.Metadata["repository"] = "svn:a/b" }, `metadata repository is "svn:a/b"`, true},
		"a forge that does not answer":    {func(f *flagged) { f.talk.err = errors.New("no answer") }, "no answer", false},
		"a commit of no request":          {func(f *flagged) { delete(f.ask.Metadata, "change") }, "belongs to no pull or merge request", false},
		"a commit of two requests": {func(f *flagged) {
			delete(f.ask.Metadata, "change")
			f.found = []approval.Source{{Platform: approval.GitHub, Repository: 7, Change: 12}, {Platform: approval.GitHub, Repository: 7, Change: 13}}
		}, "the requests 12 and 13 of shop/podinfo; want the number of one as metadata change", true},
		"a commit of a request elsewhere": {func(f *flagged) {
			delete(f.ask.Metadata, "change")
			f.found = []approval.Source{{Platform: approval.GitHub, Repository: 8, Change: 12}}
		}, "belongs to no pull or merge request", false},
		"an empty number of a request": {func(f *flagged) { f.ask.Metadata["change"] = "" }, `metadata change is ""`, true},
		"no such request":              {func(f *flagged) { f.talk.change.Number = 0 }, "belongs to no pull or merge request", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFlagged(t)
			c.change(f)
			open, _, err := f.Ask(t.Context(), f.ask)
			var bad *gate.BadAsk
			if open || err == nil || errors.As(err, &bad) != c.bad || !strings.Contains(err.Error(), c.says) || len(f.notices) != 0 {
				t.Errorf("open %v, %v", open, err)
			}
		})
	}
}
