package forge

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"github.com/google/go-github/v60/github"
	"github.com/xanzy/go-gitlab"

	"github.com/penstock-dev/penstock/internal/approval"
)

// Sought is a commit whose pull or merge request is looked for.
type Sought struct {
	Platform   approval.Platform
	Repository string // its path, such as owner/name
	Commit     string // its full number
}

// Find returns the open and the merged requests of which a commit is the head, or what they were merged as, in the order of
// their numbers; none when there is none. More than one is for the caller to refuse: whoever opens another request for a
// commit could otherwise choose whose approvals count. A commit in the middle of a request is not what would be merged.
func (o *Office) Find(ctx context.Context, s Sought) ([]approval.Source, error) {
	parts, err := o.parts(s.Platform, s.Repository)
	if err != nil {
		return nil, err
	}
	var found []approval.Source
	if s.Platform == approval.GitHub {
		found, err = o.findOnGitHub(ctx, parts, s.Commit)
	} else {
		found, err = o.findOnGitLab(ctx, s)
	}
	slices.SortFunc(found, func(a, b approval.Source) int { return int(a.Change - b.Change) })
	return found, err
}

func (o *Office) findOnGitHub(ctx context.Context, parts []string, commit string) ([]approval.Source, error) {
	g, err := o.githubFor(ctx, parts)
	if err != nil {
		return nil, err
	}
	var found []approval.Source
	for page := 1; page <= maxPages; {
		var some []*github.PullRequest
		next := 0
		err := g.call(ctx, "look for the pull request of the commit", func(ctx context.Context) error {
			list, resp, err := g.api.PullRequests.ListPullRequestsWithCommit(ctx, parts[0], parts[1], commit, &github.ListOptions{Page: page, PerPage: pageSize})
			if err == nil {
				some, next = list, resp.NextPage
			}
			return err
		})
		if statusOf(err) == http.StatusUnprocessableEntity { // "no commit found"
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		for _, r := range some {
			followed := r.GetState() == "open" || !r.GetMergedAt().IsZero()
			if followed && (r.GetHead().GetSHA() == commit || r.GetMergeCommitSHA() == commit) {
				found = append(found, approval.Source{Platform: approval.GitHub, Repository: r.GetBase().GetRepo().GetID(), Change: int64(r.GetNumber())})
			}
		}
		if next <= page {
			return found, nil
		}
		page = next
	}
	return nil, fmt.Errorf("look for the pull request of the commit: it is in more than %d", maxPages*pageSize)
}

func (o *Office) findOnGitLab(ctx context.Context, s Sought) ([]approval.Source, error) {
	var found []approval.Source
	page := func(list gitlab.ListOptions, options ...gitlabOption) (bool, *gitlabAnswer, error) {
		some, resp, err := o.gitlab.client.Commits.ListMergeRequestsByCommit(s.Repository, s.Commit, append(options, gitlabPage(list))...)
		for _, mr := range some {
			followed := mr.State == "opened" || mr.State == "merged"
			if followed && (mr.SHA == s.Commit || mr.MergeCommitSHA == s.Commit || mr.SquashCommitSHA == s.Commit) {
				found = append(found, approval.Source{Platform: approval.GitLab, Repository: int64(mr.ProjectID), Change: int64(mr.IID)})
			}
		}
		return false, resp, err
	}
	err := o.gitlab.all(ctx, "find the merge request of the commit", page)
	if gitlabStatusOf(err) == http.StatusNotFound { // GitLab knows no such commit
		return nil, nil
	}
	return found, err
}
