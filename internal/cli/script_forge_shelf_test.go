package cli

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"
)

// scriptShelf keeps what is made on the scripts' forge, so that a second process finds what a first one has left. Each
// kind of object is in the list at whose path it is made; what is sent later changes it.
type scriptShelf struct {
	mu    sync.Mutex
	on    bool
	lists map[string][]map[string]any
}

func (s *scriptShelf) open() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.on, s.lists = true, map[string][]map[string]any{}
}

var (
	shelfStatus = regexp.MustCompile(`/(statuses/[0-9a-f]{40}|repository/commits/[0-9a-f]{40}/statuses)$`)
	shelfCommit = regexp.MustCompile(`/commits/[0-9a-f]{40}(/check-runs)$`)
	shelfObject = regexp.MustCompile(`^(.*/(?:check-runs|comments|deployments|notes))/([0-9]+)$`)
	shelfList   = regexp.MustCompile(`/(check-runs|comments|deployments|notes|commit-statuses|statuses)$`)
)

// shelf is the list that a path stands for: some are written at one path and read at another.
func shelf(path string) string {
	path = shelfStatus.ReplaceAllString(path, "/commit-statuses")
	path = shelfCommit.ReplaceAllString(path, "$1")
	return strings.Replace(path, "/issues/12/comments", "/issues/comments", 1)
}

// reply is nothing where the shelf is not open, or does not keep such objects.
func (s *scriptShelf) reply(r *http.Request, body string) (any, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.on {
		return nil, false
	}
	path := shelf(r.URL.Path)
	if m := shelfObject.FindStringSubmatch(path); m != nil {
		return s.change(m[1], m[2], body)
	}
	switch list := s.lists[path]; {
	case !shelfList.MatchString(path):
		return nil, false
	case r.Method == http.MethodPost:
		return s.make(path, body), true
	case strings.HasSuffix(path, "/check-runs"):
		return map[string]any{"total_count": len(list), "check_runs": list}, true
	case list == nil:
		return []any{}, true
	default:
		return list, true
	}
}

func (s *scriptShelf) make(path, body string) map[string]any {
	id := len(s.lists[path]) + 1
	me := map[string]any{"id": 1, "login": "github-actions[bot]", "username": "project_7_bot"}
	made := map[string]any{"user": me, "author": me, "pipeline_id": 5, "sha": strings.Repeat("0", 40)}
	_ = json.Unmarshal([]byte(body), &made)
	made["id"] = id
	if name, isText := made["environment"].(string); isText && strings.Contains(path, "/api/v4/") {
		made["environment"] = map[string]any{"name": name}
	}
	if state, given := made["state"]; given {
		made["status"] = state // of a commit, which GitLab shows by another name than it is set
	}
	for i, old := range s.lists[path] {
		if strings.HasSuffix(path, "/commit-statuses") && old["name"] == made["name"] { // GitLab changes the one that there is
			made["id"], s.lists[path][i] = old["id"], made
			return made
		}
	}
	s.lists[path] = append(s.lists[path], made)
	return made
}

func (s *scriptShelf) change(path, id, body string) (any, bool) {
	i, err := strconv.Atoi(id)
	if err != nil || i < 1 || i > len(s.lists[path]) {
		return nil, false
	}
	one := s.lists[path][i-1]
	_ = json.Unmarshal([]byte(body), &one)
	return one, true
}

// kept demands that a list holds so many objects, the last of which has the texts: "kept check-runs 1 cancelled".
func (f *scriptForge) kept(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: kept LIST COUNT TEXT...")
	}
	f.shelf.mu.Lock()
	defer f.shelf.mu.Unlock()
	var found []map[string]any
	for path, list := range f.shelf.lists {
		if strings.HasSuffix(path, "/"+args[0]) {
			found = append(found, list...)
		}
	}
	text, err := json.Marshal(found)
	ts.Check(err)
	if fmt.Sprint(len(found)) != args[1] {
		ts.Fatalf("there are %d %s, want %s: %s", len(found), args[0], args[1], text)
	}
	if len(found) == 0 {
		return
	}
	last, err := json.Marshal(found[len(found)-1])
	ts.Check(err)
	for _, want := range args[2:] {
		if !strings.Contains(string(last), want) {
			ts.Fatalf("the last of %s has no %q: %s", args[0], want, last)
		}
	}
}
