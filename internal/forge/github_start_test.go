package forge

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// fakeRuns is the part of a GitHub that runs workflows: run 99 has suspended a rollout.
type fakeRuns struct {
	status  string
	attempt int
	job     string // status of job 5, deploy
	waits   string // the environment that asks its rule
	runs    []map[string]any
	started []string // METHOD path body
}

func (f *fakeRuns) serve(mux *http.ServeMux, base string) {
	get := func(path string, answerOf func() any) {
		mux.HandleFunc("GET "+base+path, func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, answerOf()) })
	}
	get("/actions/runs/99", func() any {
		return map[string]any{"id": 99, "status": f.status, "run_attempt": f.attempt, "repository": map[string]any{"id": 7}}
	})
	get("/actions/runs/99/attempts/1/jobs", func() any {
		return map[string]any{"total_count": 2, "jobs": []any{map[string]any{"id": 4, "name": "build"}, map[string]any{"id": 5, "name": "deploy", "status": f.job}}}
	})
	get("/actions/runs/99/pending_deployments", func() any {
		if f.waits == "" {
			return []any{}
		}
		return []any{map[string]any{"environment": map[string]any{"id": 1, "name": f.waits}}}
	})
	get("/actions/workflows/promote.yml/runs", func() any { return map[string]any{"workflow_runs": f.runs} })
	get("/actions/runs", func() any { return map[string]any{"workflow_runs": f.runs} })
	post := func(path string, status int, then func()) {
		mux.HandleFunc("POST "+base+path, func(w http.ResponseWriter, r *http.Request) {
			var body map[string]any
			if r.Body != nil {
				_ = json.NewDecoder(r.Body).Decode(&body)
			}
			text, _ := json.Marshal(body)
			f.started = append(f.started, strings.TrimPrefix(r.URL.Path, base)+" "+string(text))
			then()
			answer(w, status, map[string]any{})
		})
	}
	post("/actions/jobs/{id}/rerun", http.StatusCreated, func() { f.attempt, f.status = f.attempt+1, "queued" })
	post("/actions/workflows/promote.yml/dispatches", http.StatusNoContent, func() {
		f.runs = append(f.runs, map[string]any{"display_title": "promote run-1", "created_at": time.Now()})
	})
	post("/dispatches", http.StatusNoContent, func() { f.runs = append(f.runs, map[string]any{"display_title": "on event", "created_at": time.Now()}) })
	post("/actions/runs/99/deployment_protection_rule", http.StatusNoContent, func() { f.waits = "" })
}

// newRuns is that GitHub, and what starts a run there by a means.
func newRuns(t *testing.T, means string) (*fakeGitHub, *fakeRuns, Starter) {
	t.Helper()
	f := newFakeGitHub(t)
	runs := &fakeRuns{status: "completed", attempt: 1, runs: []map[string]any{{"display_title": "run-1 of last year", "created_at": time.Now().Add(-time.Hour)}}}
	runs.serve(f.mux, "/repos/o/r")
	cfg := f.config()
	o, err := NewOffice(OfficeConfig{GitHubAPI: cfg.CI.API, GitHubToken: cfg.Token, Client: cfg.Client})
	if err != nil {
		t.Fatal(err)
	}
	s, err := o.Starter(resumed(t, means))
	if err != nil {
		t.Fatal(err)
	}
	return f, runs, s
}

func resumed(t *testing.T, means string) Resume {
	t.Helper()
	m, err := ParseMeans(means)
	if err != nil {
		t.Fatal(err)
	}
	return Resume{
		Means: m, Rollout: "run-1", Namespace: "shop", Canary: "podinfo", Image: "app:2", Comment: "approved by bob",
		CI: CI{Platform: PlatformGitHub, Server: "https://github.test", Repository: "o/r", RepositoryID: 7, SHA: headSHA, Ref: "refs/heads/main",
			RunID: "99", JobID: "deploy", Attempt: 1},
	}
}

func TestEachMeansOfGitHubStartsOneRun(t *testing.T) {
	t.Parallel()
	told := `"penstock-canary":"podinfo",%s"penstock-rollout":"run-1","penstock-run":"99","penstock-sha":"` + headSHA + `"`
	for means, want := range map[string]string{
		"rerun":                     `/actions/jobs/5/rerun null`,
		"rerun:build":               `/actions/jobs/4/rerun null`,
		"workflow:promote.yml":      `/actions/workflows/promote.yml/dispatches {"inputs":{` + fmt.Sprintf(told, "") + `},"ref":"main"}`,
		"workflow:promote.yml@next": `/actions/workflows/promote.yml/dispatches {"inputs":{` + fmt.Sprintf(told, "") + `},"ref":"next"}`,
		"dispatch:promote": `/dispatches {"client_payload":{` +
			fmt.Sprintf(told, `"penstock-image":"app:2","penstock-namespace":"shop",`) + `},"event_type":"promote"}`,
	} {
		_, runs, s := newRuns(t, means)
		before := time.Now()
		if why, err := s.Ready(t.Context()); why != "" || err != nil {
			t.Errorf("%s: it is not ready: %q %v", means, why, err)
		}
		if found, err := s.Look(t.Context(), before); found != Nothing || err != nil {
			t.Errorf("%s: before it was started a look finds %v %v", means, found, err)
		}
		if err := s.Start(t.Context()); err != nil {
			t.Errorf("%s: %v", means, err)
		}
		if !slices.Equal(runs.started, []string{want}) {
			t.Errorf("%s asks %q, want %q", means, runs.started, want)
		}
		found, err := s.Look(t.Context(), before)
		if wanted := map[bool]Found{true: Unsure, false: Started}[strings.HasPrefix(means, "dispatch")]; found != wanted || err != nil {
			t.Errorf("%s: afterwards a look finds %v %v, want %v", means, found, err, wanted)
		}
		if s.ByHand() == "" {
			t.Errorf("%s: nobody is told what to do by hand", means)
		}
	}
}

func TestAJobRunsAgainOnlyOnceItsRunIsOver(t *testing.T) {
	t.Parallel()
	_, runs, s := newRuns(t, "rerun")
	runs.status = "in_progress"
	if why, err := s.Ready(t.Context()); !strings.Contains(why, "in_progress") || err != nil {
		t.Errorf("%q %v", why, err)
	}
	runs.status, runs.attempt = "completed", 2
	if _, err := s.Ready(t.Context()); !Hopeless(err) {
		t.Errorf("somebody has run it again, in vain: %v", err)
	}
	_, _, s = newRuns(t, "rerun:lunch")
	if _, err := s.Ready(t.Context()); !Hopeless(err) || !strings.Contains(err.Error(), `it has "build", "deploy"`) {
		t.Errorf("a job that is not there: %v", err)
	}
}

func TestARepositoryThatIsAnotherOneStartsNothing(t *testing.T) {
	t.Parallel()
	f, runs, _ := newRuns(t, "rerun")
	cfg := f.config()
	o, err := NewOffice(OfficeConfig{GitHubAPI: cfg.CI.API, GitHubToken: cfg.Token, Client: cfg.Client})
	if err != nil {
		t.Fatal(err)
	}
	for _, means := range []string{"rerun", "workflow:promote.yml", "dispatch:promote"} {
		r := resumed(t, means)
		r.CI.RepositoryID = 8
		s, err := o.Starter(r)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Ready(t.Context()); !Hopeless(err) || !strings.Contains(err.Error(), "is number 7 now, and not 8") {
			t.Errorf("%s: %v", means, err)
		}
	}
	if len(runs.started) > 0 {
		t.Errorf("started: %q", runs.started)
	}
}

func TestAStartThatFailsIsSureOrNot(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]struct{ unanswered, hopeless bool }{
		http.StatusForbidden: {false, true}, http.StatusUnprocessableEntity: {false, true},
		http.StatusTooManyRequests: {false, false}, http.StatusBadGateway: {true, false},
	} {
		f, _, s := newRuns(t, "dispatch:promote")
		f.trouble = func(w http.ResponseWriter, _ *http.Request) bool { refuse(w, status, "no"); return true }
		if err := s.Start(t.Context()); Unanswered(err) != want.unanswered || Hopeless(err) != want.hopeless {
			t.Errorf("%d: unanswered %v, hopeless %v: %v", status, Unanswered(err), Hopeless(err), err)
		}
	}
	f, runs, s := newRuns(t, "rerun")
	if _, err := s.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.lose = func(r *http.Request) bool { return r.Method == http.MethodPost }
	if err := s.Start(t.Context()); !Unanswered(err) || len(runs.started) != 1 {
		t.Errorf("an answer that is lost: %v, started %q", err, runs.started)
	}
	if found, err := s.Look(t.Context(), time.Now()); found != Started || err != nil {
		t.Errorf("a look finds %v %v", found, err)
	}
}

func TestARuleIsAnsweredByTheAppOnce(t *testing.T) {
	t.Parallel()
	app := newFakeApp(t)
	app.installed["o/r"] = 5
	runs := &fakeRuns{status: "in_progress", attempt: 1}
	runs.serve(app.mux, "/api/v3/repos/o/r")
	s, err := app.office().Starter(resumed(t, "protection-rule:promotion"))
	if err != nil {
		t.Fatal(err)
	}
	if why, err := s.Ready(t.Context()); !strings.Contains(why, `"promotion"`) || err != nil {
		t.Errorf("before GitHub asks: %q %v", why, err)
	}
	runs.waits = "Promotion"
	if why, err := s.Ready(t.Context()); why != "" || err != nil {
		t.Errorf("%q %v", why, err)
	}
	if err := s.Start(t.Context()); err != nil {
		t.Error(err)
	}
	want := `/actions/runs/99/deployment_protection_rule {"comment":"approved by bob","environment_name":"promotion","state":"approved"}`
	if found, err := s.Look(t.Context(), time.Now()); found != Started || err != nil || !slices.Equal(runs.started, []string{want}) {
		t.Errorf("%v %v %q", found, err, runs.started)
	}
	runs.waits = "promotion"
	if err := s.(Refuser).Refuse(t.Context(), "rejected by bob"); err != nil || !strings.Contains(runs.started[1], `"state":"rejected"`) {
		t.Errorf("%v %q", err, runs.started)
	}
	if err := s.(Refuser).Refuse(t.Context(), "once more"); err != nil || len(runs.started) != 2 {
		t.Errorf("a rule that waits no more: %v %q", err, runs.started)
	}
	_, _, other := newRuns(t, "rerun")
	o := other.(*githubStarter).office
	if _, err := o.Starter(resumed(t, "protection-rule:promotion")); err == nil || !strings.Contains(err.Error(), "--github-app-id") {
		t.Errorf("without an App: %v", err)
	}
}

func TestMeansAreReadAsTheyAreWritten(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"none", "rerun", "rerun:deploy (a)", "workflow:promote.yml", "workflow:promote.yaml@release/1.2", "dispatch:promote",
		"protection-rule:promotion", "play:promote", "trigger", "trigger:main",
	} {
		if m, err := ParseMeans(text); err != nil || m.String() != text {
			t.Errorf("%q: %q %v", text, m, err)
		}
	}
	for _, text := range []string{
		"dance", "rerun:", "workflow", "workflow:../../x.yml", "workflow:promote", "workflow:promote.yml@a b", "workflow:promote.yml@a..b", "dispatch:",
		"dispatch:" + strings.Repeat("x", 101), "protection-rule", "play", "play:a\nb", "trigger:-x", "trigger:",
	} {
		if m, err := ParseMeans(text); err == nil {
			t.Errorf("%q is taken for %q", text, m)
		}
	}
}

func TestAJobIsOverWhenGitHubSaysSo(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		status, job string
		attempt     int
		want        bool
	}{
		"all of the run is over":           {"completed", "completed", 1, true},
		"the job is over, others are not":  {"in_progress", "completed", 1, true},
		"the job is at work":               {"in_progress", "in_progress", 1, false},
		"it runs again":                    {"in_progress", "completed", 2, false},
		"it has run again and is over now": {"completed", "completed", 2, true},
	} {
		_, runs, s := newRuns(t, "rerun")
		runs.status, runs.job, runs.attempt = tt.status, tt.job, tt.attempt
		if over, err := s.(*githubStarter).office.Over(t.Context(), resumed(t, "rerun").CI); over != tt.want || err != nil {
			t.Errorf("%s: %v %v", name, over, err)
		}
	}
}
