package approval

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// PolicyProblem is one thing that is wrong with a policy.
type PolicyProblem struct {
	Path    string `json:"path,omitempty"` // such as groups[0].count; empty for the whole file
	Message string `json:"message"`        // says the value and what is allowed
}

// String returns the problem on one line.
func (p PolicyProblem) String() string {
	if p.Path == "" {
		return p.Message
	}
	return p.Path + ": " + p.Message
}

// PolicyError is everything that is wrong with a policy.
type PolicyError struct {
	Problems []PolicyProblem
}

// Error returns each problem on its own line.
func (e *PolicyError) Error() string {
	lines := make([]string, 0, len(e.Problems))
	for _, p := range e.Problems {
		lines = append(lines, p.String())
	}
	return strings.Join(lines, "\n")
}

// problems collects what is wrong.
type problems struct{ list []PolicyProblem }

func (ps *problems) add(path, format string, args ...any) {
	ps.list = append(ps.list, PolicyProblem{Path: path, Message: fmt.Sprintf(format, args...)})
}

// at reports whether something at, above or below a path is wrong already: what could not be read needs no second
// complaint.
func (ps *problems) at(path string) bool {
	return slices.ContainsFunc(ps.list, func(p PolicyProblem) bool { return within(p.Path, path) || within(path, p.Path) })
}

// within reports whether a path is another one or leads into it.
func within(path, other string) bool {
	rest, ok := strings.CutPrefix(path, other)
	return ok && (rest == "" || other == "" || rest[0] == '.' || rest[0] == '[')
}

func (ps *problems) err() error {
	if len(ps.list) == 0 {
		return nil
	}
	return &PolicyError{Problems: ps.list}
}

// The bounds of a policy's lists.
const (
	mostGroups = 20
	mostCount  = 50
	mostPeople = 500
)

// Check returns a *PolicyError with everything that is wrong with the policy, or nil.
func (p Policy) Check() error {
	var ps problems
	p.check(&ps)
	return ps.err()
}

// check adds what is wrong, except about fields that could not be read.
func (p Policy) check(ps *problems) {
	read := *ps // as it was when the file had been read
	on := func(path string, wrong bool, format string, args ...any) {
		if wrong && !read.at(path) {
			ps.add(path, format, args...)
		}
	}
	on("groups", len(p.Groups) == 0, "is empty; want at least one group of people who approve")
	on("groups", len(p.Groups) > mostGroups, "has %d groups; want at most %d", len(p.Groups), mostGroups)
	names := map[string]int{}
	for i, g := range p.Groups {
		path := "groups[" + strconv.Itoa(i) + "]"
		g.check(path, on)
		if first, twice := names[g.Name]; twice && g.Name != "" {
			on(path+".name", true, "%q is the name of groups[%d] already; want another", g.Name, first)
		} else {
			names[g.Name] = i
		}
	}
	on("permission", p.Permission <= RoleRead,
		"%s is what every visitor of a public repository has; want triage, write, maintain or admin", p.Permission)
	on("brakes.minRole", p.Brakes.MinRole == RoleNone, "none lets everybody stop a rollout; want read, triage, write, maintain or admin")
	on("deadline", p.Deadline < shortestDeadline || p.Deadline > longestDeadline,
		"%s is not between %s and %s", p.Deadline, spell(shortestDeadline), spell(longestDeadline))
	on("onExpiry", p.OnExpiry != RollBack && p.OnExpiry != Hold, "%q is not one of rollback, pause", p.OnExpiry)
	on("onTamper", p.OnTamper != Continue && p.OnTamper != Hold, "%q is not one of continue, pause", p.OnTamper)
}

// check is Policy.check for a group.
func (g Group) check(path string, on func(path string, wrong bool, format string, args ...any)) {
	on(path+".name", !isName(g.Name), "%q is not a name; want 1 to 63 letters, digits, dots, dashes and underscores", g.Name)
	on(path+".count", g.Count < 1 || g.Count > mostCount, "%d is not between 1 and %d", g.Count, mostCount)
	on(path, len(g.Users) == 0 && len(g.Teams) == 0 && g.MinRole == RoleNone,
		"nobody can be in it; want at least one of users, teams and minRole")
	on(path+".minRole", g.MinRole == RoleRead, "read is what every visitor of a public repository has; want triage, write, maintain or admin")
	on(path+".users", len(g.Users)+len(g.Teams) > mostPeople, "has %d users and teams; want at most %d", len(g.Users)+len(g.Teams), mostPeople)
	for i, id := range g.Users {
		at := path + ".users[" + strconv.Itoa(i) + "]"
		on(at, id <= 0, "%d is not a user's number; want a whole number above 0", id)
		on(at, id > 0 && slices.Index(g.Users, id) < i, "%d is there already", id)
	}
	for i, team := range g.Teams {
		on(path+".teams["+strconv.Itoa(i)+"]", !isTeam(team), "%q is not a team; want owner/team on GitHub, the path of a group on GitLab", team)
	}
	only := len(sorted(g.Users))
	on(path+".count", len(g.Teams) == 0 && g.MinRole == RoleNone && only > 0 && g.Count > only && g.Count <= mostCount,
		"%d of %d users cannot be had; want at most %d", g.Count, only, only)
}

func isName(s string) bool {
	return s != "" && len(s) <= 63 && strings.Trim(strings.ToLower(s), lowerAlnum+"-_.") == ""
}

func isTeam(s string) bool {
	if s == "" || len(s) > 255 {
		return false
	}
	for part := range strings.SplitSeq(strings.ToLower(s), "/") {
		if part == "" || strings.Trim(part, lowerAlnum+"-_.") != "" {
			return false
		}
	}
	return true
}

// spell writes a duration without the zeros that time.Duration prints.
func spell(d time.Duration) string {
	text := d.String()
	if short, ok := strings.CutSuffix(text, "m0s"); ok {
		text = short + "m"
	}
	if short, ok := strings.CutSuffix(text, "h0m"); ok {
		text = short + "h"
	}
	return text
}
