package forge_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"unicode/utf8"
)

func (f *fakeGitLab) getJob(r *http.Request, u fakeUser) (any, error) {
	if id := r.PathValue("id"); id != "" && id != strconv.Itoa(fakeJob) {
		return nil, gitlabErrFake{404, "404 Not found"}
	}
	return map[string]any{"id": fakeJob, "ref": f.pipelineRef, "tag": f.tag, "user": gitlabHuman,
		"pipeline": map[string]any{"id": fakePipeline, "sha": f.pipelineSHA, "ref": f.pipelineRef}}, nil
}

func (f *fakeGitLab) listStatuses(r *http.Request, _ fakeUser) (any, error) {
	var out []*fakeStatus
	for _, s := range f.statuses {
		if name := r.URL.Query().Get("name"); r.PathValue("sha") == f.pipelineSHA && (name == "" || name == s.Name) {
			out = append(out, s)
		}
	}
	return gitlabRows(out), nil
}

func (f *fakeGitLab) setStatus(r *http.Request, u fakeUser) (any, error) {
	var in struct {
		State, Name, Description string
		Target                   string `json:"target_url"`
		Ref                      string
		Pipeline                 int `json:"pipeline_id"`
	}
	_ = json.NewDecoder(r.Body).Decode(&in)
	if in.Pipeline != fakePipeline || r.PathValue("sha") != f.pipelineSHA || in.Ref != "" && in.Ref != f.pipelineRef {
		return nil, gitlabErrFake{404, "404 Pipeline for pipeline_id, sha and ref Not Found"}
	}
	for _, text := range []string{in.Name, in.Description, in.Target} {
		if utf8.RuneCountInString(text) > 255 {
			return nil, gitlabErrFake{400, "is too long (maximum is 255 characters)"}
		}
	}
	var found *fakeStatus
	for _, s := range f.statuses {
		if s.Name == in.Name && s.Author == u && (s.Status == "pending" || s.Status == "running") {
			found = s
		}
	}
	if found == nil {
		found = &fakeStatus{ID: f.id(), Name: in.Name, PipelineID: fakePipeline, Author: u}
		f.statuses = append(f.statuses, found)
	}
	if in.State == found.Status || in.State == "pending" && found.Status == "running" {
		return nil, gitlabErrFake{400, fmt.Sprintf("Cannot transition status via :run from :%s", found.Status)}
	}
	found.Status, found.Description, found.TargetURL = in.State, in.Description, in.Target
	return found, nil
}

func (f *fakeGitLab) listRequests(r *http.Request, _ fakeUser) (any, error) {
	return gitlabRows(f.requests), nil
}

func (f *fakeGitLab) listNotes(r *http.Request, _ fakeUser) (any, error) {
	iid, _ := strconv.Atoi(r.PathValue("iid"))
	notes, ok := f.notes[iid]
	if !ok {
		return nil, gitlabErrFake{404, "404 Not found"}
	}
	notes = slices.Clone(notes)
	if r.URL.Query().Get("order_by") == "updated_at" {
		slices.SortStableFunc(notes, func(a, b *fakeNote) int { return a.Updated.Compare(b.Updated) })
	}
	if r.URL.Query().Get("sort") != "asc" { // the newest first is what GitLab does
		slices.Reverse(notes)
	}
	return gitlabRows(notes), nil
}

var (
	gitlabQuickAction = regexp.MustCompile(`(?m)^/\w+.*$`)
	gitlabCodeBlock   = regexp.MustCompile("(?ms)^```[^`\n]*\n.*?^```$")
)

func (f *fakeGitLab) writeNote(r *http.Request, u fakeUser) (any, error) {
	iid, _ := strconv.Atoi(r.PathValue("iid"))
	if _, ok := f.notes[iid]; !ok {
		return nil, gitlabErrFake{404, "404 Not found"}
	}
	var in struct{ Body string }
	_ = json.NewDecoder(r.Body).Decode(&in)
	if utf8.RuneCountInString(in.Body) > 1_000_000 {
		return nil, gitlabErrFake{400, "note is too long"}
	}
	f.obeyed = append(f.obeyed, gitlabQuickAction.FindAllString(gitlabCodeBlock.ReplaceAllString(in.Body, ""), -1)...)
	if r.Method == http.MethodPost {
		note := &fakeNote{ID: f.id(), Body: in.Body, Author: u}
		f.notes[iid] = append(f.notes[iid], note)
		return note, nil
	}
	for _, note := range f.notes[iid] {
		if strconv.Itoa(note.ID) == r.PathValue("id") {
			if note.Author != u {
				return nil, gitlabErrFake{403, "403 Forbidden"}
			}
			note.Body = in.Body
			return note, nil
		}
	}
	return nil, gitlabErrFake{404, "404 Not found"}
}

func (f *fakeGitLab) listDeployments(r *http.Request, _ fakeUser) (any, error) {
	var out []*fakeDeployment
	for _, d := range f.deployments {
		if q := r.URL.Query(); d.Environment == q.Get("environment") && (q.Get("status") == "" || q.Get("status") == d.Status) {
			out = append(out, d)
		}
	}
	if r.URL.Query().Get("sort") == "desc" {
		slices.Reverse(out)
	}
	return gitlabRows(out), nil
}

func (f *fakeGitLab) makeDeployment(r *http.Request, u fakeUser) (any, error) {
	var in struct {
		Environment, Ref, SHA, Status string
		Tag                           *bool
	}
	_ = json.NewDecoder(r.Body).Decode(&in)
	if in.Environment == "" || in.Ref == "" || in.SHA == "" || in.Tag == nil || in.Status == "" {
		return nil, gitlabErrFake{400, "environment, sha, ref, tag or status is missing"}
	}
	d := &fakeDeployment{ID: f.id(), SHA: in.SHA, Ref: in.Ref, Tag: *in.Tag, Status: in.Status, Environment: in.Environment, User: u}
	f.deployments = append(f.deployments, d)
	return d, nil
}

func (f *fakeGitLab) oneDeployment(r *http.Request, _ fakeUser) (any, error) {
	for _, d := range f.deployments {
		if strconv.Itoa(d.ID) != r.PathValue("id") {
			continue
		}
		if r.Method == http.MethodPut {
			var in struct{ Status string }
			_ = json.NewDecoder(r.Body).Decode(&in)
			if d.Deployable != nil {
				return nil, gitlabErrFake{403, "403 Forbidden"}
			}
			if in.Status == d.Status {
				return nil, gitlabErrFake{400, "Status cannot transition via \"" + in.Status + "\""}
			}
			d.Status = in.Status
		}
		return d, nil
	}
	return nil, gitlabErrFake{404, "404 Not found"}
}
