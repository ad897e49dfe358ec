package forge

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-dev/penstock/internal/approval"
)

// fakeTalk is what people do on a pull request. Answers carry a tag, and 304 is said to who has the same.
type fakeTalk struct {
	*fakeGitHub
	pull      map[string]any
	said      []map[string]any
	roles     map[string]map[string]any
	teams     map[string]string
	reactions []string
	reviews   []map[string]any
	edited    map[string]string // by node, which only GraphQL tells
	commits   []map[string]any
	unchanged int
}

func newFakeTalk(t *testing.T) *fakeTalk {
	f := &fakeTalk{fakeGitHub: newFakeGitHub(t), roles: map[string]map[string]any{}, teams: map[string]string{}}
	f.pull = map[string]any{
		"number": 7, "state": "open", "user": map[string]any{"id": 1, "login": "ann"},
		"head": map[string]any{"sha": headSHA, "ref": "topic", "repo": map[string]any{"full_name": "ann/r"}},
	}
	// The comments have state of their own here, which people write, in place of what we write.
	f.mux = http.NewServeMux()
	f.handle("GET /repos/o/r/pulls/7", "", func(w http.ResponseWriter, r *http.Request) { f.tagged(w, r, f.pull) })
	f.handle("GET /repos/o/r/issues/7/comments", "", f.list)
	f.handle("GET /repos/ann/r/activity", "", func(w http.ResponseWriter, r *http.Request) {
		f.tagged(w, r, []any{
			map[string]any{"after": otherSHA, "actor": map[string]any{"id": 5}}, map[string]any{"after": headSHA, "actor": map[string]any{"id": 6}},
		})
	})
	f.handle("GET /users/{login}", "", func(w http.ResponseWriter, r *http.Request) { f.tagged(w, r, map[string]any{"id": 9}) })
	f.handle("GET /repos/o/r/collaborators/{login}/permission", "", func(w http.ResponseWriter, r *http.Request) {
		role, ok := f.roles[r.PathValue("login")]
		if !ok {
			refuse(w, http.StatusNotFound, "Not Found")
			return
		}
		f.tagged(w, r, role)
	})
	f.handle("GET /orgs/{org}/teams/{team}/memberships/{login}", "", func(w http.ResponseWriter, r *http.Request) {
		state, ok := f.teams[r.PathValue("org")+"/"+r.PathValue("team")+"/"+r.PathValue("login")]
		if !ok {
			refuse(w, http.StatusNotFound, "Not Found")
			return
		}
		f.tagged(w, r, map[string]any{"state": state})
	})
	f.handle("POST /repos/o/r/issues/comments/{id}/reactions", "", func(w http.ResponseWriter, r *http.Request) {
		var in struct{ Content string }
		_ = json.NewDecoder(r.Body).Decode(&in)
		f.reactions = append(f.reactions, r.PathValue("id")+in.Content)
		w.WriteHeader(http.StatusCreated)
	})
	f.talkReviews()
	return f
}

func (f *fakeTalk) tagged(w http.ResponseWriter, r *http.Request, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		f.t.Error(err)
	}
	sum := sha256.Sum256(body)
	tag := `"` + hex.EncodeToString(sum[:]) + `"`
	w.Header().Set("ETag", tag)
	if r.Header.Get("If-None-Match") == tag {
		f.unchanged++
		w.WriteHeader(http.StatusNotModified)
		return
	}
	_, _ = w.Write(body)
}

func (f *fakeTalk) list(w http.ResponseWriter, r *http.Request) {
	if !r.URL.Query().Has("since") { // who looks for a comment of their own
		page(w, r, f.comments["7"], plainList)
		return
	}
	since, err := time.Parse(time.RFC3339, r.URL.Query().Get("since"))
	if err != nil {
		refuse(w, http.StatusUnprocessableEntity, "since")
		return
	}
	page, _ := strconv.Atoi(r.URL.Query().Get("page"))
	size, _ := strconv.Atoi(r.URL.Query().Get("per_page"))
	all := []map[string]any{}
	for _, c := range f.said {
		if at, _ := time.Parse(time.RFC3339, c["updated_at"].(string)); !at.Before(since) {
			all = append(all, c)
		}
	}
	from, to := min(len(all), (page-1)*size), min(len(all), page*size)
	if to < len(all) {
		w.Header().Set("Link", fmt.Sprintf(`<https://api.github.test%s?page=%d>; rel="next"`, r.URL.Path, page+1))
	}
	f.tagged(w, r, all[from:to])
}

func (f *fakeTalk) say(id int64, at time.Time, body string) map[string]any {
	c := map[string]any{
		"id": id, "body": body, "created_at": at.Format(time.RFC3339), "updated_at": at.Format(time.RFC3339),
		"html_url": fmt.Sprintf("https://github.test/c/%d", id), "user": map[string]any{"id": 2, "login": "bob", "type": "User"},
	}
	f.said = append(f.said, c)
	return c
}

func (f *fakeTalk) reader() *GitHubChange {
	return f.readerOf(Ask{})
}

func (f *fakeTalk) readerOf(ask Ask) *GitHubChange {
	cfg := f.config()
	cfg.CI.Actor, cfg.CI.ActorID, cfg.CI.TriggeringActor = "ann", 1, "zoe"
	return f.start(cfg).Change(ask)
}

func TestAChangeNamesThePeopleAroundIt(t *testing.T) {
	t.Parallel()
	f := newFakeTalk(t)
	c := f.reader()
	want := Change{Number: 7, Author: 1, LastPusher: 6, Starters: []int64{1, 9}, Head: headSHA}
	for range 2 {
		got, err := c.Read(t.Context())
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Fatalf("%v\n%s", err, diff)
		}
	}
	if f.unchanged != 3 {
		t.Errorf("%d of 3 questions were repeated with a tag", f.unchanged)
	}
	f.pull["state"] = "closed"
	if got, err := c.Read(t.Context()); err != nil || !got.Closed || got.Merged {
		t.Errorf("closed: %+v %v", got, err)
	}
	f.pull["merged_at"] = "2030-01-02T03:04:05Z"
	if got, err := c.Read(t.Context()); err != nil || got.Closed || !got.Merged {
		t.Errorf("merged: %+v %v", got, err)
	}
	f.pull["head"].(map[string]any)["repo"] = nil
	if got, err := c.Read(t.Context()); err != nil || got.LastPusher != 0 {
		t.Errorf("without its fork: %+v %v", got, err)
	}
}

func TestCommentsAreReadOverAllPagesAndSinceATime(t *testing.T) {
	t.Parallel()
	f := newFakeTalk(t)
	at := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	f.say(1, at.Add(-time.Hour), "old")
	for i := range 150 {
		f.say(int64(10+i), at, "hello")
	}
	f.say(900, at, "by a bot")["user"] = map[string]any{"id": 3, "login": "bot", "type": "Bot"}
	f.say(901, at, "by an app")["performed_via_github_app"] = map[string]any{"id": 1}
	edited := f.say(902, at, "/canary approve x")
	edited["updated_at"] = at.Add(time.Second).Format(time.RFC3339)
	c := f.reader()
	got, err := c.Comments(t.Context(), at)
	if err != nil || len(got) != 153 {
		t.Fatalf("%d comments, %v", len(got), err)
	}
	if !got[150].Actor.Bot || !got[151].Actor.App || got[152].Actor.Bot {
		t.Errorf("authors %+v %+v %+v", got[150].Actor, got[151].Actor, got[152].Actor)
	}
	want := Note{
		ID: 902, URL: "https://github.test/c/902", Actor: approval.Actor{ID: 2, Login: "bob"}, Created: at, Updated: at.Add(time.Second), Body: "/canary approve x",
	}
	if diff := cmp.Diff(want, got[152]); diff != "" {
		t.Error(diff)
	}
	if again, err := c.Comments(t.Context(), at); err != nil || len(again) != 153 || f.unchanged != 2 {
		t.Errorf("again: %d comments, %d pages unchanged, %v", len(again), f.unchanged, err)
	}
}

func TestAPermissionIsOfThePersonAndNotOfTheName(t *testing.T) {
	t.Parallel()
	f := newFakeTalk(t)
	f.roles["bob"] = map[string]any{"permission": "write", "role_name": "maintain", "user": map[string]any{"id": 2}}
	f.roles["new-bob"] = map[string]any{"permission": "admin", "role_name": "admin", "user": map[string]any{"id": 77}}
	f.roles["custom"] = map[string]any{"permission": "write", "role_name": "release captain", "user": map[string]any{"id": 4}}
	f.teams["o/sre/bob"], f.teams["o/dev/bob"] = "active", "pending"
	c := f.reader()
	teams := []string{"o/sre", "o/dev", "o/other", "group/sub/team"}
	for _, tt := range []struct {
		who  approval.Actor
		want approval.Permission
	}{
		{approval.Actor{ID: 2, Login: "bob"}, approval.Permission{Known: true, Role: approval.RoleMaintain, Teams: []string{"o/sre"}}},
		{approval.Actor{ID: 2, Login: "new-bob"}, approval.Permission{}},
		{approval.Actor{ID: 4, Login: "custom"}, approval.Permission{Known: true, Role: approval.RoleWrite}},
		{approval.Actor{ID: 5, Login: "gone"}, approval.Permission{}},
	} {
		got, err := c.Permission(t.Context(), tt.who, teams)
		if diff := cmp.Diff(tt.want, got); diff != "" || err != nil {
			t.Errorf("%s: %v\n%s", tt.who.Login, err, diff)
		}
	}
	f.trouble = func(w http.ResponseWriter, _ *http.Request) bool {
		refuse(w, http.StatusInternalServerError, "no")
		return true
	}
	if got, err := c.Permission(t.Context(), approval.Actor{ID: 2, Login: "bob"}, nil); err == nil || got.Known {
		t.Errorf("a server in trouble: %+v %v", got, err)
	}
}

func TestReactionsGoToTheComment(t *testing.T) {
	t.Parallel()
	f := newFakeTalk(t)
	if err := f.reader().React(t.Context(), 12, Counts); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"12+1"}, f.reactions); diff != "" {
		t.Error(diff)
	}
}

func TestAReaderThatIsKeptForLongForgets(t *testing.T) {
	t.Parallel()
	f := newFakeTalk(t)
	c := f.reader()
	at := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	f.say(1, at, "hello")
	for i := range 3 * mostHeard {
		if got, err := c.Comments(t.Context(), at.Add(-time.Duration(i)*time.Second)); err != nil || len(got) != 1 {
			t.Fatalf("%+v %v", got, err)
		}
	}
	if len(c.known) > mostHeard {
		t.Errorf("%d answers are remembered", len(c.known))
	}
}
