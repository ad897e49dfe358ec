package approval

import (
	"slices"
	"testing"
	"time"
)

func TestTheZeroValuesOpenNothing(t *testing.T) {
	t.Parallel()
	p := samplePolicy()
	g := sampleGate(p)
	l := Reduce(Log{}, g, p, says(g, 1, alice, Approve))
	now := opened.Add(30 * time.Minute)
	if !Judge(g, p, l, now).Open {
		t.Fatal("the sample does not open")
	}
	for name, v := range map[string]Verdict{
		"no verdict":         {},
		"no gate":            Judge(Gate{}, p, l, now),
		"no policy":          Judge(g, Policy{}, l, now),
		"no log":             Judge(g, p, Log{}, now),
		"nothing":            Judge(Gate{}, Policy{}, Log{}, time.Time{}),
		"a policy of no one": Judge(g, Defaults(), l, now),
	} {
		if v.Open || v.Promote {
			t.Errorf("%s opens: %+v", name, v)
		}
	}
	for name, without := range map[string]func(*Gate){
		"repository": func(g *Gate) { g.Repository = 0 }, "change": func(g *Gate) { g.Change = 0 },
		"platform": func(g *Gate) { g.Platform = "" }, "rollout": func(g *Gate) { g.Rollout = "" },
		"number": func(g *Gate) { g.Number = 0 }, "nonce": func(g *Gate) { g.Nonce = "" }, "sha": func(g *Gate) { g.SHA = "" },
		"policy's hash": func(g *Gate) { g.PolicyHash = "" }, "opening": func(g *Gate) { g.OpenedAt = time.Time{} },
		"deadline": func(g *Gate) { g.ExpiresAt = time.Time{} }, "author": func(g *Gate) { g.People.Author = 0 },
		"actor": func(g *Gate) { g.People.Actors = nil }, "last pusher": func(g *Gate) { g.People.LastPusher = 0 },
	} {
		lame := g
		without(&lame)
		e := says(lame, 1, alice, Approve)
		if v := Judge(lame, p, Reduce(Log{}, lame, p, e), now); v.Open || len(v.Missing) == 0 {
			t.Errorf("a gate without its %s opens: %+v", name, v)
		}
	}
}

func TestVotesAreJudgedTogether(t *testing.T) {
	t.Parallel()
	two := samplePolicy()
	two.Groups[0].Count = 2
	type voice struct {
		id, who int64
		verb    Verb
	}
	for name, tc := range map[string]struct {
		policy  Policy
		voices  []voice
		open    bool
		reject  bool
		promote bool
		reasons []Reason
	}{
		"one of two is not enough":              {two, []voice{{1, alice, Approve}}, false, false, false, []Reason{Counted}},
		"two of two are":                        {two, []voice{{1, alice, Approve}, {2, bob, Approve}}, true, false, false, []Reason{Counted, Counted}},
		"a third is not needed":                 {two, []voice{{1, alice, Approve}, {2, bob, Approve}, {3, carol, Approve}}, true, false, false, []Reason{Counted, Counted, NotNeeded}},
		"one person twice is one":               {two, []voice{{1, alice, Approve}, {2, alice, Approve}}, false, false, false, []Reason{Superseded, Counted}},
		"any eligible rejection wins":           {two, []voice{{1, alice, Approve}, {2, bob, Approve}, {3, carol, Reject}}, false, true, false, []Reason{Counted, Counted, Counted}},
		"a rejection takes one's approval back": {samplePolicy(), []voice{{1, alice, Approve}, {2, alice, Reject}}, false, true, false, []Reason{Withdrawn, Counted}},
		"an approval takes one's rejection back": {samplePolicy(), []voice{{1, alice, Reject}, {2, alice, Approve}}, true, false, false,
			[]Reason{Superseded, Counted}},
		"nobody else takes a rejection back":     {samplePolicy(), []voice{{1, alice, Reject}, {2, bob, Approve}}, false, true, false, []Reason{Counted, Counted}},
		"the author may reject":                  {samplePolicy(), []voice{{1, author, Reject}}, false, true, false, []Reason{Counted}},
		"who may triage may reject":              {samplePolicy(), []voice{{1, triager, Reject}}, false, true, false, []Reason{Counted}},
		"who may triage may not approve":         {samplePolicy(), []voice{{1, triager, Approve}}, false, false, false, []Reason{NotEligible}},
		"a visitor may not reject":               {samplePolicy(), []voice{{1, alice, Approve}, {2, visitor, Reject}}, true, false, false, []Reason{Counted, NotEligible}},
		"a promotion opens and skips":            {samplePolicy(), []voice{{1, alice, Promote}}, true, false, true, []Reason{Counted}},
		"everybody must ask to skip":             {two, []voice{{1, alice, Promote}, {2, bob, Approve}}, true, false, false, []Reason{Counted, Counted}},
		"an approval takes the skip back":        {samplePolicy(), []voice{{1, alice, Promote}, {2, alice, Approve}}, true, false, false, []Reason{Superseded, Counted}},
		"a paused rollout's gate stays closed":   {samplePolicy(), []voice{{1, alice, Approve}, {2, triager, Pause}}, false, false, false, []Reason{Counted, Counted}},
		"until it is resumed":                    {samplePolicy(), []voice{{1, alice, Approve}, {2, triager, Pause}, {3, bob, Resume}}, true, false, false, []Reason{Counted, Counted, Counted}},
		"by somebody who may":                    {samplePolicy(), []voice{{1, alice, Approve}, {2, triager, Pause}, {3, triager, Resume}}, false, false, false, []Reason{Counted, Counted, NotEligible}},
		"an aborted rollout's gate stays closed": {samplePolicy(), []voice{{1, alice, Approve}, {2, bob, Abort}, {3, bob, Resume}}, false, false, false, []Reason{Counted, Counted, Counted}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := sampleGate(tc.policy)
			var events []Event
			for _, v := range tc.voices {
				events = append(events, says(g, v.id, v.who, v.verb))
			}
			v := judged(t, g, tc.policy, events...)
			var reasons []Reason
			for _, vote := range v.Votes {
				reasons = append(reasons, vote.Reason)
			}
			if v.Open != tc.open || v.Rejected != tc.reject || v.Promote != tc.promote || !slices.Equal(reasons, tc.reasons) {
				t.Errorf("%+v", v)
			}
			slices.Reverse(events)
			if w := judged(t, g, tc.policy, events...); w.Open != v.Open || !slices.Equal(w.Votes, v.Votes) {
				t.Errorf("in reverse: %+v", w)
			}
		})
	}
}

func TestGroupsAreFilledByDifferentPeople(t *testing.T) {
	t.Parallel()
	p := Defaults()
	p.Groups = []Group{{Name: "any", MinRole: RoleWrite, Count: 1}, {Name: "sre", Teams: []string{"acme/sre"}, Count: 1}, {Name: "boss", Users: []int64{carol}, Count: 1}}
	g := sampleGate(p)
	a, b, c := says(g, 1, alice, Approve), says(g, 2, bob, Approve), says(g, 3, carol, Approve)
	a.Live.Teams = []string{"Acme/SRE"}
	if v := judged(t, g, p, a, c); v.Open || !slices.Equal(v.Missing, []string{"1 more of group any"}) {
		t.Errorf("two people fill three groups: %+v", v)
	}
	v := judged(t, g, p, a, b, c)
	var groups []string
	for _, vote := range v.Votes {
		groups = append(groups, vote.Group)
	}
	if !v.Open || !slices.Equal(groups, []string{"sre", "any", "boss"}) {
		t.Errorf("%+v", v)
	}
	c.Live.Role = RoleTriage
	if v := judged(t, g, p, a, b, c); v.Open || !slices.Equal(v.Missing, []string{"1 more of group boss"}) {
		t.Errorf("somebody named by number without live permission counts: %+v", v)
	}
}

func TestAChangedCommentTakesItsApprovalBackAndNeverARejection(t *testing.T) {
	t.Parallel()
	p := samplePolicy()
	g := sampleGate(p)
	approval, rejection := says(g, 1, alice, Approve), says(g, 1, bob, Reject)
	for name, change := range map[string]func(*Event){
		"edited":                                 func(e *Event) { e.Edited, e.Command, e.BodyHash = true, Command{}, "other" },
		"deleted":                                func(e *Event) { e.Deleted, e.CreatedAt, e.BodyHash, e.Live = true, time.Time{}, "", Permission{} },
		"changed without that the forge says so": func(e *Event) { e.BodyHash = "other" },
	} {
		a, r := approval, rejection
		change(&a)
		change(&r)
		v := judged(t, g, p, approval, a)
		if v.Open || !v.Tampered || v.Paused || onlyReason(t, v) != Tampered {
			t.Errorf("%s: %+v", name, v)
		}
		if v := judged(t, g, p, a, approval); v.Open || onlyReason(t, v) != Tampered {
			t.Errorf("%s, and the older sight comes last: %+v", name, v)
		}
		if v := judged(t, g, p, rejection, r); !v.Rejected {
			t.Errorf("%s: %+v", name, v)
		}
		if v := judged(t, g, p, r, rejection); !v.Rejected {
			t.Errorf("%s, and the older sight comes last: %+v", name, v)
		}
		if v := judged(t, g, p, approval, a, says(g, 5, alice, Approve)); !v.Open {
			t.Errorf("%s, and written anew: %+v", name, v)
		}
		hold := p
		hold.OnTamper = Hold
		g := sampleGate(hold)
		if v := judged(t, g, hold, approval, a, says(g, 5, bob, Approve)); v.Open || !v.Paused {
			t.Errorf("%s, with onTamper pause: %+v", name, v)
		}
		if v := judged(t, g, hold, approval, a, says(g, 5, bob, Approve), says(g, 6, bob, Resume)); !v.Open || v.Paused {
			t.Errorf("%s, resumed: %+v", name, v)
		}
	}
}

func TestWhatPeopleMayDoIsTheWorstThatTheForgeSaid(t *testing.T) {
	t.Parallel()
	p := samplePolicy()
	g := sampleGate(p)
	good := says(g, 1, alice, Approve)
	silent, gone := good, good
	silent.Live, gone.Live = Permission{}, Permission{Known: true}
	for name, tc := range map[string]struct {
		events []Event
		open   bool
		want   Reason
	}{
		"silent, then well": {[]Event{silent, good}, true, Counted},
		"well, then silent": {[]Event{good, silent}, true, Counted},
		"well, then gone":   {[]Event{good, gone}, false, NotEligible},
		"gone, then well":   {[]Event{gone, good}, false, NotEligible},
		"silent":            {[]Event{silent}, false, PermissionUnknown},
	} {
		if v := judged(t, g, p, tc.events...); v.Open != tc.open || onlyReason(t, v) != tc.want {
			t.Errorf("%s: %+v", name, v)
		}
	}
	back := says(g, 2, alice, Reject)
	back.Live = Permission{}
	if v := judged(t, g, p, good, back); v.Open || v.Rejected || v.Votes[0].Reason != Withdrawn {
		t.Errorf("one's own approval is taken back whatever the forge says: %+v", v)
	}
}

func TestALateReaderStillSeesTheGateOpen(t *testing.T) {
	t.Parallel()
	p := samplePolicy()
	g := sampleGate(p)
	e := says(g, 1, alice, Approve)
	late := g.ExpiresAt.Add(time.Hour)
	l := Reduce(Log{}, g, p, e)
	if v := Judge(g, p, l, late); !v.Open || v.Expired {
		t.Errorf("%+v", v)
	}
	if v := Judge(g, p, Log{}, g.ExpiresAt); v.Open || !v.Expired {
		t.Errorf("at the deadline: %+v", v)
	}
	if v := Judge(g, p, Log{}, g.ExpiresAt.Add(-1)); v.Expired {
		t.Errorf("before the deadline: %+v", v)
	}
	again := e
	again.Observed, again.Via = late, Poll
	if v := judged(t, g, p, again, e); !v.Open {
		t.Errorf("a late second sight undoes the first: %+v", v)
	}
	no := says(g, 70, bob, Reject)
	if v := Judge(g, p, Reduce(l, g, p, no), late); !v.Rejected || v.Open {
		t.Errorf("a late rejection: %+v", v)
	}
}

func TestReviewsAreVotesWhenThePolicyTakesThem(t *testing.T) {
	t.Parallel()
	off := samplePolicy()
	on := off
	on.Reviews = true
	for name, tc := range map[string]struct {
		policy       Policy
		state        ReviewState
		verb         Verb
		sha          string
		open, reject bool
	}{
		"an approval of this commit":                {on, ReviewApproved, "", "c0ffee", true, false},
		"an approval of another commit":             {on, ReviewApproved, "", "beef", false, false},
		"an approval of no commit":                  {on, ReviewApproved, "", "", false, false},
		"an approval that the policy does not take": {off, ReviewApproved, "", "c0ffee", false, false},
		"a remark":                            {on, ReviewCommented, "", "c0ffee", false, false},
		"a remark with a command":             {on, ReviewCommented, Approve, "c0ffee", true, false},
		"a request for changes":               {on, ReviewChanges, "", "c0ffee", false, true},
		"a request for changes with approval": {on, ReviewChanges, Approve, "c0ffee", false, true},
		"a dismissed approval":                {on, ReviewDismissed, "", "c0ffee", false, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := sampleGate(tc.policy)
			e := says(g, 1, alice, tc.verb)
			e.Kind, e.Review, e.SHA, e.Merged = Review, tc.state, tc.sha, true
			if v := judged(t, g, tc.policy, e); v.Open != tc.open || v.Rejected != tc.reject {
				t.Errorf("%+v", v)
			}
		})
	}
	g := sampleGate(on)
	review, comment := says(g, 1, alice, ""), says(g, 1, alice, Reject)
	review.Kind, review.Review = Review, ReviewApproved
	if v := judged(t, g, on, review, comment); len(v.Votes) != 2 || !v.Rejected {
		t.Errorf("a review and a comment of the same number are not the same: %+v", v)
	}
}

func TestTheShortFormCountsWhereExactlyOneGateWaits(t *testing.T) {
	t.Parallel()
	p := samplePolicy()
	p.NonceOptional = true
	for name, tc := range map[string]struct {
		gate func(*Gate)
		bare bool
		want Reason
	}{
		"one gate":                 {func(*Gate) {}, true, Counted},
		"two gates":                {func(g *Gate) { g.Alone = false }, true, BareApproval},
		"GitLab":                   {func(g *Gate) { g.Platform = GitLab }, true, BareApproval},
		"no target":                {func(*Gate) {}, false, Counted},
		"no target on GitLab":      {func(g *Gate) { g.Platform = GitLab }, false, Counted},
		"no target with two gates": {func(g *Gate) { g.Alone = false }, false, MissingTarget},
	} {
		g := sampleGate(p)
		tc.gate(&g)
		e := says(g, 1, alice, Approve)
		e.Command = Command{Verb: Approve, Bare: tc.bare}
		if v := judged(t, g, p, e); onlyReason(t, v) != tc.want || v.Open != (tc.want == Counted) {
			t.Errorf("%s: %+v", name, v)
		}
	}
}

func TestEveryReasonHasASentence(t *testing.T) {
	t.Parallel()
	for reason, sentence := range reasons() {
		if reason == "" || sentence == "" || reason.Sentence() != sentence {
			t.Errorf("%q: %q", reason, sentence)
		}
	}
	if got := Reason("").Sentence(); got != "does not count" {
		t.Errorf("the zero reason: %q", got)
	}
}
