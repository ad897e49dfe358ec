package cli

import (
	"errors"
	"fmt"

	"github.com/penstock-dev/penstock/internal/forge"
)

// approvable finds the change reader of the forge. What the forge cannot tell is refused, and not left out.
func (b *bulletin) approvable(out *approvals) error {
	if b.ci.Platform == forge.PlatformGitLab {
		return b.approvableOnGitLab(out)
	}
	switch {
	case b.github == nil:
		return errors.New("approvals: it needs a job of GitHub or GitLab with a token, and --forge auto, since the run has to read its pull or merge request")
	case b.ci.RepositoryID == 0:
		return errors.New("approvals: the job does not say the number of its repository (GITHUB_REPOSITORY_ID)")
	}
	out.ci, out.change = b.ci, b.github.Change(forge.AskFor(out.policy))
	return nil
}

func (b *bulletin) approvableOnGitLab(out *approvals) error {
	var problems []error
	if out.policy.Bans.Committers {
		problems = append(problems, errors.New("approval-policy: bans.committers: GitLab tells no more of committers than an address, so nobody could approve; want false"))
	}
	if out.policy.Reviews {
		problems = append(problems, errors.New("approval-policy: reviews: GitLab's own approvals do not say which commit they are of, and are not read; want false"))
	}
	change, err := forge.NewGitLabChange(b.gitlabConfig(forge.Rollout{}))
	if err != nil {
		problems = append(problems, fmt.Errorf("approvals: %w", err))
	}
	if err := errors.Join(problems...); err != nil {
		return err
	}
	out.ci, out.change = b.ci, change
	return nil
}

func (b *bulletin) gitlabConfig(r forge.Rollout) forge.GitLabConfig {
	return forge.GitLabConfig{
		CI: b.ci, Rollout: r, Token: orElse(b.in.GitLabToken, b.app.Getenv("GITLAB_TOKEN")), JobToken: b.app.Getenv("CI_JOB_TOKEN"),
		Environment: b.in.Environment, Version: b.app.Version,
	}
}
