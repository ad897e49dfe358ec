package approval

import "slices"

// refuse returns why an event does not count, or Counted. It looks at the event alone, never at earlier ones.
func refuse(g Gate, p Policy, e Event) Reason {
	command := e.command(p)
	info, ok := VerbFor(command.Verb)
	for _, rule := range []func(Gate, Policy, Event) Reason{misplaced, machine, changed} {
		if reason := rule(g, p, e); reason != "" {
			return reason
		}
	}
	if !ok || info.Class == Read || e.incomplete() {
		return Incomplete
	}
	if reason := badTiming(g, info, e); reason != "" {
		return reason
	}
	if reason := badTarget(g, p, e); reason != "" {
		return reason
	}
	if info.Class == Mutating {
		if reason := banned(g.People, p.Bans, e.Actor.ID); reason != "" {
			return reason
		}
	}
	if reason := notAllowed(p, info, e); reason != "" {
		return reason
	}
	if info.Vote && info.Class == Mutating && !e.Observed.Before(g.ExpiresAt) {
		return AfterDeadline
	}
	return Counted
}

func misplaced(g Gate, _ Policy, e Event) Reason {
	switch {
	case e.Platform != g.Platform && e.Platform != Kubernetes || e.Repository != g.Repository || g.Platform == "" || g.Repository == 0:
		return WrongRepository
	case e.Change != g.Change || g.Change == 0:
		return WrongChange
	case e.Closed && !e.Merged:
		return ClosedUnmerged
	default:
		return ""
	}
}

func machine(_ Gate, _ Policy, e Event) Reason {
	switch {
	case e.Actor.Bot:
		return Bot
	case e.Actor.App:
		return ViaApp
	default:
		return ""
	}
}

func changed(_ Gate, _ Policy, e Event) Reason {
	switch {
	case e.Deleted:
		return Deleted
	case e.Edited:
		return Edited
	case e.Kind == Review && e.Review == ReviewDismissed:
		return Dismissed
	default:
		return ""
	}
}

func (e Event) incomplete() bool {
	return e.Actor.ID <= 0 || e.ID <= 0 || e.BodyHash == "" || e.CreatedAt.IsZero() || e.Observed.IsZero()
}

// badTiming compares with the forge's clock, whose second may have begun before the gate opened: such a comment does not
// count either. Nobody copies a target within a second.
func badTiming(g Gate, info VerbInfo, e Event) Reason {
	since := g.Started
	if info.Vote {
		since = g.OpenedAt
		if since.IsZero() {
			return NoGate
		}
	}
	switch {
	case since.IsZero():
		return NoGate
	case !e.CreatedAt.After(since):
		return BeforeGate
	case info.Vote && info.Class == Mutating && !e.CreatedAt.Before(g.ExpiresAt):
		return AfterDeadline
	default:
		return ""
	}
}

// badTarget compares what the command names with the gate. A brake needs to name nothing, but what it names must be this.
func badTarget(g Gate, p Policy, e Event) Reason {
	command, want := e.command(p), g.Target()
	info, _ := VerbFor(command.Verb)
	review := e.Kind == Review && e.Command.Verb == ""
	if info.Class == Mutating && e.SHA != "" && e.SHA != g.SHA && (review || !e.Merged && !p.SurvivesPush) {
		return WrongRevision
	}
	switch {
	case command.Target != Target{}:
		if command.Target.Rollout != want.Rollout || command.Target.Gate != want.Gate {
			return WrongTarget
		}
		if command.Target.Nonce != want.Nonce {
			return WrongRevision
		}
		return ""
	case info.Class == Brake:
		return ""
	case review:
		if e.SHA != g.SHA || g.SHA == "" {
			return WrongRevision
		}
		return ""
	case command.Bare && (g.Platform != GitHub || !p.NonceOptional || !g.Alone):
		return BareApproval
	case !p.NonceOptional || !g.Alone:
		return MissingTarget
	default:
		return ""
	}
}

func banned(people People, b Bans, actor int64) Reason {
	switch {
	case b.Author && actor == people.Author:
		return Author
	case b.Actor && slices.Contains(people.Actors, actor):
		return StartedRun
	case b.LastPusher && actor == people.LastPusher:
		return LastPusher
	case b.Committers && slices.Contains(people.Committers, actor):
		return Committer
	default:
		return ""
	}
}

func notAllowed(p Policy, info VerbInfo, e Event) Reason {
	if !e.Live.Known {
		return PermissionUnknown
	}
	if len(p.groupsFor(e.Platform, e.Actor.ID, e.Live)) > 0 {
		return ""
	}
	if info.Class == Brake && e.Platform == Kubernetes {
		return "" // whoever may write the decisions may do more than stop a rollout
	}
	if info.Class == Brake && e.Live.Role > RoleNone && e.Live.Role >= p.Brakes.MinRole {
		return ""
	}
	return NotEligible
}
