package fleet

// Stage is where a canary is in a run of several.
type Stage int8

// The zero value has not started.
const (
	Waiting Stage = iota // for others to end, or for its turn
	Running
	Passed // ended well: who waits for it may start
	Failed
	Skipped // never started, since one that it waits for did not end well
)

// Next says what follows from where the canaries are: those to start now, in the order of the list, and those to skip,
// each with the one because of which. It is a pure function.
func (p *Plan) Next(at []Stage) (start []int, skip map[int]int) {
	room := len(at)
	if p.limit > 0 {
		room = p.limit
	}
	for _, s := range at {
		if s == Running {
			room--
		}
	}
	skip = map[int]int{}
	for more := true; more; { // what is skipped makes others be skipped
		more = false
		for i, s := range at {
			if _, known := skip[i]; known || s != Waiting {
				continue
			}
			if because, hopeless := p.hopeless(i, at, skip); hopeless {
				skip[i], more = because, true
			}
		}
	}
	for i, s := range at {
		if _, skipped := skip[i]; s == Waiting && !skipped && room > 0 && p.ready(i, at) {
			start, room = append(start, i), room-1
		}
	}
	return start, skip
}

// hopeless reports whether a canary waits for one that will never have ended well.
func (p *Plan) hopeless(i int, at []Stage, skip map[int]int) (because int, yes bool) {
	for _, j := range p.after[i] {
		if _, skipped := skip[j]; skipped || at[j] == Failed || at[j] == Skipped {
			return j, true
		}
	}
	return 0, false
}

// ready reports whether all that a canary waits for has ended well.
func (p *Plan) ready(i int, at []Stage) bool {
	for _, j := range p.after[i] {
		if at[j] != Passed {
			return false
		}
	}
	return true
}

// Waits names the canaries that one still waits for.
func (p *Plan) Waits(i int, at []Stage) []string {
	var names []string
	for _, j := range p.after[i] {
		if at[j] != Passed {
			names = append(names, p.names[j])
		}
	}
	return names
}

// First are the canaries that start at once.
func (p *Plan) First() []int {
	start, _ := p.Next(make([]Stage, len(p.names)))
	return start
}
