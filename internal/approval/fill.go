package approval

import (
	"cmp"
	"fmt"
	"slices"
)

// fill puts the people who voted into the groups, each into one, so that as many places as possible are taken, and
// returns what is lacking in words. It marks the ballots with their groups. The groups that fewest can be in go first, so
// that what is lacking is what most people can help with.
func fill(p Policy, all []*ballot, votes func(*ballot) bool) []string {
	s := seating{holds: map[*ballot]int{}}
	for _, b := range all {
		b.group = -1
		if b.stands() && votes(b) {
			s.voters = append(s.voters, b)
		}
	}
	lacks := make([]int, len(p.Groups))
	for _, i := range p.byScarcity() {
		for range max(0, p.Groups[i].Count) {
			s.places = append(s.places, i)
			if !s.seat(len(s.places)-1, map[*ballot]bool{}) {
				lacks[i]++
			}
		}
	}
	for b, place := range s.holds {
		b.group = s.places[place]
	}
	var out []string
	for i, n := range lacks {
		if n > 0 {
			out = append(out, fmt.Sprintf("%d more of group %s", n, p.Groups[i].Name))
		}
	}
	return out
}

// byScarcity returns the numbers of the groups: lists of users first, then teams, then roles from the highest.
func (p Policy) byScarcity() []int {
	order := make([]int, len(p.Groups))
	for i := range order {
		order[i] = i
	}
	breadth := func(g Group) int {
		switch {
		case g.MinRole > RoleNone:
			return 2 + int(RoleAdmin-g.MinRole)
		case len(g.Teams) > 0:
			return 1
		default:
			return 0
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(breadth(p.Groups[a]), breadth(p.Groups[b])) })
	return order
}

// seating is who has which place.
type seating struct {
	voters []*ballot
	places []int // the group of each place
	holds  map[*ballot]int
}

// seat finds somebody for a place. Whoever has a place already may move here when somebody else can have theirs.
func (s *seating) seat(place int, asked map[*ballot]bool) bool {
	for _, b := range s.voters {
		if asked[b] || !b.inGroup(s.places[place]) {
			continue
		}
		asked[b] = true
		if other, sits := s.holds[b]; !sits || s.seat(other, asked) {
			s.holds[b] = place
			return true
		}
	}
	return false
}
