package approval

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Policy says who opens gates. The zero Policy has no group and opens none; start from Defaults.
type Policy struct {
	Groups     []Group       `json:"groups"`     // every group must be satisfied, and each person counts in one of them
	Permission Role          `json:"permission"` // that everybody who approves must have live, whatever group they are in
	Bans       Bans          `json:"bans"`
	Brakes     Brakes        `json:"brakes"`
	Deadline   time.Duration `json:"deadline"` // how long a gate waits
	OnExpiry   Outcome       `json:"onExpiry"`
	OnTamper   Outcome       `json:"onTamper"`
	// SurvivesPush keeps approvals of this revision when a new commit is pushed to the change meanwhile.
	SurvivesPush bool `json:"survivesPush"`
	// NonceOptional accepts approvals that name no target while exactly one gate is open on the change.
	NonceOptional bool `json:"nonceOptional"`
	Reviews       bool `json:"reviews"` // reviews of exactly the rolled-out commit are votes
	// Operators lets those approve who may write the decisions in the cluster. They count in any group. Their brakes count
	// without it.
	Operators bool `json:"operators,omitempty"`
}

// Group is some people of whom some must approve. Somebody is in it by any of the three ways.
type Group struct {
	Name    string   `json:"name"`
	Users   []int64  `json:"users,omitempty"`   // by the forge's number: names can be given up and taken by somebody else
	Teams   []string `json:"teams,omitempty"`   // owner/team on GitHub, the path of a group on GitLab; lower case
	MinRole Role     `json:"minRole,omitempty"` // everybody with at least this role; RoleNone adds nobody
	Count   int      `json:"count"`             // how many of them must approve
}

// Bans are the people whose approvals do not count, whatever group they are in. They may still pull brakes.
type Bans struct {
	Author     bool `json:"author"`     // of the change
	Actor      bool `json:"actor"`      // who started the run, or started it again
	LastPusher bool `json:"lastPusher"` // of the change
	Committers bool `json:"committers"` // of any commit in it; commits can lie about this
}

// Brakes says who may reject, pause and abort.
type Brakes struct {
	MinRole Role `json:"minRole"`
}

// Outcome is what becomes of a rollout.
type Outcome string

// The outcomes.
const (
	Continue Outcome = "continue"
	Hold     Outcome = "pause"
	RollBack Outcome = "rollback"
)

// The bounds of a deadline. GitHub gives a waiting run up after 30 days.
const (
	shortestDeadline = 10 * time.Second
	longestDeadline  = 29 * 24 * time.Hour
)

// Defaults returns the policy that asks for everything and lets nobody approve: it lacks groups.
func Defaults() Policy {
	return Policy{
		Permission: RoleWrite,
		Bans:       Bans{Author: true, Actor: true, LastPusher: true},
		Brakes:     Brakes{MinRole: RoleTriage},
		Deadline:   time.Hour,
		OnExpiry:   RollBack,
		OnTamper:   Continue,
	}
}

// Hash returns a hash of the policy in hexadecimal. The order of users and teams does not matter, that of groups does.
func (p Policy) Hash() string {
	p.Groups = slices.Clone(p.Groups)
	for i, g := range p.Groups {
		p.Groups[i].Users = sorted(g.Users)
		p.Groups[i].Teams = sorted(lowered(g.Teams))
	}
	text, err := json.Marshal(p)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// Who says in words who may approve. It names no one of the people whom the policy lists by their numbers.
func (p Policy) Who() string {
	var groups []string
	for _, g := range p.Groups {
		var of []string
		if n := len(g.Users); n > 0 {
			of = append(of, fmt.Sprintf("%d named people", n))
		}
		of = append(of, g.Teams...)
		if g.MinRole > RoleNone {
			of = append(of, "everybody with the role "+g.MinRole.String())
		}
		groups = append(groups, fmt.Sprintf("%d of %s (%s)", g.Count, g.Name, strings.Join(of, ", ")))
	}
	return strings.Join(groups, " and ")
}

func sorted[T int64 | string](list []T) []T {
	return slices.Compact(slices.Sorted(slices.Values(list)))
}

func lowered(list []string) []string {
	out := make([]string, 0, len(list))
	for _, s := range list {
		out = append(out, strings.ToLower(s))
	}
	return out
}

// has reports whether somebody is in the group. It leaves aside what else is asked of them.
func (g Group) has(actor int64, live Permission) bool {
	if slices.Contains(g.Users, actor) || g.MinRole > RoleNone && live.Role >= g.MinRole {
		return true
	}
	return slices.ContainsFunc(g.Teams, func(team string) bool {
		return slices.ContainsFunc(live.Teams, func(other string) bool { return strings.EqualFold(team, other) })
	})
}

// groupsOf returns the numbers of the groups that somebody is in, and none for somebody whose permission is unknown or
// too low.
func (p Policy) groupsOf(actor int64, live Permission) []int {
	if !live.Known || live.Role < p.Permission || live.Role == RoleNone {
		return nil
	}
	var in []int
	for i, g := range p.Groups {
		if g.Count > 0 && g.has(actor, live) {
			in = append(in, i)
		}
	}
	return in
}
