package approval

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-dev/penstock/internal/race"
)

func TestAFileMayAskForMoreThanTheFloorAndNeverForLess(t *testing.T) {
	t.Parallel()
	writers := Group{Name: "approvers", MinRole: RoleWrite, Count: 1}
	for name, tt := range map[string]struct {
		floor, file []Group
		want        []Group
	}{
		"those of the file have the role of the floor anyway": {
			[]Group{writers}, []Group{{Name: "sre", Teams: []string{"a/sre"}, Count: 1}}, []Group{{Name: "sre", Teams: []string{"a/sre"}, Count: 1}},
		},
		"fewer people do not do": {
			[]Group{{Name: "two", MinRole: RoleWrite, Count: 2}}, []Group{writers}, []Group{writers, {Name: "two", MinRole: RoleWrite, Count: 2}},
		},
		"a lower role does not do": {
			[]Group{{Name: "admins", MinRole: RoleAdmin, Count: 1}}, []Group{writers}, []Group{writers, {Name: "admins", MinRole: RoleAdmin, Count: 1}},
		},
		"other people do not do": {
			[]Group{{Name: "approvers", Users: []int64{1}, Count: 1}}, []Group{writers},
			[]Group{writers, {Name: "approvers-server-1", Users: []int64{1}, Count: 1}},
		},
		"some of the people do": {
			[]Group{{Name: "these", Users: []int64{1, 2}, Teams: []string{"a/b"}, Count: 1}}, []Group{{Name: "those", Users: []int64{2}, Teams: []string{"A/B"}, Count: 1}},
			[]Group{{Name: "those", Users: []int64{2}, Teams: []string{"A/B"}, Count: 1}},
		},
		"one person fills one group": {
			[]Group{writers, {Name: "more", MinRole: RoleWrite, Count: 1}}, []Group{{Name: "sre", Users: []int64{1}, Count: 1}},
			[]Group{{Name: "sre", Users: []int64{1}, Count: 1}, {Name: "more", MinRole: RoleWrite, Count: 1}},
		},
		"two people fill two": {
			[]Group{writers, {Name: "more", MinRole: RoleWrite, Count: 1}}, []Group{{Name: "sre", Users: []int64{1, 2}, Count: 2}},
			[]Group{{Name: "sre", Users: []int64{1, 2}, Count: 2}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			floor, file := Defaults(), Defaults()
			floor.Groups, file.Groups = tt.floor, tt.file
			if diff := cmp.Diff(tt.want, Join(floor, file).Groups); diff != "" {
				t.Error(diff)
			}
		})
	}
	lax := Policy{Permission: RoleTriage, Brakes: Brakes{MinRole: RoleAdmin}, Deadline: 24 * time.Hour, OnExpiry: Hold, OnTamper: Continue,
		SurvivesPush: true, NonceOptional: true, Reviews: true, Operators: true, Groups: []Group{writers}}
	strict := Defaults()
	strict.Groups, strict.OnTamper, strict.Bans.Committers = []Group{writers}, Hold, true
	if diff := cmp.Diff(strict, Join(strict, lax)); diff != "" {
		t.Errorf("a lax file: %s", diff)
	}
	if diff := cmp.Diff(strict, Join(lax, strict), cmp.Transformer("policy", func(p Policy) Policy { p.OnExpiry = RollBack; return p })); diff != "" {
		t.Errorf("a strict file: %s", diff)
	}
}

// anyPolicy is one that the people of the tests can satisfy at times.
func anyPolicy(r *rand.Rand) Policy {
	p := Defaults()
	for i := range 1 + r.IntN(3) {
		g := Group{Name: string(rune('a' + i)), Count: 1 + r.IntN(2)}
		if r.IntN(2) == 0 {
			g.MinRole = RoleTriage + Role(r.IntN(4))
		}
		for _, who := range []int64{alice, bob, carol} {
			if r.IntN(3) == 0 {
				g.Users = append(g.Users, who)
			}
		}
		if r.IntN(3) == 0 {
			g.Teams = []string{"a/b"}
		}
		p.Groups = append(p.Groups, g)
	}
	p.Permission = RoleTriage + Role(r.IntN(3))
	p.Bans = Bans{Author: r.IntN(2) == 0, Actor: r.IntN(2) == 0, LastPusher: r.IntN(2) == 0}
	p.Brakes.MinRole = RoleTriage + Role(r.IntN(2))
	p.SurvivesPush, p.NonceOptional, p.Reviews = r.IntN(2) == 0, r.IntN(2) == 0, r.IntN(2) == 0
	if r.IntN(2) == 0 {
		p.OnTamper = Hold
	}
	return p
}

func TestWhatOpensAGateByAJoinedPolicyOpensItByBoth(t *testing.T) {
	t.Parallel()
	race.Skip(t)
	open := 0
	const scenarios = 4000
	for seed := range uint64(scenarios) {
		r := rand.New(rand.NewPCG(seed, 11))
		floor, file := anyPolicy(r), anyPolicy(r)
		joined := Join(floor, file)
		gate := func(p Policy) Gate {
			g := sampleGate(p)
			if seed%5 == 0 {
				g.Void = NewCommit
			}
			return g
		}
		live := map[int64]Permission{} // of each person the same: whoever loses a role meanwhile is another test's
		for _, who := range []int64{alice, bob, carol, author, actor, pusher, triager} {
			live[who] = Permission{Known: true, Role: RoleTriage + Role(r.IntN(4))}
			if r.IntN(3) == 0 {
				live[who] = Permission{Known: true, Role: live[who].Role, Teams: []string{"a/b"}}
			}
		}
		var events []Event
		for id := range int64(12) {
			e := says(gate(joined), id+1, []int64{alice, bob, carol, author, actor, pusher, triager}[r.IntN(7)], Approve)
			e.Live = live[e.Actor.ID]
			events = append(events, e)
		}
		opens := func(p Policy) bool {
			s := simulated{policy: p, gate: gate(p)}
			v, _ := s.verdict(events)
			return v.Open
		}
		if !opens(joined) {
			continue
		}
		if open++; !opens(floor) || !opens(file) {
			t.Fatalf("seed %d: opened by %+v; by the floor %v %+v; by the file %v %+v", seed, joined.Groups, opens(floor), floor, opens(file), file)
		}
	}
	if open < scenarios/50 {
		t.Errorf("only %d of %d opened", open, scenarios)
	}
}
