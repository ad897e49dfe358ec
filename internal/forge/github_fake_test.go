package forge

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/penstock-dev/penstock/internal/httpx"
)

const (
	headSHA  = "1111111111111111111111111111111111111111"
	otherSHA = "2222222222222222222222222222222222222222"
	ourLogin = "github-actions[bot]"
)

// fakeGitHub keeps state, and refuses what GitHub refuses. Set its fields before the first request.
type fakeGitHub struct {
	t     *testing.T
	login string            // of the token
	grant map[string]string // permission: read or write
	mux   *http.ServeMux

	// trouble may answer instead of the fake; lose says whether an answer is lost after the fake did its work.
	trouble func(w http.ResponseWriter, r *http.Request) bool
	lose    func(r *http.Request) bool

	mu          sync.Mutex
	requests    []string
	nextID      int64
	checks      []*fakeCheck
	comments    map[string][]*fakeComment // by number
	pulls       map[string][]fakePull     // by commit
	deployments []*fakeDeployment
	statuses    map[string][]*fakeCommitStatus // by commit
	person      bool                           // the token is of a person, who may not write check runs
}

type fakeOutput struct {
	Title       string           `json:"title"`
	Summary     string           `json:"summary"`
	Annotations []fakeAnnotation `json:"annotations,omitempty"`
}

type fakeAnnotation struct {
	Path    string `json:"path"`
	Start   int    `json:"start_line"`
	End     int    `json:"end_line"`
	Level   string `json:"annotation_level"`
	Message string `json:"message"`
}

type fakeCheck struct {
	ID         int64       `json:"id"`
	HTMLURL    string      `json:"html_url"`
	Name       string      `json:"name"`
	HeadSHA    string      `json:"head_sha"`
	ExternalID string      `json:"external_id"`
	DetailsURL string      `json:"details_url"`
	Status     string      `json:"status"`
	Conclusion string      `json:"conclusion,omitempty"`
	Output     *fakeOutput `json:"output"`
}

type fakeUser struct {
	Login string `json:"login"`
	Type  string `json:"type"`
}

type fakeComment struct {
	HTMLURL string   `json:"html_url"`
	ID      int64    `json:"id"`
	Body    string   `json:"body"`
	User    fakeUser `json:"user"`
}

type fakePull struct {
	Number         int            `json:"number"`
	State          string         `json:"state"`
	MergedAt       string         `json:"merged_at,omitempty"`
	MergeCommitSHA string         `json:"merge_commit_sha,omitempty"`
	Head           map[string]any `json:"head"`
	Base           map[string]any `json:"base"`
}

type fakeStatus struct {
	ID             int64  `json:"id"`
	State          string `json:"state"`
	Description    string `json:"description"`
	LogURL         string `json:"log_url"`
	EnvironmentURL string `json:"environment_url"`
}

type fakeDeployment struct {
	ID          int64           `json:"id"`
	SHA         string          `json:"sha"`
	Environment string          `json:"environment"`
	Payload     json.RawMessage `json:"payload"`
	statuses    []*fakeStatus
}

func newFakeGitHub(t *testing.T) *fakeGitHub {
	f := &fakeGitHub{
		t: t, login: ourLogin, mux: http.NewServeMux(), nextID: 1000,
		grant:    map[string]string{"checks": "write", "pull-requests": "write", "deployments": "write", "statuses": "write"},
		comments: map[string][]*fakeComment{}, pulls: map[string][]fakePull{},
		statuses: map[string][]*fakeCommitStatus{},
	}
	f.handle("POST /repos/o/r/check-runs", "checks", f.createCheck)
	f.handle("PATCH /repos/o/r/check-runs/{id}", "checks", f.updateCheck)
	f.handle("GET /repos/o/r/commits/{sha}/check-runs", "checks", f.listChecks)
	f.handle("GET /repos/o/r/commits/{sha}/pulls", "pull-requests", f.listPulls)
	f.handle("GET /repos/o/r/issues/{number}/comments", "pull-requests", f.listComments)
	f.handle("POST /repos/o/r/issues/{number}/comments", "pull-requests", f.createComment)
	f.handle("PATCH /repos/o/r/issues/comments/{id}", "pull-requests", f.editComment)
	f.handle("GET /repos/o/r/deployments", "deployments", f.listDeployments)
	f.handle("POST /repos/o/r/deployments", "deployments", f.createDeployment)
	f.handle("GET /repos/o/r/deployments/{id}/statuses", "deployments", f.listStatuses)
	f.handle("POST /repos/o/r/deployments/{id}/statuses", "deployments", f.createStatus)
	f.handle("POST /repos/o/r/statuses/{sha}", "statuses", f.createCommitStatus)
	f.handle("POST /graphql", "", f.viewer)
	return f
}

// config is of a client whose requests go to the fake without a socket, so that synctest can own the time.
func (f *fakeGitHub) config() GitHubConfig {
	client := httpx.New(httpx.Options{MaxBody: MaxBody})
	client.HTTP().Transport = f
	return GitHubConfig{
		Token: "secret-token", Client: client,
		CI: CI{Platform: PlatformGitHub, Server: "https://github.test", API: "https://api.github.test", Repository: "o/r",
			SHA: headSHA, Request: 7, RunID: "99", RunURL: "https://github.test/o/r/actions/runs/99"},
	}
}

func (f *fakeGitHub) start(cfg GitHubConfig) *GitHub {
	f.t.Helper()
	g, err := NewGitHub(cfg)
	if err != nil {
		f.t.Fatal(err)
	}
	return g
}

// RoundTrip makes the fake a transport.
func (f *fakeGitHub) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	w := httptest.NewRecorder()
	f.ServeHTTP(w, r)
	f.mu.Lock()
	lost := f.lose != nil && f.lose(r)
	f.mu.Unlock()
	if lost {
		return nil, io.ErrUnexpectedEOF
	}
	resp := w.Result()
	resp.Request = r
	return resp, nil
}

func (f *fakeGitHub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.requests = append(f.requests, r.Method+" "+r.URL.Path)
	if err := requests.Hear(r); err != nil {
		f.t.Error(err)
	}
	switch {
	case f.trouble != nil && f.trouble(w, r):
	case r.Header.Get("Authorization") != "Bearer secret-token":
		refuse(w, http.StatusUnauthorized, "Bad credentials")
	default:
		f.mux.ServeHTTP(w, r)
	}
}

// handle registers an endpoint that needs a permission: read for a GET, write for the rest.
func (f *fakeGitHub) handle(pattern, permission string, h http.HandlerFunc) {
	f.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		if have := f.grant[permission]; permission != "" && have != "write" && (have != "read" || r.Method != http.MethodGet) {
			refuse(w, http.StatusForbidden, "Resource not accessible by integration")
			return
		}
		h(w, r)
	})
}

func (f *fakeGitHub) id() int64 { f.nextID++; return f.nextID }

// count returns how many requests begin with this.
func (f *fakeGitHub) count(prefix string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, r := range f.requests {
		if strings.HasPrefix(r, prefix) {
			n++
		}
	}
	return n
}

func refuse(w http.ResponseWriter, status int, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"message": message, "documentation_url": "https://docs.github.com/rest"})
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

// page answers with one page of all, and a link to the next.
func page[T any](w http.ResponseWriter, r *http.Request, all []T, wrap func([]T) any) {
	size, number := 30, 1
	if n, err := strconv.Atoi(r.URL.Query().Get("per_page")); err == nil {
		size = min(n, 100)
	}
	if n, err := strconv.Atoi(r.URL.Query().Get("page")); err == nil {
		number = n
	}
	from, to := min(len(all), (number-1)*size), min(len(all), number*size)
	if to < len(all) {
		next := url.URL{Scheme: "https", Host: r.Host, Path: r.URL.Path, RawQuery: fmt.Sprintf("page=%d&per_page=%d", number+1, size)}
		w.Header().Set("Link", fmt.Sprintf("<%s>; rel=%q", next.String(), "next"))
	}
	answer(w, http.StatusOK, wrap(append([]T{}, all[from:to]...)))
}

func plainList[T any](all []T) any { return all }

func (f *fakeGitHub) viewer(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, map[string]any{"data": map[string]any{"viewer": map[string]string{"login": f.login}}})
}

func (f *fakeGitHub) listPulls(w http.ResponseWriter, r *http.Request) {
	page(w, r, f.pulls[r.PathValue("sha")], plainList)
}

func (f *fakeGitHub) listComments(w http.ResponseWriter, r *http.Request) {
	page(w, r, f.comments[r.PathValue("number")], plainList)
}

func tooLong(text string, limit int) bool { return utf8.RuneCountInString(text) > limit }

func (f *fakeGitHub) createComment(w http.ResponseWriter, r *http.Request) {
	c := &fakeComment{}
	if err := json.NewDecoder(r.Body).Decode(c); err != nil || c.Body == "" || tooLong(c.Body, 65536) {
		refuse(w, http.StatusUnprocessableEntity, "Validation Failed")
		return
	}
	c.ID, c.User = f.id(), fakeUser{f.login, "Bot"}
	number := r.PathValue("number")
	c.HTMLURL = fmt.Sprintf("https://github.test/o/r/pull/%s#issuecomment-%d", number, c.ID)
	f.comments[number] = append(f.comments[number], c)
	answer(w, http.StatusCreated, c)
}

// editComment lets the comments of others be edited, as GitHub does for whoever may write.
func (f *fakeGitHub) editComment(w http.ResponseWriter, r *http.Request) {
	for _, comments := range f.comments {
		for _, c := range comments {
			if strconv.FormatInt(c.ID, 10) != r.PathValue("id") {
				continue
			}
			edit := fakeComment{}
			if err := json.NewDecoder(r.Body).Decode(&edit); err != nil || edit.Body == "" || tooLong(edit.Body, 65536) {
				refuse(w, http.StatusUnprocessableEntity, "Validation Failed")
				return
			}
			c.Body = edit.Body
			answer(w, http.StatusOK, c)
			return
		}
	}
	refuse(w, http.StatusNotFound, "Not Found")
}

func (f *fakeGitHub) createCheck(w http.ResponseWriter, r *http.Request) {
	if f.person {
		refuse(w, http.StatusForbidden, "You must authenticate via a GitHub App.")
		return
	}
	c := &fakeCheck{Status: "queued"}
	if err := json.NewDecoder(r.Body).Decode(c); err != nil || c.HeadSHA == "" {
		refuse(w, http.StatusUnprocessableEntity, "Invalid request")
		return
	}
	if problem := c.problem(); problem != "" {
		refuse(w, http.StatusUnprocessableEntity, problem)
		return
	}
	c.ID = f.id()
	c.HTMLURL = fmt.Sprintf("https://github.test/o/r/runs/%d", c.ID)
	f.checks = append(f.checks, c)
	answer(w, http.StatusCreated, c)
}

func (f *fakeGitHub) updateCheck(w http.ResponseWriter, r *http.Request) {
	for _, c := range f.checks {
		if strconv.FormatInt(c.ID, 10) != r.PathValue("id") {
			continue
		}
		next := *c
		next.Conclusion, next.Output = "", nil
		if err := json.NewDecoder(r.Body).Decode(&next); err != nil {
			refuse(w, http.StatusUnprocessableEntity, "Invalid request")
			return
		}
		if problem := next.problem(); problem != "" {
			refuse(w, http.StatusUnprocessableEntity, problem)
			return
		}
		if c.Output != nil && next.Output != nil { // GitHub adds them to those that are there
			next.Output.Annotations = append(c.Output.Annotations, next.Output.Annotations...)
		}
		*c = next
		answer(w, http.StatusOK, c)
		return
	}
	refuse(w, http.StatusNotFound, "Not Found")
}

// problem says what GitHub would not accept.
func (c *fakeCheck) problem() string {
	conclusions := []string{"action_required", "cancelled", "failure", "neutral", "success", "skipped", "timed_out"}
	switch {
	case c.Name == "":
		return "name is missing"
	case !slices.Contains([]string{"queued", "in_progress", "completed"}, c.Status):
		return "status " + c.Status
	case c.Status == "completed" && !slices.Contains(conclusions, c.Conclusion):
		return "a completed check run needs a conclusion"
	case c.Status != "completed" && c.Conclusion != "":
		return "a conclusion without completed"
	case c.DetailsURL != "" && !strings.HasPrefix(c.DetailsURL, "http"):
		return "details_url"
	case c.Output == nil:
		return ""
	case c.Output.Title == "" || c.Output.Summary == "":
		return "output needs a title"
	case tooLong(c.Output.Summary, 65535):
		return "output.summary is too long"
	case len(c.Output.Annotations) > 50:
		return "more than 50 annotations"
	}
	for _, a := range c.Output.Annotations {
		switch {
		case a.Path == "", strings.HasPrefix(a.Path, "/"), a.Start < 1, a.End < a.Start, a.Message == "", len(a.Message) > 64<<10:
			return fmt.Sprintf("annotation %+v", a)
		case !slices.Contains([]string{"notice", "warning", "failure"}, a.Level):
			return "annotation_level " + a.Level
		}
	}
	return ""
}

func (f *fakeGitHub) listChecks(w http.ResponseWriter, r *http.Request) {
	var found []*fakeCheck
	for _, c := range slices.Backward(f.checks) { // newest first
		if name := r.URL.Query().Get("check_name"); c.HeadSHA == r.PathValue("sha") && (name == "" || name == c.Name) {
			found = append(found, c)
		}
	}
	if r.URL.Query().Get("filter") != "all" && len(found) > 1 {
		found = found[:1]
	}
	page(w, r, found, func(runs []*fakeCheck) any {
		return map[string]any{"total_count": len(found), "check_runs": runs}
	})
}
