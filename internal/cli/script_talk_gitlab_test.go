package cli

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
)

var (
	awarded  = regexp.MustCompile(`/notes/(\d+)/award_emoji$`)
	asksEdit = regexp.MustCompile(`(n\d+):note`)
	memberOf = regexp.MustCompile(`/projects/(?:7|acme/shop)/members/all/(\d+)$`)
	userOf   = regexp.MustCompile(`/api/v4/users/(\d+)$`)
)

// replyGitLab is reply for merge request 12 of the scripts' GitLab, with the same people. The lock is held.
func (k *scriptTalk) replyGitLab(r *http.Request, body string) (any, bool) {
	const sha = "0123456789012345678901234567890123456789"
	path := r.URL.Path
	names := map[string]string{"3": "ann", "4": "bob", "5": "eve", "6": "robot"}
	switch {
	case !strings.HasPrefix(path, "/api/"):
	case r.Method == http.MethodPost && path == "/api/graphql":
		data := map[string]any{}
		for _, m := range asksEdit.FindAllStringSubmatch(body, -1) {
			data[m[1]] = map[string]any{"lastEditedAt": nil}
		}
		return map[string]any{"data": data}, true
	case r.Method == http.MethodPost && awarded.MatchString(path): // which moves the time of the last change
		for _, c := range k.comments {
			if strconv.Itoa(c["id"].(int)) == awarded.FindStringSubmatch(path)[1] {
				c["updated_at"] = time.Now().Add(time.Minute).UTC().Format(time.RFC3339)
			}
		}
	case r.Method == http.MethodPost && strings.HasSuffix(path, "/merge_requests/12/notes"): // GitLab tells of the bot's own notes, too
		var note struct{ Body string }
		if json.Unmarshal([]byte(body), &note) == nil {
			k.deliver(note.Body, nil)
		}
	case r.Method != http.MethodGet:
	case strings.HasSuffix(path, "/merge_requests/12"):
		state, head := "opened", sha
		if k.merged {
			state, head = "merged", strings.Repeat("a", 40)
		}
		return map[string]any{"project_id": 7, "iid": 12, "author": scriptUser("ann"), "state": state, "sha": head, "source_branch": "topic", "source_project_id": 7}, true
	case strings.HasSuffix(path, "/commits/"+sha+"/merge_requests"):
		return []any{}, true
	case strings.HasSuffix(path, "/projects/7/events"):
		return []any{map[string]any{"author_id": 3, "push_data": map[string]any{"commit_to": sha, "ref": "topic", "ref_type": "branch"}}}, true
	case strings.HasSuffix(path, "/pipelines/5"):
		return map[string]any{"id": 5, "user": scriptUser("ann")}, true
	case userOf.MatchString(path):
		return scriptUser(names[userOf.FindStringSubmatch(path)[1]]), true
	case memberOf.MatchString(path):
		id, _ := strconv.Atoi(memberOf.FindStringSubmatch(path)[1])
		return map[string]any{"id": id, "state": "active", "access_level": map[int]int{3: 50, 4: 30, 5: 10, 6: 30}[id]}, true
	case strings.HasSuffix(path, "/merge_requests/12/notes") && r.URL.Query().Get("order_by") == "updated_at":
		return append([]map[string]any{}, k.comments...), true
	}
	return nil, false
}
