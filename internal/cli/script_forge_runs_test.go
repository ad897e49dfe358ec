package cli

import (
	"encoding/json"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// scriptRuns is how the scripts' forge runs jobs: workflow run 99 of GitHub, whose job deploy has number 5, and pipeline 5 of
// GitLab with a job called promote, number 8. What is dispatched is written to files, as its job would find it.
type scriptRuns struct {
	mu      sync.Mutex
	over    bool
	attempt int
	waits   string
	manual  string
	refuses bool
	event   string // path of the event's file of a dispatched job
	told    string // path of the variables of a triggered pipeline
}

func (s *scriptRuns) change(ts *testscript.TestScript, args []string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.event, s.told = ts.MkAbs("dispatched.json"), ts.MkAbs("triggered.json")
	s.attempt = max(1, s.attempt)
	switch args[0] {
	case "over":
		s.over = true
	case "waits":
		s.waits = args[1]
	case "manual":
		s.manual = args[1]
	case "refuses":
		s.refuses = true
	case "asks-rule":
		talk := &forgeOf(ts).talk
		talk.tell("deployment_protection_rule", map[string]any{
			"action": "requested", "environment": args[2], "event": "push", "repository": map[string]any{"id": 7, "full_name": "acme/shop"},
			"deployment_callback_url": args[3] + "/repos/acme/shop/actions/runs/" + args[1] + "/deployment_protection_rule",
		})
	case "ends":
		s.over = true
		talk := &forgeOf(ts).talk
		talk.tell("workflow_run", map[string]any{
			"action": "completed", "workflow_run": map[string]any{"id": 99}, "repository": map[string]any{"id": 7, "full_name": "acme/shop"},
		})
	default:
		return false
	}
	return true
}

// reply is no status for what is not about runs.
func (s *scriptRuns) reply(r *http.Request, body string) (int, any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	path := strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, "/repos/acme/shop"), "/api/v4/projects/7")
	if r.Method == http.MethodGet {
		return s.read(path)
	}
	starts := regexp.MustCompile(`^/(actions/jobs/5/rerun|actions/workflows/promote.yml/dispatches|dispatches|actions/runs/99/deployment_protection_rule|jobs/8/play|trigger/pipeline)$`)
	switch {
	case !starts.MatchString(path):
		return 0, nil
	case s.refuses:
		return http.StatusForbidden, map[string]any{"message": "Resource not accessible by integration"}
	}
	switch path[strings.LastIndex(path, "/"):] {
	case "/rerun":
		s.attempt, s.over = s.attempt+1, false
	case "/dispatches":
		_ = os.WriteFile(s.event, []byte(body), 0o600)
		return http.StatusNoContent, nil
	case "/deployment_protection_rule":
		var told struct{ State string }
		if _ = json.Unmarshal([]byte(body), &told); told.State != "" {
			s.waits = ""
		}
		return http.StatusNoContent, nil
	case "/play":
		s.manual = "pending"
	case "/pipeline":
		_ = os.WriteFile(s.told, []byte(body), 0o600)
	}
	return http.StatusCreated, map[string]any{"id": 9}
}

func (s *scriptRuns) read(path string) (int, any) {
	waiting := []any{}
	if s.waits != "" {
		waiting = append(waiting, map[string]any{"environment": map[string]any{"name": s.waits}})
	}
	switch path {
	case "":
		return http.StatusOK, map[string]any{"id": 7, "full_name": "acme/shop"}
	case "/actions/runs/99":
		status := map[bool]string{true: "completed", false: "in_progress"}[s.over]
		return http.StatusOK, map[string]any{"id": 99, "status": status, "run_attempt": s.attempt, "repository": map[string]any{"id": 7}}
	case "/actions/runs/99/attempts/1/jobs", "/actions/runs/99/attempts/" + strconv.Itoa(s.attempt) + "/jobs":
		return http.StatusOK, map[string]any{"jobs": []any{map[string]any{"id": 4, "name": "build"}, map[string]any{"id": 5, "name": "deploy"}}}
	case "/actions/runs/99/pending_deployments":
		return http.StatusOK, waiting
	case "/pipelines/5/jobs":
		return http.StatusOK, []any{map[string]any{"id": 6, "name": "rollout", "status": "success"}, map[string]any{"id": 8, "name": "promote", "status": s.manual}}
	}
	return 0, nil
}

// asked counts requests to a path, given as an expression, with these texts.
func (f *scriptForge) asked(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: asked COUNT METHOD PATH TEXT...")
	}
	wanted, err := strconv.Atoi(args[0])
	ts.Check(err)
	count := func() int { return f.made(args[1], args[2], args[3:]) }
	f.until(40*time.Second, func() bool { return count() >= wanted })
	if n := count(); n != wanted {
		f.mu.Lock()
		defer f.mu.Unlock()
		ts.Fatalf("%s %s with %q was asked %d times, want %d; all requests:\n%s", args[1], args[2], args[3:], n, wanted, strings.Join(shortened(f.got), "\n"))
	}
}
