package forge

import (
	"context"
	"net/http"
	"strings"

	"github.com/google/go-github/v60/github"
)

// requestNumber returns the number of the pull request that the commit belongs to, and 0 if there is none. The event
// often has none: a deployment or a push knows only the commit.
func (g *GitHub) requestNumber(ctx context.Context) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.request != nil {
		return *g.request, nil
	}
	var requests []*github.PullRequest
	err := g.call(ctx, "look for the pull request of the commit", func(ctx context.Context) (err error) {
		requests, _, err = g.api.PullRequests.ListPullRequestsWithCommit(ctx, g.owner, g.repo, g.ci.SHA, &github.ListOptions{PerPage: pageSize})
		return err
	})
	// 422 is "no commit found": it came into being after the server's index of commits, or was removed.
	if err != nil && statusOf(err) != http.StatusUnprocessableEntity {
		return 0, err
	}
	number := g.choose(requests)
	g.request = &number
	return number, nil
}

// choose prefers the request whose head or merge this commit is: a commit in the middle of somebody's branch is in
// that request, too. Among equals, an open one, and then the newest.
func (g *GitHub) choose(requests []*github.PullRequest) int {
	best, bestScore := 0, 0
	for _, r := range requests {
		if base := r.GetBase().GetRepo().GetFullName(); base != "" && !strings.EqualFold(base, g.ci.Repository) {
			continue // of a fork, into itself
		}
		score := 0
		switch g.ci.SHA {
		case r.GetHead().GetSHA():
			score = 4
		case r.GetMergeCommitSHA():
			score = 4 // a deployment of what was merged
		}
		switch {
		case r.GetState() == "open":
			score += 2
		case !r.GetMergedAt().IsZero():
			score++
		default:
			continue // closed without a merge: nobody follows it
		}
		if score > bestScore || (score == bestScore && r.GetNumber() > best) {
			best, bestScore = r.GetNumber(), score
		}
	}
	return best
}
