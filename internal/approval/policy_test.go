package approval

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestParsePolicyReadsEveryField(t *testing.T) {
	t.Parallel()
	got, err := ParsePolicy([]byte(`
groups:
  - name: sre
    users: [101, 102]
    teams: [Acme/SRE]
    minRole: maintainer
    count: 2
  - name: owners
    minRole: owner
permission: developer
bans: {author: false, actor: false, lastPusher: false, committers: true}
brakes: {minRole: read}
deadline: 90m
onExpiry: pause
onTamper: pause
survivesPush: true
requireNonce: false
reviews: true
`))
	want := Policy{
		Groups: []Group{{Name: "sre", Users: []int64{101, 102}, Teams: []string{"acme/sre"}, MinRole: RoleMaintain, Count: 2},
			{Name: "owners", MinRole: RoleAdmin, Count: 1}},
		Permission: RoleWrite, Bans: Bans{Committers: true}, Brakes: Brakes{MinRole: RoleRead}, Deadline: 90 * time.Minute,
		OnExpiry: Hold, OnTamper: Hold, SurvivesPush: true, NonceOptional: true, Reviews: true,
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestParsePolicyDefaultsToAskingForEverything(t *testing.T) {
	t.Parallel()
	got, err := ParsePolicy([]byte("groups: [{name: sre, minRole: write}]\n"))
	want := samplePolicy()
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
	if !want.Bans.Author || !want.Bans.Actor || !want.Bans.LastPusher || want.Bans.Committers || want.SurvivesPush || want.NonceOptional {
		t.Errorf("%+v", want)
	}
}

func TestParsePolicyTellsEveryProblemAtOnce(t *testing.T) {
	t.Parallel()
	_, err := ParsePolicy([]byte(`
groups:
  - name: "s r e"
    users: [alice, 0, 7, 7]
    teams: ["a//b"]
    count: 99
  - name: few
    users: [1]
    count: 2
  - name: few
    minRole: read
  - name: nobody
  - 5
permission: boss
bans: {author: "no", owner: true}
brakes: {minRole: none}
deadline: 60
onExpiry: ignore
onTamper: 3
"<b>": 1
`))
	var problems *PolicyError
	if !errors.As(err, &problems) {
		t.Fatalf("got %v", err)
	}
	text := err.Error()
	for _, want := range []string{
		`groups[0].name: "s r e" is not a name`, `groups[0].users[0]: has "alice"; want a whole number`, `groups[0].users[1]: 0 is not a user's number`,
		`groups[0].users[3]: 7 is there already`, `groups[0].teams[0]: "a//b" is not a team`, `groups[0].count: 99 is not between 1 and 50`,
		`groups[1].count: 2 of 1 users cannot be had`, `groups[2].name: "few" is the name of groups[1] already`, `groups[2].minRole: read is what every visitor`,
		`groups[3]: nobody can be in it`, `groups[4]: has 5; want an object`, `permission: has "boss"; want read, triage`,
		`bans.author: has "no"; want true or false`, `bans.owner: is not a field; want one of actor, author`, `brakes.minRole: none lets everybody`,
		`deadline: has 60; want a duration with its unit`, `onExpiry: "ignore" is not one of rollback, pause`, `onTamper: has 3; want text`,
		`"<b>": is not a field`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("lacks %q", want)
		}
	}
	for _, p := range problems.Problems {
		if p.Message == "" || strings.Contains(p.Message, "\n") {
			t.Errorf("%+v", p)
		}
	}
	seen := map[string]int{}
	for line := range strings.SplitSeq(text, "\n") {
		path, _, _ := strings.Cut(line, ": ")
		if seen[path]++; seen[path] > 1 {
			t.Errorf("two problems of %s:\n%s", path, text)
		}
	}
}

func TestParsePolicyRefusesHopelessFiles(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ file, says string }{
		"an empty file":       {"", "groups: is empty"},
		"a list":              {"[]", "has a list; want an object"},
		"no YAML":             {"a: [", "yaml"},
		"a field twice":       {"reviews: true\nreviews: false\n", "already"},
		"a second document":   {"groups: [{name: a, minRole: write}]\n---\ngroups: []\n", "several documents"},
		"a novel":             {strings.Repeat("# x\n", 20000), "bytes; want at most"},
		"a deadline too long": {"groups: [{name: a, minRole: write}]\ndeadline: 700h\n", "deadline: 700h0m0s is not between 10s and 696h"},
		"no group at all":     {"reviews: true\n", "groups: is empty"},
	} {
		p, err := ParsePolicy([]byte(tc.file))
		if err == nil || !strings.Contains(err.Error(), tc.says) || !reflect.DeepEqual(p, Policy{}) {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
	}
	if _, err := ParsePolicy([]byte("# policy\n---\ngroups: [{name: a, minRole: write}]\n")); err != nil {
		t.Errorf("a document with its sign: %v", err)
	}
}

func TestTheHashOfAPolicyKnowsEveryField(t *testing.T) {
	t.Parallel()
	full := func() Policy {
		p := samplePolicy()
		p.Groups[0].Users, p.Groups[0].Teams = []int64{1, 2}, []string{"a/b", "c/d"}
		return p
	}
	hashes := map[string]string{full().Hash(): "the policy"}
	for name, change := range map[string]func(*Policy){
		"name": func(p *Policy) { p.Groups[0].Name = "x" }, "users": func(p *Policy) { p.Groups[0].Users = []int64{1} },
		"teams": func(p *Policy) { p.Groups[0].Teams = []string{"a/b"} }, "minRole": func(p *Policy) { p.Groups[0].MinRole = RoleAdmin },
		"count": func(p *Policy) { p.Groups[0].Count = 2 }, "permission": func(p *Policy) { p.Permission = RoleAdmin },
		"author": func(p *Policy) { p.Bans.Author = false }, "actor": func(p *Policy) { p.Bans.Actor = false },
		"pusher": func(p *Policy) { p.Bans.LastPusher = false }, "committers": func(p *Policy) { p.Bans.Committers = true },
		"brakes": func(p *Policy) { p.Brakes.MinRole = RoleRead }, "deadline": func(p *Policy) { p.Deadline++ },
		"expiry": func(p *Policy) { p.OnExpiry = Hold }, "tamper": func(p *Policy) { p.OnTamper = Hold },
		"push": func(p *Policy) { p.SurvivesPush = true }, "nonce": func(p *Policy) { p.NonceOptional = true }, "reviews": func(p *Policy) { p.Reviews = true },
	} {
		p := full()
		change(&p)
		if other, ok := hashes[p.Hash()]; ok {
			t.Errorf("%s has the hash of %s", name, other)
		}
		hashes[p.Hash()] = name
	}
	p := full()
	p.Groups[0].Users, p.Groups[0].Teams = []int64{2, 1, 2}, []string{"C/d", "A/B"}
	if p.Hash() != full().Hash() || p.Groups[0].Users[0] != 2 {
		t.Error("the order of users and teams matters, or the hash changes the policy")
	}
}

func TestRolesHaveTheNamesOfBothForges(t *testing.T) {
	t.Parallel()
	for role := RoleNone; role <= RoleAdmin; role++ {
		for _, name := range roleNames()[role] {
			if got, err := ParseRole(strings.ToUpper(name)); err != nil || got != role {
				t.Errorf("%s: %v, %v", name, got, err)
			}
		}
	}
	if got, err := ParseRole("god"); err == nil || got != RoleNone {
		t.Errorf("got %v, %v", got, err)
	}
	if Role(99).String() != "none" || Role(-1).String() != "none" {
		t.Error("a role beyond the table has a name")
	}
}
