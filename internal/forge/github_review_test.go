package forge

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-dev/penstock/internal/approval"
)

// talkReviews adds what GitHub tells of reviews and commits.
func (f *fakeTalk) talkReviews() {
	f.edited = map[string]string{}
	f.handle("GET /repos/o/r/pulls/7/reviews", "", func(w http.ResponseWriter, r *http.Request) { f.paged(w, r, f.reviews) })
	f.handle("GET /repos/o/r/pulls/7/commits", "", func(w http.ResponseWriter, r *http.Request) { f.paged(w, r, f.commits[:min(250, len(f.commits))]) })
	f.handle("POST /graphql", "", func(w http.ResponseWriter, r *http.Request) {
		var in struct {
			Query     string
			Variables struct{ IDs []string }
		}
		err := json.NewDecoder(r.Body).Decode(&in)
		if in.Query == "{viewer{login}}" {
			f.viewer(w, r)
			return
		}
		if err != nil || !strings.Contains(in.Query, "nodes(ids:$ids){...on PullRequestReview{id lastEditedAt}}") {
			answer(w, http.StatusOK, map[string]any{"errors": []any{map[string]any{"message": "cannot be parsed"}}})
			return
		}
		var nodes []any
		for _, id := range in.Variables.IDs {
			node := map[string]any{"id": id, "lastEditedAt": nil}
			if at := f.edited[id]; at != "" {
				node["lastEditedAt"] = at
			}
			nodes = append(nodes, node)
		}
		answer(w, http.StatusOK, map[string]any{"data": map[string]any{"nodes": nodes}})
	})
}

func (f *fakeTalk) paged(w http.ResponseWriter, r *http.Request, all []map[string]any) {
	page, _ := strconv.Atoi(r.URL.Query().Get("page"))
	size, _ := strconv.Atoi(r.URL.Query().Get("per_page"))
	from, to := min(len(all), (page-1)*size), min(len(all), page*size)
	if to < len(all) {
		w.Header().Set("Link", fmt.Sprintf(`<https://api.github.test%s?page=%d>; rel="next"`, r.URL.Path, page+1))
	}
	f.tagged(w, r, all[from:to])
}

func (f *fakeTalk) review(id int, at time.Time, state, body string) map[string]any {
	review := map[string]any{
		"id": id, "node_id": fmt.Sprint("PRR_", id), "html_url": fmt.Sprint("https://github.test/r/", id), "state": state, "body": body,
		"commit_id": headSHA, "submitted_at": at.Format(time.RFC3339), "user": map[string]any{"id": 2, "login": "bob", "type": "User"},
	}
	f.reviews = append(f.reviews, review)
	return review
}

func TestReviewsAreReadOnlyWhenTheyCount(t *testing.T) {
	t.Parallel()
	f := newFakeTalk(t)
	at := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	for i := range 110 {
		f.review(1+i, at.Add(-time.Hour), "COMMENTED", "old")
	}
	f.review(500, at, "APPROVED", "")
	f.review(501, at.Add(2*time.Second), "CHANGES_REQUESTED", "/canary approve x")
	f.review(502, at.Add(2*time.Second), "DISMISSED", "")
	f.review(503, at, "COMMENTED", "/canary abort")["user"] = map[string]any{"id": 3, "login": "bot", "type": "Bot"}
	delete(f.review(504, at, "PENDING", "not yet"), "submitted_at")
	f.edited["PRR_501"] = at.Add(2 * time.Second).Format(time.RFC3339) // within the second
	f.say(600, at.Add(time.Second), "hello")
	got, err := f.readerOf(Ask{Reviews: true}).Comments(t.Context(), at)
	if err != nil || len(got) != 5 {
		t.Fatalf("%+v, %v", got, err)
	}
	var order []int64
	for _, n := range got {
		order = append(order, n.ID)
	}
	if diff := cmp.Diff([]int64{500, 503, 600, 501, 502}, order); diff != "" {
		t.Fatal(diff)
	}
	want := Note{
		Kind: approval.Review, ID: 500, URL: "https://github.test/r/500", Actor: approval.Actor{ID: 2, Login: "bob"},
		Created: at, Updated: at, State: approval.ReviewApproved, SHA: headSHA,
	}
	if diff := cmp.Diff(want, got[0]); diff != "" {
		t.Error(diff)
	}
	if !got[1].Actor.Bot || got[1].Updated.After(got[1].Created) || got[2].Kind != approval.Comment {
		t.Errorf("%+v %+v", got[1], got[2])
	}
	if !got[3].Updated.After(got[3].Created) || got[3].State != approval.ReviewChanges || got[4].State != approval.ReviewDismissed {
		t.Errorf("%+v %+v", got[3], got[4])
	}
	if got, err := f.reader().Comments(t.Context(), at); err != nil || len(got) != 1 {
		t.Errorf("not asked for: %+v, %v", got, err)
	}
	f.trouble = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/graphql" {
			answer(w, http.StatusOK, map[string]any{"errors": []any{map[string]any{"message": "Resource not accessible"}}})
		}
		return r.URL.Path == "/graphql"
	}
	if _, err := f.readerOf(Ask{Reviews: true}).Comments(t.Context(), at); err == nil || !strings.Contains(err.Error(), "Resource not accessible") {
		t.Errorf("edits that nobody tells: %v", err)
	}
}

func TestCommittersAreAllOfThemOrNobody(t *testing.T) {
	t.Parallel()
	f := newFakeTalk(t)
	c := f.readerOf(Ask{Committers: true})
	commit := func(author, committer any) {
		f.commits = append(f.commits, map[string]any{"author": author, "committer": committer})
	}
	user := func(id int) any { return map[string]any{"id": id} }
	read := func() []int64 {
		t.Helper()
		f.pull["commits"] = len(f.commits)
		got, err := c.Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return got.Committers
	}
	for range 120 {
		commit(user(4), user(2))
	}
	commit(user(2), user(19864447))
	if diff := cmp.Diff([]int64{2, 4, 19864447}, read()); diff != "" {
		t.Error(diff)
	}
	if got, err := f.reader().Read(t.Context()); err != nil || got.Committers != nil {
		t.Errorf("not asked for: %v %v", got.Committers, err)
	}
	commit(nil, user(2)) // an address that belongs to no account
	if got := read(); got != nil {
		t.Errorf("somebody is not known: %v", got)
	}
	f.commits = f.commits[:121]
	f.pull["commits"] = 122 // one was pushed while we asked
	if got, err := c.Read(t.Context()); err != nil || got.Committers != nil {
		t.Errorf("one is missing: %v %v", got.Committers, err)
	}
	for len(f.commits) < 251 {
		commit(user(4), user(4))
	}
	if got := read(); got != nil {
		t.Errorf("more than GitHub lists: %v", got)
	}
}
