package forge

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/penstock-dev/penstock/internal/approval"
)

// GitHubChange reads what people say about the pull request of a run, and who they are. Everything is asked again each
// time, and what has not changed costs nothing of the rate limit.
type GitHubChange struct {
	g *GitHub

	mu    sync.Mutex
	known map[string]heard // by path
}

// heard is what GitHub said last, with the tag by which it can be asked for news only.
type heard struct {
	tag  string
	body []byte
	next int // the page after it; 0 is none
}

// Change returns the reader of the run's pull request. It makes no request.
func (g *GitHub) Change() *GitHubChange { return &GitHubChange{g: g, known: map[string]heard{}} }

type githubUser struct {
	ID    int64  `json:"id"`
	Login string `json:"login"`
	Type  string `json:"type"`
}

type githubPull struct {
	User     githubUser `json:"user"`
	State    string     `json:"state"`
	MergedAt *time.Time `json:"merged_at"`
	Head     struct {
		SHA  string `json:"sha"`
		Ref  string `json:"ref"`
		Repo *struct {
			FullName string `json:"full_name"`
		} `json:"repo"`
	} `json:"head"`
}

// Read returns the pull request and the people around it.
func (c *GitHubChange) Read(ctx context.Context) (Change, error) {
	number, err := c.g.requestNumber(ctx)
	if err != nil || number == 0 {
		return Change{}, err
	}
	var pull githubPull
	if _, err := c.get(ctx, "read the pull request", c.path("pulls/%d", number), &pull); err != nil {
		return Change{}, err
	}
	change := Change{
		Number: int64(number), Author: pull.User.ID, Head: pull.Head.SHA,
		Merged: pull.MergedAt != nil, Closed: pull.State != "open" && pull.MergedAt == nil,
	}
	if change.LastPusher, err = c.pusher(ctx, &pull); err != nil {
		return Change{}, err
	}
	change.Starters, err = c.starters(ctx)
	return change, err
}

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
func (c *GitHubChange) starters(ctx context.Context) ([]int64, error) {
	ci := &c.g.ci
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

// Comments returns all comments that were written or changed since then, oldest first.
func (c *GitHubChange) Comments(ctx context.Context, since time.Time) ([]Note, error) {
	number, err := c.g.requestNumber(ctx)
	if err != nil || number == 0 {
		return nil, err
	}
	base := c.path("issues/%d/comments?per_page=%d&since=%s", number, pageSize, url.QueryEscape(since.UTC().Format(time.RFC3339)))
	var all []Note
	for page := 1; page <= maxPages; {
		var comments []struct {
			ID      int64      `json:"id"`
			URL     string     `json:"html_url"`
			User    githubUser `json:"user"`
			Created time.Time  `json:"created_at"`
			Updated time.Time  `json:"updated_at"`
			Body    string     `json:"body"`
			App     *struct{}  `json:"performed_via_github_app"`
		}
		next, err := c.get(ctx, "read the comments", fmt.Sprintf("%s&page=%d", base, page), &comments)
		if err != nil {
			return nil, err
		}
		for _, m := range comments {
			all = append(all, Note{ID: m.ID, URL: m.URL, Created: m.Created, Updated: m.Updated, Body: m.Body, Actor: approval.Actor{
				ID: m.User.ID, Login: m.User.Login, Bot: m.User.Type != "User", App: m.App != nil,
			}})
		}
		if next == 0 {
			return all, nil
		}
		page = next
	}
	return nil, fmt.Errorf("read the comments: there are more than %d", maxPages*pageSize)
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

// React answers a comment. It may be called again.
func (c *GitHubChange) React(ctx context.Context, comment int64, r Reaction) error {
	return c.g.call(ctx, "react to a comment", func(ctx context.Context) error {
		req, err := c.g.api.NewRequest(http.MethodPost, c.path("issues/comments/%d/reactions", comment), map[string]string{"content": string(r)})
		if err != nil {
			return err
		}
		_, err = c.g.api.Do(ctx, req, nil)
		return err
	})
}

func (c *GitHubChange) path(format string, args ...any) string {
	return "repos/" + c.g.owner + "/" + c.g.repo + "/" + fmt.Sprintf(format, args...)
}

// get reads a path, unless what was read before is still true.
func (c *GitHubChange) get(ctx context.Context, what, path string, into any) (next int, err error) {
	c.mu.Lock()
	was, had := c.known[path]
	c.mu.Unlock()
	err = c.g.call(ctx, what, func(ctx context.Context) error {
		req, err := c.g.api.NewRequest(http.MethodGet, path, nil)
		if err != nil {
			return err
		}
		if had && was.tag != "" {
			req.Header.Set("If-None-Match", was.tag)
		}
		var body bytes.Buffer
		resp, err := c.g.api.Do(ctx, req, &body)
		if resp != nil && resp.StatusCode == http.StatusNotModified && had {
			return nil
		}
		if err == nil {
			was = heard{tag: resp.Header.Get("ETag"), body: body.Bytes(), next: resp.NextPage}
		}
		return err
	})
	if err != nil {
		return 0, err
	}
	if err := json.Unmarshal(was.body, into); err != nil {
		return 0, fmt.Errorf("%s: GitHub's answer is not what it should be: %w", what, err)
	}
	c.mu.Lock()
	c.known[path] = was
	c.mu.Unlock()
	return was.next, nil
}
