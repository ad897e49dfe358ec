package tape

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
)

func TestWhatGitLabTakesAndRefuses(t *testing.T) {
	t.Parallel()
	const sha = "1111111111111111111111111111111111111111"
	long := strings.Repeat("é", 256)
	tests := map[string]struct {
		method, path, body string
		header             string // "" is a project's token
		want               []string
	}{
		"a status": {"POST", "/api/v4/projects/7/statuses/" + sha, `{"state":"running","name":"canary","pipeline_id":5,"description":"` + long[:510] + `"}`, "", nil},
		"a status in GitHub's words, of no pipeline": {
			"POST", "/api/v4/projects/7/statuses/" + sha, `{"state":"failure","description":"` + long + `"}`, "",
			[]string{"description has 256 characters, and must have 255 at most", `state is "failure", and must be one of ["pending" "running" "success" "failed" "canceled" "skipped"]`, "pipeline_id is missing"},
		},
		"a number as a text":           {"POST", "/api/v4/projects/7/statuses/" + sha, `{"state":"running","pipeline_id":"5"}`, "", []string{"pipeline_id is a text, and must be a number"}},
		"half a commit":                {"POST", "/api/v4/projects/7/statuses/1111", `{}`, "", []string{"GitLab's documentation has no such endpoint"}},
		"a note":                       {"POST", "/api/v4/projects/acme%2Fshop/merge_requests/1/notes", `{"body":"x"}`, "", nil},
		"an empty note":                {"POST", "/api/v4/projects/7/merge_requests/1/notes", `{"body":""}`, "", []string{"body is missing"}},
		"a field that nobody knows":    {"PUT", "/api/v4/projects/7/merge_requests/1/notes/2", `{"body":"x","text":"y"}`, "", []string{"the field text is not known"}},
		"a note with the job's token":  {"POST", "/api/v4/projects/7/merge_requests/1/notes", `{"body":"x"}`, "Job-Token", []string{"CI_JOB_TOKEN may not ask this"}},
		"a deployment with it":         {"PUT", "/api/v4/projects/7/deployments/3", `{"status":"success"}`, "Job-Token", nil},
		"a deployment of no such sort": {"GET", "/api/v4/projects/7/deployments?order_by=name&per_page=101&page=0&env=x", "", "", []string{"the parameter env is not known", `order_by is "name", and must be one of ["id" "iid" "created_at" "updated_at" "finished_at" "ref"]`, `page is "0", and must be a number from 1 on`, `per_page is "101", and must be 1 to 100`}},
		"a deployment without a tag":   {"POST", "/api/v4/projects/7/deployments", `{"environment":"e","sha":"` + sha + `","ref":"main","status":"created"}`, "", []string{`status is "created", and must be one of ["running" "success" "failed" "canceled"]`, "tag is missing"}},
		"another method":               {"PATCH", "/api/v4/projects/7/deployments/3", `{}`, "", []string{"GitLab's documentation has no such endpoint"}},
		"nobody":                       {"GET", "/api/v4/user", "", "X-Nobody", []string{"it needs one token, in Private-Token, Job-Token or Authorization"}},
		"no JSON":                      {"POST", "/api/graphql", `query`, "Authorization", []string{"the body is no object of JSON: invalid character 'q' looking for beginning of value"}},
		"a question":                   {"POST", "/api/graphql", `{"query":"{x}"}`, "Authorization", nil},
	}
	for name, test := range tests {
		r, err := http.NewRequestWithContext(t.Context(), test.method, "https://gitlab.test"+test.path, strings.NewReader(test.body))
		if err != nil {
			t.Fatal(err)
		}
		header := test.header
		if header == "" {
			header = "Private-Token"
		}
		r.Header.Set(header, "secret")
		r.Header.Set("User-Agent", "penstock")
		r.Header.Set("Content-Type", "application/json")
		got, err := GitLab(r)
		if err != nil || !slices.Equal(got, test.want) {
			t.Errorf("%s: %q (%v), want %q", name, got, err, test.want)
		}
		if again, err := io.ReadAll(r.Body); err != nil || string(again) != test.body {
			t.Errorf("%s: the body is %q afterwards (%v)", name, again, err)
		}
	}
	bare, err := http.NewRequestWithContext(t.Context(), "POST", "https://gitlab.test/api/v4/projects/7/merge_requests/1/notes", strings.NewReader(`{"body":"x"}`))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := GitLab(bare); err != nil || len(got) != 3 {
		t.Errorf("a request without headers: %q (%v)", got, err)
	}
}
