package forge

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/penstock-dev/penstock/internal/approval"
)

// githubReview is a review as REST tells it: everything but whether its text was edited.
type githubReview struct {
	ID        int64      `json:"id"`
	Node      string     `json:"node_id"` // its name in GraphQL
	URL       string     `json:"html_url"`
	User      githubUser `json:"user"`
	Submitted time.Time  `json:"submitted_at"` // zero while the reviewer is still writing
	Body      string     `json:"body"`
	State     string     `json:"state"`
	SHA       string     `json:"commit_id"`
}

// reviews returns the reviews that were submitted since then. What the reviewer says in the lines of the diff is left out.
// GitHub does not say of a review, as it does of a comment, that an application wrote it in somebody's name.
func (c *GitHubChange) reviews(ctx context.Context, number int, since time.Time) ([]Note, error) {
	var found []githubReview
	for page := 1; page <= maxPages; {
		var some []githubReview
		next, err := c.get(ctx, "read the reviews", c.path("pulls/%d/reviews?per_page=%d&page=%d", number, pageSize, page), &some)
		if err != nil {
			return nil, err
		}
		for _, r := range some {
			if r.State != "PENDING" && !r.Submitted.IsZero() && !r.Submitted.Before(since) {
				found = append(found, r)
			}
		}
		if next <= page {
			return c.reviewNotes(ctx, found)
		}
		page = next
	}
	return nil, fmt.Errorf("read the reviews: there are more than %d", maxPages*pageSize)
}

func (c *GitHubChange) reviewNotes(ctx context.Context, found []githubReview) ([]Note, error) {
	var written []string
	for _, r := range found {
		if r.Body != "" {
			written = append(written, r.Node)
		}
	}
	edits, err := c.edits(ctx, written)
	if err != nil {
		return nil, err
	}
	var all []Note
	for _, r := range found {
		note := Note{
			Kind: approval.Review, ID: r.ID, URL: r.URL, Created: r.Submitted, Updated: r.Submitted, Body: r.Body,
			State: approval.ReviewState(strings.ToLower(r.State)), SHA: r.SHA,
			Actor: approval.Actor{ID: r.User.ID, Login: r.User.Login, Bot: r.User.Type != "User"},
		}
		if at := edits[r.Node]; !at.IsZero() {
			note.Updated = later(at, r.Submitted.Add(time.Nanosecond))
		}
		all = append(all, note)
	}
	return all, nil
}

// edits returns when the texts of reviews were last edited, of those that were. Others than the reviewer can edit them, and
// only GraphQL tells.
func (c *GitHubChange) edits(ctx context.Context, nodes []string) (map[string]time.Time, error) {
	const what = "ask which reviews were edited"
	edits := map[string]time.Time{}
	g, err := c.connect(ctx)
	if err != nil {
		return nil, err
	}
	for some := range slices.Chunk(nodes, pageSize) {
		var said struct {
			Data struct {
				Nodes []*struct {
					ID           string
					LastEditedAt *time.Time
				}
			}
			Errors []struct{ Message string }
		}
		err := g.call(ctx, what, func(ctx context.Context) error {
			req, err := g.api.NewRequest(http.MethodPost, g.graphQL(), map[string]any{
				"query":     "query($ids:[ID!]!){nodes(ids:$ids){...on PullRequestReview{id lastEditedAt}}}",
				"variables": map[string]any{"ids": some},
			})
			if err != nil {
				return err
			}
			_, err = g.api.Do(ctx, req, &said)
			return err
		})
		if err != nil {
			return nil, err
		}
		if len(said.Errors) > 0 {
			return nil, fmt.Errorf("%s: GitHub says %q", what, line(said.Errors[0].Message, 300))
		}
		if len(said.Data.Nodes) != len(some) {
			return nil, errors.New(what + ": GitHub's answer is not about all of them")
		}
		for i, one := range said.Data.Nodes {
			if one == nil || one.ID != some[i] {
				return nil, errors.New(what + ": GitHub's answer is about others")
			}
			if one.LastEditedAt != nil {
				edits[one.ID] = *one.LastEditedAt
			}
		}
	}
	return edits, nil
}
