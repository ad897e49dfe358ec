package approval

import (
	"strings"
	"testing"
	"time"
)

func TestAnApprovalByTheRightPersonOpensTheGate(t *testing.T) {
	t.Parallel()
	p := samplePolicy()
	g := sampleGate(p)
	v := judged(t, g, p, says(g, 1, alice, Approve))
	if !v.Open || v.Rejected || v.Expired || v.Promote || len(v.Missing) != 0 {
		t.Errorf("%+v", v)
	}
	if got := v.Votes[0]; !got.Counted || got.Reason != Counted || got.Group != "sre" || got.Sentence() != "user's approval counts for group sre" {
		t.Errorf("%+v: %s", got, got.Sentence())
	}
}

// Every attack is an approval that would open the gate but for one thing.
func TestAttacksAreRefusedWithTheirReason(t *testing.T) {
	t.Parallel()
	p := samplePolicy()
	for name, tc := range map[string]struct {
		attack func(*Event)
		want   Reason
	}{
		"an edited comment":                      {func(e *Event) { e.Edited = true }, Edited},
		"a deleted comment":                      {func(e *Event) { e.Deleted = true }, Deleted},
		"a comment by a bot":                     {func(e *Event) { e.Actor.Bot = true }, Bot},
		"a comment by an application":            {func(e *Event) { e.Actor.App = true }, ViaApp},
		"an approval before the gate opened":     {func(e *Event) { e.CreatedAt = opened.Add(-time.Second) }, BeforeGate},
		"an approval as the gate opened":         {func(e *Event) { e.CreatedAt = opened }, BeforeGate},
		"an approval without a moment":           {func(e *Event) { e.CreatedAt = time.Time{} }, Incomplete},
		"an approval at the deadline":            {func(e *Event) { e.CreatedAt = opened.Add(time.Hour) }, AfterDeadline},
		"an approval seen only at the deadline":  {func(e *Event) { e.Observed = opened.Add(time.Hour) }, AfterDeadline},
		"an approval by the author":              {func(e *Event) { e.Actor.ID = author }, Author},
		"an approval by who started the run":     {func(e *Event) { e.Actor.ID = actor }, StartedRun},
		"an approval by the last pusher":         {func(e *Event) { e.Actor.ID = pusher }, LastPusher},
		"an approval by nobody":                  {func(e *Event) { e.Actor.ID = 0 }, Incomplete},
		"an approval by a former collaborator":   {func(e *Event) { e.Live.Role = RoleNone }, NotEligible},
		"an approval by a visitor":               {func(e *Event) { e.Live.Role = RoleRead }, NotEligible},
		"an approval when the forge is silent":   {func(e *Event) { e.Live.Known = false }, PermissionUnknown},
		"an approval for another rollout":        {func(e *Event) { e.Command.Target.Rollout = "zzzzzz" }, WrongTarget},
		"an approval for the gate before":        {func(e *Event) { e.Command.Target.Gate-- }, WrongTarget},
		"an approval with a guessed nonce":       {func(e *Event) { e.Command.Target.Nonce = "aaaaaaaa" }, WrongRevision},
		"an approval without a target":           {func(e *Event) { e.Command.Target = Target{} }, MissingTarget},
		"the short form":                         {func(e *Event) { e.Command = Command{Verb: Approve, Bare: true} }, MissingTarget},
		"an approval after another push":         {func(e *Event) { e.SHA = "beef" }, WrongRevision},
		"an approval of a closed unmerged PR":    {func(e *Event) { e.Closed = true }, ClosedUnmerged},
		"an approval on another change":          {func(e *Event) { e.Change = 6 }, WrongChange},
		"an approval from a fork's repository":   {func(e *Event) { e.Repository = 78 }, WrongRepository},
		"an approval from another forge":         {func(e *Event) { e.Platform = GitLab }, WrongRepository},
		"an approval without a comment's number": {func(e *Event) { e.ID = 0 }, Incomplete},
		"an approval without its text's hash":    {func(e *Event) { e.BodyHash = "" }, Incomplete},
		"a dismissed review":                     {func(e *Event) { e.Kind, e.Review = Review, ReviewDismissed }, Dismissed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := sampleGate(p)
			e := says(g, 1, alice, Approve)
			tc.attack(&e)
			if got := refuse(g, p, e); got != tc.want && (tc.want != MissingTarget || got != BareApproval) {
				t.Errorf("refused as %s, want %s", got, tc.want)
			}
			v := judged(t, g, p, e)
			if v.Open || v.Promote || len(v.Missing) == 0 {
				t.Errorf("%+v", v)
			}
			for _, vote := range v.Votes {
				if vote.Counted || strings.HasSuffix(vote.Sentence(), " counts") {
					t.Errorf("%+v: %s", vote, vote.Sentence())
				}
			}
		})
	}
}

func TestAReplayedApprovalCountsOnce(t *testing.T) {
	t.Parallel()
	p := samplePolicy()
	p.Groups[0].Count = 2
	g := sampleGate(p)
	again := says(g, 1, alice, Approve)
	again.Via, again.Observed = Poll, again.Observed.Add(time.Minute)
	l := Reduce(Log{}, g, p, says(g, 1, alice, Approve))
	if replayed := Reduce(l, g, p, again); len(replayed.Decisions) != 1 {
		t.Errorf("%d decisions", len(replayed.Decisions))
	}
	v := judged(t, g, p, says(g, 1, alice, Approve), again, says(g, 2, alice, Approve))
	if v.Open || len(v.Missing) != 1 || v.Missing[0] != "1 more of group sre" {
		t.Errorf("one person stands for two: %+v", v)
	}
}

func TestAnApprovalOfTheGateBeforeDoesNotOpenTheNext(t *testing.T) {
	t.Parallel()
	p := samplePolicy()
	g := sampleGate(p)
	e := says(g, 1, alice, Approve)
	l := Reduce(Log{}, g, p, e)
	next := g
	next.Number, next.OpenedAt, next.Nonce = 3, opened.Add(20*time.Minute), "bbbbbbbb"
	after := Reduce(l, next, p, e)
	if len(after.Decisions) != 1 {
		t.Errorf("the next gate repeats the comments of the one before: %+v", after.Decisions)
	}
	if v := Judge(next, p, after, opened.Add(30*time.Minute)); v.Open || len(v.Votes) != 0 {
		t.Errorf("%+v", v)
	}
	if v := Judge(g, p, after, opened.Add(30*time.Minute)); !v.Open {
		t.Errorf("the gate before: %+v", v)
	}
}

func TestWhatChangesTheGateVoidsItsApprovals(t *testing.T) {
	t.Parallel()
	p := samplePolicy()
	for _, void := range []Void{NewCommit, NewImage, ChangedCanary, NewerRollout, FailedAnalysis, OtherRun, "Unheard"} {
		g := sampleGate(p)
		e := says(g, 1, alice, Approve)
		l := Reduce(Log{}, g, p, e)
		g.Void = void
		v := Judge(g, p, l, opened.Add(30*time.Minute))
		if v.Open || onlyReason(t, v) != Voided || void.Sentence() == "" {
			t.Errorf("%s: %+v", void, v)
		}
	}
	p.SurvivesPush = true
	g := sampleGate(p)
	e := says(g, 1, alice, Approve)
	e.SHA, g.Void = "beef", NewCommit
	if v := judged(t, g, p, e); !v.Open {
		t.Errorf("the policy lets approvals survive a push: %+v", v)
	}
	g.Void = NewImage
	if v := judged(t, g, p, e); v.Open {
		t.Error("an approval survives a new image")
	}
}

func TestAnApprovalOnAMergedChangeCounts(t *testing.T) {
	t.Parallel()
	p := samplePolicy()
	g := sampleGate(p)
	e := says(g, 1, alice, Approve)
	e.Merged, e.Closed, e.SHA = true, true, "merge"
	if v := judged(t, g, p, e); !v.Open {
		t.Errorf("%+v", v)
	}
}

func TestAFloodOfVisitorsDoesNotFillTheLog(t *testing.T) {
	t.Parallel()
	p := samplePolicy()
	g := sampleGate(p)
	var l Log
	for id := int64(1); id <= 5000; id++ {
		e := says(g, id, visitor, Approve)
		e.CreatedAt = opened.Add(time.Minute)
		e.Edited = id%2 == 0
		l = Reduce(l, g, p, e)
	}
	if n := len(l.Decisions); n != 2*noiseLimit {
		t.Errorf("%d decisions", n)
	}
	e := says(g, 6000, alice, Approve)
	e.CreatedAt = opened.Add(2 * time.Minute)
	e.Observed = e.CreatedAt
	if v := Judge(g, p, Reduce(l, g, p, e), opened.Add(3*time.Minute)); !v.Open {
		t.Errorf("the flood drowns an approval: %v", v.Missing)
	}
	e.ID, e.Command.Verb = 6001, Reject
	if v := Judge(g, p, Reduce(l, g, p, e), opened.Add(3*time.Minute)); !v.Rejected {
		t.Error("the flood drowns a rejection")
	}
}

func TestATextOfSomebodyElseStaysText(t *testing.T) {
	t.Parallel()
	v := VoteResult{Actor: Actor{Login: "<img>\n::error::[x](y)`@all\xff"}, Verb: Approve, Reason: NotEligible}
	if got := v.Sentence(); got != "imgerrorxyall's approval does not count: this person may not do that here" {
		t.Errorf("%q", got)
	}
}
