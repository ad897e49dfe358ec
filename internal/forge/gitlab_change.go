package forge

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/penstock-dev/penstock/internal/approval"
)

// GitLabChange reads what people say about a merge request, and who they are. Everything is asked again each time. Keep it:
// a new one has to be told everything.
type GitLabChange struct {
	api      *gitlabAPI
	project  string                                                // its number, or its path
	page     string                                                // where people see the project, for links
	number   func(context.Context) (int, error)                    // 0 is none
	starters func(context.Context, *GitLabChange) ([]int64, error) // of the job; nil outside of one

	replying sync.Mutex // held while a reply is looked for and written, so that the canaries of a run write one

	mu    sync.Mutex
	known memory         // by path and query
	bots  map[int64]bool // by the number of a user: what somebody is never changes
}

// NewGitLabChange returns the reader of the job's merge request. It makes no request. The token of the job cannot do: it
// may ask for nobody's role.
func NewGitLabChange(cfg GitLabConfig) (*GitLabChange, error) {
	if cfg.Token == "" {
		return nil, fmt.Errorf("there is no token for GitLab, and CI_JOB_TOKEN may not ask what somebody may do; %s", gitlabWanted)
	}
	api, err := newGitLabAPI(cfg)
	if err != nil {
		return nil, err
	}
	c := newGitLabChange(api, fmt.Sprint(cfg.CI.RepositoryID), cfg.CI.Server+"/"+cfg.CI.Repository)
	c.number, c.starters = api.request, api.starters
	return c, nil
}

func newGitLabChange(api *gitlabAPI, project, page string) *GitLabChange {
	return &GitLabChange{api: api, project: project, page: page, known: memory{}, bots: map[int64]bool{}}
}

type gitlabPerson struct {
	ID    int64  `json:"id"`
	Login string `json:"username"`
	Bot   *bool  `json:"bot"` // only where a user is asked for
	State string `json:"state"`
}

type gitlabMergeRequest struct {
	Project int64        `json:"project_id"`
	Author  gitlabPerson `json:"author"`
	State   string       `json:"state"` // opened, closed, merged, or locked while GitLab merges it
	SHA     string       `json:"sha"`   // the head of the source branch
	Branch  string       `json:"source_branch"`
	Source  int64        `json:"source_project_id"` // 0: the fork was deleted
}

// Read returns the merge request and the people around it.
func (c *GitLabChange) Read(ctx context.Context) (Change, error) {
	number, err := c.number(ctx)
	if err != nil || number == 0 {
		return Change{}, err
	}
	var mr gitlabMergeRequest
	_, err = c.get(ctx, "read the merge request", c.path("merge_requests/%d", number), gitlabQuery{}, &mr)
	switch gitlabStatusOf(err) {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound:
		return Change{}, fmt.Errorf("%w (it exists only for an access token with the scope api and the role Developer in the project)", err)
	}
	if err != nil {
		return Change{}, err
	}
	change := Change{
		Repository: mr.Project, Number: int64(number), Author: mr.Author.ID, Head: mr.SHA, Merged: mr.State == "merged", Closed: mr.State == "closed",
	}
	if change.LastPusher, err = c.pusher(ctx, &mr); err != nil {
		return Change{}, err
	}
	if c.starters != nil {
		change.Starters, err = c.starters(ctx, c)
	}
	return change, err
}

// Comments returns all comments that were written or changed since then, oldest first. GitLab's system notes are none.
//
// The time of a note's last change cannot tell whether its text is the first one: a reaction moves it, ours too. So it
// only says about which notes to ask further.
func (c *GitLabChange) Comments(ctx context.Context, since time.Time) ([]Note, error) {
	number, err := c.number(ctx)
	if err != nil || number == 0 {
		return nil, err
	}
	found, err := c.notes(ctx, number, since)
	if err != nil {
		return nil, err
	}
	var touched []int64
	for _, n := range found {
		if n.Updated.After(n.Created) {
			touched = append(touched, n.ID)
		}
	}
	edits, err := c.edits(ctx, touched)
	if err != nil {
		return nil, err
	}
	var all []Note
	for _, n := range found {
		bot, err := c.bot(ctx, n.Author.ID)
		if err != nil {
			return nil, err
		}
		note := Note{
			ID: n.ID, URL: fmt.Sprintf("%s/-/merge_requests/%d#note_%d", c.page, number, n.ID), Created: n.Created, Updated: n.Created, Body: n.Body,
			Actor: approval.Actor{ID: n.Author.ID, Login: n.Author.Login, Bot: bot},
		}
		if at := edits[n.ID]; !at.IsZero() {
			note.Updated = later(at, n.Created.Add(time.Nanosecond))
		}
		all = append(all, note)
	}
	return all, nil
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

type gitlabSaid struct {
	ID      int64        `json:"id"`
	Body    string       `json:"body"`
	System  bool         `json:"system"`
	Author  gitlabPerson `json:"author"`
	Created time.Time    `json:"created_at"`
	Updated time.Time    `json:"updated_at"`
}

// notes reads the notes that changed last first, until one is older, and returns them oldest first.
func (c *GitLabChange) notes(ctx context.Context, number int, since time.Time) ([]gitlabSaid, error) {
	var all []gitlabSaid
	seen := map[int64]bool{} // a note that changes meanwhile moves to the front, and pushes another one over to the next page
	query := gitlabQuery{PerPage: gitlabPerPage, OrderBy: "updated_at", Sort: "desc"}
	for query.Page = 1; query.Page <= maxPages; {
		var some []gitlabSaid
		next, err := c.get(ctx, "read the notes", c.path("merge_requests/%d/notes", number), query, &some)
		if err != nil {
			return nil, err
		}
		for _, n := range some {
			if n.Updated.Before(since) {
				next = 0
				break
			}
			if !n.System && !seen[n.ID] {
				seen[n.ID], all = true, append(all, n)
			}
		}
		if next <= query.Page {
			sortNotes(all)
			return all, nil
		}
		query.Page = next
	}
	return nil, fmt.Errorf("read the notes: there are more than %d", maxPages*gitlabPerPage)
}

// bot reports whether a user is a machine. Somebody of whom GitLab does not say it is taken for one.
func (c *GitLabChange) bot(ctx context.Context, id int64) (bool, error) {
	c.mu.Lock()
	is, known := c.bots[id]
	c.mu.Unlock()
	if known {
		return is, nil
	}
	var user gitlabPerson
	_, err := c.get(ctx, "ask who wrote a note", fmt.Sprintf("users/%d", id), gitlabQuery{}, &user)
	if gitlabStatusOf(err) == http.StatusNotFound {
		return true, nil // deleted
	}
	if err != nil {
		return false, err
	}
	is = user.ID != id || user.Bot == nil || *user.Bot
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bots[id] = is
	return is, nil
}

func (c *GitLabChange) path(format string, args ...any) string {
	return "projects/" + url.PathEscape(c.project) + "/" + fmt.Sprintf(format, args...)
}
