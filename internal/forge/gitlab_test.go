package forge_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-dev/penstock/internal/forge"
)

func gitlabCI() forge.CI {
	return forge.CI{
		Platform: forge.PlatformGitLab, Server: "https://gitlab.test", API: "https://gitlab.test/api/v4",
		RepositoryID: fakeProject, Repository: "shop/web", SHA: fakeSHA, Ref: fakeRef, Request: 12,
		RunURL: "https://gitlab.test/shop/web/-/jobs/5005", JobID: "5005", PipelineID: fakePipeline,
	}
}

func gitlabConfig(f *fakeGitLab) forge.GitLabConfig {
	return forge.GitLabConfig{
		CI: gitlabCI(), Rollout: forge.Rollout{ID: "01J", Namespace: "shop", Canary: "web"},
		Token: "glpat-secret", HTTP: &http.Client{Transport: f},
	}
}

// gitlabSurfaces makes the surfaces of a new job, by name.
func gitlabSurfaces(t *testing.T, cfg forge.GitLabConfig) (map[string]forge.Surface, []string) {
	t.Helper()
	list, warnings, err := forge.NewGitLab(cfg)
	if err != nil {
		t.Fatal(err)
	}
	byName := map[string]forge.Surface{}
	for _, s := range list {
		byName[s.Name()] = s
	}
	return byName, warnings
}

func gitlabShow(t *testing.T, s forge.Surface, pages ...forge.Page) {
	t.Helper()
	for _, p := range pages {
		if err := s.Show(t.Context(), p); err != nil {
			t.Fatalf("show %q: %v", p.Title, err)
		}
	}
}

func gitlabMention(t *testing.T, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("%q does not mention %q", err, word)
		}
	}
	if strings.Contains(err.Error(), "secret") {
		t.Errorf("%q shows the token", err)
	}
}

var (
	gitlabStep   = forge.Page{Title: "30% · step 3/5", Body: "thirty percent", State: forge.InProgress}
	gitlabStep50 = forge.Page{Title: "50% · step 4/5", Body: "fifty percent", State: forge.InProgress}
	gitlabDone   = forge.Page{Title: "promoted", Body: "promoted", State: forge.Success, Final: true}
	gitlabFailed = forge.Page{Title: "rolled back", Body: "rolled back", State: forge.Failure, Final: true}
)

func TestGitLabJobTokenShowsOnlyTheDeployment(t *testing.T) {
	t.Parallel()
	f := newFakeGitLab(t)
	cfg := gitlabConfig(f)
	cfg.Token, cfg.JobToken, cfg.Environment = "", "job-secret", "production"
	byName, warnings := gitlabSurfaces(t, cfg)
	if len(warnings) != 1 || !strings.Contains(warnings[0], "CI_JOB_TOKEN") || !strings.Contains(warnings[0], "scope api") {
		t.Errorf("warnings: %q", warnings)
	}
	if len(byName) != 1 {
		t.Errorf("surfaces: %v", byName)
	}
	gitlabShow(t, byName["deployment"], gitlabStep, gitlabStep50, gitlabDone)
	if len(f.deployments) != 1 || f.deployments[0].Status != "success" || f.deployments[0].User != gitlabHuman {
		t.Errorf("deployments: %+v", f.deployments)
	}
}

func TestGitLabWithoutAnyTokenNothingIsShown(t *testing.T) {
	t.Parallel()
	cfg := gitlabConfig(newFakeGitLab(t))
	cfg.Token = ""
	byName, warnings := gitlabSurfaces(t, cfg)
	if len(byName) != 0 || len(warnings) != 1 {
		t.Errorf("surfaces %v, warnings %q", byName, warnings)
	}
}

func TestGitLabPipelineOfForkWritesNoNote(t *testing.T) {
	t.Parallel()
	cfg := gitlabConfig(newFakeGitLab(t))
	cfg.CI.Request, cfg.CI.Fork = 0, true
	byName, warnings := gitlabSurfaces(t, cfg)
	if byName["merge request note"] != nil || len(warnings) != 1 || !strings.Contains(warnings[0], "fork") {
		t.Errorf("surfaces %v, warnings %q", byName, warnings)
	}
}

func TestGitLabDenialIsToldOnce(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		deny  func(*fakeGitLab)
		words []string
	}{
		"the token may only read": {func(f *fakeGitLab) { f.scopeless = true }, []string{"403", "scope api", "role"}},
		"the token has expired":   {func(f *fakeGitLab) { f.tokens = nil }, []string{"401", "expired"}},
		"the token cannot see the thing": {func(f *fakeGitLab) {
			f.notes, f.pipelineSHA = nil, strings.Repeat("2", 40)
			f.faults["GET jobs"] = []gitlabFault{{status: 404}}
		}, []string{"404", "scope api"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, surface := range []string{"commit status", "merge request note"} {
				f := newFakeGitLab(t)
				c.deny(f)
				byName, _ := gitlabSurfaces(t, gitlabConfig(f))
				gitlabMention(t, byName[surface].Show(t.Context(), gitlabStep), append(c.words, surface)...)
				gitlabShow(t, byName[surface], gitlabStep50, gitlabDone)
				asked := len(f.log)
				gitlabShow(t, byName[surface], gitlabStep50, gitlabDone)
				if len(f.log) != asked {
					t.Errorf("%s asks again: %v", surface, f.log[asked:])
				}
			}
		})
	}
}

func TestGitLabRateLimitIsObeyedByAllSurfaces(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status int
		after  string
		want   time.Duration
	}{
		{429, "37", 37 * time.Second}, {429, "", time.Minute}, {429, "soon", time.Minute}, {403, "37", 37 * time.Second}, {503, "37", 37 * time.Second},
		{429, "Sat, 01 Jan 2000 00:00:45 GMT", 45 * time.Second}, // the bubble's time begins 45 s earlier
	} {
		synctest.Test(t, func(t *testing.T) {
			after, want := c.after, c.want
			f := newFakeGitLab(t)
			f.faults["POST notes"] = []gitlabFault{{status: c.status, retryAfter: after, body: "Retry later"}}
			byName, _ := gitlabSurfaces(t, gitlabConfig(f))
			start := time.Now()
			go func() {
				time.Sleep(time.Second)
				gitlabShow(t, byName["commit status"], gitlabStep)
				if took := time.Since(start); took != want {
					t.Errorf("Retry-After %q: the status waited %v, not %v", after, took, want)
				}
			}()
			gitlabShow(t, byName["merge request note"], gitlabStep)
			if took := time.Since(start); took != want {
				t.Errorf("Retry-After %q: the note waited %v, not %v", after, took, want)
			}
			synctest.Wait()
			if len(f.notes[12]) != 1 || len(f.statuses) != 1 {
				t.Errorf("%d notes, %d statuses", len(f.notes[12]), len(f.statuses))
			}
		})
	}
}

func TestGitLabLimitIsNoDenial(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFakeGitLab(t)
		banned := gitlabFault{status: 403, retryAfter: "60", body: "Forbidden"}
		f.faults["GET user"] = []gitlabFault{banned, banned, banned, banned}
		byName, _ := gitlabSurfaces(t, gitlabConfig(f))
		gitlabMention(t, byName["merge request note"].Show(t.Context(), gitlabStep), "403")
		gitlabShow(t, byName["merge request note"], gitlabDone)
		if len(f.notes[12]) != 1 {
			t.Errorf("%d notes", len(f.notes[12]))
		}
	})
}

// What a server says is shown in one line, without the token that it may repeat, and no log takes it for a command.
func TestGitLabsOwnWordsAreCleaned(t *testing.T) {
	t.Parallel()
	f := newFakeGitLab(t)
	f.faults["POST notes"] = []gitlabFault{{status: 400, body: `{"message":{"note":["glpat-secret\r\u001b[0K is no note","see https://a.test/?token=secret"]}}`}}
	byName, _ := gitlabSurfaces(t, gitlabConfig(f))
	err := byName["merge request note"].Show(t.Context(), gitlabStep)
	gitlabMention(t, err, "400", "***", "is no note", `\x1b[0K`)
	if strings.ContainsAny(err.Error(), "\r\x1b") {
		t.Errorf("got %q", err)
	}
}

func TestGitLabNobodyWaitsLongerThanThereIsTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFakeGitLab(t)
		f.faults["GET user"] = []gitlabFault{{status: 429, retryAfter: "3600"}}
		byName, _ := gitlabSurfaces(t, gitlabConfig(f))
		ctx, cancel := context.WithTimeout(t.Context(), 6*time.Second)
		defer cancel()
		start := time.Now()
		gitlabMention(t, byName["merge request note"].Show(ctx, gitlabDone), "1h0m0s")
		if took := time.Since(start); took != 0 {
			t.Errorf("waited %v for nothing", took)
		}
	})
}

func TestGitLabServerErrorsPass(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFakeGitLab(t)
		f.faults["GET user"] = []gitlabFault{{status: 502, body: "<html>nginx</html>"}, {status: 503, retryAfter: "20"}}
		f.faults["GET notes"] = []gitlabFault{{status: 500}}
		byName, _ := gitlabSurfaces(t, gitlabConfig(f))
		start := time.Now()
		gitlabShow(t, byName["merge request note"], gitlabStep)
		if took := time.Since(start); took != 22*time.Second || len(f.notes[12]) != 1 {
			t.Errorf("took %v, %d notes", took, len(f.notes[12]))
		}
	})
}

func TestGitLabServerErrorThatStaysIsTriedALimitedNumberOfTimesAndThenAgainForTheNextPage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFakeGitLab(t)
		down := gitlabFault{status: 502, body: "<html>glpat-secret</html>"}
		f.faults["GET user"] = []gitlabFault{down, down, down, down}
		byName, _ := gitlabSurfaces(t, gitlabConfig(f))
		gitlabMention(t, byName["merge request note"].Show(t.Context(), gitlabStep), "read the token's user", "502")
		gitlabShow(t, byName["merge request note"], gitlabDone)
		if len(f.notes[12]) != 1 {
			t.Errorf("%d notes", len(f.notes[12]))
		}
	})
}

func TestGitLabOwnClientSpeaksToRealServer(t *testing.T) {
	t.Parallel()
	f := newFakeGitLab(t)
	var agent string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		agent = r.UserAgent()
		f.serve(w, r)
	}))
	defer server.Close()
	cfg := gitlabConfig(f)
	cfg.HTTP, cfg.Version, cfg.CI.API = nil, "1.2.3", server.URL+"/api/v4"
	byName, _ := gitlabSurfaces(t, cfg)
	gitlabShow(t, byName["merge request note"], gitlabStep, gitlabDone)
	if diff := cmp.Diff("penstock/1.2.3", agent); diff != "" {
		t.Error(diff)
	}
	server.Close()
	cfg.CI.SHA = strings.Repeat("3", 40)
	byName, _ = gitlabSurfaces(t, cfg)
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond) // no time for a second try
	defer cancel()
	gitlabMention(t, byName["merge request note"].Show(ctx, gitlabStep), "connection refused")
}
