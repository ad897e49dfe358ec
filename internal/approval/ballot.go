package approval

import (
	"cmp"
	"slices"
)

// ballot is one comment with everything that the log says about it.
type ballot struct {
	Decision // the sight that speaks for the comment
	sights   []Decision
	reason   Reason // Counted while it stands
	groups   []int  // that the person is in, by every sight
	counted  bool   // some sight counted
	group    int    // that the person fills; -1 is none
}

func (b *ballot) stands() bool { return b.reason == Counted }

// ballots gathers the comments that speak about a gate or about its rollout, oldest first.
func ballots(g Gate, p Policy, l Log) []*ballot {
	byKey := map[key]*ballot{}
	var all []*ballot
	for _, d := range l.Decisions {
		if d.Rollout != g.Rollout || g.Rollout == "" {
			continue
		}
		b := byKey[d.key()]
		if b == nil {
			b = &ballot{group: -1}
			byKey[d.key()] = b
			all = append(all, b)
		}
		b.sights = append(b.sights, d)
	}
	gate := g.Target().String()
	all = slices.DeleteFunc(all, func(b *ballot) bool { return !b.settle(g, p, gate) })
	slices.SortStableFunc(all, func(a, b *ballot) int { return compareTime(a.Decision, b.Decision) })
	return all
}

// settle finds out what a comment's sights say together. It reports false for a comment that has nothing to say here.
func (b *ballot) settle(g Gate, p Policy, gate string) bool {
	var here []Decision // the sights with a verb
	for _, d := range b.sights {
		if d.Verb != "" && (!isVote(d.Verb) || d.Gate == gate) {
			here = append(here, d)
		}
	}
	if len(here) == 0 {
		return false
	}
	// A fixed order of sights, whatever order they came in, with those first that speak best for a comment.
	slices.SortStableFunc(here, func(x, y Decision) int { return compareSights(x, y) })
	b.Decision, b.reason = here[0], here[0].Reason
	b.counted = here[0].Counted && here[0].Reason == Counted
	if !b.counted || classOf(b.Verb) != Mutating {
		return true
	}
	b.groups = p.groupsFor(b.Platform, b.Actor.ID, b.Permission)
	for _, d := range b.sights {
		switch {
		case d.Reason.changed() || d.BodyHash != b.BodyHash || d.Actor.ID != b.Actor.ID:
			b.reason = Tampered
			return true
		case isVote(d.Verb) && d.Gate != gate:
		case d.Counted:
			in := p.groupsFor(d.Platform, d.Actor.ID, d.Permission)
			b.groups = slices.DeleteFunc(b.groups, func(i int) bool { return !slices.Contains(in, i) })
		case d.Reason.passing() || !isVote(d.Verb) && (d.Reason == WrongTarget || d.Reason == WrongRevision):
			// The same words, seen when another gate waited.
		default:
			b.reason = d.Reason
		}
	}
	if b.reason == Counted {
		b.reason = b.still(g, p)
	}
	return true
}

// still holds a vote that counted against the gate as it is now: whom the policy bans may have become known since.
func (b *ballot) still(g Gate, p Policy) Reason {
	if reason := banned(g.People, p.Bans, b.Actor.ID); reason != "" {
		return reason
	}
	if len(b.groups) == 0 || b.Actor.ID <= 0 || b.Actor.Bot || b.Actor.App {
		return NotEligible
	}
	if !isVote(b.Verb) {
		return Counted
	}
	switch {
	case g.Void != "" && !(g.Void == NewCommit && p.SurvivesPush):
		return Voided
	case !b.CreatedAt.After(g.OpenedAt):
		return BeforeGate
	case !b.CreatedAt.Before(g.ExpiresAt) || !b.Observed.Before(g.ExpiresAt):
		return AfterDeadline
	default:
		return Counted
	}
}

// compareSights puts the sight first that speaks for a comment: a brake that counted, then whatever counted, then what was
// changed, then what can change no more.
func compareSights(a, b Decision) int {
	rank := func(d Decision) int {
		switch {
		case d.Counted && classOf(d.Verb) == Brake:
			return 0
		case d.Counted:
			return 1
		case d.Reason.changed():
			return 2
		case !d.Reason.passing():
			return 3
		default:
			return 4
		}
	}
	return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a.Reason, b.Reason), cmp.Compare(a.Verb, b.Verb),
		a.Observed.Compare(b.Observed), cmp.Compare(a.BodyHash, b.BodyHash), cmp.Compare(a.Permission.Role, b.Permission.Role))
}

func (b *ballot) inGroup(i int) bool { return slices.Contains(b.groups, i) }
