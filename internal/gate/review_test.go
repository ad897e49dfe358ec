package gate_test

import (
	"testing"
	"time"

	"github.com/penstock-dev/penstock/internal/approval"
	"github.com/penstock-dev/penstock/internal/forge"
	"github.com/penstock-dev/penstock/internal/gate"
	"github.com/penstock-dev/penstock/internal/rollout"
)

func withReviews(c *gate.ApprovalConfig) { c.Policy.Reviews = true }

// review lets bob review a commit now.
func (v *votes) review(state approval.ReviewState, sha, body string) *forge.Note {
	at := v.clock.Now().Add(time.Second)
	v.talk.id++
	v.talk.notes = append(v.talk.notes, forge.Note{
		Kind: approval.Review, ID: v.talk.id, Actor: approval.Actor{ID: bob, Login: "bob"}, Created: at, Updated: at, Body: body, State: state, SHA: sha,
	})
	return &v.talk.notes[len(v.talk.notes)-1]
}

func TestAReviewOfTheCommitOpensTheGate(t *testing.T) {
	t.Parallel()
	v := approvals(t, withReviews)
	v.line()
	v.review(approval.ReviewCommented, "abc", "looks good")
	v.is(rollout.Fail, "lacks 1 more")
	v.review(approval.ReviewApproved, "def", "")
	v.is(rollout.Fail, "lacks 1 more")
	v.review(approval.ReviewApproved, "abc", "/canary approve")
	v.is(rollout.Fail, "lacks 1 more") // a command in the text is held to the rules of commands
	v.review(approval.ReviewApproved, "abc", "Ship it.")
	v.is(rollout.Pass, "approved by bob")
	if len(v.talk.reactions) != 0 {
		t.Errorf("reactions %v: a review takes none, and a comment may have the same number", v.talk.reactions)
	}
}

func TestAReviewThatWasDismissedIsTakenBack(t *testing.T) {
	t.Parallel()
	v := approvals(t, withReviews)
	v.line()
	n := v.review(approval.ReviewApproved, "abc", "")
	v.is(rollout.Pass, "approved by bob")
	n.State = approval.ReviewDismissed
	v.is(rollout.Fail, "lacks 1 more")
}

func TestARequestForChangesRollsBack(t *testing.T) {
	t.Parallel()
	v := approvals(t, withReviews)
	v.line()
	v.review(approval.ReviewChanges, "abc", "No.")
	v.is(rollout.Fail, "rejected")
	v.rollback(rollout.Pass)
}

func TestReviewsAreNoVotesUnlessThePolicySaysSo(t *testing.T) {
	t.Parallel()
	v := approvals(t, nil)
	v.line()
	v.review(approval.ReviewApproved, "abc", "")
	v.is(rollout.Fail, "lacks 1 more")
}

func TestACommentWithTheNumberOfAReviewIsAnotherText(t *testing.T) {
	t.Parallel()
	v := approvals(t, withReviews)
	v.line()
	n := v.review(approval.ReviewApproved, "abc", "")
	other := *n
	other.Kind, other.State, other.SHA, other.Body = approval.Comment, "", "", "thanks"
	v.talk.notes = append(v.talk.notes, other)
	v.is(rollout.Pass, "approved by bob")
	v.talk.notes = v.talk.notes[1:] // the review is gone, and the comment is not
	v.is(rollout.Fail, "lacks 1 more")
}

func TestCommittersDoNotApproveWhatTheyCommitted(t *testing.T) {
	t.Parallel()
	v := approvals(t, func(c *gate.ApprovalConfig) { c.Policy.Bans.Committers = true })
	line := v.line()
	v.talk.change.Committers = []int64{author, bob}
	v.says(bob, line)
	v.is(rollout.Fail, "lacks 1 more")
	v.says(carol, line)
	v.is(rollout.Pass, "approved by user3")
	v.talk.change.Committers = nil
	v.is(rollout.Fail, "who committed")
}
