package forge

import (
	"context"
	"net/http"
	"strings"

	"github.com/google/go-github/v60/github"
)

// commentLimit is the longest comment that GitHub takes.
const commentLimit = 65_536

// requestComment shows a rollout in one comment on the pull request, edited in place. It belongs to the canary: the
// next rollout of the same request goes on with it, so that a request with many pushes stays readable.
type requestComment struct {
	g       *GitHub
	rollout Rollout
	id      int64 // 0 before it is found or created
	place   place
}

func (c *requestComment) Name() string { return "comment" }

// Link leads to the comment on the pull request.
func (c *requestComment) Link() Link { return Link{"Pull request", c.place.at()} }

// marker is the first line of the comment. It is shown to nobody.
func marker(repository string, r Rollout) string {
	return "<!-- penstock:rollout " + repository + "/" + r.Namespace + "/" + r.Canary + " -->"
}

func (c *requestComment) Show(ctx context.Context, p Page) error {
	number, err := c.g.requestNumber(ctx)
	if err != nil {
		return c.g.refused(c.Name(), "`pull-requests: read`", err)
	}
	if number == 0 {
		return nil // a push or a tag without a pull request: there is nobody to tell, and nothing wrong with that
	}
	return c.g.refused(c.Name(), "`pull-requests: write`", c.show(ctx, number, p))
}

func (c *requestComment) show(ctx context.Context, number int, p Page) error {
	body := c.body(p)
	if c.id == 0 {
		// Looked up before every creation: the answer to the one before may have been lost on the way.
		id, err := c.find(ctx, number)
		if err != nil {
			return err
		}
		if c.id = id; id == 0 {
			return c.create(ctx, number, body)
		}
	}
	err := c.g.call(ctx, "edit the comment", func(ctx context.Context) error {
		_, _, err := c.g.api.Issues.EditComment(ctx, c.g.owner, c.g.repo, c.id, &github.IssueComment{Body: &body})
		return err
	})
	if status := statusOf(err); status == http.StatusNotFound || status == http.StatusForbidden && c.g.succeeds {
		c.id = 0 // somebody deleted it, or it is not ours to edit
		return c.create(ctx, number, body)
	}
	return err
}

func (c *requestComment) create(ctx context.Context, number int, body string) error {
	return c.g.call(ctx, "write the comment", func(ctx context.Context) error {
		comment, _, err := c.g.api.Issues.CreateComment(ctx, c.g.owner, c.g.repo, number, &github.IssueComment{Body: &body})
		if err == nil {
			c.id = comment.GetID()
			c.place.is(comment.GetHTMLURL())
		}
		return err
	})
}

func (c *requestComment) body(p Page) string {
	text := p.Body
	if text == "" {
		text = p.Title
	}
	return cut(marker(c.g.ci.Repository, c.rollout)+"\n"+text, commentLimit)
}

// find looks for our comment.
func (c *requestComment) find(ctx context.Context, number int) (int64, error) {
	of := commentsOf{owner: c.g.owner, repo: c.g.repo, number: number}
	if c.g.succeeds {
		of.also = jobsLogin
	}
	found, err := c.g.commentOf(ctx, of, marker(c.g.ci.Repository, c.rollout))
	if err == nil && found != nil {
		c.place.is(found.GetHTMLURL())
	}
	return found.GetID(), err
}

// commentsOf is where comments stand.
type commentsOf struct {
	owner, repo string
	number      int
	also        string // somebody else whose comments are taken for ours; may be empty
}

// commentOf looks for a comment of our own that begins with a marker, over all pages; nil when there is none. The marker
// alone does not make it ours: anybody can write it into a comment, and would have it filled with what looks like a
// report, next to words of their own.
func (g *githubAPI) commentOf(ctx context.Context, of commentsOf, marker string) (*github.IssueComment, error) {
	login, err := g.ownLogin(ctx)
	if err != nil {
		return nil, err
	}
	opts := &github.IssueListCommentsOptions{ListOptions: github.ListOptions{PerPage: pageSize}}
	for range maxPages {
		var comments []*github.IssueComment
		var resp *github.Response
		err := g.call(ctx, "look for the comment", func(ctx context.Context) (err error) {
			comments, resp, err = g.api.Issues.ListComments(ctx, of.owner, of.repo, of.number, opts)
			return err
		})
		if err != nil {
			return nil, err
		}
		for _, comment := range comments {
			ours := sameLogin(comment.GetUser(), login) || of.also != "" && sameLogin(comment.GetUser(), of.also)
			if ours && strings.HasPrefix(comment.GetBody(), marker) {
				return comment, nil
			}
		}
		if opts.Page = resp.NextPage; opts.Page == 0 {
			break
		}
	}
	return nil, nil
}

// sameLogin compares a comment's author with a login, which for a bot may lack the "[bot]" at its end. No person can
// have a name with brackets.
func sameLogin(user *github.User, login string) bool {
	return user.GetLogin() == login || (user.GetType() == "Bot" && user.GetLogin() == login+"[bot]")
}
