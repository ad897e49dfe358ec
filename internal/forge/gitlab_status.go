package forge

import (
	"context"
	"fmt"
	"net/http"
	"net/url"

	"github.com/xanzy/go-gitlab"
)

// gitlabTextMax is the longest description, name and URL that GitLab keeps of a status, in characters.
const gitlabTextMax = 255

// gitlabStatus is a commit status: an external job in our own pipeline, and so in the merge request's widget.
//
// GitLab makes a state machine of it. A status that runs cannot be set to running again, not even to change its
// description: GitLab answers 400. So only changes of state are written, and the description is the one of the moment.
type gitlabStatus struct {
	api    *gitlabAPI
	name   string
	looked bool
	have   gitlab.BuildStateValue // "" when there is none
	other  string                 // who else has an unfinished status of this name
	told   bool
}

func newGitLabStatus(api *gitlabAPI) Surface {
	r := api.cfg.Rollout
	s := &gitlabStatus{api: api, name: gitlabCut("penstock/"+r.Namespace+"/"+r.Canary, gitlabTextMax)}
	return &gitlabSurface{
		name: "commit status",
		need: "the scope api and a role that may push to " + api.cfg.CI.Ref + " (Developer, or Maintainer if the branch is protected)",
		show: s.show,
	}
}

// gitlabStates are the states of a commit status. What waits for somebody stays open: the pipeline is not done, and it
// must not look as if it were, because "merge when the pipeline succeeds" believes it.
var gitlabStates = map[State]gitlab.BuildStateValue{
	Queued:         gitlab.Pending,
	InProgress:     gitlab.Running,
	ActionRequired: gitlab.Pending,
	Success:        gitlab.Success,
	Neutral:        gitlab.Success, // "skipped" is unknown to older GitLabs
	Failure:        gitlab.Failed,
	Error:          gitlab.Failed,
	TimedOut:       gitlab.Failed,
	Cancelled:      gitlab.Canceled,
}

func (s *gitlabStatus) show(ctx context.Context, p Page) error {
	want, ok := gitlabStates[p.State]
	if !ok {
		return fmt.Errorf("set the commit status: %q is no state", p.State)
	}
	err := s.api.settle(ctx, func(ctx context.Context) error { return s.reach(ctx, want, p.Title) })
	if err == nil && s.other != "" && !s.told {
		s.told = true
		return fmt.Errorf("commit status %q: another one of this name, by @%s, is unfinished in pipeline %d and keeps it from "+
			"ending; only a token of @%[2]s can finish it: use one token for all runs", s.name, s.other, s.api.cfg.CI.PipelineID)
	}
	return err
}

// reach brings the status to want, whatever an earlier run or a request without an answer has left.
func (s *gitlabStatus) reach(ctx context.Context, want gitlab.BuildStateValue, title string) error {
	if !s.looked {
		if err := s.look(ctx); err != nil {
			return err
		}
	}
	if s.have == want || s.have == gitlab.Running && want == gitlab.Pending { // what runs cannot go back to waiting
		return nil
	}
	err := s.write(ctx, want, title)
	switch {
	case err == nil:
		s.have = want
	case gitlabUnsure(err):
		s.looked = false
	case gitlabStatusOf(err) == http.StatusBadRequest: // somebody with the same token was faster
		if again := s.look(ctx); again == nil && s.have == want {
			return nil
		}
	}
	return err
}

// look finds the newest status that is ours: of this name and pipeline, and of the token's user. GitLab would not change
// another user's, but make a second one next to it.
func (s *gitlabStatus) look(ctx context.Context) error {
	me, err := s.api.me(ctx)
	if err != nil {
		return err
	}
	sha, _, _, err := s.api.built(ctx)
	if err != nil {
		return err
	}
	newest, have, other := 0, gitlab.BuildStateValue(""), ""
	page := func(list gitlab.ListOptions, o ...gitlabOption) (bool, *gitlabAnswer, error) {
		query := &gitlab.GetCommitStatusesOptions{ListOptions: list, Name: &s.name}
		found, resp, err := s.api.client.Commits.GetCommitStatuses(s.api.project(), sha, query, o...)
		for _, c := range found {
			state := gitlab.BuildStateValue(c.Status)
			switch {
			case c.Name != s.name || int64(c.PipelineId) != s.api.cfg.CI.PipelineID:
			case c.Author.ID != me && (state == gitlab.Pending || state == gitlab.Running):
				other = c.Author.Username
			case c.Author.ID == me && c.ID > newest:
				newest, have = c.ID, state
			}
		}
		return false, resp, err
	}
	if err := s.api.all(ctx, "read the commit statuses", page); err != nil {
		return err
	}
	s.looked, s.have, s.other = true, have, other
	return nil
}

// write names the pipeline and leaves the ref to GitLab: without the one it may open a new pipeline, and the ref of a
// merge request's pipeline is no branch.
func (s *gitlabStatus) write(ctx context.Context, want gitlab.BuildStateValue, title string) error {
	sha, _, _, err := s.api.built(ctx)
	if err != nil {
		return err
	}
	pipeline, title := int(s.api.cfg.CI.PipelineID), gitlabCut(title, gitlabTextMax)
	set := &gitlab.SetCommitStatusOptions{State: want, Name: &s.name, Description: &title, PipelineID: &pipeline}
	if target := s.api.cfg.CI.RunURL; gitlabLink(target) && len(target) <= gitlabTextMax {
		set.TargetURL = &target
	}
	return s.api.call(ctx, gitlabCall{what: "set the commit status to " + string(want), post: true,
		send: func(o ...gitlabOption) (*gitlabAnswer, error) {
			_, resp, err := s.api.client.Commits.SetCommitStatus(s.api.project(), sha, set, o...)
			return resp, err
		}})
}

// gitlabLink reports whether GitLab takes a URL for a link.
func gitlabLink(raw string) bool {
	u, err := url.Parse(raw)
	return err == nil && u.Host != "" && (u.Scheme == "https" || u.Scheme == "http")
}
