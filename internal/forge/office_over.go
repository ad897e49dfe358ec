package forge

import (
	"context"
	"net/http"
	"slices"
	"strconv"

	"github.com/xanzy/go-gitlab"
)

// Over reports whether a job is known to be over. Where a later attempt of it is at work, that will go on with what it has
// left: then it is not.
func (o *Office) Over(ctx context.Context, ci CI) (bool, error) {
	switch ci.Platform {
	case PlatformGitHub:
		s, err := o.githubStarter(Resume{CI: ci})
		if err != nil {
			return false, err
		}
		return s.over(ctx)
	case PlatformGitLab:
		return o.gitlabOver(ctx, ci)
	}
	return false, nil
}

// over goes by the workflow run, and while that is at work by the job, if one alone has its name.
func (s *githubStarter) over(ctx context.Context) (bool, error) {
	run, err := s.run(ctx)
	if err != nil || run.Status == "completed" || run.Attempt > s.CI.Attempt {
		return err == nil && run.Status == "completed", err
	}
	jobs, err := s.jobs(ctx)
	if err != nil {
		return false, err
	}
	jobs = slices.DeleteFunc(jobs, func(j githubJob) bool { return j.Name != s.CI.JobID })
	return len(jobs) == 1 && jobs[0].Status == "completed", nil
}

func (o *Office) gitlabOver(ctx context.Context, ci CI) (bool, error) {
	id, err := strconv.Atoi(ci.JobID)
	switch {
	case o.gitlab == nil:
		return false, refuses("GitLab cannot be asked: there is no token for it")
	case err != nil || ci.RepositoryID <= 0:
		return false, refuses("%q is not the number of a job of GitLab", ci.JobID)
	}
	var job *gitlab.Job
	err = o.gitlab.call(ctx, gitlabCall{what: "read the job", send: func(opts ...gitlabOption) (resp *gitlabAnswer, err error) {
		job, resp, err = o.gitlab.client.Jobs.GetJob(int(ci.RepositoryID), id, opts...)
		return resp, err
	}})
	if gitlabStatusOf(err) == http.StatusNotFound || err == nil && job == nil {
		return false, nil
	}
	return err == nil && slices.Contains([]string{"success", "failed", "canceled"}, job.Status), err
}
