package forge_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/penstock-dev/penstock/internal/tape"
)

// The world of the fake: one project, one pipeline, one job in it.
const (
	fakeProject  = 42
	fakePipeline = 1001
	fakeJob      = 5005
	fakeSHA      = "1111111111111111111111111111111111111111"
	fakeRef      = "checkout"
)

type (
	fakeUser struct {
		ID       int    `json:"id"`
		Username string `json:"username"`
	}
	fakeStatus struct {
		ID          int      `json:"id"`
		Name        string   `json:"name"`
		Status      string   `json:"status"`
		Description string   `json:"description"`
		TargetURL   string   `json:"target_url"`
		PipelineID  int      `json:"pipeline_id"`
		Author      fakeUser `json:"author"`
	}
	fakeNote struct {
		ID     int      `json:"id"`
		Body   string   `json:"body"`
		System bool     `json:"system"`
		Author fakeUser `json:"author"`

		Created time.Time  `json:"created_at"`
		Updated time.Time  `json:"updated_at"`
		edited  *time.Time // which only GraphQL tells
	}
	fakeDeployment struct {
		ID          int      `json:"id"`
		SHA         string   `json:"sha"`
		Ref         string   `json:"ref"`
		Tag         bool     `json:"tag"`
		Status      string   `json:"status"`
		Environment string   `json:"-"`
		User        fakeUser `json:"user"`
		Deployable  any      `json:"deployable"`
	}
	fakeRequest struct {
		IID       int    `json:"iid"`
		ProjectID int    `json:"project_id"`
		State     string `json:"state"`
		SHA       string `json:"sha"`
		Merge     string `json:"merge_commit_sha"`
		Squash    string `json:"squash_commit_sha"`
		Source    string `json:"source_branch"`
		Target    string `json:"target_branch"`

		Author        fakeUser `json:"author"`
		SourceProject int      `json:"source_project_id"`
	}
	// gitlabFault is what happens to one request instead of, or after, being done.
	gitlabFault struct {
		status     int
		retryAfter string
		body       string
		lost       bool // the request is carried out, and its answer never arrives
	}
	// fakeGitLab keeps state and enforces GitLab's limits. It is the client's transport, so that time may be false.
	fakeGitLab struct {
		t           *testing.T
		mu          sync.Mutex
		tokens      map[string]fakeUser
		scopeless   bool // the token may only read
		pipelineSHA string
		pipelineRef string
		tag         bool
		statuses    []*fakeStatus
		notes       map[int][]*fakeNote
		requests    []fakeRequest
		deployments []*fakeDeployment
		faults      map[string][]gitlabFault // by method and the last part of the path, such as "POST notes"
		obeyed      []string                 // quick actions
		talk        fakeTalk
		jobs        fakeJobs
		log         []string
		last        int
	}
)

var (
	gitlabBot   = fakeUser{7, "project_42_bot"}
	gitlabHuman = fakeUser{9, "mallory"}
)

func newFakeGitLab(t *testing.T) *fakeGitLab {
	t.Helper()
	return &fakeGitLab{
		t: t, tokens: map[string]fakeUser{"glpat-secret": gitlabBot, "job-secret": gitlabHuman}, notes: map[int][]*fakeNote{12: nil},
		pipelineSHA: fakeSHA, pipelineRef: fakeRef, faults: map[string][]gitlabFault{}, last: 100,
	}
}

// RoundTrip serves a request, unless a fault is due.
func (f *fakeGitLab) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	wrong, err := tape.GitLab(r)
	if err != nil {
		return nil, err
	}
	for _, problem := range wrong {
		f.t.Errorf("%s %s: %s", r.Method, r.URL, problem)
	}
	parts := strings.Split(r.URL.Path, "/")
	what := parts[len(parts)-1]
	if _, err := strconv.Atoi(what); err == nil || what == f.pipelineSHA {
		what = parts[len(parts)-2]
	}
	key := r.Method + " " + what
	f.log = append(f.log, key)
	answer := httptest.NewRecorder()
	if due := f.faults[key]; len(due) > 0 {
		f.faults[key] = due[1:]
		if due[0].lost {
			f.serve(answer, r)
			return nil, io.ErrUnexpectedEOF
		}
		if due[0].status != 0 {
			if due[0].retryAfter != "" {
				answer.Header().Set("Retry-After", due[0].retryAfter)
			}
			answer.WriteHeader(due[0].status)
			_, _ = answer.WriteString(due[0].body)
			return gitlabReply(answer, r), nil
		}
	}
	f.serve(answer, r)
	return gitlabReply(answer, r), nil
}

func gitlabReply(answer *httptest.ResponseRecorder, r *http.Request) *http.Response {
	resp := answer.Result()
	resp.Request = r
	return resp
}

// count returns how often something was asked for.
func (f *fakeGitLab) count(key string) int {
	n := 0
	for _, line := range f.log {
		if line == key {
			n++
		}
	}
	return n
}

func (f *fakeGitLab) id() int { f.last++; return f.last }

// gitlabErrFake is an answer that is an error.
type gitlabErrFake struct {
	status  int
	message string
}

func (e gitlabErrFake) Error() string { return e.message }

func (f *fakeGitLab) serve(w http.ResponseWriter, r *http.Request) {
	mux := http.NewServeMux()
	project := fmt.Sprintf("/api/v4/projects/%d", fakeProject)
	for pattern, handle := range map[string]func(*http.Request, fakeUser) (any, error){
		"GET /api/v4/user":              func(_ *http.Request, u fakeUser) (any, error) { return u, nil },
		"GET /api/v4/job":               f.getJob,
		"GET " + project + "/jobs/{id}": f.getJob,
		"GET " + project + "/repository/commits/{sha}/statuses":            f.listStatuses,
		"POST " + project + "/statuses/{sha}":                              f.setStatus,
		"GET " + project + "/repository/commits/{sha}/merge_requests":      f.listRequests,
		"GET " + project + "/merge_requests/{iid}/notes":                   f.listNotes,
		"POST " + project + "/merge_requests/{iid}/notes":                  f.writeNote,
		"PUT " + project + "/merge_requests/{iid}/notes/{id}":              f.writeNote,
		"GET " + project + "/deployments":                                  f.listDeployments,
		"GET " + project + "/deployments/{id}":                             f.oneDeployment,
		"POST " + project + "/deployments":                                 f.makeDeployment,
		"PUT " + project + "/deployments/{id}":                             f.oneDeployment,
		"GET " + project + "/merge_requests/{iid}":                         f.getRequest,
		"GET /api/v4/projects/{id}/events":                                 f.listPushes,
		"GET " + project + "/pipelines/{id}":                               f.getPipeline,
		"GET " + project + "/pipelines/{id}/jobs":                          f.listJobs,
		"GET " + project + "/pipelines":                                    f.listPipelines,
		"POST " + project + "/jobs/{id}/play":                              f.playJob,
		"POST " + project + "/trigger/pipeline":                            f.trigger,
		"GET " + project + "/members/all/{user}":                           f.getMember,
		"GET /api/v4/groups/{group}/members/all/{user}":                    f.getMember,
		"GET /api/v4/users/{user}":                                         f.getUser,
		"GET " + project + "/merge_requests/{iid}/notes/{id}/award_emoji":  f.listAwards,
		"POST " + project + "/merge_requests/{iid}/notes/{id}/award_emoji": f.award,
		"POST /api/graphql":                                                f.graphQL,
	} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { f.answer(w, r, handle) })
	}
	if _, pattern := mux.Handler(r); pattern == "" {
		f.t.Errorf("the fake knows no %s %s", r.Method, r.URL.Path)
	}
	mux.ServeHTTP(w, r)
}

func (f *fakeGitLab) answer(w http.ResponseWriter, r *http.Request, handle func(*http.Request, fakeUser) (any, error)) {
	token := r.Header.Get("PRIVATE-TOKEN") + r.Header.Get("JOB-TOKEN")
	if r.URL.Path == "/api/graphql" {
		token = strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	}
	user, known := f.tokens[token]
	job := r.Header.Get("JOB-TOKEN") != ""
	var value any
	var err error
	switch {
	case !known, job && !strings.Contains(r.URL.Path, "/deployments") && r.URL.Path != "/api/v4/job", !job && r.URL.Path == "/api/v4/job":
		err = gitlabErrFake{401, "401 Unauthorized"}
	case f.scopeless && r.Method != http.MethodGet && r.URL.Path != "/api/graphql":
		err = gitlabErrFake{403, "insufficient_scope"}
	default:
		value, err = handle(r, user)
	}
	if f.same(w, r, value, err) {
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("RateLimit-Limit", "1") // a minute: nobody may slow down before GitLab says so
	if gitlabFailed := (gitlabErrFake{}); errors.As(err, &gitlabFailed) {
		w.WriteHeader(gitlabFailed.status)
		value = map[string]string{"message": gitlabFailed.message}
	} else if r.Method == http.MethodPost && r.URL.Path != "/api/graphql" {
		w.WriteHeader(http.StatusCreated)
	}
	if gitlabRows, ok := value.([]any); ok {
		value = gitlabPage(w, r, gitlabRows)
	}
	_ = json.NewEncoder(w).Encode(value)
}

// gitlabPage cuts a list as GitLab does: 20 a page, 100 at most.
func gitlabPage(w http.ResponseWriter, r *http.Request, gitlabRows []any) []any {
	number, _ := strconv.Atoi(r.URL.Query().Get("page"))
	size, _ := strconv.Atoi(r.URL.Query().Get("per_page"))
	if number = max(number, 1); size == 0 {
		size = 20
	}
	size = min(size, 100)
	from := min((number-1)*size, len(gitlabRows))
	to := min(from+size, len(gitlabRows))
	if to < len(gitlabRows) {
		w.Header().Set("X-Next-Page", strconv.Itoa(number+1))
	}
	return gitlabRows[from:to]
}

func gitlabRows[T any](all []T) []any {
	out := make([]any, len(all))
	for i, one := range all {
		out[i] = one
	}
	return out
}
