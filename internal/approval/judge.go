package approval

import "time"

// Judge says what a gate says now, and about every comment why it counts or does not. The gate opens when nothing stands
// against it and every group of the policy is full of people who approved before the deadline and were seen to: a verdict
// that somebody reads late is still open. A counted comment that is edited or deleted later takes its approval back for
// as long as the gate has not been passed; a rollout that has passed it is not called back, see Verdict.Tampered.
func Judge(g Gate, p Policy, l Log, now time.Time) Verdict {
	all := ballots(g, p, l)
	settleVotes(g, l, all)
	v := Verdict{Missing: blockers(g, p, l)}
	v.Aborted, v.Tampered, v.Paused = brakes(p, all)
	for _, b := range all {
		v.Rejected = v.Rejected || b.Verb == Reject && b.stands()
	}
	promote := fill(p, all, func(b *ballot) bool { return b.Verb == Promote })
	lacking := fill(p, all, func(b *ballot) bool { return b.Verb == Promote || b.Verb == Approve })
	switch {
	case v.Aborted:
		v.Missing = append(v.Missing, "the rollout was aborted")
	case v.Rejected:
		v.Missing = append(v.Missing, "the gate was rejected")
	case v.Paused:
		v.Missing = append(v.Missing, "the rollout is paused")
	}
	v.Missing = append(v.Missing, lacking...)
	v.Open = len(v.Missing) == 0
	v.Promote = v.Open && len(promote) == 0
	v.Expired = !v.Open && !g.OpenedAt.IsZero() && !g.ExpiresAt.IsZero() && !now.Before(g.ExpiresAt)
	for _, b := range all {
		v.Votes = append(v.Votes, b.result(p))
	}
	return v
}

// result tells what became of a comment.
func (b *ballot) result(p Policy) VoteResult {
	r := VoteResult{Actor: b.Actor, Verb: b.Verb, URL: b.URL, Counted: b.stands(), Reason: b.reason}
	switch {
	case b.group >= 0:
		r.Group = p.Groups[b.group].Name
	case b.stands() && isVote(b.Verb) && classOf(b.Verb) == Mutating:
		r.Counted, r.Reason = false, NotNeeded
	}
	return r
}

// blockers are what keeps a gate closed whoever approves, in words.
func blockers(g Gate, p Policy, l Log) []string {
	var out []string
	add := func(text string) {
		if text != "" {
			out = append(out, text)
		}
	}
	add(g.lacks())
	if g.Void != "" && !(g.Void == NewCommit && p.SurvivesPush) {
		add("a new gate: " + g.Void.Sentence())
	}
	if g.PolicyHash == "" || g.PolicyHash != p.Hash() {
		add("the policy that the rollout started under: it is another one now")
	}
	if p.wanted() == 0 {
		add("a policy that says who may approve")
	}
	add(g.unknown(p.Bans))
	if err := Verify(l); err != nil {
		add(err.Error())
	}
	return out
}

// wanted returns how many people a policy asks for.
func (p Policy) wanted() int {
	n := 0
	for _, g := range p.Groups {
		n += max(0, g.Count)
	}
	return n
}

// settleVotes leaves each person one vote, the newest. A rejection takes back the approvals before it even when it does
// not count otherwise, such as when the forge does not say what the person may do: taking back needs no permission.
func settleVotes(g Gate, l Log, all []*ballot) {
	gate := g.Target().String()
	newest := map[int64]*ballot{}
	for _, b := range all {
		if isVote(b.Verb) && b.stands() {
			newest[b.Actor.ID] = b
		}
	}
	for _, b := range all {
		if last := newest[b.Actor.ID]; isVote(b.Verb) && b.stands() && last != b {
			b.reason = Superseded
			if last.Verb == Reject {
				b.reason = Withdrawn
			}
		}
	}
	for _, d := range l.Decisions {
		takesBack := d.Reason == Counted || d.Reason == NotEligible || d.Reason == PermissionUnknown
		if d.Rollout != g.Rollout || d.Gate != gate || d.Verb != Reject || !takesBack {
			continue
		}
		if b := newest[d.Actor.ID]; b != nil && b.Verb != Reject && b.stands() && compareTime(b.Decision, d) < 0 {
			b.reason = Withdrawn
		}
	}
}

// brakes finds out whether the rollout was aborted, and whether the last word is a pause. With the outcome pause, so is
// a comment that was changed after it had counted, until somebody resumes the rollout.
func brakes(p Policy, all []*ballot) (aborted, tampered, paused bool) {
	var resumed, changed time.Time
	for _, b := range all {
		switch {
		case b.reason == Tampered:
			tampered = true
			for _, d := range b.sights {
				if d.Observed.After(changed) {
					changed = d.Observed
				}
			}
		case !b.stands():
		case b.Verb == Abort:
			aborted = true
		case b.Verb == Pause:
			paused = true
		case b.Verb == Resume:
			paused, resumed = false, b.CreatedAt
		}
	}
	if p.OnTamper == Hold && tampered && !resumed.After(changed) {
		paused = true
	}
	return aborted, tampered, paused
}
