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

// surfaces makes the surfaces of a new job, by name.
func surfaces(t *testing.T, cfg forge.GitLabConfig) (map[string]forge.Surface, []string) {
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

func show(t *testing.T, s forge.Surface, pages ...forge.Page) {
	t.Helper()
	for _, p := range pages {
		if err := s.Show(t.Context(), p); err != nil {
			t.Fatalf("show %q: %v", p.Title, err)
		}
	}
}

func mention(t *testing.T, err error, words ...string) {
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
	step   = forge.Page{Title: "30% · step 3/5", Body: "thirty percent", State: forge.InProgress}
	step50 = forge.Page{Title: "50% · step 4/5", Body: "fifty percent", State: forge.InProgress}
	done   = forge.Page{Title: "promoted", Body: "promoted", State: forge.Success, Final: true}
	failed = forge.Page{Title: "rolled back", Body: "rolled back", State: forge.Failure, Final: true}
)

func TestJobTokenShowsOnlyTheDeployment(t *testing.T) {
	t.Parallel()
	f := newFakeGitLab(t)
	cfg := gitlabConfig(f)
	cfg.Token, cfg.JobToken, cfg.Environment = "", "job-secret", "production"
	byName, warnings := surfaces(t, cfg)
	if len(warnings) != 1 || !strings.Contains(warnings[0], "CI_JOB_TOKEN") || !strings.Contains(warnings[0], "scope api") {
		t.Errorf("warnings: %q", warnings)
	}
	if len(byName) != 1 {
		t.Errorf("surfaces: %v", byName)
	}
	show(t, byName["deployment"], step, step50, done)
	if len(f.deployments) != 1 || f.deployments[0].Status != "success" || f.deployments[0].User != human {
		t.Errorf("deployments: %+v", f.deployments)
	}
}

func TestWithoutAnyTokenNothingIsShown(t *testing.T) {
	t.Parallel()
	cfg := gitlabConfig(newFakeGitLab(t))
	cfg.Token = ""
	byName, warnings := surfaces(t, cfg)
	if len(byName) != 0 || len(warnings) != 1 {
		t.Errorf("surfaces %v, warnings %q", byName, warnings)
	}
}

func TestPipelineOfForkWritesNoNote(t *testing.T) {
	t.Parallel()
	cfg := gitlabConfig(newFakeGitLab(t))
	cfg.CI.Request, cfg.CI.Fork = 0, true
	byName, warnings := surfaces(t, cfg)
	if byName["merge request note"] != nil || len(warnings) != 1 || !strings.Contains(warnings[0], "fork") {
		t.Errorf("surfaces %v, warnings %q", byName, warnings)
	}
}

func TestDenialIsToldOnce(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		deny  func(*fakeGitLab)
		words []string
	}{
		"the token may only read": {func(f *fakeGitLab) { f.scopeless = true }, []string{"403", "scope api", "role"}},
		"the token has expired":   {func(f *fakeGitLab) { f.tokens = nil }, []string{"401", "expired"}},
		"the token cannot see the thing": {func(f *fakeGitLab) {
			f.notes, f.pipelineSHA = nil, strings.Repeat("2", 40)
			f.faults["GET jobs"] = []fault{{status: 404}}
		}, []string{"404", "scope api"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, surface := range []string{"commit status", "merge request note"} {
				f := newFakeGitLab(t)
				c.deny(f)
				byName, _ := surfaces(t, gitlabConfig(f))
				mention(t, byName[surface].Show(t.Context(), step), append(c.words, surface)...)
				asked := len(f.log)
				show(t, byName[surface], step50, done)
				if len(f.log) != asked {
					t.Errorf("%s asks again: %v", surface, f.log[asked:])
				}
			}
		})
	}
}

func TestRateLimitIsObeyedByAllSurfaces(t *testing.T) {
	t.Parallel()
	for after, want := range map[string]time.Duration{"37": 37 * time.Second, "": time.Minute, "soon": time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			f := newFakeGitLab(t)
			f.faults["POST notes"] = []fault{{status: 429, retryAfter: after, body: "Retry later"}}
			byName, _ := surfaces(t, gitlabConfig(f))
			start := time.Now()
			go func() {
				time.Sleep(time.Second)
				show(t, byName["commit status"], step)
				if took := time.Since(start); took != want {
					t.Errorf("Retry-After %q: the status waited %v, not %v", after, took, want)
				}
			}()
			show(t, byName["merge request note"], step)
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

func TestNobodyWaitsLongerThanThereIsTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFakeGitLab(t)
		f.faults["GET user"] = []fault{{status: 429, retryAfter: "3600"}}
		byName, _ := surfaces(t, gitlabConfig(f))
		ctx, cancel := context.WithTimeout(t.Context(), 6*time.Second)
		defer cancel()
		start := time.Now()
		mention(t, byName["merge request note"].Show(ctx, done), "1h0m0s")
		if took := time.Since(start); took != 0 {
			t.Errorf("waited %v for nothing", took)
		}
	})
}

func TestServerErrorsPass(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFakeGitLab(t)
		f.faults["GET user"] = []fault{{status: 502, body: "<html>nginx</html>"}, {status: 503, retryAfter: "20"}}
		f.faults["GET notes"] = []fault{{status: 500}}
		byName, _ := surfaces(t, gitlabConfig(f))
		start := time.Now()
		show(t, byName["merge request note"], step)
		if took := time.Since(start); took != 22*time.Second || len(f.notes[12]) != 1 {
			t.Errorf("took %v, %d notes", took, len(f.notes[12]))
		}
	})
}

func TestServerErrorThatStaysIsTriedALimitedNumberOfTimesAndThenAgainForTheNextPage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFakeGitLab(t)
		down := fault{status: 502, body: "<html>glpat-secret</html>"}
		f.faults["GET user"] = []fault{down, down, down, down}
		byName, _ := surfaces(t, gitlabConfig(f))
		mention(t, byName["merge request note"].Show(t.Context(), step), "read the token's user", "502")
		show(t, byName["merge request note"], done)
		if len(f.notes[12]) != 1 {
			t.Errorf("%d notes", len(f.notes[12]))
		}
	})
}

func TestOwnClientSpeaksToRealServer(t *testing.T) {
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
	byName, _ := surfaces(t, cfg)
	show(t, byName["merge request note"], step, done)
	if diff := cmp.Diff("penstock/1.2.3", agent); diff != "" {
		t.Error(diff)
	}
	server.Close()
	cfg.CI.SHA = strings.Repeat("3", 40)
	byName, _ = surfaces(t, cfg)
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond) // no time for a second try
	defer cancel()
	mention(t, byName["merge request note"].Show(ctx, step), "connection refused")
}
