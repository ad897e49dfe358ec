package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/penstock-dev/penstock/internal/tape"
)

// scriptForge answers as GitHub or GitLab does when all is well, or as when it is down. What it got is told to the script.
// How the platforms behave otherwise is tested where they are talked to.
type scriptForge struct {
	mu   sync.Mutex
	got  []string // METHOD path body
	down bool
	talk scriptTalk
	tape *tape.Tape // what the scripts ask of GitHub

	shelf scriptShelf
	runs  scriptRuns
}

func forgeOf(ts *testscript.TestScript) *scriptForge { return ts.Value(forgeKey{}).(*scriptForge) }

type forgeKey struct{}

// forgeCommands are what a script can do with a forge:
//
//	forge github|gitlab   start it; sets the variables of a job, with a token
//	forge down            answer nothing from now on
//	forge answers LOGIN VERB   somebody writes VERB, with its target, whenever a page asks for an approval; see scriptTalk
//	forge asks LOGIN TEXT   somebody writes the text before that, once
//	forge says LOGIN VERB   somebody writes VERB now, with the target of the page that has asked last
//	forge silence         nobody answers any more
//	forge merged          the pull request is merged, and has another head
//	forge hooks URL SECRET   deliver a webhook for what people write from now on
//	forge holds FILE      the default branch holds the file, at the same path; without it no file is there
//	forge lonely          the commit belongs to no pull request
//	forge over            the workflow run of the job is over
//	forge ends            the same, and a webhook says so
//	forge asks-rule RUN ENVIRONMENT API   a webhook asks for a deployment protection rule, to be answered at that API
//	forge waits NAME      a job of it waits for an environment
//	forge manual STATUS   a job of the pipeline, called promote, is manual or something else
//	forge refuses         nothing is started from now on
//	asked COUNT METHOD PATH TEXT...   demand that a request was made so often, now or soon
//	forge remembers       keep what is made from now on, for whoever looks later
//	kept LIST COUNT TEXT...  demand that so many objects were made, and that the last of them holds the texts
//	ever METHOD PATH TEXT...  demand a request to a path, given as an expression, with these texts, at any time until now or soon
//	told METHOD PATH TEXT...  demand a request to a path, given as an expression, with these texts; the last such one counts
func forgeCommands() map[string]func(*testscript.TestScript, bool, []string) {
	return map[string]func(*testscript.TestScript, bool, []string){
		"forge": func(ts *testscript.TestScript, _ bool, args []string) { forgeOf(ts).start(ts, args) },
		"kept":  func(ts *testscript.TestScript, neg bool, args []string) { forgeOf(ts).kept(ts, neg, args) },
		"ever":  func(ts *testscript.TestScript, neg bool, args []string) { forgeOf(ts).ever(ts, neg, args) },
		"asked": func(ts *testscript.TestScript, neg bool, args []string) { forgeOf(ts).asked(ts, neg, args) },
		"told":  func(ts *testscript.TestScript, neg bool, args []string) { forgeOf(ts).told(ts, neg, args) },
	}
}

func (f *scriptForge) start(ts *testscript.TestScript, args []string) {
	kind := args[0]
	if kind == "answers" || kind == "silence" || kind == "merged" || kind == "lonely" || kind == "hooks" || kind == "says" || kind == "asks" {
		f.talk.change(args)
		return
	}
	if kind == "holds" {
		f.talk.hold(args[1], ts.ReadFile(args[1]))
		return
	}
	if f.runs.change(ts, args) {
		return
	}
	if kind == "remembers" {
		f.shelf.open()
		return
	}
	if kind == "down" {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.down = true
		return
	}
	server := httptest.NewServer(http.HandlerFunc(f.answer))
	ts.Defer(server.Close)
	const sha = "0123456789012345678901234567890123456789"
	variables := map[string]string{
		"GITHUB_ACTIONS": "true", "GITHUB_API_URL": server.URL, "GITHUB_SERVER_URL": server.URL, "GITHUB_REPOSITORY": "acme/shop",
		"GITHUB_REPOSITORY_ID": "7", "GITHUB_SHA": sha, "GITHUB_REF": "refs/heads/main", "GITHUB_EVENT_NAME": "push", "GITHUB_ACTOR": "ann",
		"GITHUB_TRIGGERING_ACTOR": "ann", "GITHUB_ACTOR_ID": "3", "GITHUB_RUN_ID": "99", "GITHUB_RUN_ATTEMPT": "1", "GITHUB_JOB": "deploy",
		"GITHUB_TOKEN": "ghs_secret", "GITHUB_EVENT_PATH": ts.MkAbs("event.json"), "GITHUB_OUTPUT": ts.MkAbs("output"), "GITHUB_STEP_SUMMARY": ts.MkAbs("summary.md"), "GITHUB_STATE": ts.MkAbs("state"),
	}
	if kind == "gitlab" {
		variables = map[string]string{
			"GITLAB_CI": "true", "CI_API_V4_URL": server.URL + "/api/v4", "CI_SERVER_URL": server.URL, "CI_PROJECT_ID": "7", "CI_PROJECT_PATH": "acme/shop",
			"CI_COMMIT_SHA": sha, "CI_COMMIT_REF_NAME": "main", "CI_PIPELINE_SOURCE": "merge_request_event", "CI_PIPELINE_ID": "5", "CI_JOB_ID": "6",
			"CI_JOB_URL": server.URL + "/job/6", "CI_MERGE_REQUEST_IID": "12", "CI_MERGE_REQUEST_PROJECT_ID": "7", "CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "7",
			"GITLAB_USER_LOGIN": "ann", "GITLAB_USER_ID": "3", "GITLAB_TOKEN": "glpat-secret", "CI_JOB_TOKEN": "job-secret",
		}
	}
	for name, value := range variables {
		ts.Setenv(name, value)
	}
}

func (f *scriptForge) answer(w http.ResponseWriter, r *http.Request) {
	hear := f.tape.Hear
	switch {
	case strings.HasPrefix(r.URL.Path, "/api/v4/"), r.URL.Path == "/api/graphql":
		hear = f.tape.HearGitLab
	case strings.HasPrefix(r.URL.Path, "/api/"): // of a script's own
		hear = func(*http.Request) error { return nil }
	}
	if err := hear(r); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	body, _ := io.ReadAll(r.Body)
	f.mu.Lock()
	f.got = append(f.got, r.Method+" "+r.URL.Path+" "+string(body))
	down := f.down
	f.mu.Unlock()
	if down {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if f.talk.show(w, r) {
		return
	}
	if status, reply := f.runs.reply(r, string(body)); status != 0 {
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(reply)
		return
	}
	if r.Method == http.MethodPost {
		w.WriteHeader(http.StatusCreated)
	}
	if reply, ok := f.talk.reply(r, string(body)); ok {
		_ = json.NewEncoder(w).Encode(reply)
		return
	}
	if reply, ok := f.shelf.reply(r, string(body)); ok {
		_ = json.NewEncoder(w).Encode(reply)
		return
	}
	_ = json.NewEncoder(w).Encode(f.reply(r))
}

// reply is an answer without anything that was there before.
func (f *scriptForge) reply(r *http.Request) any {
	me := map[string]any{"id": 1, "login": "github-actions[bot]", "username": "project_7_bot"}
	one := map[string]any{"id": 1, "iid": 12, "number": 12, "sha": strings.Repeat("0", 40), "state": "open", "user": me, "author": me, "status": "running"}
	switch path := r.URL.Path; {
	case strings.HasSuffix(path, "/graphql"):
		return map[string]any{"data": map[string]any{"viewer": me}}
	case strings.HasSuffix(path, "/user"):
		return me
	case r.Method == http.MethodGet && strings.HasSuffix(path, "/check-runs"):
		return map[string]any{"total_count": 0, "check_runs": []any{}}
	case r.Method == http.MethodGet && strings.HasSuffix(path, "/pulls"):
		base := map[string]any{"repo": map[string]any{"id": 7, "full_name": "acme/shop"}}
		return []any{map[string]any{"number": 12, "state": "open", "base": base, "head": map[string]any{"sha": "0123456789012345678901234567890123456789"}}}
	case r.Method == http.MethodGet && regexp.MustCompile(`/(comments|statuses|notes|deployments|discussions)$`).MatchString(path):
		return []any{}
	case r.Method == http.MethodGet && strings.Contains(path, "/jobs/"), strings.HasSuffix(path, "/job"):
		return map[string]any{"id": 6, "commit": map[string]any{"id": "0123456789012345678901234567890123456789"}, "pipeline": map[string]any{"id": 5}}
	}
	return one
}

func (f *scriptForge) told(ts *testscript.TestScript, neg bool, args []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	want := regexp.MustCompile("^" + args[0] + " " + args[1] + " ")
	last := ""
	for _, got := range f.got {
		if want.MatchString(got) {
			last = got
		}
	}
	all := last != ""
	for _, text := range args[2:] {
		all = all && strings.Contains(last, text)
	}
	if all == neg {
		ts.Fatalf("the last %s %s was %q; all requests:\n%s", args[0], args[1], last, strings.Join(shortened(f.got), "\n"))
	}
}

// made counts requests to a path, given as an expression, with these texts.
func (f *scriptForge) made(method, path string, texts []string) (n int) {
	want := regexp.MustCompile("^" + method + " " + path + " ")
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, got := range f.got {
		if want.MatchString(got) && !slices.ContainsFunc(texts, func(text string) bool { return !strings.Contains(got, text) }) {
			n++
		}
	}
	return n
}

// until gives what runs in the background the time to get there.
func (f *scriptForge) until(limit time.Duration, there func() bool) {
	for begin := time.Now(); !there() && time.Since(begin) < limit; {
		time.Sleep(50 * time.Millisecond)
	}
}

func (f *scriptForge) ever(ts *testscript.TestScript, neg bool, args []string) {
	found := func() bool { return f.made(args[0], args[1], args[2:]) > 0 }
	if !neg {
		f.until(20*time.Second, found)
	}
	if found() == neg {
		f.mu.Lock()
		defer f.mu.Unlock()
		ts.Fatalf("%s %s with %q: %v; all requests:\n%s", args[0], args[1], args[2:], !neg, strings.Join(shortened(f.got), "\n"))
	}
}

func shortened(got []string) []string {
	var all []string
	for _, g := range got {
		all = append(all, fmt.Sprintf("%.300s", g))
	}
	return all
}
