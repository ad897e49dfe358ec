package forge

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strconv"
)

var gitlabSHA = regexp.MustCompile(`^(?:[0-9a-f]{40}|[0-9a-f]{64})$`)

// readGitLab reads the predefined variables of a GitLab job. The error lists every variable that is missing or wrong.
//
// Request is the iid of a merge request of this very project. A pipeline of a fork knows an iid too, but of the project
// that it was forked from: it is left out, and Fork is set, so that nobody takes it for one of the fork's own.
func readGitLab(getenv func(string) string) (CI, error) {
	r := &gitlabVariables{getenv: getenv}
	ci := CI{
		Platform:        PlatformGitLab,
		Server:          r.url("CI_SERVER_URL"),
		API:             r.url("CI_API_V4_URL"),
		RepositoryID:    r.id("CI_PROJECT_ID"),
		Repository:      r.text("CI_PROJECT_PATH"),
		SHA:             r.sha("CI_COMMIT_SHA"),
		Ref:             r.text("CI_COMMIT_REF_NAME"), // the source branch in a merge request's pipeline, the tag in a tag's
		Event:           r.text("CI_PIPELINE_SOURCE"),
		Actor:           getenv("GITLAB_USER_LOGIN"), // of a manual job: who started the job, not who started the pipeline
		TriggeringActor: getenv("GITLAB_USER_LOGIN"),
		ActorID:         r.optionalID("GITLAB_USER_ID"),
		Environment:     getenv("CI_ENVIRONMENT_NAME"),
		EnvironmentURL:  getenv("CI_ENVIRONMENT_URL"),
		RunURL:          r.url("CI_JOB_URL"), // the job's page has the log; the pipeline's has not
		PipelineID:      r.id("CI_PIPELINE_ID"),
		RunID:           getenv("CI_PIPELINE_ID"),
		JobID:           getenv("CI_JOB_ID"),
		Attempt:         1, // GitLab tells nobody: a retried job is a new job with another id
	}
	r.id("CI_JOB_ID")
	r.request(&ci)
	r.resumes(&ci)
	if err := errors.Join(r.problems...); err != nil {
		return CI{}, err
	}
	return ci, nil
}

// gitlabVariables reads variables and keeps what is wrong with them.
type gitlabVariables struct {
	getenv   func(string) string
	problems []error
}

// request fills in what a merge request's pipeline knows of it. Child pipelines know it as well, whatever their source.
func (r *gitlabVariables) request(ci *CI) {
	if r.getenv("CI_MERGE_REQUEST_IID") == "" {
		return
	}
	iid := r.id("CI_MERGE_REQUEST_IID")
	project, source := r.id("CI_MERGE_REQUEST_PROJECT_ID"), r.optionalID("CI_MERGE_REQUEST_SOURCE_PROJECT_ID")
	ci.Fork = source != project // it is not set when the fork has been deleted meanwhile
	if project == ci.RepositoryID {
		ci.Request = int(iid)
	}
	// CI_COMMIT_SHA is the merge commit in a pipeline for merged results and in a merge train. In the plain pipeline of a
	// merge request it is the head, and this variable is empty.
	if r.getenv("CI_MERGE_REQUEST_SOURCE_BRANCH_SHA") != "" {
		ci.SHA = r.sha("CI_MERGE_REQUEST_SOURCE_BRANCH_SHA")
	}
	if branch := r.getenv("CI_MERGE_REQUEST_SOURCE_BRANCH_NAME"); branch != "" {
		ci.Ref = branch
	}
}

// resumes fills in which rollout a triggered pipeline is for. Its pages are those of the job that has suspended it.
func (r *gitlabVariables) resumes(ci *CI) {
	if ci.Resumes.Rollout = r.getenv(resumeRolloutVariable); ci.Resumes.Rollout == "" {
		return
	}
	ci.Resumes.Canary, ci.SHA = r.text(resumeCanaryVariable), r.sha(resumeSHAVariable)
	ci.PipelineID, ci.JobID = r.id(resumePipelineVariable), strconv.FormatInt(r.id(resumeJobVariable), 10)
	if iid := r.optionalID(resumeRequestVariable); iid > 0 {
		ci.Request = int(iid)
	}
	ci.Resumes.Run = strconv.FormatInt(ci.PipelineID, 10)
}

func (r *gitlabVariables) wrong(name, value, allowed string) {
	if value == "" {
		r.problems = append(r.problems, fmt.Errorf("%s: is not set; a GitLab job has %s in it", name, allowed))
		return
	}
	r.problems = append(r.problems, fmt.Errorf("%s: %q is not %s", name, value, allowed))
}

func (r *gitlabVariables) text(name string) string {
	value := r.getenv(name)
	if value == "" {
		r.wrong(name, value, "a text")
	}
	return value
}

func (r *gitlabVariables) id(name string) int64 {
	value := r.getenv(name)
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil || n <= 0 {
		r.wrong(name, value, "a whole number above 0")
		return 0
	}
	return n
}

func (r *gitlabVariables) optionalID(name string) int64 {
	if r.getenv(name) == "" {
		return 0
	}
	return r.id(name)
}

func (r *gitlabVariables) sha(name string) string {
	value := r.getenv(name)
	if !gitlabSHA.MatchString(value) {
		r.wrong(name, value, "a commit's full hash, in hexadecimal")
	}
	return value
}

func (r *gitlabVariables) url(name string) string {
	value := r.getenv(name)
	if u, err := url.Parse(value); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		r.wrong(name, value, "an http or https URL")
	}
	return value
}
