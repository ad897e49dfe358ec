package forge_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"time"
)

// fakeTalk is what people do on the merge request 12, and who they are.
type fakeTalk struct {
	pushes    map[string][]any // by project
	pipeline  any
	members   map[string]map[string]any // by project or group, and user
	users     map[string]any
	awards    map[string][]map[string]any // by note
	unchanged int
	now       time.Time
	old       bool // a GitLab that knows no lastEditedAt
}

// same answers 304 to who has this answer already, as GitLab does.
func (f *fakeGitLab) same(w http.ResponseWriter, r *http.Request, value any, failed error) bool {
	if r.Method != http.MethodGet || failed != nil {
		return false
	}
	body, _ := json.Marshal(value)
	sum := sha256.Sum256(append(body, r.URL.RawQuery...))
	tag := `W/"` + hex.EncodeToString(sum[:]) + `"`
	w.Header().Set("ETag", tag)
	if r.Header.Get("If-None-Match") != tag {
		return false
	}
	f.talk.unchanged++
	w.WriteHeader(http.StatusNotModified)
	return true
}

func (f *fakeGitLab) getRequest(r *http.Request, _ fakeUser) (any, error) {
	for _, mr := range f.requests {
		if strconv.Itoa(mr.IID) == r.PathValue("iid") {
			return mr, nil
		}
	}
	return nil, gitlabErrFake{404, "404 Not found"}
}

func (f *fakeGitLab) listPushes(r *http.Request, _ fakeUser) (any, error) {
	pushes, ok := f.talk.pushes[r.PathValue("id")]
	if !ok || r.URL.Query().Get("action") != "pushed" {
		return nil, gitlabErrFake{404, "404 Project Not Found"}
	}
	return pushes, nil
}

func (f *fakeGitLab) getPipeline(r *http.Request, _ fakeUser) (any, error) {
	if f.talk.pipeline == nil || r.PathValue("id") != strconv.Itoa(fakePipeline) {
		return nil, gitlabErrFake{404, "404 Not found"}
	}
	return f.talk.pipeline, nil
}

func (f *fakeGitLab) getMember(r *http.Request, _ fakeUser) (any, error) {
	if m, ok := f.talk.members[r.PathValue("group")+"/"+r.PathValue("user")]; ok {
		return m, nil
	}
	return nil, gitlabErrFake{404, "404 Not found"}
}

func (f *fakeGitLab) getUser(r *http.Request, _ fakeUser) (any, error) {
	if u, ok := f.talk.users[r.PathValue("user")]; ok {
		return u, nil
	}
	return nil, gitlabErrFake{404, "404 User Not Found"}
}

func (f *fakeGitLab) listAwards(r *http.Request, _ fakeUser) (any, error) {
	return gitlabRows(f.talk.awards[r.PathValue("id")]), nil
}

// award moves the note's time of change, and refuses a second one of the same user, as GitLab does.
func (f *fakeGitLab) award(r *http.Request, u fakeUser) (any, error) {
	var in struct{ Name string }
	_ = json.NewDecoder(r.Body).Decode(&in)
	id := r.PathValue("id")
	for _, note := range f.notes[12] {
		if strconv.Itoa(note.ID) != id {
			continue
		}
		for _, there := range f.talk.awards[id] {
			if there["name"] == in.Name && there["user"] == u {
				return nil, gitlabErrFake{404, "404 Award Emoji Name has already been taken Not Found"}
			}
		}
		note.Updated = f.talk.now
		made := map[string]any{"id": f.id(), "name": in.Name, "user": u}
		f.talk.awards[id] = append(f.talk.awards[id], made)
		return made, nil
	}
	return nil, gitlabErrFake{404, "404 Not found"}
}

var gitlabAsked = regexp.MustCompile(`(\w+):note\(id:"gid://gitlab/Note/(\d+)"\)\{lastEditedAt\}`)

// graphQL answers with full seconds.
func (f *fakeGitLab) graphQL(r *http.Request, _ fakeUser) (any, error) {
	var in struct{ Query string }
	_ = json.NewDecoder(r.Body).Decode(&in)
	asked := gitlabAsked.FindAllStringSubmatch(in.Query, -1)
	if len(asked) == 0 || f.talk.old {
		return map[string]any{"errors": []any{map[string]any{"message": "Field 'lastEditedAt' doesn't exist on type 'Note'"}}}, nil
	}
	data := map[string]any{}
	for _, m := range asked {
		data[m[1]] = nil
		for _, note := range f.notes[12] {
			if strconv.Itoa(note.ID) == m[2] {
				var at any
				if note.edited != nil {
					at = note.edited.Truncate(time.Second).Format(time.RFC3339)
				}
				data[m[1]] = map[string]any{"lastEditedAt": at}
			}
		}
	}
	return map[string]any{"data": data}, nil
}

// say lets a user write a note.
func (f *fakeGitLab) say(id int, at time.Time, user fakeUser, body string) *fakeNote {
	note := &fakeNote{ID: id, Body: body, Author: user, Created: at, Updated: at}
	f.notes[12] = append(f.notes[12], note)
	f.talk.users[strconv.Itoa(user.ID)] = map[string]any{"id": user.ID, "username": user.Username, "bot": user == gitlabBot, "state": "active"}
	return note
}

func gitlabPush(author int, sha, ref string) any {
	return map[string]any{"author_id": author, "push_data": map[string]any{"commit_to": sha, "ref": ref, "ref_type": "branch", "action": "pushed"}}
}

func gitlabMemberOf(id, level int) map[string]any {
	return map[string]any{"id": id, "username": fmt.Sprint("u", id), "state": "active", "access_level": level, "expires_at": nil, "membership_state": "active"}
}
