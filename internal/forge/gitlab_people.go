package forge

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/penstock-dev/penstock/internal/approval"
)

// gitlabPushes is how many pages of pushes are read in search of the last one.
const gitlabPushes = 3

// pusher is who pushed the head, by the project's events. Commits do not say it: everybody can write any name into them.
// The answer is 0 when the events do not say it, such as when one push moved many branches, which GitLab makes one event.
func (c *GitLabChange) pusher(ctx context.Context, mr *gitlabMergeRequest) (int64, error) {
	if mr.Source == 0 || mr.SHA == "" {
		return 0, nil
	}
	query := gitlabQuery{PerPage: pageSize, Action: "pushed", Sort: "desc"}
	for query.Page = 1; query.Page <= gitlabPushes; {
		var pushes []struct {
			Author int64 `json:"author_id"`
			Push   struct {
				To   string `json:"commit_to"`
				Ref  string `json:"ref"`
				Type string `json:"ref_type"`
			} `json:"push_data"`
		}
		next, err := c.get(ctx, "ask who pushed last", fmt.Sprintf("projects/%d/events", mr.Source), query, &pushes)
		if status := gitlabStatusOf(err); status == http.StatusForbidden || status == http.StatusNotFound {
			return 0, nil // a fork that the token may not see into
		}
		if err != nil {
			return 0, err
		}
		for _, p := range pushes {
			if p.Push.To == mr.SHA && p.Push.Ref == mr.Branch && p.Push.Type == "branch" {
				return p.Author, nil
			}
		}
		if next <= query.Page {
			return 0, nil
		}
		query.Page = next
	}
	return 0, nil
}

// starters are who started the job and who started its pipeline, which are two people when the job is played by hand or
// retried: both of them, or nobody.
func (a *gitlabAPI) starters(ctx context.Context, c *GitLabChange) ([]int64, error) {
	ci := a.cfg.CI
	if ci.ActorID == 0 {
		return nil, nil
	}
	var pipeline struct {
		User gitlabPerson `json:"user"`
	}
	_, err := c.get(ctx, "ask who started the pipeline", c.path("pipelines/%d", ci.PipelineID), gitlabQuery{}, &pipeline)
	if status := gitlabStatusOf(err); status == http.StatusForbidden || status == http.StatusNotFound || err == nil && pipeline.User.ID == 0 {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return slices.Compact([]int64{pipeline.User.ID, ci.ActorID}), nil
}

// gitlabMember is somebody in a project or a group, by whatever way: of their own, by a group above, or by invitation.
type gitlabMember struct {
	ID      int64   `json:"id"`
	State   string  `json:"state"`
	Level   int     `json:"access_level"`
	Expires *string `json:"expires_at"`       // a day, on which it is over
	Waits   *string `json:"membership_state"` // awaiting, until somebody lets them in; active then
}

// Permission asks what somebody may do now, and in which of the teams, which are groups of GitLab, they are. An error is
// no answer. An administrator of the whole GitLab who is no member has no role.
func (c *GitLabChange) Permission(ctx context.Context, who approval.Actor, teams []string) (approval.Permission, error) {
	member, err := c.member(ctx, "ask for a role", c.path("members/all/%d", who.ID), who.ID)
	if err != nil || member == nil {
		return approval.Permission{}, err
	}
	p := approval.Permission{Known: true, Role: gitlabRole(member.Level)}
	for _, team := range teams {
		in, err := c.member(ctx, "ask who is in a group", fmt.Sprintf("groups/%s/members/all/%d", url.PathEscape(team), who.ID), who.ID)
		if err != nil {
			return approval.Permission{}, err
		}
		if in != nil && in.Level > 0 {
			p.Teams = append(p.Teams, team)
		}
	}
	return p, nil
}

// member returns nil for somebody who is none, or no more, or is blocked.
func (c *GitLabChange) member(ctx context.Context, what, path string, id int64) (*gitlabMember, error) {
	m := &gitlabMember{}
	_, err := c.get(ctx, what, path, gitlabQuery{}, m)
	if gitlabStatusOf(err) == http.StatusNotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	today := c.api.clock.Now().UTC().Format(time.DateOnly)
	switch {
	case m.ID != id || m.State != "active":
		return nil, nil
	case m.Waits != nil && *m.Waits != "active":
		return nil, nil
	case m.Expires != nil && *m.Expires <= today: // GitLab removes members whose time is over once a day only
		return nil, nil
	}
	return m, nil
}

// gitlabRole is the highest role whose level is reached. There are levels in between, such as Planner's 15, and custom roles
// have the level that they are based on.
func gitlabRole(level int) approval.Role {
	switch {
	case level >= 50:
		return approval.RoleAdmin
	case level >= 40:
		return approval.RoleMaintain
	case level >= 30:
		return approval.RoleWrite
	case level >= 20:
		return approval.RoleTriage
	case level >= 10:
		return approval.RoleRead
	}
	return approval.RoleNone // Minimal Access
}
