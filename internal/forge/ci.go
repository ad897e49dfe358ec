package forge

import (
	"cmp"
	"fmt"
	"net/url"
	"path/filepath"
)

// CI is what the job knows of itself, one value on both platforms. It is zero outside CI.
type CI struct {
	Platform Platform

	// Server is what people open and API what programs ask, both without a slash at the end: https://github.com and
	// https://api.github.com, or CI_SERVER_URL and CI_API_V4_URL.
	Server, API string

	RepositoryID int64
	Repository   string // owner/name, or group/subgroup/project
	SHA, Ref     string // of a pull request's head, not of the merge commit that the job checked out
	Event        string // such as deployment or push; on GitLab CI_PIPELINE_SOURCE

	Actor           string // who caused the event
	TriggeringActor string // who started this attempt of the job
	ActorID         int64

	Request int  // number of the pull request, iid of the merge request; 0 when the event has none
	Fork    bool // the request comes from a fork: the job's token can usually only read

	Deployment     Deployment
	Environment    string // that is deployed to; empty when the event has none
	EnvironmentURL string

	Resumes Resumes // the rollout that the job was started for; zero for any other job

	RunURL, RunID string
	JobID         string
	PipelineID    int64 // only on GitLab
	Attempt       int   // from 1
}

// Deployment is the deployment whose event started the job. It is zero for other events.
type Deployment struct {
	ID          int64
	Environment string
	Task        string // such as "deploy"
	Payload     Payload
}

// Payload is what the creator of a deployment can tell the rollout. Everything else in a payload is left alone.
type Payload struct {
	Image  []string // images to roll out: "image" may be one text or a list
	Canary string   // name of the canary to roll out
}

// Resumes names the suspended rollout that a server has started the job for. A job that was dispatched has the commit of a
// branch; what it rolls out is of another one, which is in CI.SHA.
type Resumes struct {
	Rollout string // the id of the run that has suspended it
	Canary  string
	Run     string // the workflow run, or the pipeline, that has suspended it
}

// Origin is the workflow run or pipeline that the rollout began in: its pages are marked with it.
func (ci *CI) Origin() string { return cmp.Or(ci.Resumes.Run, ci.RunID) }

// RequestURL is the page of the pull or merge request, or nothing when the event has none.
func (ci *CI) RequestURL() string {
	kind := map[Platform]string{PlatformGitHub: "pull", PlatformGitLab: "-/merge_requests"}[ci.Platform]
	if ci.Request == 0 || kind == "" {
		return ""
	}
	return fmt.Sprintf("%s/%s/%s/%d", ci.Server, ci.Repository, kind, ci.Request)
}

// ArtifactURL is where GitLab shows a file that the job keeps as an artifact, by its path in the project. GitHub has no such
// address before the job is over, nor has a file outside of the project.
func (ci *CI) ArtifactURL(path string) string {
	if ci.Platform != PlatformGitLab || !filepath.IsLocal(path) {
		return ""
	}
	return ci.RunURL + "/artifacts/file/" + (&url.URL{Path: path}).EscapedPath()
}

// ReadCI reads what the platform tells its jobs: environment variables, and on GitHub the file of the event. Outside
// CI it returns the zero value. The error lists every problem at once.
func ReadCI(getenv func(string) string, readFile func(string) ([]byte, error)) (CI, error) {
	switch {
	// Both are set where a runner of one platform runs inside a job of the other; then the inner one has the event.
	case getenv("GITHUB_ACTIONS") == "true":
		return readGitHub(getenv, readFile)
	case getenv("GITLAB_CI") == "true":
		return readGitLab(getenv)
	}
	return CI{}, nil
}
