package forge

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/go-querystring/query"
	"github.com/xanzy/go-gitlab"
)

// gitlabQuery is what lists are asked with.
type gitlabQuery struct {
	Page    int    `url:"page,omitempty"`
	PerPage int    `url:"per_page,omitempty"`
	OrderBy string `url:"order_by,omitempty"`
	Sort    string `url:"sort,omitempty"`
	Action  string `url:"action,omitempty"`
}

// get reads a path, unless what was read before is still true.
func (c *GitLabChange) get(ctx context.Context, what, path string, q gitlabQuery, into any) (next int, err error) {
	values, err := query.Values(q)
	if err != nil {
		return 0, err
	}
	key := path + "?" + values.Encode()
	c.mu.Lock()
	was, had := c.known[key]
	c.mu.Unlock()
	err = c.api.call(ctx, gitlabCall{what: what, send: func(o ...gitlabOption) (*gitlabAnswer, error) {
		if had && was.tag != "" {
			o = append(o, gitlab.WithHeader("If-None-Match", was.tag))
		}
		req, err := c.api.client.NewRequest(http.MethodGet, path, q, o)
		if err != nil {
			return nil, err
		}
		var body bytes.Buffer
		resp, err := c.api.client.Do(req, &body)
		if err == nil && resp.StatusCode != http.StatusNotModified {
			was = heard{tag: resp.Header.Get("ETag"), body: body.Bytes(), next: resp.NextPage}
		}
		return resp, err
	}})
	if err != nil {
		return 0, err
	}
	if err := json.Unmarshal(was.body, into); err != nil {
		return 0, fmt.Errorf("%s: GitLab's answer is not what it should be: %w", what, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.known.keep(key, was)
	return was.next, nil
}

// gitlabAtOnce is how many notes one question is about: GitLab limits how much a question may ask for.
const gitlabAtOnce = 25

// edits returns when the texts of notes were last edited, of those that were. Only GraphQL knows.
func (c *GitLabChange) edits(ctx context.Context, notes []int64) (map[int64]time.Time, error) {
	edits := map[int64]time.Time{}
	for some := range slices.Chunk(notes, gitlabAtOnce) {
		var ask strings.Builder
		for _, id := range some {
			fmt.Fprintf(&ask, "n%d:note(id:\"gid://gitlab/Note/%d\"){lastEditedAt}", id, id)
		}
		var said struct {
			Data   map[string]*struct{ LastEditedAt *time.Time }
			Errors []struct{ Message string }
		}
		const what = "ask which notes were edited"
		if err := c.graphQL(ctx, what, "{"+ask.String()+"}", &said); err != nil {
			return nil, err
		}
		if len(said.Errors) > 0 {
			return nil, fmt.Errorf("%s: GitLab says %q", what, gitlabCut(said.Errors[0].Message, gitlabMaxSaid))
		}
		for _, id := range some {
			note, ok := said.Data[fmt.Sprintf("n%d", id)]
			if !ok {
				return nil, fmt.Errorf("%s: GitLab's answer is not about all of them", what)
			}
			if note != nil && note.LastEditedAt != nil { // nil: it was deleted meanwhile, and is so the next time
				edits[id] = *note.LastEditedAt
			}
		}
	}
	return edits, nil
}

// graphQL asks a question, which must change nothing: it may be sent again.
func (c *GitLabChange) graphQL(ctx context.Context, what, question string, into any) error {
	text, err := json.Marshal(map[string]string{"query": question})
	if err != nil {
		return err
	}
	address := strings.TrimSuffix(strings.TrimRight(c.api.client.BaseURL().String(), "/"), "/v4") + "/graphql"
	return c.api.call(ctx, gitlabCall{what: what, send: func(...gitlabOption) (*gitlabAnswer, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(text))
		if err != nil {
			return nil, err
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Authorization", "Bearer "+c.api.cfg.Token)
		resp, err := c.api.cfg.HTTP.Do(req)
		if err != nil {
			return nil, err
		}
		defer func() { _ = resp.Body.Close() }()
		answer := &gitlabAnswer{Response: resp}
		if err := gitlab.CheckResponse(resp); err != nil {
			return answer, err
		}
		return answer, json.NewDecoder(resp.Body).Decode(into)
	}})
}

// React answers a note. It may be called again: a reaction that is there already is refused by a 404, as much else is.
func (c *GitLabChange) React(ctx context.Context, note int64, r Reaction) error {
	number, err := c.number(ctx)
	if err != nil {
		return err
	}
	name, ok := map[Reaction]string{Seen: "eyes", Counts: "thumbsup", Refused: "thumbsdown"}[r]
	if !ok || number == 0 {
		return errors.New("react to a note: there is no such reaction or no merge request")
	}
	path := c.path("merge_requests/%d/notes/%d/award_emoji", number, note)
	err = c.api.call(ctx, gitlabCall{what: "react to a note", post: true, send: func(o ...gitlabOption) (*gitlabAnswer, error) {
		req, err := c.api.client.NewRequest(http.MethodPost, path, map[string]string{"name": name}, o)
		if err != nil {
			return nil, err
		}
		return c.api.client.Do(req, nil)
	}})
	if gitlabStatusOf(err) != http.StatusNotFound {
		return err
	}
	me, problem := c.api.me(ctx)
	if problem != nil {
		return problem
	}
	var there []struct {
		Name string       `json:"name"`
		User gitlabPerson `json:"user"`
	}
	if _, problem := c.get(ctx, "read the reactions to a note", path, gitlabQuery{PerPage: pageSize}, &there); problem != nil {
		return err
	}
	for _, one := range there {
		if one.Name == name && one.User.ID == int64(me) {
			return nil
		}
	}
	return err
}

func sortNotes(notes []gitlabSaid) {
	slices.SortFunc(notes, func(a, b gitlabSaid) int { return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID)) })
}
