package forge

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/penstock-dev/penstock/internal/approval"
)

// Ask says what of a change is wanted besides, at the cost of more requests.
type Ask struct {
	Reviews    bool // the reviews as well as the comments; only GitHub has any that say of which commit they are
	Committers bool // the authors and committers of the commits; only GitHub tells more of them than an address
}

// mostHeard bounds what is remembered of one change. A path has the time in it since when comments are wanted, so that each
// rollout makes new ones.
const mostHeard = 200

// memory is what was heard, by what was asked.
type memory map[string]heard

// keep remembers an answer. To forget the others costs no more than asking them once again.
func (m memory) keep(asked string, h heard) {
	if _, known := m[asked]; !known && len(m) >= mostHeard {
		clear(m)
	}
	m[asked] = h
}

// AskFor returns what a policy needs to know of a change.
func AskFor(p approval.Policy) Ask { return Ask{Reviews: p.Reviews, Committers: p.Bans.Committers} }

// GitHubChange reads what people say about a pull request, and who they are. Everything is asked again each time, and what
// has not changed costs nothing of the rate limit. Keep it: a new one has to be told everything.
type GitHubChange struct {
	connect     func(context.Context) (*githubAPI, error)
	owner, repo string
	ask         Ask
	number      func(context.Context) (int, error)                    // 0 is none
	starters    func(context.Context, *GitHubChange) ([]int64, error) // of the run; nil outside of one

	replying sync.Mutex // held while a reply is looked for and written, so that the canaries of a run write one

	mu    sync.Mutex
	known memory // by path
}

// heard is what a forge said last, with the tag by which it can be asked for news only.
type heard struct {
	tag  string
	body []byte
	next int // the page after it; 0 is none
}

// Change returns the reader of the run's pull request. It makes no request.
func (g *GitHub) Change(ask Ask) *GitHubChange {
	return &GitHubChange{
		connect: func(context.Context) (*githubAPI, error) { return &g.githubAPI, nil },
		owner:   g.owner, repo: g.repo, ask: ask, number: g.requestNumber, starters: g.starters, known: memory{},
	}
}

type githubUser struct {
	ID    int64  `json:"id"`
	Login string `json:"login"`
	Type  string `json:"type"`
}

type githubPull struct {
	User     githubUser `json:"user"`
	State    string     `json:"state"`
	MergedAt *time.Time `json:"merged_at"`
	Commits  int        `json:"commits"`
	Base     struct {
		Repo struct {
			ID int64 `json:"id"`
		} `json:"repo"`
	} `json:"base"`
	Head struct {
		SHA  string `json:"sha"`
		Ref  string `json:"ref"`
		Repo *struct {
			FullName string `json:"full_name"`
		} `json:"repo"`
	} `json:"head"`
}

// Read returns the pull request and the people around it.
func (c *GitHubChange) Read(ctx context.Context) (Change, error) {
	number, err := c.number(ctx)
	if err != nil || number == 0 {
		return Change{}, err
	}
	var pull githubPull
	if _, err := c.get(ctx, "read the pull request", c.path("pulls/%d", number), &pull); err != nil {
		return Change{}, err
	}
	change := Change{
		Repository: pull.Base.Repo.ID, Number: int64(number), Author: pull.User.ID, Head: pull.Head.SHA,
		Merged: pull.MergedAt != nil, Closed: pull.State != "open" && pull.MergedAt == nil,
	}
	if change.LastPusher, err = c.pusher(ctx, &pull); err != nil {
		return Change{}, err
	}
	if c.ask.Committers {
		if change.Committers, err = c.committers(ctx, number, pull.Commits); err != nil {
			return Change{}, err
		}
	}
	if c.starters != nil {
		change.Starters, err = c.starters(ctx, c)
	}
	return change, err
}

// Comments returns all comments that were written or changed since then, oldest first, and the reviews if they are asked for.
func (c *GitHubChange) Comments(ctx context.Context, since time.Time) ([]Note, error) {
	number, err := c.number(ctx)
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
		if next <= page {
			return c.withReviews(ctx, number, since, all)
		}
		page = next
	}
	return nil, fmt.Errorf("read the comments: there are more than %d", maxPages*pageSize)
}

// withReviews adds the reviews to the comments, when they are asked for.
func (c *GitHubChange) withReviews(ctx context.Context, number int, since time.Time, all []Note) ([]Note, error) {
	if !c.ask.Reviews {
		return all, nil
	}
	reviews, err := c.reviews(ctx, number, since)
	if err != nil {
		return nil, err
	}
	all = append(all, reviews...)
	slices.SortStableFunc(all, func(a, b Note) int { return a.Created.Compare(b.Created) })
	return all, nil
}

// React answers a comment, and not a review. It may be called again.
func (c *GitHubChange) React(ctx context.Context, comment int64, r Reaction) error {
	g, err := c.connect(ctx)
	if err != nil {
		return err
	}
	return g.call(ctx, "react to a comment", func(ctx context.Context) error {
		req, err := g.api.NewRequest(http.MethodPost, c.path("issues/comments/%d/reactions", comment), map[string]string{"content": string(r)})
		if err != nil {
			return err
		}
		_, err = g.api.Do(ctx, req, nil)
		return err
	})
}

func (c *GitHubChange) path(format string, args ...any) string {
	return "repos/" + c.owner + "/" + c.repo + "/" + fmt.Sprintf(format, args...)
}

// get reads a path, unless what was read before is still true.
func (c *GitHubChange) get(ctx context.Context, what, path string, into any) (next int, err error) {
	g, err := c.connect(ctx)
	if err != nil {
		return 0, err
	}
	c.mu.Lock()
	was, had := c.known[path]
	c.mu.Unlock()
	err = g.call(ctx, what, func(ctx context.Context) error {
		req, err := g.api.NewRequest(http.MethodGet, path, nil)
		if err != nil {
			return err
		}
		if had && was.tag != "" {
			req.Header.Set("If-None-Match", was.tag)
		}
		var body bytes.Buffer
		resp, err := g.api.Do(ctx, req, &body)
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
	defer c.mu.Unlock()
	c.known.keep(path, was)
	return was.next, nil
}
