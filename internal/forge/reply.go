package forge

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/google/go-github/v60/github"
)

// ownMarker begins whatever Penstock itself has written on a change. It is shown to nobody.
const ownMarker = "<!-- penstock:"

// Own reports whether a text begins as what Penstock itself writes does.
func Own(body string) bool { return strings.HasPrefix(body, ownMarker) }

// Reply answers comments. All answers of one kind stand in one comment of a change, which is edited in place: however much
// is asked, nobody is told more than once.
type Reply struct {
	Kind     string // such as help, or "status shop/podinfo": no other reply to the change may have the same
	Question int64  // the number of the newest comment that it answers
	Body     string // markdown
}

// marker is how the first line of a reply begins.
func (r Reply) marker() string { return ownMarker + r.Kind + " " }

func (r Reply) text(body string) string {
	return r.marker() + strconv.FormatInt(r.Question, 10) + " -->\n" + body
}

// answers reports whether a comment that was found answers the question already.
func (r Reply) answers(body string) bool {
	number, _, _ := strings.Cut(strings.TrimPrefix(body, r.marker()), " ")
	last, err := strconv.ParseInt(number, 10, 64)
	return err == nil && strings.HasPrefix(body, r.marker()) && last >= r.Question
}

// Reply answers a comment, unless that has been done. It may be called again.
func (c *GitHubChange) Reply(ctx context.Context, r Reply) error {
	c.replying.Lock()
	defer c.replying.Unlock()
	number, err := c.number(ctx)
	if err != nil || number == 0 {
		return err
	}
	g, err := c.connect(ctx)
	if err != nil {
		return err
	}
	found, err := g.commentOf(ctx, commentsOf{owner: c.owner, repo: c.repo, number: number}, r.marker())
	if err != nil || r.answers(found.GetBody()) {
		return err
	}
	comment := &github.IssueComment{Body: new(string)}
	*comment.Body = cut(r.text(r.Body), commentLimit)
	if found != nil {
		err = g.call(ctx, "edit the reply", func(ctx context.Context) error {
			_, _, err := g.api.Issues.EditComment(ctx, c.owner, c.repo, found.GetID(), comment)
			return err
		})
		if statusOf(err) != http.StatusNotFound { // somebody has deleted it meanwhile
			return err
		}
	}
	return g.call(ctx, "write the reply", func(ctx context.Context) error {
		_, _, err := g.api.Issues.CreateComment(ctx, c.owner, c.repo, number, comment)
		return err
	})
}

// Reply answers a note, unless that has been done. It may be called again.
func (c *GitLabChange) Reply(ctx context.Context, r Reply) error {
	c.replying.Lock()
	defer c.replying.Unlock()
	number, err := c.number(ctx)
	if err != nil {
		return err
	}
	if number == 0 {
		return errors.New("write the reply: there is no merge request")
	}
	n := &gitlabNote{api: c.api, project: c.project, request: number, marker: r.marker()}
	if err := n.look(ctx); err != nil {
		return fmt.Errorf("look for the reply: %w", err)
	}
	if r.answers(n.body) {
		return nil
	}
	return n.write(ctx, r.text(r.Body))
}
