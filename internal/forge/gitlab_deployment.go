package forge

import (
	"context"
	"fmt"
	"net/http"

	"github.com/xanzy/go-gitlab"
)

// gitlabDeployment is a deployment to an environment, for jobs that have no "environment:" of their own.
type gitlabDeployment struct {
	api    *gitlabAPI
	looked bool
	lost   gitlab.DeploymentStatusValue // of a deployment that was asked for without an answer
	id     int
	have   gitlab.DeploymentStatusValue
}

func newGitLabDeployment(api *gitlabAPI) Surface {
	d := &gitlabDeployment{api: api}
	return &gitlabSurface{
		name: "deployment",
		need: "the scope api and a role that may deploy to " + api.cfg.Environment + " (Developer, or one that the protected environment allows)",
		show: d.show,
	}
}

// gitlabDeploymentStates leave out success for everything that is not: GitLab takes the last successful deployment for
// what runs in the environment.
var gitlabDeploymentStates = map[State]gitlab.DeploymentStatusValue{
	Queued:         gitlab.DeploymentStatusRunning,
	InProgress:     gitlab.DeploymentStatusRunning,
	ActionRequired: gitlab.DeploymentStatusRunning,
	Success:        gitlab.DeploymentStatusSuccess,
	Neutral:        gitlab.DeploymentStatusCanceled,
	Cancelled:      gitlab.DeploymentStatusCanceled,
	Failure:        gitlab.DeploymentStatusFailed,
	Error:          gitlab.DeploymentStatusFailed,
	TimedOut:       gitlab.DeploymentStatusFailed,
}

func (d *gitlabDeployment) show(ctx context.Context, p Page) error {
	want, ok := gitlabDeploymentStates[p.State]
	if !ok {
		return fmt.Errorf("set the deployment: %q is no state", p.State)
	}
	return d.api.settle(ctx, func(ctx context.Context) error { return d.reach(ctx, want) })
}

func (d *gitlabDeployment) reach(ctx context.Context, want gitlab.DeploymentStatusValue) error {
	if d.id != 0 && d.have == want {
		return nil
	}
	if d.id == 0 && !d.looked {
		if err := d.look(ctx); err != nil {
			return err
		}
	}
	switch {
	case d.id != 0 && d.have == want, d.id == 0 && want == gitlab.DeploymentStatusCanceled:
		return nil // to cancel what never began would only show up as one more deployment
	case d.id == 0:
		return d.create(ctx, want)
	}
	err := d.update(ctx, want)
	if gitlabStatusOf(err) == http.StatusNotFound { // somebody has deleted it
		d.id = 0
		return d.create(ctx, want)
	}
	return err
}

// look finds the deployment that an earlier run, or a request whose answer was lost, has made of this commit. It has no
// place for a marker, so that user, commit and ref have to tell; one that belongs to a job is never ours.
func (d *gitlabDeployment) look(ctx context.Context) error {
	me, err := d.api.me(ctx)
	if err != nil {
		return err
	}
	sha, ref, _, err := d.api.built(ctx)
	if err != nil {
		return err
	}
	status := string(gitlab.DeploymentStatusRunning)
	if d.lost != "" {
		status = string(d.lost)
	}
	order, sort := "id", "desc"
	query := &gitlab.ListProjectDeploymentsOptions{Environment: &d.api.cfg.Environment, Status: &status, OrderBy: &order, Sort: &sort}
	page := func(list gitlab.ListOptions, o ...gitlabOption) (bool, *gitlabAnswer, error) {
		query.ListOptions = list
		found, resp, err := d.api.client.Deployments.ListProjectDeployments(d.api.project(), query, o...)
		for _, one := range found {
			ours := one.User != nil && one.User.ID == me && one.Deployable.ID == 0
			if ours && one.SHA == sha && one.Ref == ref && one.Status == status {
				d.id, d.have = one.ID, gitlab.DeploymentStatusValue(status)
				return true, resp, err
			}
		}
		return false, resp, err
	}
	err = d.api.all(ctx, "read the deployments", page)
	d.looked = err == nil
	return err
}

func (d *gitlabDeployment) create(ctx context.Context, want gitlab.DeploymentStatusValue) error {
	sha, ref, tag, err := d.api.built(ctx)
	if err != nil {
		return err
	}
	var made *gitlab.Deployment
	ask := &gitlab.CreateProjectDeploymentOptions{Environment: &d.api.cfg.Environment, SHA: &sha, Ref: &ref, Tag: &tag, Status: &want}
	err = d.api.call(ctx, gitlabCall{what: "make a deployment", post: true, send: func(o ...gitlabOption) (resp *gitlabAnswer, err error) {
		made, resp, err = d.api.client.Deployments.CreateProjectDeployment(d.api.project(), ask, o...)
		return resp, err
	}})
	if err != nil {
		if gitlabUnsure(err) {
			d.looked, d.lost = false, want
		}
		return err
	}
	d.id, d.have = made.ID, want
	return nil
}

func (d *gitlabDeployment) update(ctx context.Context, want gitlab.DeploymentStatusValue) error {
	err := d.api.call(ctx, gitlabCall{what: "set the deployment to " + string(want), send: func(o ...gitlabOption) (*gitlabAnswer, error) {
		set := &gitlab.UpdateProjectDeploymentOptions{Status: &want}
		_, resp, err := d.api.client.Deployments.UpdateProjectDeployment(d.api.project(), d.id, set, o...)
		return resp, err
	}})
	if gitlabStatusOf(err) == http.StatusBadRequest { // the first request was carried out, and its answer was lost
		if now, read := d.read(ctx); read == nil && now == want {
			err = nil
		}
	}
	if err == nil {
		d.have = want
	}
	return err
}

func (d *gitlabDeployment) read(ctx context.Context) (now gitlab.DeploymentStatusValue, err error) {
	err = d.api.call(ctx, gitlabCall{what: "read the deployment", send: func(o ...gitlabOption) (*gitlabAnswer, error) {
		one, resp, err := d.api.client.Deployments.GetProjectDeployment(d.api.project(), d.id, o...)
		if err == nil {
			now = gitlab.DeploymentStatusValue(one.Status)
		}
		return resp, err
	}})
	return now, err
}
