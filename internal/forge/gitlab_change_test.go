package forge_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	clocktest "k8s.io/utils/clock/testing"

	"github.com/penstock-dev/penstock/internal/approval"
	"github.com/penstock-dev/penstock/internal/forge"
	"github.com/penstock-dev/penstock/internal/httpx"
	"github.com/penstock-dev/penstock/internal/tape"
)

var gitlabAt = time.Date(2030, 1, 2, 3, 4, 5, 600e6, time.UTC)

// newFakeTalk is a merge request by mallory (9), pushed by somebody else, whose pipeline 3 started and whose job 9 did.
func newFakeTalk(t *testing.T) *fakeGitLab {
	t.Helper()
	f := newFakeGitLab(t)
	f.requests = []fakeRequest{{
		IID: 12, ProjectID: fakeProject, State: "opened", SHA: fakeSHA, Source: fakeRef, Target: "main", Author: gitlabHuman, SourceProject: 43,
	}}
	f.talk = fakeTalk{
		pushes: map[string][]any{"43": {
			gitlabPush(1, strings.Repeat("2", 40), fakeRef), gitlabPush(2, fakeSHA, "another"), gitlabPush(5, fakeSHA, fakeRef), gitlabPush(6, fakeSHA, fakeRef),
		}},
		pipeline: map[string]any{"id": fakePipeline, "user": map[string]any{"id": 3, "username": "zoe"}},
		members:  map[string]map[string]any{}, users: map[string]any{}, awards: map[string][]map[string]any{}, now: gitlabAt,
	}
	return f
}

func gitlabReader(t *testing.T, f *fakeGitLab) *forge.GitLabChange {
	t.Helper()
	cfg := gitlabConfig(f)
	cfg.CI.ActorID, cfg.CI.Server, cfg.CI.Repository = 9, "https://gitlab.test", "shop/web"
	cfg.Clock = clocktest.NewFakeClock(gitlabAt)
	c, err := forge.NewGitLabChange(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestAMergeRequestNamesThePeopleAroundIt(t *testing.T) {
	t.Parallel()
	f := newFakeTalk(t)
	c := gitlabReader(t, f)
	want := forge.Change{Repository: fakeProject, Number: 12, Author: 9, LastPusher: 5, Starters: []int64{3, 9}, Head: fakeSHA}
	for range 2 {
		got, err := c.Read(t.Context())
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Fatalf("%v\n%s", err, diff)
		}
	}
	if f.talk.unchanged != 3 {
		t.Errorf("%d of 3 questions were repeated with a tag", f.talk.unchanged)
	}
	for state, is := range map[string][2]bool{"closed": {false, true}, "merged": {true, false}, "locked": {false, false}} {
		f.requests[0].State = state
		if got, err := c.Read(t.Context()); err != nil || got.Merged != is[0] || got.Closed != is[1] {
			t.Errorf("%s: %+v %v", state, got, err)
		}
	}
	f.talk.pipeline = map[string]any{"user": map[string]any{"id": 9}}
	if got, err := c.Read(t.Context()); err != nil || !cmp.Equal(got.Starters, []int64{9}) {
		t.Errorf("one starter: %+v %v", got, err)
	}
}

func TestWhoIsNotKnownOfAMergeRequestIsNobody(t *testing.T) {
	t.Parallel()
	f := newFakeTalk(t)
	c := gitlabReader(t, f)
	f.talk.pipeline = nil
	f.requests[0].SHA = strings.Repeat("3", 40) // pushed with many other branches: no event has it
	if got, err := c.Read(t.Context()); err != nil || got.LastPusher != 0 || got.Starters != nil {
		t.Errorf("%+v %v", got, err)
	}
	f.requests[0].SHA = fakeSHA
	for _, project := range []int{44, 0} { // a fork that is hidden, and one that was deleted
		f.requests[0].SourceProject = project
		if got, err := c.Read(t.Context()); err != nil || got.LastPusher != 0 {
			t.Errorf("fork %d: %+v %v", project, got, err)
		}
	}
	f.faults["GET events"] = []gitlabFault{{status: 401}}
	if got, err := c.Read(t.Context()); err != nil || got.LastPusher != 0 {
		t.Errorf("nobody was asked about the deleted fork: %+v %v", got, err)
	}
	f.requests[0].SourceProject = 43
	if _, err := c.Read(t.Context()); err == nil || !strings.Contains(err.Error(), "ask who pushed last") {
		t.Errorf("a token that is over: %v", err)
	}
}

func TestAMergeRequestThatCannotBeReadSaysWhatTheTokenNeeds(t *testing.T) {
	t.Parallel()
	f := newFakeTalk(t)
	f.requests = nil
	if _, err := gitlabReader(t, f).Read(t.Context()); err == nil || !strings.Contains(err.Error(), "the scope api and the role Developer") {
		t.Error(err)
	}
}

func TestNotesAreReadOverAllPagesAndSinceATime(t *testing.T) {
	t.Parallel()
	f := newFakeTalk(t)
	f.say(1, gitlabAt.Add(-time.Hour), gitlabHuman, "old")
	touched := f.say(2, gitlabAt.Add(-time.Hour), gitlabHuman, "old, and edited since")
	edited := gitlabAt.Add(time.Minute)
	touched.Updated, touched.edited = edited, &edited
	for i := range 120 {
		f.say(10+i, gitlabAt, gitlabHuman, "hello")
	}
	f.say(900, gitlabAt, gitlabHuman, "added 1 commit").System = true
	f.say(901, gitlabAt.Add(time.Second), gitlabBot, "by a bot")
	c := gitlabReader(t, f)
	got, err := c.Comments(t.Context(), gitlabAt)
	if err != nil || len(got) != 122 {
		t.Fatalf("%d notes, %v", len(got), err)
	}
	if got[0].ID != 2 || !got[0].Updated.After(got[0].Created) || got[1].ID != 10 || !got[121].Actor.Bot || got[120].Actor.Bot {
		t.Errorf("%+v\n%+v\n%+v", got[0], got[1], got[121])
	}
	want := forge.Note{
		ID: 10, URL: "https://gitlab.test/shop/web/-/merge_requests/12#note_10", Actor: approval.Actor{ID: 9, Login: "mallory"},
		Created: gitlabAt, Updated: gitlabAt, Body: "hello",
	}
	if diff := cmp.Diff(want, got[1]); diff != "" {
		t.Error(diff)
	}
	asked := len(f.log)
	if again, err := c.Comments(t.Context(), gitlabAt); err != nil || len(again) != 122 || f.talk.unchanged != 3 || len(f.log)-asked != 4 {
		t.Errorf("again: %d notes, %d pages unchanged, %d questions, %v", len(again), f.talk.unchanged, len(f.log)-asked, err)
	}
}

func TestAReactionIsNoEdit(t *testing.T) {
	t.Parallel()
	f := newFakeTalk(t)
	note := f.say(7, gitlabAt, gitlabHuman, "/canary approve x")
	c := gitlabReader(t, f)
	f.talk.now = gitlabAt.Add(time.Minute)
	for range 2 { // the second one is there already
		if err := c.React(t.Context(), 7, forge.Counts); err != nil {
			t.Fatal(err)
		}
	}
	if len(f.talk.awards["7"]) != 1 || f.talk.awards["7"][0]["name"] != "thumbsup" || !note.Updated.After(note.Created) {
		t.Fatalf("%+v, %+v", f.talk.awards, note)
	}
	got, err := c.Comments(t.Context(), gitlabAt)
	if err != nil || len(got) != 1 || got[0].Updated != got[0].Created {
		t.Errorf("%+v %v", got, err)
	}
	same := gitlabAt.Add(time.Millisecond) // within the second, which is all that GraphQL tells
	note.edited = &same
	if got, err := c.Comments(t.Context(), gitlabAt); err != nil || !got[0].Updated.After(got[0].Created) {
		t.Errorf("edited at once: %+v %v", got, err)
	}
	f.talk.old = true
	if got, err := c.Comments(t.Context(), gitlabAt); err == nil || !strings.Contains(err.Error(), "lastEditedAt") {
		t.Errorf("a GitLab that does not tell: %+v %v", got, err)
	}
	if err := c.React(t.Context(), 8, forge.Seen); err == nil {
		t.Error("a note that is gone took a reaction")
	}
}

func TestARoleIsThatOfAMemberWhoIsOneNow(t *testing.T) {
	t.Parallel()
	f := newFakeTalk(t)
	c := gitlabReader(t, f)
	teams := []string{"shop/sre", "shop/other"}
	f.talk.members["shop/sre/9"] = gitlabMemberOf(9, 10)
	ask := func() approval.Permission {
		t.Helper()
		p, err := c.Permission(t.Context(), approval.Actor{ID: 9, Login: "mallory"}, teams)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	for level, role := range map[int]approval.Role{
		5: approval.RoleNone, 10: approval.RoleRead, 15: approval.RoleRead, 20: approval.RoleTriage, 25: approval.RoleTriage,
		30: approval.RoleWrite, 40: approval.RoleMaintain, 50: approval.RoleAdmin,
	} {
		f.talk.members["/9"] = gitlabMemberOf(9, level)
		if diff := cmp.Diff(approval.Permission{Known: true, Role: role, Teams: []string{"shop/sre"}}, ask()); diff != "" {
			t.Errorf("level %d: %s", level, diff)
		}
	}
	for name, change := range map[string]any{
		"state": "blocked", "membership_state": "awaiting", "expires_at": "2030-01-02", "id": 8,
	} {
		f.talk.members["/9"] = gitlabMemberOf(9, 50)
		f.talk.members["/9"][name] = change
		if p := ask(); p.Known || p.Role != approval.RoleNone {
			t.Errorf("%s %v: %+v", name, change, p)
		}
	}
	f.talk.members["/9"] = gitlabMemberOf(9, 30)
	f.talk.members["/9"]["expires_at"] = "2030-01-03"
	f.talk.members["shop/sre/9"]["state"] = "blocked"
	if diff := cmp.Diff(approval.Permission{Known: true, Role: approval.RoleWrite}, ask()); diff != "" {
		t.Error(diff)
	}
	delete(f.talk.members, "/9")
	if p := ask(); p.Known {
		t.Errorf("no member: %+v", p)
	}
	f.faults["GET all"] = []gitlabFault{{status: 403}}
	if p, err := c.Permission(t.Context(), approval.Actor{ID: 9}, nil); err == nil || p.Known {
		t.Errorf("not allowed to ask: %+v %v", p, err)
	}
}

func TestTheTokenOfAJobCannotReadWhoApproves(t *testing.T) {
	t.Parallel()
	cfg := gitlabConfig(newFakeTalk(t))
	cfg.Token, cfg.JobToken = "", "job-secret"
	if _, err := forge.NewGitLabChange(cfg); err == nil || !strings.Contains(err.Error(), "CI_JOB_TOKEN may not ask") {
		t.Error(err)
	}
}

func TestAnOfficeReadsAMergeRequestByThePathOfItsProject(t *testing.T) {
	t.Parallel()
	f := newFakeTalk(t)
	f.say(7, gitlabAt, gitlabHuman, "/canary approve x")
	client := httpx.New(httpx.Options{MaxBody: forge.MaxBody})
	client.HTTP().Transport = gitlabByPath{f}
	o, err := forge.NewOffice(forge.OfficeConfig{GitLabURL: "https://gitlab.test/", GitLabToken: "glpat-secret", Client: client})
	if err != nil {
		t.Fatal(err)
	}
	c, err := o.Change(approval.GitLab, "shop/front/web", 12, forge.Ask{})
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.Read(t.Context())
	if diff := cmp.Diff(forge.Change{Repository: fakeProject, Number: 12, Author: 9, LastPusher: 5, Head: fakeSHA}, got); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
	if err := c.React(t.Context(), 7, forge.Refused); err != nil {
		t.Error(err)
	}
	notes, err := c.Comments(t.Context(), gitlabAt)
	if err != nil || len(notes) != 1 || notes[0].URL != "https://gitlab.test/shop/front/web/-/merge_requests/12#note_7" {
		t.Errorf("%+v %v", notes, err)
	}
}

func TestAnOfficeFindsTheMergeRequestsOfACommit(t *testing.T) {
	t.Parallel()
	other := strings.Repeat("2", 40)
	for name, tt := range map[string]struct {
		requests []fakeRequest
		want     []int64
	}{
		"none":                           {nil, nil},
		"the head of one":                {[]fakeRequest{{IID: 4, State: "opened", SHA: fakeSHA}, {IID: 5, State: "opened", SHA: other}}, []int64{4}},
		"merged as it":                   {[]fakeRequest{{IID: 4, State: "merged", SHA: other, Merge: fakeSHA}}, []int64{4}},
		"squashed to it":                 {[]fakeRequest{{IID: 4, State: "merged", SHA: other, Squash: fakeSHA}}, []int64{4}},
		"not one that is closed":         {[]fakeRequest{{IID: 4, State: "closed", SHA: fakeSHA}}, nil},
		"each that it is, by its number": {[]fakeRequest{{IID: 9, State: "opened", SHA: fakeSHA}, {IID: 4, State: "merged", Merge: fakeSHA}}, []int64{4, 9}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFakeGitLab(t)
			for _, r := range tt.requests {
				r.ProjectID = fakeProject
				f.requests = append(f.requests, r)
			}
			client := httpx.New(httpx.Options{MaxBody: forge.MaxBody})
			client.HTTP().Transport = gitlabByPath{f}
			o, err := forge.NewOffice(forge.OfficeConfig{GitLabURL: "https://gitlab.test", GitLabToken: "glpat-secret", Client: client})
			if err != nil {
				t.Fatal(err)
			}
			var want []approval.Source
			for _, n := range tt.want {
				want = append(want, approval.Source{Platform: approval.GitLab, Repository: fakeProject, Change: n})
			}
			got, err := o.Find(t.Context(), forge.Sought{Platform: approval.GitLab, Repository: "shop/front/web", Commit: fakeSHA})
			if diff := cmp.Diff(want, got); diff != "" || err != nil {
				t.Errorf("%v\n%s", err, diff)
			}
		})
	}
}

// gitlabByPath knows the project by its path as well.
type gitlabByPath struct{ f *fakeGitLab }

func (p gitlabByPath) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	if rest, ok := strings.CutPrefix(r.URL.EscapedPath(), "/api/v4/projects/shop%2Ffront%2Fweb/"); ok {
		r.URL.Path, r.URL.RawPath = "/api/v4/projects/42/"+rest, ""
	}
	return p.f.RoundTrip(r)
}

// gitlabFile is a GitLab that has one file, and refuses to show it when it says how.
type gitlabFile struct {
	t      *testing.T
	status int
}

func (f gitlabFile) RoundTrip(r *http.Request) (*http.Response, error) {
	wrong, err := tape.GitLab(r)
	if err != nil || len(wrong) > 0 {
		f.t.Errorf("%s: %q %v", r.URL, wrong, err)
	}
	answer := httptest.NewRecorder()
	answer.WriteHeader(f.status)
	if r.URL.Path != "/api/v4/projects/shop/front/web/repository/files/.penstock/approvals.yaml/raw" || r.URL.RawQuery != "ref=HEAD" {
		f.t.Errorf("asked for %s", r.URL)
	}
	_, _ = answer.WriteString("groups")
	return gitlabReply(answer, r), nil
}

func TestAnOfficeReadsAFileOfTheDefaultBranchOfAProject(t *testing.T) {
	t.Parallel()
	for status, tt := range map[int]struct {
		text  string
		there bool
		err   string
	}{
		http.StatusOK:        {"groups", true, ""},
		http.StatusNotFound:  {"", false, ""},
		http.StatusForbidden: {"", false, "read .penstock/approvals.yaml of the default branch"},
	} {
		client := httpx.New(httpx.Options{MaxBody: forge.MaxBody})
		client.HTTP().Transport = gitlabFile{t, status}
		o, err := forge.NewOffice(forge.OfficeConfig{GitLabURL: "https://gitlab.test", GitLabToken: "glpat-secret", Client: client})
		if err != nil {
			t.Fatal(err)
		}
		text, there, err := o.File(t.Context(), forge.Sheet{Platform: approval.GitLab, Repository: "shop/front/web", Path: ".penstock/approvals.yaml"})
		if string(text) != tt.text || there != tt.there || (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%d: %q %v %v", status, text, there, err)
		}
	}
}
