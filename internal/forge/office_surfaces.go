package forge

import (
	"context"
	"fmt"
	"net/http"

	"github.com/penstock-dev/penstock/internal/approval"
)

// Surfaces returns what shows the rollout of a job that is over, for whoever ends it in the job's place: they go on with the
// check run, comment and deployment of the job where they may, and with ones of their own where they may not. Of the job's
// addresses nothing is believed. The environment is the one that the run was told to deploy to; it may be empty.
func (o *Office) Surfaces(ctx context.Context, ci CI, environment string, r Rollout) ([]Surface, error) {
	switch ci.Platform {
	case PlatformGitHub:
		return o.githubSurfaces(ctx, ci, environment, r)
	case PlatformGitLab:
		if o.gitlab == nil {
			return nil, refuses("GitLab cannot be written to: there is no token for it")
		}
		ci.Server, ci.API = o.page, o.page+"/api/v4"
		surfaces, _, err := NewGitLab(GitLabConfig{
			CI: ci, Rollout: r, Environment: environment, Token: o.gitlab.cfg.Token, HTTP: o.gitlab.cfg.HTTP, Clock: o.gitlab.cfg.Clock,
		})
		return surfaces, err
	}
	return nil, nil
}

func (o *Office) githubSurfaces(ctx context.Context, ci CI, environment string, r Rollout) ([]Surface, error) {
	parts, err := o.parts(approval.GitHub, ci.Repository)
	switch {
	case err != nil:
		return nil, &refusal{err.Error()}
	case !commitID.MatchString(ci.SHA):
		return nil, refuses("%q is not a commit", ci.SHA)
	}
	g := newGitHub(ci, environment != "")
	found, err := o.githubFor(ctx, parts)
	if err != nil {
		return nil, err
	}
	g.api, g.succeeds = found.api, true
	var is repository
	err = g.call(ctx, "read the repository", func(ctx context.Context) error {
		req, err := g.api.NewRequest(http.MethodGet, "repos/"+ci.Repository, nil)
		if err != nil {
			return err
		}
		_, err = g.api.Do(ctx, req, &is)
		return err
	})
	switch {
	case err != nil:
		return nil, err
	case is.ID != ci.RepositoryID:
		return nil, fmt.Errorf("show the rollout: %w", errMoved(ci.Repository, is.ID, ci.RepositoryID))
	}
	return g.Surfaces(r), nil
}
