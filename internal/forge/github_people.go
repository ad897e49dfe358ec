package forge

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/penstock-dev/penstock/internal/approval"
)

// pusher is who pushed the head. Commits do not say it: everybody can write any name into them.
func (c *GitHubChange) pusher(ctx context.Context, pull *githubPull) (int64, error) {
	if pull.Head.Repo == nil { // the fork was deleted
		return 0, nil
	}
	var pushes []struct {
		After string      `json:"after"`
		Actor *githubUser `json:"actor"`
	}
	path := "repos/" + pull.Head.Repo.FullName + "/activity?per_page=100&ref=" + url.QueryEscape("refs/heads/"+pull.Head.Ref)
	_, err := c.get(ctx, "ask who pushed last", path, &pushes)
	if status := statusOf(err); status == http.StatusForbidden || status == http.StatusNotFound {
		return 0, nil // an older server, or a token that may not ask
	}
	for _, p := range pushes { // the newest first
		if p.After == pull.Head.SHA && p.Actor != nil {
			return p.Actor.ID, err
		}
	}
	return 0, err
}

// starters are who caused the event and who started this attempt: all of them, or nobody.
func (g *GitHub) starters(ctx context.Context, c *GitHubChange) ([]int64, error) {
	ci := &g.ci
	if ci.ActorID == 0 {
		return nil, nil
	}
	if strings.EqualFold(ci.TriggeringActor, ci.Actor) {
		return []int64{ci.ActorID}, nil
	}
	var user githubUser
	_, err := c.get(ctx, "ask who started the run again", "users/"+url.PathEscape(ci.TriggeringActor), &user)
	if err != nil || user.ID == 0 {
		return nil, err
	}
	return []int64{ci.ActorID, user.ID}, nil
}

// mostCommits is how many commits of a pull request GitHub lists.
const mostCommits = 250

// committers are the authors and committers of all commits of the pull request. When one of them is nobody that GitHub
// knows, or there are more commits than GitHub lists, the answer is nobody: a ban must not leave anybody out.
func (c *GitHubChange) committers(ctx context.Context, number, commits int) ([]int64, error) {
	if commits > mostCommits {
		return nil, nil
	}
	var all []int64
	listed := 0
	for page := 1; page != 0; {
		var some []struct {
			Author    *githubUser `json:"author"`
			Committer *githubUser `json:"committer"`
		}
		next, err := c.get(ctx, "ask who committed", c.path("pulls/%d/commits?per_page=%d&page=%d", number, pageSize, page), &some)
		if err != nil {
			return nil, err
		}
		for _, one := range some {
			if one.Author == nil || one.Author.ID == 0 || one.Committer == nil || one.Committer.ID == 0 {
				return nil, nil // an address that belongs to no account
			}
			all = append(all, one.Author.ID, one.Committer.ID)
		}
		if listed += len(some); next <= page {
			break
		}
		page = next
	}
	if listed < commits {
		return nil, nil // somebody pushed in between
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

// Permission asks what somebody may do now, and in which of the teams they are. An error is no answer.
func (c *GitHubChange) Permission(ctx context.Context, who approval.Actor, teams []string) (approval.Permission, error) {
	var said struct {
		Permission string     `json:"permission"`
		Role       string     `json:"role_name"`
		User       githubUser `json:"user"`
	}
	login := url.PathEscape(who.Login)
	_, err := c.get(ctx, "ask for a permission", c.path("collaborators/%s/permission", login), &said)
	switch {
	case statusOf(err) == http.StatusNotFound:
		return approval.Permission{}, nil // nobody of that name any more
	case err != nil:
		return approval.Permission{}, err
	case said.User.ID != who.ID:
		return approval.Permission{}, nil // the name is somebody else's by now
	}
	role, err := approval.ParseRole(said.Role)
	if err != nil { // a role of the organisation's own; the other field says what it comes to
		if role, err = approval.ParseRole(said.Permission); err != nil {
			return approval.Permission{}, fmt.Errorf("ask for a permission: %w", err)
		}
	}
	p := approval.Permission{Known: true, Role: role}
	for _, team := range teams {
		in, err := c.member(ctx, team, login)
		if err != nil {
			return approval.Permission{}, err
		}
		if in {
			p.Teams = append(p.Teams, team)
		}
	}
	return p, nil
}

func (c *GitHubChange) member(ctx context.Context, team, login string) (bool, error) {
	org, slug, ok := strings.Cut(team, "/")
	if !ok || strings.Contains(slug, "/") {
		return false, nil // no team of GitHub
	}
	var said struct {
		State string `json:"state"`
	}
	path := "orgs/" + url.PathEscape(org) + "/teams/" + url.PathEscape(slug) + "/memberships/" + login
	_, err := c.get(ctx, "ask who is in a team", path, &said)
	if statusOf(err) == http.StatusNotFound {
		return false, nil
	}
	return err == nil && said.State == "active", err
}
