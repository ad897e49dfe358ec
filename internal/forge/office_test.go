package forge

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-dev/penstock/internal/approval"
	"github.com/penstock-dev/penstock/internal/httpx"
)

func (f *fakeApp) count(prefix string) int {
	n := 0
	for _, r := range f.requests {
		if strings.HasPrefix(r, prefix) {
			n++
		}
	}
	return n
}

func TestAnAppReadsEachRepositoryInTheNameOfItsInstallation(t *testing.T) {
	f := newFakeApp(t)
	synctest.Test(t, func(t *testing.T) {
		f.installed = map[string]int{"acme/shop": 4, "acme/till": 4, "other/site": 5}
		o := f.office()
		read := func(repository string) (Change, error) {
			t.Helper()
			c, err := o.Change(approval.GitHub, repository, 7, Ask{})
			if err != nil {
				t.Fatal(err)
			}
			return c.Read(t.Context())
		}
		for repository, id := range map[string]int64{"acme/shop": 40, "acme/till": 40, "other/site": 50} {
			for range 2 {
				if got, err := read(repository); err != nil || got.Repository != id || got.Author != 1 || got.Head != headSHA || got.Starters != nil {
					t.Errorf("%s: %+v %v", repository, got, err)
				}
			}
		}
		if looked, tokens := f.count("GET repos/acme/shop/inst"), f.count("POST app/installations"); looked != 1 || tokens != 2 {
			t.Errorf("looked %d times, asked for %d tokens", looked, tokens)
		}
		if _, err := read("acme/none"); err == nil || !strings.Contains(err.Error(), "the GitHub App 77 is not installed in acme/none") {
			t.Errorf("not installed: %v", err)
		}
		time.Sleep(time.Hour) // of the bubble: the tokens are over
		if _, err := read("acme/shop"); err != nil || f.count("POST app/installations/4/") != 2 {
			t.Errorf("a new token: %v", err)
		}
		f.installed["acme/shop"], f.installed["acme/till"] = 6, 6 // removed, and installed again
		time.Sleep(time.Hour)
		if _, err := read("acme/shop"); err == nil || !strings.Contains(err.Error(), "when asked for a token of the installation") {
			t.Errorf("an installation that is gone: %v", err)
		}
		if got, err := read("acme/shop"); err != nil || got.Repository != 60 {
			t.Errorf("the new one: %+v %v", got, err)
		}
	})
}

func TestAnOfficeWithATokenReadsAndReacts(t *testing.T) {
	t.Parallel()
	f := newFakeTalk(t)
	f.pull["base"] = map[string]any{"repo": map[string]any{"id": 99}}
	at := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	f.say(5, at, "/canary approve x")
	cfg := f.config()
	o, err := NewOffice(OfficeConfig{GitHubAPI: cfg.CI.API, GitHubToken: cfg.Token, Client: cfg.Client})
	if err != nil {
		t.Fatal(err)
	}
	c, err := o.Change(approval.GitHub, "o/r", 7, Ask{})
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.Read(t.Context())
	if diff := cmp.Diff(Change{Repository: 99, Number: 7, Author: 1, LastPusher: 6, Head: headSHA}, got); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
	if notes, err := c.Comments(t.Context(), at); err != nil || len(notes) != 1 || notes[0].Body != "/canary approve x" {
		t.Errorf("%+v %v", notes, err)
	}
	if err := c.React(t.Context(), 5, Seen); err != nil || !cmp.Equal(f.reactions, []string{"5eyes"}) {
		t.Errorf("%v %v", f.reactions, err)
	}
	if o.App() != nil {
		t.Error("an App without one")
	}
}

// docs/operations.md says what a server asks of GitHub for one approval, and reckons with it.
func TestALookAtAnApprovalCostsFewRequests(t *testing.T) {
	t.Parallel()
	f := newFakeTalk(t)
	f.pull["base"] = map[string]any{"repo": map[string]any{"id": 99}}
	f.roles["bob"] = map[string]any{"permission": "write", "role_name": "maintain", "user": map[string]any{"id": 2}}
	f.say(5, time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC), "/canary approve x")
	cfg := f.config()
	o, err := NewOffice(OfficeConfig{GitHubAPI: cfg.CI.API, GitHubToken: cfg.Token, Client: cfg.Client})
	if err != nil {
		t.Fatal(err)
	}
	c, err := o.Change(approval.GitHub, "o/r", 7, Ask{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(t.Context()); err != nil {
		t.Fatal(err)
	}
	if notes, err := c.Comments(t.Context(), time.Time{}); err != nil || len(notes) != 1 {
		t.Fatalf("%+v %v", notes, err)
	}
	if p, err := c.Permission(t.Context(), approval.Actor{ID: 2, Login: "bob"}, nil); err != nil || !p.Known {
		t.Fatalf("%+v %v", p, err)
	}
	if err := c.React(t.Context(), 5, Counts); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("| one approval by a comment | %d requests of the forge |", f.count("")); !strings.Contains(string(text), want) {
		t.Errorf("docs/operations.md has no row %q", want)
	}
}

func TestAnOfficeSaysWhatItCannotDo(t *testing.T) {
	t.Parallel()
	client := httpx.New(httpx.Options{})
	key := Token("-----BEGIN NOTHING-----")
	for want, cfg := range map[string]OfficeConfig{
		"there is no HTTP client":            {GitHubToken: "x"},
		"there is no token":                  {Client: client},
		"want one of them":                   {Client: client, GitHubToken: "x", GitHubAppID: 1, GitHubAppKey: key},
		"needs both its number and":          {Client: client, GitHubAppID: 1, GitLabToken: "x"},
		"the private key of the GitHub App":  {Client: client, GitHubAppID: 1, GitHubAppKey: key},
		"the API of GitHub must be a URL":    {Client: client, GitHubAPI: "ghe", GitHubToken: "x"},
		"the URL of GitLab must be one such": {Client: client, GitLabURL: "gitlab.test", GitLabToken: "x"},
	} {
		if _, err := NewOffice(cfg); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), string(key)) {
			t.Errorf("%s: %v", want, err)
		}
	}
	hub, err := NewOffice(OfficeConfig{Client: client, GitHubToken: "x"})
	if err != nil {
		t.Fatal(err)
	}
	lab, err := NewOffice(OfficeConfig{Client: client, GitLabToken: "x"})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		office     *Office
		platform   approval.Platform
		repository string
		number     int64
		want       string
	}{
		{hub, approval.GitHub, "o/r", 0, "is not the number"},
		{hub, approval.GitHub, "o/../x", 1, "is not the path"},
		{hub, approval.GitHub, "o/r?x=1", 1, "is not the path"},
		{hub, approval.GitHub, "repo", 1, "is not the path"},
		{hub, approval.GitHub, "a/b/c", 1, "want owner/name"},
		{hub, approval.GitLab, "a/b/c", 1, "GitLab cannot be asked"},
		{lab, approval.GitHub, "o/r", 1, "GitHub cannot be asked"},
		{lab, "gitea", "o/r", 1, "is not known"},
	} {
		if _, err := tt.office.Change(tt.platform, tt.repository, tt.number, Ask{}); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s %s %d: %v", tt.platform, tt.repository, tt.number, err)
		}
	}
}

func TestWhatNobodyTookIsAskedForAgain(t *testing.T) {
	t.Parallel()
	f := newFakeApp(t)
	app := f.office().App()
	now := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	f.deliver(1, "before", now.Add(-time.Hour), 502)
	for i := range 150 {
		f.deliver(100+i, fmt.Sprint("fine-", i), now, 200)
	}
	f.deliver(2, "lost", now, 0)
	f.deliver(3, "refused", now, 503)
	f.deliver(4, "taken-later", now, 502)
	f.deliver(5, "taken-later", now, 202)
	f.deliver(6, "refused", now, 500)
	for i := range mostAttempts {
		f.deliver(10+i, "hopeless", now, 500)
	}
	n, err := app.Redeliver(t.Context(), now)
	if err != nil || n != 2 {
		t.Errorf("%d, %v", n, err)
	}
	var asked []string
	for _, r := range f.requests {
		if strings.HasPrefix(r, "POST ") {
			asked = append(asked, r)
		}
	}
	want := []string{"POST app/hook/deliveries/2/attempts", "POST app/hook/deliveries/6/attempts"} // the oldest first
	if diff := cmp.Diff(want, asked); diff != "" {
		t.Error(diff)
	}
	f.accept = func(id string) int {
		if id == "2" {
			return http.StatusUnprocessableEntity
		}
		return http.StatusAccepted
	}
	if n, err := app.Redeliver(t.Context(), now); n != 1 || err == nil || !strings.Contains(err.Error(), "ask for an event again") {
		t.Errorf("one that is too old: %d, %v", n, err)
	}
	f.accept = func(string) int { return http.StatusTooManyRequests }
	if n, err := app.Redeliver(t.Context(), now); n != 0 || err == nil || f.count("POST ") != 5 {
		t.Errorf("limited: %d, %v, %d requests", n, err, f.count("POST "))
	}
}
