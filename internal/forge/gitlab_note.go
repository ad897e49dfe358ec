package forge

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/xanzy/go-gitlab"
)

const (
	// gitlabNoteMax is the longest note that GitLab keeps, in characters.
	gitlabNoteMax = 1_000_000

	// gitlabLookAgain is how often we look for a merge request that was not there: people push first and open it then.
	gitlabLookAgain = time.Minute
)

// gitlabNote is one note on the merge request, edited in place.
type gitlabNote struct {
	api     *gitlabAPI
	project any    // its number, or its path
	marker  string // the beginning of its first line
	request int    // 0: not found yet
	looked  time.Time
	id      int    // 0: not found yet
	body    string // what GitLab shows
	place   place
}

func newGitLabNote(api *gitlabAPI) Surface {
	r := api.cfg.Rollout
	n := &gitlabNote{api: api, project: api.project(), marker: "<!-- penstock:rollout " + api.cfg.CI.Repository + "/" + r.Namespace + "/" + r.Canary + " -->"}
	return &gitlabSurface{name: "merge request note", need: "the scope api and at least the role Reporter", show: n.show,
		link: func() Link { return Link{"Merge request", n.place.at()} }}
}

func (n *gitlabNote) show(ctx context.Context, p Page) error {
	if strings.TrimSpace(p.Body) == "" {
		return nil
	}
	if n.request == 0 {
		if now := n.api.clock.Now(); p.Final || n.looked.IsZero() || now.Sub(n.looked) >= gitlabLookAgain {
			var err error
			if n.request, err = n.api.request(ctx); err != nil {
				return err
			}
			n.looked = now
		}
		if n.request == 0 {
			return nil
		}
	}
	return n.write(ctx, n.marker+"\n"+p.Body)
}

// write makes the note show a text, whose first line begins with the marker.
func (n *gitlabNote) write(ctx context.Context, text string) error {
	body := gitlabCut(withoutQuickActions(strings.ReplaceAll(text, "\r\n", "\n")), gitlabNoteMax)
	return n.api.settle(ctx, func(ctx context.Context) error { return n.reach(ctx, strings.TrimSpace(body)) })
}

// reach makes the note show body.
func (n *gitlabNote) reach(ctx context.Context, body string) error {
	if n.id == 0 {
		if err := n.look(ctx); err != nil {
			return err
		}
	}
	if n.id == 0 {
		return n.create(ctx, body)
	}
	if n.body == body {
		return nil
	}
	err := n.edit(ctx, body)
	if gitlabStatusOf(err) != http.StatusNotFound {
		return err
	}
	// Somebody has deleted it, or the whole merge request: looking tells.
	n.id = 0
	if err := n.look(ctx); err != nil {
		return err
	}
	if n.id != 0 {
		return n.edit(ctx, body)
	}
	return n.create(ctx, body)
}

// look finds our note. Anybody can write our marker into a note of their own, so the author counts as well.
func (n *gitlabNote) look(ctx context.Context) error {
	me, err := n.api.me(ctx)
	if err != nil {
		return err
	}
	order, sort := "created_at", "asc"
	page := func(list gitlab.ListOptions, o ...gitlabOption) (bool, *gitlabAnswer, error) {
		query := &gitlab.ListMergeRequestNotesOptions{ListOptions: list, OrderBy: &order, Sort: &sort}
		found, resp, err := n.api.client.Notes.ListMergeRequestNotes(n.project, n.request, query, o...)
		for _, note := range found {
			first, _, _ := strings.Cut(note.Body, "\n")
			if note.Author.ID == me && !note.System && strings.HasPrefix(strings.TrimSpace(first), n.marker) {
				n.is(note.ID, strings.TrimSpace(strings.ReplaceAll(note.Body, "\r\n", "\n")))
				return true, resp, err
			}
		}
		return false, resp, err
	}
	return n.api.all(ctx, "read the merge request's notes", page)
}

func (n *gitlabNote) create(ctx context.Context, body string) error {
	var note *gitlab.Note
	ask := &gitlab.CreateMergeRequestNoteOptions{Body: &body}
	err := n.api.call(ctx, gitlabCall{what: "write the merge request note", post: true,
		send: func(o ...gitlabOption) (resp *gitlabAnswer, err error) {
			note, resp, err = n.api.client.Notes.CreateMergeRequestNote(n.project, n.request, ask, o...)
			return resp, err
		}})
	if err != nil {
		return err
	}
	n.is(note.ID, body)
	return nil
}

// is keeps which note is ours, and what it says.
func (n *gitlabNote) is(id int, body string) {
	n.id, n.body = id, body
	ci := &n.api.cfg.CI
	n.place.is(fmt.Sprintf("%s/%s/-/merge_requests/%d#note_%d", strings.TrimRight(ci.Server, "/"), ci.Repository, n.request, id))
}

func (n *gitlabNote) edit(ctx context.Context, body string) error {
	ask := &gitlab.UpdateMergeRequestNoteOptions{Body: &body}
	err := n.api.call(ctx, gitlabCall{what: "edit the merge request note",
		send: func(o ...gitlabOption) (*gitlabAnswer, error) {
			_, resp, err := n.api.client.Notes.UpdateMergeRequestNote(n.project, n.request, n.id, ask, o...)
			return resp, err
		}})
	if err != nil {
		return err
	}
	n.body = body
	return nil
}

// withoutQuickActions takes apart what GitLab would obey: a line that begins with a slash, such as /merge, is a command of
// the note's author, and we are its author. In a block of code, where a command is shown to be copied, GitLab leaves
// it alone, if the block has an end.
func withoutQuickActions(body string) string {
	lines := strings.Split(body, "\n")
	for i := 0; i < len(lines); i++ {
		if end := gitlabFenceEnd(lines, i); end > i {
			i = end
		} else if strings.HasPrefix(lines[i], "/") {
			lines[i] = `\` + lines[i]
		}
	}
	return strings.Join(lines, "\n")
}

// gitlabFenceEnd returns the line that closes the block of code that line i opens, 0 when it opens none. It knows the plain
// form only: of any other we are not sure that GitLab sees the same block.
func gitlabFenceEnd(lines []string, i int) int {
	info, fenced := strings.CutPrefix(lines[i], "```")
	if !fenced || strings.Contains(info, "`") {
		return 0
	}
	for end := i + 1; end < len(lines); end++ {
		if strings.TrimRight(lines[end], " ") == "```" {
			return end
		}
	}
	return 0
}
