package gate_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/utils/clock"

	"github.com/penstock-dev/penstock/internal/approval"
	"github.com/penstock-dev/penstock/internal/forge"
	"github.com/penstock-dev/penstock/internal/gate"
)

// board is the notices of a cluster.
type board struct {
	notices []approval.Notice
	changed chan struct{}
	late    int // how often they are asked for before they are there, less one
}

func (b *board) All() []approval.Notice {
	if b.late--; b.late > 0 {
		return nil
	}
	return b.notices
}

func (b *board) Changed() <-chan struct{} { return b.changed }
func (b *board) For(of approval.Source) []approval.Notice {
	var list []approval.Notice
	for _, n := range b.notices {
		if n.Gate.Source == of {
			list = append(list, n)
		}
	}
	return list
}

// desk is a server at work on one pull request for two canaries.
type desk struct {
	*gate.Desk
	board   *board
	talk    *talk
	ledgers map[string]*cluster
	opened  int // how often the change was connected to
	said    []error
	fails   int // how often connecting fails at first
}

func newDesk(t *testing.T, clk clock.Clock, canaries ...string) *desk {
	t.Helper()
	d := &desk{board: &board{changed: make(chan struct{}, 1)}, ledgers: map[string]*cluster{}, talk: &talk{
		change: forge.Change{Number: 12, Author: author, LastPusher: author, Head: "abc"},
		roles:  map[int64]approval.Role{bob: approval.RoleWrite, guest: approval.RoleRead},
	}}
	for _, name := range canaries {
		d.board.notices = append(d.board.notices, posted(clk.Now(), name))
		d.ledgers[name] = &cluster{}
	}
	d.Desk = gate.NewDesk(gate.DeskConfig{
		Waiting: d.board, Clock: clk, Warn: func(err error) { d.said = append(d.said, err) },
		Ledger: func(n approval.Notice) gate.Ledger { return d.ledgers[n.Canary] },
		Change: func(n approval.Notice) (gate.Forum, error) {
			if d.opened++; n.Gate.Change != 12 || n.Path != "shop/podinfo" {
				t.Errorf("asked for %+v", n)
			}
			if d.opened <= d.fails {
				return nil, errors.New("no answer")
			}
			return d.talk, nil
		},
	})
	return d
}

// posted is the notice of a canary that has waited for a minute.
func posted(now time.Time, name string) approval.Notice {
	policy := approval.Defaults()
	policy.Groups = []approval.Group{{Name: "approvers", MinRole: approval.RoleWrite, Count: 1}}
	return approval.Notice{Namespace: "shop", Canary: name, Path: "shop/podinfo", Policy: policy, Gate: approval.Gate{
		Source: approval.Source{Platform: approval.GitHub, Repository: 7, Change: 12}, Name: "confirm-promotion", Rollout: name + "-abcdef",
		Number: 1, Nonce: "abcdefg" + name[:1], SHA: "abc", PolicyHash: policy.Hash(), Started: now.Add(-time.Minute), OpenedAt: now.Add(-time.Minute),
		ExpiresAt: now.Add(time.Hour), People: approval.People{Author: author, Actors: []int64{author}, LastPusher: author},
	}}
}

func (d *desk) says(who int64, at time.Time, body string) {
	d.talk.id++
	d.talk.notes = append(d.talk.notes, forge.Note{ID: d.talk.id, Actor: approval.Actor{ID: who, Login: "user"}, Created: at, Updated: at, Body: body})
}

func TestADeskEntersACommentForEveryRolloutThatItIsAbout(t *testing.T) {
	t.Parallel()
	clk := clock.RealClock{}
	d := newDesk(t, clk, "one", "two", "over")
	d.board.notices[2].Over = true
	source := d.board.notices[0].Gate.Source
	d.says(bob, clk.Now().Add(-time.Second), "/canary approve "+d.board.notices[0].Gate.Target().String())
	for range 3 {
		if err := d.Look(t.Context(), source); err != nil {
			t.Fatal(err)
		}
	}
	for name, counted := range map[string]bool{"one": true, "two": false} {
		log := d.ledgers[name].log
		if len(log.Decisions) != 1 || log.Decisions[0].Counted != counted || approval.Verify(log) != nil {
			t.Errorf("%s: %+v", name, log.Decisions)
		}
	}
	n := d.board.notices[0]
	if v := approval.Judge(n.Gate, n.Policy, d.ledgers["one"].log, clk.Now()); !v.Open {
		t.Errorf("the gate is closed: %+v", v)
	}
	if len(d.ledgers["over"].log.Decisions) > 0 || d.opened != 2 {
		t.Errorf("a rollout that is over got %+v; connected %d times", d.ledgers["over"].log, d.opened)
	}
}

func TestADeskAsksNobodyAboutAChangeThatNobodyWaitsOn(t *testing.T) {
	t.Parallel()
	d := newDesk(t, clock.RealClock{}, "one")
	if err := d.Look(t.Context(), approval.Source{Platform: approval.GitHub, Repository: 7, Change: 13}); err != nil || d.opened > 0 {
		t.Errorf("%v, connected %d times", err, d.opened)
	}
}

func TestADeskThatFailsIsAskedAgain(t *testing.T) {
	t.Parallel()
	d := newDesk(t, clock.RealClock{}, "one", "two")
	source := d.board.notices[0].Gate.Source
	d.ledgers["one"].err = errors.New("no cluster")
	d.says(bob, time.Now().Add(-time.Second), "/canary abort it burns")
	if err := d.Look(t.Context(), source); err == nil || err.Error() != "shop/one: no cluster" {
		t.Errorf("it says %v", err)
	}
	if n := len(d.ledgers["two"].log.Decisions); n != 1 {
		t.Errorf("the other rollout has %d decisions", n)
	}
	d.ledgers["one"].err, d.talk.change.Repository = nil, 8 // somebody has taken the name of the repository
	if err := d.Look(t.Context(), source); err == nil || !strings.Contains(err.Error(), "is number 8 now, and not 7") {
		t.Errorf("it says %v", err)
	}
}

func TestADeskHearsWhatWasSaidBeforeItCame(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		clk := clock.RealClock{}
		d := newDesk(t, clk, "one")
		d.fails = 2
		d.says(bob, clk.Now().Add(-time.Second), "/canary abort it burns")
		d.runs(t, 12*time.Second)
		if n := len(d.ledgers["one"].log.Decisions); n != 1 || len(d.said) != 2 {
			t.Fatalf("%d decisions; said %v", n, d.said)
		}
		d.ledgers["two"] = &cluster{}
		d.board.notices = append(d.board.notices, posted(clk.Now(), "two"))
		d.runs(t, time.Second)
		if n := len(d.ledgers["two"].log.Decisions); n != 1 {
			t.Errorf("a rollout that came later has %d decisions", n)
		}
		if n := len(d.ledgers["one"].log.Decisions); n != 1 {
			t.Errorf("the other one has %d decisions", n)
		}
	})
}

// A notice that comes while the desk is at work is looked at at once.
func TestADeskIsToldOfNotices(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, clock.RealClock{}, "one")
		d.says(bob, time.Now().Add(-time.Second), "/canary abort it burns")
		d.board.late = 2 // the first time nothing is there yet
		d.board.changed <- struct{}{}
		d.runs(t, time.Second)
		if n := len(d.ledgers["one"].log.Decisions); n != 1 {
			t.Errorf("%d decisions", n)
		}
	})
}

// runs lets the desk work for a while, and ends it: only then is it safe to look at what it has done.
func (d *desk) runs(t *testing.T, how time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), how)
	defer cancel()
	d.Run(ctx)
}
