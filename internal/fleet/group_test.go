package fleet

import (
	"strings"
	"testing"

	"github.com/penstock-dev/penstock/internal/rollout"
)

func group(n int) *Group {
	names := make([]string, n)
	for i := range names {
		names[i] = string(rune('a' + i))
	}
	return NewGroup(names)
}

// The moments of a member.
var (
	analyses = rollout.Status{Phase: rollout.Progressing, Step: 1}
	arrives  = rollout.Status{Phase: rollout.Progressing, Step: 2, Gate: rollout.GroupGate}
)

func TestTheGateOpensWhenAllHavePassed(t *testing.T) {
	t.Parallel()
	type moment func(*Group)
	saved := func(i int, st rollout.Status) moment { return func(g *Group) { g.Member(i).saved(&st) } }
	judges := func(i int, yes bool) moment { return func(g *Group) { g.Member(i).judges(yes) } }
	ended := func(i int, o rollout.Outcome) moment { return func(g *Group) { g.Member(i).Ended(o) } }
	for name, c := range map[string]struct {
		moments []moment
		open    bool
		broken  string
		says    string // what the gate says to a
	}{
		"nobody is there":                 {says: "waiting for b, c to pass"},
		"two of three":                    {moments: []moment{saved(0, arrives), saved(1, arrives)}, says: "waiting for c to pass"},
		"all":                             {moments: []moment{saved(0, arrives), saved(1, arrives), saved(2, arrives)}, open: true},
		"one has nothing to do":           {moments: []moment{saved(0, arrives), saved(1, arrives), ended(2, rollout.Unchanged)}, open: true},
		"one is new":                      {moments: []moment{ended(2, rollout.Initialised), saved(0, arrives), saved(1, arrives)}, open: true},
		"one is being judged":             {moments: []moment{saved(0, arrives), judges(0, true), saved(1, arrives), saved(2, arrives)}, says: "waiting for the other canaries of the group to pass"},
		"the judged one passes again":     {moments: []moment{saved(0, arrives), judges(0, true), saved(1, arrives), saved(2, arrives), judges(0, false)}, open: true},
		"the judged one has to try again": {moments: []moment{saved(0, arrives), saved(1, arrives), judges(1, true), saved(1, analyses), judges(1, false), saved(2, arrives)}, says: "waiting for b to pass"},
		"one is rolled back":              {moments: []moment{saved(0, arrives), ended(1, rollout.RolledBack), saved(2, arrives)}, broken: "b was rolled back", says: "b was rolled back"},
		"one is halted":                   {moments: []moment{ended(2, rollout.Halted)}, broken: "c was halted", says: "c was halted"},
		"one could not finish":            {moments: []moment{ended(2, rollout.Running)}, broken: "c could not finish", says: "c could not finish"},
		"one was taken over":              {moments: []moment{ended(1, rollout.Superseded)}, broken: "b was taken over by another run", says: "b was taken over by another run"},
		"the first to fail is named":      {moments: []moment{ended(2, rollout.Halted), ended(1, rollout.RolledBack)}, broken: "c was halted", says: "c was halted"},
		"an open gate stays open":         {moments: []moment{saved(0, arrives), saved(1, arrives), saved(2, arrives), ended(1, rollout.Halted), saved(0, analyses)}, open: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := group(3)
			for _, m := range c.moments {
				m(g)
			}
			answer := g.Member(0).answer()
			if (answer.Verdict == rollout.Pass) != c.open || answer.Message != c.says {
				t.Errorf("the gate answers %s %q, want open %v, %q", answer.Verdict, answer.Message, c.open, c.says)
			}
			if got := g.Member(0).Broken(); got != c.broken {
				t.Errorf("broken: %q, want %q", got, c.broken)
			}
		})
	}
}

func TestOnlyWhoHasBegunIsToldToRollBack(t *testing.T) {
	t.Parallel()
	for phase, begun := range map[rollout.Phase]bool{
		"": false, rollout.Initializing: false, rollout.Initialized: false, rollout.RollingBack: false, rollout.Failed: false,
		rollout.Promoting: false, rollout.Waiting: true, rollout.Progressing: true, rollout.WaitingPromotion: true,
	} {
		g := group(2)
		m := g.Member(0)
		m.saved(&rollout.Status{Phase: phase})
		if why := m.stop(); why != "" {
			t.Errorf("%s: told to stop before anything happened: %s", phase, why)
		}
		g.Member(1).Ended(rollout.RolledBack)
		why := m.stop()
		if (why != "") != begun || begun && !strings.HasPrefix(why, "b was rolled back") {
			t.Errorf("%s: told %q", phase, why)
		}
		select {
		case <-m.woken:
		default:
			t.Errorf("%s: not woken", phase)
		}
	}
}

func TestALargeGroupSaysTheSameUntilFewAreMissing(t *testing.T) {
	t.Parallel()
	g := group(20)
	said := map[string]bool{}
	for i := range 19 {
		g.Member(i).saved(&arrives)
		said[g.Member(0).answer().Message] = true
	}
	if len(said) > namedInWait+1 {
		t.Errorf("said %d different things: %v", len(said), said)
	}
}
