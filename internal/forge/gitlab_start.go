package forge

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/xanzy/go-gitlab"
)

// gitlabStarter starts jobs and pipelines on GitLab.
type gitlabStarter struct {
	Resume
	office *Office
	api    *gitlabAPI
	job    int // to play; known when it can be played
}

// The variables by which a triggered pipeline learns what it is for.
const (
	resumeRolloutVariable  = "PENSTOCK_RESUME_ROLLOUT"
	resumeCanaryVariable   = "PENSTOCK_RESUME_CANARY"
	resumeSHAVariable      = "PENSTOCK_RESUME_SHA"
	resumePipelineVariable = "PENSTOCK_RESUME_PIPELINE" // that has suspended the rollout
	resumeJobVariable      = "PENSTOCK_RESUME_JOB"      // likewise
	resumeRequestVariable  = "PENSTOCK_RESUME_REQUEST"  // the merge request on which people were asked
)

func (o *Office) gitlabStarter(r Resume) (Starter, error) {
	switch {
	case o.gitlab == nil:
		return nil, refuses("GitLab cannot be asked: there is no token for it")
	case r.CI.PipelineID <= 0:
		return nil, refuses("the number of the pipeline is not known")
	case r.Means.Kind == Trigger && r.Trigger == "":
		return nil, refuses("the server has no trigger token of project %d; give it --gitlab-trigger-token %d=TOKEN", r.CI.RepositoryID, r.CI.RepositoryID)
	}
	api := o.gitlab
	api.secrets.Add(string(r.Trigger))
	return &gitlabStarter{Resume: r, office: o, api: api}, nil
}

func (s *gitlabStarter) project() int { return int(s.CI.RepositoryID) }

// Ready implements Starter. The project is asked for by its number, so that a name that is somebody else's by now is none.
func (s *gitlabStarter) Ready(ctx context.Context) (string, error) {
	if s.Means.Kind != Play {
		return "", nil
	}
	job, err := s.find(ctx)
	switch {
	case err != nil:
		return "", err
	case job.Status == "created", job.Status == "waiting_for_resource", job.Status == "preparing":
		return fmt.Sprintf("the job %q waits for the jobs before it", s.Means.Name), nil
	case job.Status == "skipped", job.Status == "canceled", job.Status == "failed":
		return "", refuses("the job %q of pipeline %d is %s, and cannot be played", s.Means.Name, s.CI.PipelineID, job.Status)
	}
	s.job = job.ID
	return "", nil
}

// find finds the job by its name.
func (s *gitlabStarter) find(ctx context.Context) (*gitlab.Job, error) {
	var job *gitlab.Job
	var names []string
	page := func(list gitlab.ListOptions, o ...gitlabOption) (bool, *gitlabAnswer, error) {
		found, resp, err := s.api.client.Jobs.ListPipelineJobs(s.project(), int(s.CI.PipelineID), &gitlab.ListJobsOptions{ListOptions: list}, o...)
		for _, one := range found {
			if one.Name == s.Means.Name {
				job = one
				return true, resp, err
			}
			names = append(names, fmt.Sprintf("%q", line(one.Name, 80)))
		}
		return false, resp, err
	}
	if err := s.api.all(ctx, "list the jobs of the pipeline", page); err != nil {
		return nil, err
	}
	if job == nil {
		return nil, refuses("pipeline %d has no job called %q; it has %s", s.CI.PipelineID, s.Means.Name, strings.Join(names[:min(len(names), 10)], ", "))
	}
	return job, nil
}

// Start implements Starter.
func (s *gitlabStarter) Start(ctx context.Context) error {
	if s.Means.Kind == Play {
		return s.api.call(ctx, gitlabCall{what: "play the job " + s.Means.Name, post: true, send: func(o ...gitlabOption) (*gitlabAnswer, error) {
			_, resp, err := s.api.client.Jobs.PlayJob(s.project(), s.job, &gitlab.PlayJobOptions{}, o...)
			return resp, err
		}})
	}
	ref, token := s.ref(), string(s.Trigger)
	ask := &gitlab.RunPipelineTriggerOptions{Ref: &ref, Token: &token, Variables: s.told()}
	return s.api.call(ctx, gitlabCall{what: "trigger a pipeline", post: true, send: func(o ...gitlabOption) (*gitlabAnswer, error) {
		_, resp, err := s.api.client.PipelineTriggers.RunPipelineTrigger(s.project(), ask, o...)
		return resp, err
	}})
}

func (s *gitlabStarter) told() map[string]string {
	told := map[string]string{
		resumeRolloutVariable: s.Rollout, resumeCanaryVariable: s.Canary, resumeSHAVariable: s.CI.SHA,
		resumePipelineVariable: fmt.Sprint(s.CI.PipelineID), resumeJobVariable: s.CI.JobID,
	}
	if s.Request > 0 {
		told[resumeRequestVariable] = fmt.Sprint(s.Request)
	}
	return told
}

// ref is the branch or tag on which a pipeline is made: a commit is none.
func (s *gitlabStarter) ref() string {
	if s.Means.Ref != "" {
		return s.Means.Ref
	}
	return s.CI.Ref
}

// Look implements Starter. A manual job that is no more so was played. GitLab tells few of a pipeline's variables: where none
// was triggered there is none of ours, and otherwise nobody can tell.
func (s *gitlabStarter) Look(ctx context.Context, since time.Time) (Found, error) {
	if s.Means.Kind == Play {
		job, err := s.find(ctx)
		if err != nil {
			return Unsure, err
		}
		if slices.Contains([]string{"manual", "created", "skipped"}, job.Status) {
			return Nothing, nil
		}
		return Started, nil
	}
	var found []*gitlab.PipelineInfo
	source, ref, after := "trigger", s.ref(), since.Add(-clockSkew).UTC()
	ask := &gitlab.ListProjectPipelinesOptions{Source: &source, Ref: &ref, UpdatedAfter: &after}
	err := s.api.call(ctx, gitlabCall{what: "look for the pipeline", send: func(o ...gitlabOption) (resp *gitlabAnswer, err error) {
		found, resp, err = s.api.client.Pipelines.ListProjectPipelines(s.project(), ask, o...)
		return resp, err
	}})
	if err != nil || len(found) > 0 {
		return Unsure, err
	}
	return Nothing, nil
}

// ByHand implements Starter.
func (s *gitlabStarter) ByHand() string {
	page := fmt.Sprintf("%s/%s/-/pipelines", s.office.page, s.CI.Repository)
	if s.Means.Kind == Play {
		return fmt.Sprintf("open %s/%d and play the job %s", page, s.CI.PipelineID, s.Means.Name)
	}
	text := fmt.Sprintf("open %s/new for %s, with the variables", page, s.ref())
	told := s.told()
	for _, name := range slices.Sorted(maps.Keys(told)) {
		text += " " + name + "=" + told[name]
	}
	return text
}
