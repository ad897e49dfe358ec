package server

import (
	"slices"

	"github.com/penstock-dev/penstock/internal/approval"
)

// The events of GitLab that are read. Notes that only members see have an event of their own, which is not: nobody else
// could tell why the gate has opened.
const (
	noteHook  = "Note Hook"
	mergeHook = "Merge Request Hook"
	jobHook   = "Job Hook"
)

var gitlabEvents = []string{noteHook, mergeHook, jobHook}

type gitlabPayload struct {
	Project struct {
		ID   int64  `json:"id"`
		Path string `json:"path_with_namespace"`
	} `json:"project"`
	Attributes struct {
		IID      int64  `json:"iid"`
		Action   string `json:"action"`
		Note     string `json:"note"`
		Noteable string `json:"noteable_type"`
		System   bool   `json:"system"`
		OldRev   string `json:"oldrev"` // only there when there are new commits
	} `json:"object_attributes"`
	JobStatus    string `json:"build_status"`
	ProjectID    int64  `json:"project_id"` // of a job, which older versions say no more of
	Pipeline     int64  `json:"pipeline_id"`
	MergeRequest struct {
		IID int64 `json:"iid"`
	} `json:"merge_request"`
}

// ParseGitLab reads a payload of GitLab. The error is one of a payload that lacks what its event always has.
func ParseGitLab(event string, body []byte, g approval.Grammar) (Notice, error) {
	if event == other {
		return ignored("event"), nil
	}
	var p gitlabPayload
	if err := decode(body, &p); err != nil {
		return Notice{}, err
	}
	subject := Subject{Platform: approval.GitLab, Repository: p.Project.ID, Path: p.Project.Path, Change: p.Attributes.IID}
	why := ""
	if event == jobHook {
		if !slices.Contains([]string{"success", "failed", "canceled", "manual"}, p.JobStatus) { // over, or to be played
			return ignored("status"), nil
		}
		subject.Repository, subject.Run, subject.Change = p.ProjectID, p.Pipeline, 0
	} else if event == noteHook {
		why, subject.Change = p.note(g), p.MergeRequest.IID
	} else {
		why = p.change()
	}
	if why != "" {
		return ignored(why), nil
	}
	return about(subject)
}

// note says why a note is not worth a look.
func (p *gitlabPayload) note(g approval.Grammar) string {
	a := p.Attributes
	switch {
	case a.Noteable != "MergeRequest":
		return "not of a merge request"
	case a.System:
		return "system"
	case a.Action == "update": // it may have had a command: the old text is not sent
		return ""
	case !means(g, a.Note):
		return "no command"
	}
	return ""
}

// change says why an event of the merge request itself is not worth a look: only new commits and its end are.
func (p *gitlabPayload) change() string {
	switch a := p.Attributes; {
	case a.Action == "merge" || a.Action == "close":
		return ""
	case a.Action != "update":
		return "action"
	case a.OldRev == "":
		return "no new commits"
	}
	return ""
}
