package forge

import (
	"context"
	"errors"
	"strconv"

	"github.com/xanzy/go-gitlab"

	"github.com/penstock-dev/penstock/internal/httpx"
)

// me returns the id of the user that the token belongs to: for a project access token, its bot.
func (a *gitlabAPI) me(ctx context.Context) (int, error) {
	if a.cfg.Token == "" {
		job, err := a.ownJob(ctx)
		if err != nil || job.User == nil {
			return 0, err
		}
		return job.User.ID, nil
	}
	a.mu.Lock()
	known := a.user
	a.mu.Unlock()
	if known != 0 {
		return known, nil
	}
	var user *gitlab.User
	err := a.call(ctx, gitlabCall{what: "read the token's user", send: func(o ...gitlabOption) (resp *gitlabAnswer, err error) {
		user, resp, err = a.client.Users.CurrentUser(o...)
		return resp, err
	}})
	if err != nil {
		return 0, err
	}
	if user.ID == 0 {
		return 0, errors.New("read the token's user: GitLab's answer has no id")
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.user = user.ID
	return user.ID, nil
}

// ownJob returns what GitLab knows of the job that we run in. The environment does not have it all: the commit of a
// pipeline for merged results is none of the merge request's, and its ref is no branch.
func (a *gitlabAPI) ownJob(ctx context.Context) (*gitlab.Job, error) {
	a.mu.Lock()
	known := a.job
	a.mu.Unlock()
	if known != nil {
		return known, nil
	}
	id, err := strconv.Atoi(a.cfg.CI.JobID)
	if err != nil {
		return nil, errors.New("read the job: its id is not known")
	}
	var job *gitlab.Job
	err = a.call(ctx, gitlabCall{what: "read the job", send: func(o ...gitlabOption) (resp *gitlabAnswer, err error) {
		if a.cfg.Token == "" {
			job, resp, err = a.client.Jobs.GetJobTokensJob(nil, o...)
		} else {
			job, resp, err = a.client.Jobs.GetJob(a.project(), id, o...)
		}
		return resp, err
	}})
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.job = job
	return job, nil
}

func (a *gitlabAPI) project() int { return int(a.cfg.CI.RepositoryID) }

// built returns what the pipeline runs on. Where the token may not read jobs, the environment has to do, from then on:
// two answers would be two commits, each with a status of its own.
func (a *gitlabAPI) built(ctx context.Context) (sha, ref string, tag bool, err error) {
	job, err := a.ownJob(ctx)
	if status := gitlabStatusOf(err); err != nil && (status < 400 || httpx.Retryable(status)) {
		return "", "", false, err
	}
	if err != nil || job.Pipeline.Sha == "" {
		job = &gitlab.Job{}
		job.Pipeline.Sha, job.Pipeline.Ref = a.cfg.CI.SHA, a.cfg.CI.Ref
		a.mu.Lock()
		defer a.mu.Unlock()
		a.job = job
	}
	return job.Pipeline.Sha, job.Pipeline.Ref, job.Tag, nil
}
