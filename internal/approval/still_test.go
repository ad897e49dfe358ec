package approval

import (
	"testing"
	"time"
)

func TestAVoteIsHeldAgainstTheGateAsItIsNow(t *testing.T) {
	t.Parallel()
	p := samplePolicy()
	p.Bans.Committers = false
	now := opened.Add(30 * time.Minute)
	for name, tc := range map[string]struct {
		later func(*Gate)
		want  Reason
	}{
		"the approver turns out to be the author":       {func(g *Gate) { g.People.Author = alice }, Author},
		"the approver starts the run again":             {func(g *Gate) { g.People.Actors = []int64{actor, alice} }, StartedRun},
		"the approver pushes":                           {func(g *Gate) { g.People.LastPusher = alice }, LastPusher},
		"the gate opens anew after the approval":        {func(g *Gate) { g.OpenedAt = opened.Add(10 * time.Minute) }, BeforeGate},
		"the deadline moves to before the approval":     {func(g *Gate) { g.ExpiresAt = opened.Add(time.Minute) }, AfterDeadline},
		"the deadline moves to before it was seen":      {func(g *Gate) { g.ExpiresAt = opened.Add(61 * time.Second) }, AfterDeadline},
		"nothing changes that concerns it":              {func(g *Gate) { g.Name = "confirm-rollout" }, Counted},
		"another person's vote is not held against one": {func(g *Gate) { g.People.Author = bob }, Counted},
	} {
		g := sampleGate(p)
		l := Reduce(Log{}, g, p, says(g, 1, alice, Approve))
		tc.later(&g)
		if v := Judge(g, p, l, now); onlyReason(t, v) != tc.want || v.Open != (tc.want == Counted) {
			t.Errorf("%s: %+v", name, v)
		}
	}
}

func TestSomebodyIsInTheGroupsThatEveryAnswerOfTheForgePutsThemIn(t *testing.T) {
	t.Parallel()
	p := Defaults()
	p.Groups = []Group{{Name: "sre", Teams: []string{"acme/sre"}, Count: 1}, {Name: "any", MinRole: RoleWrite, Count: 1}}
	g := sampleGate(p)
	in, out, other := says(g, 1, alice, Approve), says(g, 1, alice, Approve), says(g, 2, bob, Approve)
	in.Live.Teams = []string{"acme/sre"}
	if v := judged(t, g, p, in, other); !v.Open {
		t.Fatalf("%+v", v)
	}
	for _, events := range [][]Event{{in, out, other}, {out, in, other}} {
		if v := judged(t, g, p, events...); v.Open || v.Missing[0] != "1 more of group sre" {
			t.Errorf("somebody who left the team still counts in it: %+v", v)
		}
	}
}
