package approval

import "slices"

// noiseLimit bounds how many refusals of people without permission the log keeps for a rollout: anybody can comment on a
// public repository, and the log must fit into a ConfigMap. The refusals beyond it could change no verdict.
const noiseLimit = 200

// Reduce returns the log with what an event adds to it, which is nothing when the log knows it already. Events may come
// late, twice and in any order: Judge says the same. Commands that only read, and chatter, are not recorded.
//
// A changed comment is recorded even when the log has never seen it: an older sight of it may still be on its way.
func Reduce(l Log, g Gate, p Policy, e Event) Log {
	d := decide(g, p, e)
	known, sameText, otherText := false, false, false
	for _, o := range l.Decisions {
		if o.Rollout != d.Rollout || !o.sameComment(d) {
			continue
		}
		if sameSight(o, d) {
			return l
		}
		known = true
		sameText = sameText || o.BodyHash == d.BodyHash
		otherText = otherText || o.BodyHash != d.BodyHash && !o.Reason.changed()
	}
	switch {
	case d.Reason.changed():
		if d.Comment <= 0 || !known && !e.CreatedAt.IsZero() && !g.Started.IsZero() && !e.CreatedAt.After(g.Started) {
			return l
		}
	case d.Verb == "":
		if !otherText || d.Reason != Incomplete {
			return l
		}
		d.Reason = Edited // the forge does not say so, but the text is another one
	case known && sameText && repeats(d.Reason):
		return l
	}
	if l.drowns(p, d) {
		return l
	}
	return l.with(d)
}

// repeats reports whether a reason adds nothing about a comment whose text the log knows already, such as when the next
// gate finds the comments of the one before.
func repeats(r Reason) bool {
	return r == BeforeGate || r == WrongTarget || r == NoGate
}

// sameSight reports whether two decisions about one comment say the same. Who saw it, when and how does not matter.
func sameSight(a, b Decision) bool {
	if a.Reason != b.Reason || a.Verb != b.Verb || isVote(a.Verb) && a.Gate != b.Gate {
		return false
	}
	if a.Reason.changed() {
		return true // into what text does not matter, and somebody may edit a comment a thousand times
	}
	return a.Target == b.Target && a.BodyHash == b.BodyHash && a.Actor.ID == b.Actor.ID &&
		a.Permission.Known == b.Permission.Known && a.Permission.Role == b.Permission.Role && slices.Equal(a.Permission.Teams, b.Permission.Teams)
}

func isVote(verb Verb) bool {
	info, _ := VerbFor(verb)
	return info.Vote
}

// drowns reports whether a decision is one refusal too many of somebody who has no say.
func (l Log) drowns(p Policy, d Decision) bool {
	if !noise(p, d) {
		return false
	}
	n := 0
	for _, o := range l.Decisions {
		if o.Rollout != d.Rollout {
			continue
		}
		if o.Counted && (o.Actor.ID == d.Actor.ID || o.sameComment(d)) {
			return false // it may take back what counted
		}
		if noise(p, o) && o.Reason.changed() == d.Reason.changed() {
			n++
		}
	}
	return n >= noiseLimit
}

func noise(p Policy, d Decision) bool {
	switch d.Reason {
	case Counted, PermissionUnknown:
		return false
	case Bot, ViaApp, WrongRepository, WrongChange, ClosedUnmerged, Incomplete, NotEligible:
		return true
	default:
		return d.Permission.Known && len(p.groupsFor(d.Platform, d.Actor.ID, d.Permission)) == 0
	}
}
