package forge

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// job returns the variables of a job of GitHub Actions, with changes.
func job(changes map[string]string) func(string) string {
	env := map[string]string{
		"GITHUB_ACTIONS": "true", "GITHUB_SERVER_URL": "https://github.com", "GITHUB_API_URL": "https://api.github.com",
		"GITHUB_REPOSITORY": "o/r", "GITHUB_REPOSITORY_ID": "42", "GITHUB_SHA": otherSHA, "GITHUB_REF": "refs/heads/main",
		"GITHUB_EVENT_NAME": "push", "GITHUB_ACTOR": "ann", "GITHUB_ACTOR_ID": "5", "GITHUB_TRIGGERING_ACTOR": "bob",
		"GITHUB_RUN_ID": "99", "GITHUB_RUN_ATTEMPT": "1", "GITHUB_JOB": "deploy", "GITHUB_EVENT_PATH": "/event.json",
	}
	for k, v := range changes {
		env[k] = v
	}
	return func(name string) string { return env[name] }
}

func file(text string) func(string) ([]byte, error) {
	return func(string) ([]byte, error) { return []byte(text), nil }
}

func TestReadCIKnowsWhatEachEventIsAbout(t *testing.T) {
	t.Parallel()
	base := CI{Platform: PlatformGitHub, Server: "https://github.com", API: "https://api.github.com", RepositoryID: 42,
		Repository: "o/r", SHA: otherSHA, Ref: "refs/heads/main", Event: "push", Actor: "ann", ActorID: 5, TriggeringActor: "bob",
		RunURL: "https://github.com/o/r/actions/runs/99", RunID: "99", JobID: "deploy", Attempt: 1}
	pull := func(head string) string {
		return `{"pull_request": {"number": 7, "head": {"sha": "` + headSHA + `", "ref": "topic", "repo": ` + head + `}, "base": {"repo": {"id": 42}}}}`
	}
	deployment := func(payload string) string {
		return `{"deployment": {"id": 3, "sha": "` + headSHA + `", "ref": "topic", "task": "deploy", "environment": "prod", "payload": ` + payload +
			`}, "deployment_status": {"environment_url": "https://prod.test"}}`
	}
	deployed := func(p Payload) func(*CI) {
		return func(c *CI) {
			c.SHA, c.Ref, c.Environment = headSHA, "topic", "prod"
			c.Deployment = Deployment{ID: 3, Environment: "prod", Task: "deploy", Payload: p}
			c.EnvironmentURL = "https://prod.test"
		}
	}
	request := func(fork bool) func(*CI) {
		return func(c *CI) { c.SHA, c.Ref, c.Request, c.Fork = headSHA, "topic", 7, fork }
	}
	resumed := func(c *CI) { c.SHA, c.Resumes = headSHA, Resumes{Rollout: "run-1", Canary: "podinfo", Run: "98"} }
	for name, tt := range map[string]struct {
		event, text string
		change      func(*CI)
	}{
		"a push is about the commit of the job": {"push", `{"ref": "x", "after": "y"}`, func(*CI) {}},
		"a dispatch by hand is, too":            {"workflow_dispatch", `{"inputs": {"a": "b"}}`, func(*CI) {}},
		"a dispatch by a program is, too":       {"repository_dispatch", `{"client_payload": {"image": 1}}`, func(*CI) {}},
		"a dispatch by a server is about what was suspended": {"workflow_dispatch",
			`{"inputs": {"penstock-rollout": "run-1", "penstock-canary": "podinfo", "penstock-sha": "` + headSHA + `", "penstock-run": "98", "other": ""}}`, resumed},
		"an event of a server is, too": {"repository_dispatch",
			`{"client_payload": {"penstock-rollout": "run-1", "penstock-canary": "podinfo", "penstock-sha": "` + headSHA + `", "penstock-run": "98"}}`, resumed},
		"a schedule is, too":                                   {"schedule", `{"schedule": "0 0 * * *"}`, func(*CI) {}},
		"a release is about its tag":                           {"release", `{"release": {"tag_name": "v1"}}`, func(c *CI) { c.Ref = "refs/tags/v1" }},
		"a pull request is about its head":                     {"pull_request", pull(`{"id": 42}`), request(false)},
		"a fork is one":                                        {"pull_request", pull(`{"id": 43}`), request(true)},
		"a fork that was deleted is one":                       {"pull_request_target", pull(`null`), request(true)},
		"a deployment without payload":                         {"deployment", deployment(`{}`), deployed(Payload{})},
		"a deployment with an image and a canary":              {"deployment", deployment(`{"image": "a:1", "canary": "web"}`), deployed(Payload{Image: []string{"a:1"}, Canary: "web"})},
		"a deployment with images, in a text":                  {"deployment_status", deployment(`"{\"image\": [\"a:1\", \"b:2\"]}"`), deployed(Payload{Image: []string{"a:1", "b:2"}})},
		"a deployment whose payload is somebody else's text":   {"deployment", deployment(`"hello"`), deployed(Payload{})},
		"a deployment whose payload is null":                   {"deployment", deployment(`null`), deployed(Payload{})},
		"a deployment whose image is null":                     {"deployment", deployment(`{"image": null}`), deployed(Payload{})},
		"the run after another one is about that one's commit": {"workflow_run", `{"workflow_run": {"head_sha": "` + headSHA + `", "head_branch": "topic", "head_repository": {"id": 42}, "pull_requests": [{"number": 7}]}}`, request(false)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := base
			want.Event = tt.event
			tt.change(&want)
			got, err := ReadCI(job(map[string]string{"GITHUB_EVENT_NAME": tt.event}), file(tt.text))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestReadCIListsEveryProblemAtOnce(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		changes map[string]string
		text    string
		want    []string
	}{
		"variables": {map[string]string{"GITHUB_API_URL": "https://me:secret@api", "GITHUB_REPOSITORY": "r", "GITHUB_SHA": "abc",
			"GITHUB_RUN_ID": "", "GITHUB_ACTOR_ID": "ann"}, `{`, []string{
			"GITHUB_API_URL must be a http or https URL without a user",
			`GITHUB_REPOSITORY is "r", and must be owner/name`,
			`GITHUB_SHA is "abc", and must be 40 or 64 hexadecimal digits`,
			`GITHUB_ACTOR_ID is "ann", and must be a number from 0`,
			`GITHUB_RUN_ID is "", and must be a number`,
			`read the event at GITHUB_EVENT_PATH, "/event.json": unexpected end of JSON input`}},
		"a payload": {map[string]string{"GITHUB_EVENT_NAME": "deployment"},
			`{"deployment": {"id": 3, "sha": "` + headSHA + `", "payload": {"image": ["a", ""], "canary": 7}}}`, []string{
				`the deployment's payload.image is ["a", ""], and must be an image or a list of images`,
				`the deployment's payload.canary is 7, and must be a text`}},
		"a rollout of no commit": {map[string]string{"GITHUB_EVENT_NAME": "workflow_dispatch"}, `{"inputs": {"penstock-rollout": "run-1", "penstock-sha": "main"}}`,
			[]string{`the event workflow_dispatch names the rollout "run-1" in penstock-rollout, and has to name the commit in penstock-sha, ` +
				`the workflow run in penstock-run and the canary in penstock-canary as well`}},
		"a deployment that is none": {map[string]string{"GITHUB_EVENT_NAME": "deployment"}, `{}`,
			[]string{"the event deployment has no deployment with an id and a commit"}},
		"a pull request that is none": {map[string]string{"GITHUB_EVENT_NAME": "pull_request"}, `{"pull_request": {"number": 7}}`,
			[]string{"the event pull_request has no pull request with a number and a head commit"}},
		"no event": {map[string]string{"GITHUB_EVENT_PATH": ""}, `{}`,
			[]string{`GITHUB_EVENT_PATH is "", and must be the path of the event's file`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := ReadCI(job(tt.changes), file(tt.text))
			if err == nil {
				t.Fatalf("no error, but %+v", got)
			}
			if diff := cmp.Diff(strings.Join(tt.want, "\n"), err.Error()); diff != "" {
				t.Error(diff)
			}
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("the error shows a password: %v", err)
			}
		})
	}
}

func TestReadCIOnAServerOfOnesOwn(t *testing.T) {
	t.Parallel()
	got, err := ReadCI(job(map[string]string{"GITHUB_SERVER_URL": "https://ghe.test/", "GITHUB_API_URL": "https://ghe.test/api/v3/",
		"GITHUB_REPOSITORY_ID": "", "GITHUB_ACTOR_ID": "", "GITHUB_TRIGGERING_ACTOR": "", "GITHUB_RUN_ATTEMPT": "2"}), file(`{"repository": {"id": 8}}`))
	if err != nil {
		t.Fatal(err)
	}
	if got.API != "https://ghe.test/api/v3" || got.RepositoryID != 8 || got.TriggeringActor != "ann" || got.RunURL != "https://ghe.test/o/r/actions/runs/99/attempts/2" {
		t.Errorf("%+v", got)
	}
}

func TestReadCIOutsideOfAJobIsEmptyAndReadsNothing(t *testing.T) {
	t.Parallel()
	got, err := ReadCI(job(map[string]string{"GITHUB_ACTIONS": ""}), func(string) ([]byte, error) { return nil, errors.New("read") })
	if diff := cmp.Diff(CI{}, got); err != nil || diff != "" {
		t.Error(err, diff)
	}
}

func TestAnEventThatCannotBeReadIsAnError(t *testing.T) {
	t.Parallel()
	_, err := ReadCI(job(nil), func(string) ([]byte, error) { return nil, errors.New("no such file") })
	if err == nil || err.Error() != "read the event at GITHUB_EVENT_PATH: no such file" {
		t.Error(err)
	}
}
