package forge

import (
	"context"
	"fmt"
	"net/http"

	"github.com/xanzy/go-gitlab"
)

// request returns the iid of the merge request that the commit belongs to, 0 when there is none. The pipelines of
// branches know nothing of merge requests, and neither does the one that follows a merge.
func (a *gitlabAPI) request(ctx context.Context) (int, error) {
	if a.cfg.CI.Request != 0 {
		return a.cfg.CI.Request, nil
	}
	best, rank := 0, 0
	page := func(list gitlab.ListOptions, o ...gitlabOption) (bool, *gitlabAnswer, error) {
		found, resp, err := a.client.Commits.ListMergeRequestsByCommit(a.project(), a.cfg.CI.SHA, append(o, gitlabPage(list))...)
		for _, mr := range found {
			if r := a.rank(mr); r > rank || r == rank && r > 0 && mr.IID > best {
				best, rank = mr.IID, r
			}
		}
		return false, resp, err
	}
	err := a.all(ctx, "find the merge request of the commit", page)
	if gitlabStatusOf(err) == http.StatusNotFound { // GitLab knows no such commit any more, or not yet
		return 0, nil
	}
	return best, err
}

// rank says how well a merge request fits. The one that brought the commit to this branch comes first: a main branch may
// itself be waiting to be merged into another, and its reviewers have seen nothing of the commit yet.
func (a *gitlabAPI) rank(mr *gitlab.MergeRequest) int {
	ci := a.cfg.CI
	if mr.ProjectID != a.project() {
		return 0
	}
	brought := ci.SHA == mr.SHA || ci.SHA == mr.MergeCommitSHA || ci.SHA == mr.SquashCommitSHA
	switch {
	case mr.State == "merged" && brought && mr.TargetBranch == ci.Ref:
		return 5
	case mr.State == "opened" && ci.SHA == mr.SHA && mr.SourceBranch == ci.Ref:
		return 4
	case mr.State == "opened" && ci.SHA == mr.SHA:
		return 3
	case mr.State == "merged" && brought: // such as by a tag
		return 2
	case mr.State == "opened": // it has newer commits
		return 1
	}
	return 0
}

// gitlabPage asks for a page where the library has no option for it, but one that takes the query of a link.
func gitlabPage(list gitlab.ListOptions) gitlab.RequestOptionFunc {
	return gitlab.WithKeysetPaginationParameters(fmt.Sprintf("?page=%d&per_page=%d", list.Page, list.PerPage))
}
