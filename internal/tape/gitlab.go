package tape

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// gitlabRule is what GitLab's documentation says of one endpoint. Of a parameter it has the values that are allowed; nil
// is any text.
type gitlabRule struct {
	method string
	path   *regexp.Regexp
	query  map[string][]string
	body   map[string]gitlabField
	job    bool // CI_JOB_TOKEN may ask it
}

// gitlabField is one field of a body.
type gitlabField struct {
	needed bool
	kind   string   // text, number, bool, object or list
	values []string // nil: any
	most   int      // characters; 0: as many as one likes
}

var (
	gitlabSort     = []string{"asc", "desc"}
	gitlabDeployed = gitlabField{needed: true, kind: "text", values: []string{"running", "success", "failed", "canceled"}}
	gitlabNoteText = gitlabField{needed: true, kind: "text", most: 1_000_000}
	gitlabNeeded   = gitlabField{needed: true, kind: "text"}
)

// gitlabRules are the endpoints that Penstock uses, by https://docs.gitlab.com/api/ (commits, notes, deployments, jobs,
// merge requests, repository files, events, pipelines, pipeline triggers, members, users, emoji reactions). There is no package of
// GitLab's own description that a server could be made from, as there is of GitHub's.
var gitlabRules = []gitlabRule{
	gitlabGet(`/user`, nil),
	{method: "GET", path: gitlabPath(`/job`), job: true},
	gitlabGet(`/projects/N/jobs/N`, nil),
	gitlabGet(`/projects/N/repository/commits/SHA/statuses`, map[string][]string{
		"ref": nil, "stage": nil, "name": nil, "pipeline_id": nil, "order_by": {"id", "pipeline_id"}, "sort": gitlabSort, "all": {"true", "false"},
	}),
	{method: "POST", path: gitlabPath(`/projects/N/statuses/SHA`), body: map[string]gitlabField{
		"state": {needed: true, kind: "text", values: []string{"pending", "running", "success", "failed", "canceled", "skipped"}},
		"ref":   {kind: "text"}, "name": {kind: "text", most: 255}, "context": {kind: "text", most: 255},
		"target_url": {kind: "text", most: 255}, "description": {kind: "text", most: 255}, "coverage": {kind: "number"},
		"pipeline_id": {needed: true, kind: "number"}, // GitLab does not need it, but makes a new pipeline without
	}},
	gitlabGet(`/projects/N/repository/commits/SHA/merge_requests`, map[string][]string{"state": {"opened", "closed", "locked", "merged"}}),
	gitlabGet(`/projects/N/merge_requests/N`, map[string][]string{"render_html": nil, "include_diverged_commits_count": nil, "include_rebase_in_progress": nil}),
	gitlabGet(`/projects/N/merge_requests/N/notes`, map[string][]string{
		"sort": gitlabSort, "order_by": {"created_at", "updated_at"}, "activity_filter": {"all_notes", "only_comments", "only_activity"},
	}),
	{method: "POST", path: gitlabPath(`/projects/N/merge_requests/N/notes`), body: map[string]gitlabField{"body": gitlabNoteText, "internal": {kind: "bool"}}},
	{method: "PUT", path: gitlabPath(`/projects/N/merge_requests/N/notes/N`), body: map[string]gitlabField{"body": gitlabNoteText}},
	gitlabGet(`/projects/N/merge_requests/N/notes/N/award_emoji`, nil),
	{method: "POST", path: gitlabPath(`/projects/N/merge_requests/N/notes/N/award_emoji`), body: map[string]gitlabField{"name": gitlabNeeded}},
	{method: "GET", path: gitlabPath(`/projects/N/deployments`), job: true, query: map[string][]string{
		"order_by": {"id", "iid", "created_at", "updated_at", "finished_at", "ref"}, "sort": gitlabSort, "environment": nil,
		"status": {"created", "running", "success", "failed", "canceled", "blocked"},
	}},
	{method: "GET", path: gitlabPath(`/projects/N/deployments/N`), job: true},
	{method: "POST", path: gitlabPath(`/projects/N/deployments`), job: true, body: map[string]gitlabField{
		"environment": {needed: true, kind: "text", most: 255}, "sha": gitlabNeeded, "ref": gitlabNeeded, "tag": {needed: true, kind: "bool"}, "status": gitlabDeployed,
	}},
	{method: "PUT", path: gitlabPath(`/projects/N/deployments/N`), job: true, body: map[string]gitlabField{"status": gitlabDeployed}},
	gitlabGet(`/projects/N/repository/files/[^/]+/raw`, map[string][]string{"ref": nil, "lfs": {"true", "false"}}),
	gitlabGet(`/projects/N/events`, map[string][]string{"action": {"pushed"}, "target_type": nil, "before": nil, "after": nil, "sort": gitlabSort}),
	gitlabGet(`/projects/N/pipelines/N`, nil),
	gitlabGet(`/projects/N/pipelines/N/jobs`, map[string][]string{"scope": nil, "include_retried": {"true", "false"}}),
	gitlabGet(`/projects/N/pipelines`, map[string][]string{
		"ref": nil, "sha": nil, "updated_after": nil, "updated_before": nil, "order_by": {"id", "status", "ref", "updated_at", "user_id"}, "sort": gitlabSort,
		"source": {"push", "web", "trigger", "schedule", "api", "external", "pipeline", "chat", "webide", "merge_request_event", "parent_pipeline"},
	}),
	{method: "POST", path: gitlabPath(`/projects/N/jobs/N/play`), body: map[string]gitlabField{"job_variables_attributes": {kind: "list"}}},
	{method: "POST", path: gitlabPath(`/projects/N/trigger/pipeline`), body: map[string]gitlabField{
		"ref": gitlabNeeded, "token": gitlabNeeded, "variables": {kind: "object"},
	}},
	gitlabGet(`/(projects|groups)/N/members/all/N`, nil),
	gitlabGet(`/users/N`, nil),
	{method: "POST", path: regexp.MustCompile(`^/api/graphql$`), body: map[string]gitlabField{"query": gitlabNeeded}},
}

func gitlabGet(path string, query map[string][]string) gitlabRule {
	return gitlabRule{method: http.MethodGet, path: gitlabPath(path), query: query}
}

// gitlabPath reads N as a number, or as a path that stands for one, and SHA as a commit.
func gitlabPath(path string) *regexp.Regexp {
	path = strings.ReplaceAll(path, "SHA", "([0-9a-f]{40}|[0-9a-f]{64})")
	return regexp.MustCompile("^/api/v4" + strings.ReplaceAll(path, "/N", `/([0-9]+|[^/]+%2F[^/]+)`) + "$")
}

// GitLab lists what GitLab would refuse or leave alone of a request, and leaves the body to be read again.
func GitLab(r *http.Request) ([]string, error) {
	var text []byte
	if r.Body != nil {
		var err error
		if text, err = io.ReadAll(r.Body); err != nil {
			return nil, fmt.Errorf("read the body of %s %s: %w", r.Method, r.URL.Path, err)
		}
		r.Body = io.NopCloser(bytes.NewReader(text))
	}
	p := &problems{}
	at := slices.IndexFunc(gitlabRules, func(rule gitlabRule) bool {
		return rule.method == r.Method && rule.path.MatchString(r.URL.EscapedPath())
	})
	if at < 0 {
		p.add("GitLab's documentation has no such endpoint")
		return p.all, nil
	}
	rule := gitlabRules[at]
	rule.headers(p, r, len(text) > 0)
	rule.parameters(p, r)
	rule.fields(p, text)
	return p.all, nil
}

func (rule *gitlabRule) headers(p *problems, r *http.Request, body bool) {
	if r.Header.Get("User-Agent") == "" && strings.HasPrefix(r.URL.Path, "/api/v4") {
		p.add("User-Agent is missing")
	}
	if body && !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		p.add("Content-Type is %q, and must be application/json", r.Header.Get("Content-Type"))
	}
	job, private, bearer := r.Header.Get("Job-Token") != "", r.Header.Get("Private-Token") != "", r.Header.Get("Authorization") != ""
	if !job && !private && !bearer || job && private {
		p.add("it needs one token, in Private-Token, Job-Token or Authorization")
	}
	if job && !rule.job {
		p.add("CI_JOB_TOKEN may not ask this")
	}
}

func (rule *gitlabRule) parameters(p *problems, r *http.Request) {
	query := r.URL.Query()
	for _, name := range slices.Sorted(maps.Keys(query)) {
		value := query.Get(name)
		allowed, known := rule.query[name]
		number, err := strconv.Atoi(value)
		switch {
		case name == "per_page" && r.Method == http.MethodGet:
			if err != nil || number < 1 || number > 100 {
				p.add("per_page is %q, and must be 1 to 100", value)
			}
		case name == "page" && r.Method == http.MethodGet:
			if err != nil || number < 1 {
				p.add("page is %q, and must be a number from 1 on", value)
			}
		case !known:
			p.add("the parameter %s is not known", name)
		case allowed != nil && !slices.Contains(allowed, value):
			p.add("%s is %q, and must be one of %q", name, value, allowed)
		}
	}
}

func (rule *gitlabRule) fields(p *problems, text []byte) {
	body := map[string]any{}
	if len(text) > 0 {
		if err := json.Unmarshal(text, &body); err != nil {
			p.add("the body is no object of JSON: %v", err)
			return
		}
	}
	for _, name := range slices.Sorted(maps.Keys(body)) {
		field, known := rule.body[name]
		if !known {
			p.add("the field %s is not known", name)
			continue
		}
		field.check(p, name, body[name])
	}
	for _, name := range slices.Sorted(maps.Keys(rule.body)) {
		if value, given := body[name]; rule.body[name].needed && (!given || value == nil || value == "") {
			p.add("%s is missing", name)
		}
	}
}

func (f gitlabField) check(p *problems, name string, value any) {
	kind := "nothing"
	switch v := value.(type) {
	case string:
		kind = "text"
		if f.values != nil && !slices.Contains(f.values, v) {
			p.add("%s is %q, and must be one of %q", name, v, f.values)
		}
		if n := utf8.RuneCountInString(v); f.most > 0 && n > f.most {
			p.add("%s has %d characters, and must have %d at most", name, n, f.most)
		}
	case float64:
		kind = "number"
	case bool:
		kind = "bool"
	case map[string]any:
		kind = "object"
	case []any:
		kind = "list"
	}
	if kind != f.kind {
		p.add("%s is a %s, and must be a %s", name, kind, f.kind)
	}
}
