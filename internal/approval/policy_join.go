package approval

import (
	"slices"
	"strconv"
	"strings"
)

// Join returns the policy that asks for all that two policies ask for: what opens a gate by it opens the gate by each of
// them. So a file that others may write can ask for more than the floor, and never for less. Who may pull the brakes is not
// asked for less either: whoever may by one of them may.
//
// A group of the floor that people of a group of the file are in anyway is filled by those; any other is asked for besides.
func Join(floor, file Policy) Policy {
	out := file
	out.Permission = max(floor.Permission, file.Permission)
	out.Bans = Bans{
		Author: floor.Bans.Author || file.Bans.Author, Actor: floor.Bans.Actor || file.Bans.Actor,
		LastPusher: floor.Bans.LastPusher || file.Bans.LastPusher, Committers: floor.Bans.Committers || file.Bans.Committers,
	}
	out.Brakes.MinRole = min(floor.Brakes.MinRole, file.Brakes.MinRole)
	out.Deadline = min(floor.Deadline, file.Deadline)
	if floor.OnExpiry == RollBack {
		out.OnExpiry = RollBack
	}
	if floor.OnTamper == Hold {
		out.OnTamper = Hold
	}
	out.SurvivesPush = floor.SurvivesPush && file.SurvivesPush
	out.NonceOptional = floor.NonceOptional && file.NonceOptional
	out.Reviews = floor.Reviews && file.Reviews
	out.Operators = floor.Operators && file.Operators
	out.Groups = joinGroups(floor.Groups, file.Groups, out.Permission)
	return out
}

// joinGroups returns the groups of the file, and those of the floor that these do not fill. Of a group that asks for three
// people, two can fill one group of the floor and the third another.
func joinGroups(floor, file []Group, permission Role) []Group {
	out, left := slices.Clone(file), make([]int, len(file))
	for i, g := range file {
		left[i] = g.Count
	}
	for _, g := range floor {
		filled := false
		for i, f := range file {
			if left[i] >= g.Count && g.holds(f, permission) {
				left[i], filled = left[i]-g.Count, true
				break
			}
		}
		if filled {
			continue
		}
		out = append(out, g.renamed(out))
	}
	return out
}

// renamed returns the group with a name that none of the others has.
func (g Group) renamed(others []Group) Group {
	for n, name := 1, g.Name; slices.ContainsFunc(others, func(o Group) bool { return o.Name == g.Name }); n++ {
		g.Name = name[:min(len(name), 50)] + "-server-" + strconv.Itoa(n)
	}
	return g
}

// holds reports whether everybody of another group is in this one, of those who have a permission.
func (g Group) holds(other Group, permission Role) bool {
	if g.MinRole > RoleNone && g.MinRole <= permission {
		return true
	}
	for _, id := range other.Users {
		if !slices.Contains(g.Users, id) {
			return false
		}
	}
	for _, team := range other.Teams {
		if !slices.ContainsFunc(g.Teams, func(t string) bool { return strings.EqualFold(t, team) }) {
			return false
		}
	}
	return other.MinRole == RoleNone || g.MinRole > RoleNone && other.MinRole >= g.MinRole
}
