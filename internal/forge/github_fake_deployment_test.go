package forge

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
)

func (f *fakeGitHub) listDeployments(w http.ResponseWriter, r *http.Request) {
	var found []*fakeDeployment
	for _, d := range f.deployments {
		if q := r.URL.Query(); d.SHA == q.Get("sha") && d.Environment == q.Get("environment") {
			found = append(found, d)
		}
	}
	page(w, r, found, plainList)
}

func (f *fakeGitHub) createDeployment(w http.ResponseWriter, r *http.Request) {
	var q struct {
		Ref              string          `json:"ref"`
		Environment      string          `json:"environment"`
		Description      string          `json:"description"`
		AutoMerge        *bool           `json:"auto_merge"`
		RequiredContexts *[]string       `json:"required_contexts"`
		Payload          json.RawMessage `json:"payload"`
	}
	err := json.NewDecoder(r.Body).Decode(&q)
	switch {
	case err != nil || q.Ref == "" || tooLong(q.Description, 140):
		refuse(w, http.StatusUnprocessableEntity, "Validation Failed")
	case q.AutoMerge == nil || *q.AutoMerge:
		answer(w, http.StatusAccepted, map[string]string{"message": "Auto-merged main into topic"})
	case q.RequiredContexts == nil || len(*q.RequiredContexts) > 0:
		refuse(w, http.StatusConflict, "Commit status checks failed")
	default:
		d := &fakeDeployment{ID: f.id(), SHA: q.Ref, Environment: q.Environment, Payload: q.Payload}
		f.deployments = append(f.deployments, d)
		answer(w, http.StatusCreated, d)
	}
}

func (f *fakeGitHub) deployment(w http.ResponseWriter, r *http.Request) *fakeDeployment {
	for _, d := range f.deployments {
		if strconv.FormatInt(d.ID, 10) == r.PathValue("id") {
			return d
		}
	}
	refuse(w, http.StatusNotFound, "Not Found")
	return nil
}

func (f *fakeGitHub) listStatuses(w http.ResponseWriter, r *http.Request) {
	if d := f.deployment(w, r); d != nil {
		newestFirst := slices.Clone(d.statuses)
		slices.Reverse(newestFirst)
		page(w, r, newestFirst, plainList)
	}
}

func (f *fakeGitHub) createStatus(w http.ResponseWriter, r *http.Request) {
	d := f.deployment(w, r)
	if d == nil {
		return
	}
	s := &fakeStatus{}
	known := []string{"error", "failure", "inactive", "in_progress", "queued", "pending", "success"}
	if err := json.NewDecoder(r.Body).Decode(s); err != nil || !slices.Contains(known, s.State) || tooLong(s.Description, 140) {
		refuse(w, http.StatusUnprocessableEntity, "Validation Failed")
		return
	}
	s.ID = f.id()
	d.statuses = append(d.statuses, s)
	answer(w, http.StatusCreated, s)
}
