package forge_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/penstock-dev/penstock/internal/forge"
	"github.com/penstock-dev/penstock/internal/httpx"
)

// fakeJobs is the part of a GitLab that runs jobs.
type fakeJobs struct {
	manual    string   // status of the manual job, number 8
	pipelines []any    // triggered
	started   []string // what was asked for
}

func (f *fakeGitLab) listJobs(*http.Request, fakeUser) (any, error) {
	return []any{map[string]any{"id": fakeJob, "name": "rollout", "status": "success"}, map[string]any{"id": 8, "name": "promote", "status": f.jobs.manual}}, nil
}

func (f *fakeGitLab) playJob(r *http.Request, _ fakeUser) (any, error) {
	if r.PathValue("id") != "8" || f.jobs.manual != "manual" {
		return nil, gitlabErrFake{400, "400 Bad request - Unplayable Job"}
	}
	f.jobs.manual = "pending"
	f.jobs.started = append(f.jobs.started, "play 8")
	return map[string]any{"id": 8, "status": "pending"}, nil
}

func (f *fakeGitLab) trigger(r *http.Request, _ fakeUser) (any, error) {
	var in struct {
		Ref, Token string
		Variables  map[string]string
	}
	_ = json.NewDecoder(r.Body).Decode(&in)
	if in.Token != "glptt-secret" {
		return nil, gitlabErrFake{404, "404 Not Found"}
	}
	text, _ := json.Marshal(in.Variables)
	f.jobs.started = append(f.jobs.started, in.Ref+" "+string(text))
	f.jobs.pipelines = append(f.jobs.pipelines, map[string]any{"id": 1002, "source": "trigger"})
	return map[string]any{"id": 1002}, nil
}

func (f *fakeGitLab) listPipelines(r *http.Request, _ fakeUser) (any, error) {
	if r.URL.Query().Get("source") != "trigger" {
		return nil, gitlabErrFake{400, "source does not have a valid value"}
	}
	return f.jobs.pipelines, nil
}

func (f *fakeGitLab) starter(means, token string) (forge.Starter, error) {
	f.t.Helper()
	m, err := forge.ParseMeans(means)
	if err != nil {
		f.t.Fatal(err)
	}
	client := httpx.New(httpx.Options{MaxBody: forge.MaxBody})
	client.HTTP().Transport = f
	o, err := forge.NewOffice(forge.OfficeConfig{GitLabURL: "https://gitlab.test", GitLabToken: "glpat-secret", Client: client})
	if err != nil {
		f.t.Fatal(err)
	}
	return o.Starter(forge.Resume{
		Means: m, Rollout: "run-1", Namespace: "shop", Canary: "podinfo", Request: 12, Trigger: forge.Token(token),
		CI: forge.CI{Platform: forge.PlatformGitLab, Repository: "g/p", RepositoryID: fakeProject, SHA: fakeSHA, Ref: "main", PipelineID: fakePipeline, JobID: "5005"},
	})
}

func TestAManualJobIsPlayedOnce(t *testing.T) {
	t.Parallel()
	f := newFakeGitLab(t)
	s, err := f.starter("play:promote", "")
	if err != nil {
		t.Fatal(err)
	}
	f.jobs.manual = "created"
	if why, err := s.Ready(t.Context()); !strings.Contains(why, "waits for the jobs before it") || err != nil {
		t.Errorf("%q %v", why, err)
	}
	f.jobs.manual = "manual"
	if why, err := s.Ready(t.Context()); why != "" || err != nil {
		t.Errorf("%q %v", why, err)
	}
	if found, err := s.Look(t.Context(), time.Now()); found != forge.Nothing || err != nil {
		t.Errorf("before, a look finds %v %v", found, err)
	}
	f.faults["POST play"] = []gitlabFault{{lost: true}}
	if err := s.Start(t.Context()); !forge.Unanswered(err) {
		t.Errorf("an answer that is lost: %v", err)
	}
	if found, err := s.Look(t.Context(), time.Now()); found != forge.Started || err != nil || !slices.Equal(f.jobs.started, []string{"play 8"}) {
		t.Errorf("a look finds %v %v, and %q was asked", found, err, f.jobs.started)
	}
	if err := s.Start(t.Context()); !forge.Hopeless(err) {
		t.Errorf("playing it again: %v", err)
	}
	f.jobs.manual = "skipped"
	if _, err := s.Ready(t.Context()); !forge.Hopeless(err) {
		t.Errorf("a job that was skipped: %v", err)
	}
	if s, err = f.starter("play:lunch", ""); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Ready(t.Context()); err == nil || !strings.Contains(err.Error(), `it has "rollout", "promote"`) {
		t.Errorf("a job that is not there: %v", err)
	}
}

func TestATriggerTellsWhatItIsFor(t *testing.T) {
	t.Parallel()
	f := newFakeGitLab(t)
	if _, err := f.starter("trigger", ""); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("--gitlab-trigger-token %d=TOKEN", fakeProject)) {
		t.Errorf("without a token: %v", err)
	}
	s, err := f.starter("trigger:release", "glptt-secret")
	if err != nil {
		t.Fatal(err)
	}
	if why, err := s.Ready(t.Context()); why != "" || err != nil {
		t.Errorf("%q %v", why, err)
	}
	if found, err := s.Look(t.Context(), time.Now()); found != forge.Nothing || err != nil {
		t.Errorf("before, a look finds %v %v", found, err)
	}
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := `release {"PENSTOCK_RESUME_CANARY":"podinfo","PENSTOCK_RESUME_JOB":"5005","PENSTOCK_RESUME_PIPELINE":"1001","PENSTOCK_RESUME_REQUEST":"12","PENSTOCK_RESUME_ROLLOUT":"run-1","PENSTOCK_RESUME_SHA":"` + fakeSHA + `"}`
	if !slices.Equal(f.jobs.started, []string{want}) {
		t.Errorf("asked %q", f.jobs.started)
	}
	if found, err := s.Look(t.Context(), time.Now()); found != forge.Unsure || err != nil {
		t.Errorf("where something was triggered a look finds %v %v", found, err)
	}
	if s, err = f.starter("trigger", "glptt-wrong"); err != nil {
		t.Fatal(err)
	}
	if err := s.Start(t.Context()); !forge.Hopeless(err) || strings.Contains(err.Error(), "glptt-wrong") {
		t.Errorf("with another token: %v", err)
	}
}
