package forge_test

import (
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-dev/penstock/internal/forge"
)

// gitlabBranch is what the job of a branch's pipeline has in its environment.
func gitlabBranch() map[string]string {
	return map[string]string{
		"GITLAB_CI": "true", "CI_SERVER_URL": "https://gitlab.test/git", "CI_API_V4_URL": "https://gitlab.test/git/api/v4",
		"CI_PROJECT_ID": "42", "CI_PROJECT_PATH": "group/sub/web", "CI_COMMIT_SHA": fakeSHA, "CI_COMMIT_REF_NAME": "main",
		"CI_PIPELINE_SOURCE": "push", "GITLAB_USER_LOGIN": "ada", "GITLAB_USER_ID": "5", "CI_PIPELINE_ID": "1001", "CI_JOB_ID": "5005",
		"CI_JOB_URL": "https://gitlab.test/git/group/sub/web/-/jobs/5005",
	}
}

func wantGitLabBranch() forge.CI {
	return forge.CI{
		Platform: forge.PlatformGitLab, Server: "https://gitlab.test/git", API: "https://gitlab.test/git/api/v4",
		RepositoryID: 42, Repository: "group/sub/web", SHA: fakeSHA, Ref: "main", Event: "push",
		Actor: "ada", TriggeringActor: "ada", ActorID: 5, RunURL: "https://gitlab.test/git/group/sub/web/-/jobs/5005",
		RunID: "1001", JobID: "5005", PipelineID: 1001, Attempt: 1,
	}
}

func TestGitLabPipelines(t *testing.T) {
	t.Parallel()
	head := strings.Repeat("b", 40)
	request := map[string]string{
		"CI_PIPELINE_SOURCE": "merge_request_event", "CI_COMMIT_REF_NAME": "checkout", "CI_MERGE_REQUEST_IID": "12",
		"CI_MERGE_REQUEST_PROJECT_ID": "42", "CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "42", "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME": "checkout",
	}
	with := func(more ...string) map[string]string {
		all := maps.Clone(request)
		for i := 0; i < len(more); i += 2 {
			all[more[i]] = more[i+1]
		}
		return all
	}
	mr := func(ci *forge.CI) { ci.Event, ci.Ref, ci.Request = "merge_request_event", "checkout", 12 }
	for name, c := range map[string]struct {
		env  map[string]string
		want func(*forge.CI)
	}{
		"branch":           {nil, func(*forge.CI) {}},
		"tag":              {map[string]string{"CI_COMMIT_TAG": "v1", "CI_COMMIT_REF_NAME": "v1"}, func(ci *forge.CI) { ci.Ref = "v1" }},
		"trigger token":    {map[string]string{"CI_PIPELINE_SOURCE": "trigger"}, func(ci *forge.CI) { ci.Event = "trigger" }},
		"other project":    {map[string]string{"CI_PIPELINE_SOURCE": "pipeline"}, func(ci *forge.CI) { ci.Event = "pipeline" }},
		"manual, by web":   {map[string]string{"CI_PIPELINE_SOURCE": "web", "CI_JOB_MANUAL": "true"}, func(ci *forge.CI) { ci.Event = "web" }},
		"schedule, nobody": {map[string]string{"CI_PIPELINE_SOURCE": "schedule", "GITLAB_USER_ID": "", "GITLAB_USER_LOGIN": ""}, func(ci *forge.CI) { ci.Event, ci.Actor, ci.TriggeringActor, ci.ActorID = "schedule", "", "", 0 }},
		"environment": {map[string]string{"CI_ENVIRONMENT_NAME": "production", "CI_ENVIRONMENT_URL": "https://shop.test"},
			func(ci *forge.CI) { ci.Environment, ci.EnvironmentURL = "production", "https://shop.test" }},
		"merge request":   {request, mr},
		"its child":       {with("CI_PIPELINE_SOURCE", "parent_pipeline"), func(ci *forge.CI) { mr(ci); ci.Event = "parent_pipeline" }},
		"merged results":  {with("CI_MERGE_REQUEST_SOURCE_BRANCH_SHA", head, "CI_MERGE_REQUEST_EVENT_TYPE", "merged_result"), func(ci *forge.CI) { mr(ci); ci.SHA = head }},
		"of a fork, ours": {with("CI_MERGE_REQUEST_SOURCE_PROJECT_ID", "99"), func(ci *forge.CI) { mr(ci); ci.Fork = true }},
		"of a lost fork":  {with("CI_MERGE_REQUEST_SOURCE_PROJECT_ID", ""), func(ci *forge.CI) { mr(ci); ci.Fork = true }},
		"in the fork":     {with("CI_MERGE_REQUEST_PROJECT_ID", "7"), func(ci *forge.CI) { mr(ci); ci.Fork, ci.Request = true, 0 }},
		"SHA-256 project": {map[string]string{"CI_COMMIT_SHA": strings.Repeat("c", 64)}, func(ci *forge.CI) { ci.SHA = strings.Repeat("c", 64) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env, want := gitlabBranch(), wantGitLabBranch()
			maps.Copy(env, c.env)
			c.want(&want)
			got, err := forge.ReadCI(func(name string) string { return env[name] }, nil)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestGitLabVariablesThatAreWrongAreAllNamed(t *testing.T) {
	t.Parallel()
	env := gitlabBranch()
	maps.Copy(env, map[string]string{
		"CI_PROJECT_ID": "web", "CI_API_V4_URL": "gitlab.test", "CI_COMMIT_SHA": "main", "CI_PIPELINE_ID": "", "CI_JOB_ID": "-1",
		"GITLAB_USER_ID": "ada", "CI_MERGE_REQUEST_IID": "0", "CI_MERGE_REQUEST_SOURCE_BRANCH_SHA": "HEAD", "CI_COMMIT_REF_NAME": "",
	})
	got, err := forge.ReadCI(func(name string) string { return env[name] }, nil)
	gitlabMention(t, err, `CI_PROJECT_ID: "web" is not a whole number above 0`, `CI_API_V4_URL: "gitlab.test"`, `CI_COMMIT_SHA: "main"`,
		"CI_PIPELINE_ID: is not set", `CI_JOB_ID: "-1"`, `GITLAB_USER_ID: "ada"`, `CI_MERGE_REQUEST_IID: "0"`, "CI_MERGE_REQUEST_PROJECT_ID: is not set",
		`CI_MERGE_REQUEST_SOURCE_BRANCH_SHA: "HEAD"`, "CI_COMMIT_REF_NAME: is not set")
	if diff := cmp.Diff(forge.CI{}, got); diff != "" {
		t.Error(diff)
	}
}

func TestATriggeredPipelineIsAboutWhatWasSuspended(t *testing.T) {
	t.Parallel()
	old := strings.Repeat("b", 40)
	env := gitlabBranch()
	maps.Copy(env, map[string]string{
		"CI_PIPELINE_SOURCE": "trigger", "PENSTOCK_RESUME_ROLLOUT": "run-1", "PENSTOCK_RESUME_CANARY": "podinfo", "PENSTOCK_RESUME_SHA": old,
		"PENSTOCK_RESUME_PIPELINE": "900", "PENSTOCK_RESUME_JOB": "901", "PENSTOCK_RESUME_REQUEST": "12",
	})
	want := wantGitLabBranch()
	want.Event, want.SHA, want.PipelineID, want.JobID, want.Request = "trigger", old, 900, "901", 12
	want.Resumes = forge.Resumes{Rollout: "run-1", Canary: "podinfo", Run: "900"}
	got, err := forge.ReadCI(func(name string) string { return env[name] }, nil)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
	delete(env, "PENSTOCK_RESUME_SHA")
	if _, err := forge.ReadCI(func(name string) string { return env[name] }, nil); err == nil || !strings.Contains(err.Error(), "PENSTOCK_RESUME_SHA: is not set") {
		t.Errorf("without the commit: %v", err)
	}
}
