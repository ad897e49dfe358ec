package gate_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-dev/penstock/internal/approval"
	"github.com/penstock-dev/penstock/internal/forge"
	"github.com/penstock-dev/penstock/internal/gate"
	"github.com/penstock-dev/penstock/internal/rollout"
)

// cluster is where the run and the server meet: the notice and the decisions.
type cluster struct {
	notice approval.Notice
	posts  int
	log    approval.Log
	known  bool
	err    error
}

func (c *cluster) Post(_ context.Context, n approval.Notice) error {
	c.notice, c.posts = n, c.posts+1
	return c.err
}

func (c *cluster) Log() (approval.Log, bool, error) { return c.log, c.known, c.err }

func (c *cluster) Update(_ context.Context, add func(approval.Log) approval.Log) (approval.Log, error) {
	c.log = add(c.log)
	return c.log, c.err
}

// serves is a run whose comments a server reads, and that server's tally.
func serves(t *testing.T, change func(*gate.ApprovalConfig)) (*votes, *cluster, func()) {
	t.Helper()
	c := &cluster{known: true}
	v := approvals(t, func(a *gate.ApprovalConfig) {
		a.Served, a.Decided, a.Board, a.Path = true, c, c, "shop/podinfo"
		if change != nil {
			change(a)
		}
	})
	tally := &gate.Tally{Change: v.talk, Ledger: c, Clock: v.clock, Via: approval.Webhook}
	return v, c, func() {
		t.Helper()
		if _, _, err := tally.Take(t.Context(), c.notice.Gate, c.notice.Policy); err != nil {
			t.Error(err)
		}
	}
}

func TestAServerThatReadsTheCommentsOpensTheGateAtOnce(t *testing.T) {
	t.Parallel()
	v, c, look := serves(t, nil)
	line := v.line()
	if c.notice.Path != "shop/podinfo" || c.notice.Gate.Target().String() != strings.Fields(line)[2] || c.notice.Gate.Change != 12 {
		t.Errorf("the notice says %+v", c.notice)
	}
	if got := c.notice.Gate.People; !cmp.Equal(got, approval.People{Author: author, LastPusher: author, Actors: []int64{author}}) {
		t.Errorf("the people are %+v", got)
	}
	v.says(bob, line)
	v.is(rollout.Fail, "lacks 1 more") // the run itself reads no comments
	look()
	v.clock.Step(time.Millisecond) // it need not wait until it would ask the forge again
	if got := v.Call(t.Context(), "confirm-promotion", &v.st); got.Verdict != rollout.Pass || !strings.Contains(got.Message, "approved by user2") {
		t.Errorf("the gate says %v %q", got.Verdict, got.Message)
	}
	if diff := cmp.Diff([]string{"1 +1"}, v.talk.reactions); diff != "" {
		t.Error(diff)
	}
	if n := len(c.log.Decisions); n != 1 || c.log.Decisions[0].Via != approval.Webhook {
		t.Errorf("the decisions are %+v", c.log.Decisions)
	}
	v.Close(t.Context())
	if !c.notice.Over {
		t.Error("the notice still asks for approvals")
	}
}

func TestBeforeAGateOpensTheForgeIsAskedWhetherItIsStillTheSameChange(t *testing.T) {
	t.Parallel()
	v, _, look := serves(t, nil)
	line := v.line()
	v.says(bob, line)
	look()
	v.talk.change.Head = "def" // pushed after the server has looked
	v.clock.Step(time.Millisecond)
	if got := v.Call(t.Context(), "confirm-promotion", &v.st); got.Verdict != rollout.Fail || !strings.Contains(got.Message, "a new commit") {
		t.Errorf("the gate says %v %q", got.Verdict, got.Message)
	}
}

func TestWhatKeepsAServedGateClosed(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		do   func(v *votes, c *cluster)
		want rollout.Verdict
		text string
	}{
		"decisions that cannot be read": {func(_ *votes, c *cluster) { c.err = errors.New("forbidden") }, rollout.Error, "forbidden"},
		"decisions nobody has read":     {func(_ *votes, c *cluster) { c.known = false }, rollout.Error, "not read yet"},
		"decisions that are gone":       {func(_ *votes, c *cluster) { c.log = approval.Log{} }, rollout.Error, "are gone"},
		"decisions somebody has forged": {func(_ *votes, c *cluster) {
			c.log.Decisions[0].Counted, c.log.Decisions[0].Verb = true, approval.Approve
		}, rollout.Fail, "the log was changed"},
		"a forge that does not answer": {func(v *votes, _ *cluster) { v.talk.err = errors.New("no answer") }, rollout.Error, "no answer"},
		"a change that is not there":   {func(v *votes, _ *cluster) { v.talk.change = forge.Change{} }, rollout.Error, "no pull or merge request"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v, c, look := serves(t, nil)
			v.line()
			v.says(guest, "/canary approve abcdef-1-aaaaaaaa")
			look()
			v.is(rollout.Fail, "lacks 1 more")
			tt.do(v, c)
			v.is(tt.want, tt.text)
		})
	}
}

func TestARunThatPollsHearsOfAServerToo(t *testing.T) {
	t.Parallel()
	v, _, look := serves(t, func(a *gate.ApprovalConfig) { a.Served = false })
	line := v.line()
	v.says(bob, line)
	v.says(carol, "/canary abort it burns")
	look()
	v.clock.Step(time.Millisecond)
	if got := v.Call(t.Context(), "rollback", &v.st); got.Verdict != rollout.Pass || !strings.Contains(got.Message, "abort by user3") {
		t.Errorf("the rollback says %v %q", got.Verdict, got.Message)
	}
}

func TestTheServerAndThePollingRunEnterEachCommentOnce(t *testing.T) {
	t.Parallel()
	v, c, look := serves(t, nil)
	poller := &gate.Tally{Change: v.talk, Ledger: c, Clock: v.clock, Via: approval.Poll}
	line := v.line()
	gone := v.says(bob, line)
	v.says(carol, line)
	v.says(guest, "nice work")
	for range 3 {
		look()
		if _, _, err := poller.Take(t.Context(), c.notice.Gate, c.notice.Policy); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(c.log.Decisions); n != 2 {
		t.Fatalf("%d decisions", n)
	}
	*gone = v.talk.notes[1] // bob's comment is deleted; a server that has just started sees it from the decisions
	v.talk.notes = v.talk.notes[1:]
	fresh := &gate.Tally{Change: v.talk, Ledger: c, Clock: v.clock, Via: approval.Webhook}
	for range 2 {
		if _, _, err := fresh.Take(t.Context(), c.notice.Gate, c.notice.Policy); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(c.log.Decisions); n != 3 || c.log.Decisions[2].Reason != approval.Deleted || c.log.Decisions[2].Actor.ID != bob {
		t.Errorf("the decisions are %+v", c.log.Decisions)
	}
	if diff := cmp.Diff([]string{"1 +1", "2 +1"}, v.talk.reactions); diff != "" {
		t.Error(diff)
	}
}
