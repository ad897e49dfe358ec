// Package fleet runs several canaries in one run: in the order that was asked for, so many at a time as was asked for, and,
// as a group, all or nothing. The order is data (Plan), and so is where each canary is (Stage); only Run starts anything.
package fleet

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Plan is the order in which canaries run. A canary is known by its place in the list of names.
type Plan struct {
	names []string
	after [][]int // the canaries that each one waits for, in the order in which they were named
	limit int     // how many may run at once; 0 has no limit
}

// NewPlan makes a plan for canaries named namespace/name. Each order is a=b: a starts when b has ended well. A name without
// a namespace means the one canary of that name. All problems come back at once.
func NewPlan(names, orders []string, limit int) (Plan, error) {
	p := Plan{names: names, after: make([][]int, len(names)), limit: limit}
	var problems []error
	if limit < 0 {
		problems = append(problems, fmt.Errorf("max-parallel: %d is below 0; 0 runs all at once", limit))
	}
	for _, order := range orders {
		problems = append(problems, p.add(order))
	}
	for _, cycle := range p.cycles() {
		problems = append(problems, fmt.Errorf("after: %s wait for each other in a circle; none of them could start", cycle))
	}
	return p, errors.Join(problems...)
}

// add takes one order into the plan.
func (p *Plan) add(order string) error {
	later, earlier, ok := strings.Cut(order, "=")
	if !ok || later == "" || earlier == "" {
		return fmt.Errorf("after: %q is not LATER=EARLIER, such as frontend=backend", order)
	}
	a, errA := p.find(order, later)
	b, errB := p.find(order, earlier)
	switch {
	case errA != nil && later == earlier:
		return errA
	case errA != nil || errB != nil:
		return errors.Join(errA, errB)
	case a == b:
		return fmt.Errorf("after: %q: %s cannot wait for itself", order, p.names[a])
	case !slices.Contains(p.after[a], b):
		p.after[a] = append(p.after[a], b)
	}
	return nil
}

// find returns the canary that an order means.
func (p *Plan) find(order, name string) (int, error) {
	if i := slices.Index(p.names, name); i >= 0 {
		return i, nil
	}
	var same []string
	for _, known := range p.names {
		if _, short, _ := strings.Cut(known, "/"); short == name {
			same = append(same, known)
		}
	}
	switch len(same) {
	case 1:
		return slices.Index(p.names, same[0]), nil
	case 0:
		return 0, fmt.Errorf("after: %q: no canary %q is in this run; there are %s", order, name, List(p.names, 20))
	}
	return 0, fmt.Errorf("after: %q: %q may be %s; name its namespace too", order, name, strings.Join(same, " or "))
}

// cycles names every set of canaries that wait for each other.
func (p *Plan) cycles() []string {
	const open, done = 1, 2
	state := make([]int, len(p.names))
	var path []int
	var found []string
	var visit func(i int)
	visit = func(i int) {
		state[i], path = open, append(path, i)
		for _, j := range p.after[i] {
			switch state[j] {
			case 0:
				visit(j)
			case open:
				var names []string
				for _, k := range path[slices.Index(path, j):] {
					names = append(names, p.names[k])
				}
				found = append(found, strings.Join(names, ", "))
			}
		}
		state[i], path = done, path[:len(path)-1]
	}
	for i := range p.names {
		if state[i] == 0 {
			visit(i)
		}
	}
	return found
}

// Ordered reports whether any canary waits for another.
func (p *Plan) Ordered() bool {
	return slices.ContainsFunc(p.after, func(b []int) bool { return len(b) > 0 })
}

// List joins names for a sentence, and counts those beyond the limit.
func List(names []string, limit int) string {
	if len(names) > limit {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:limit], ", "), len(names)-limit)
	}
	return strings.Join(names, ", ")
}
