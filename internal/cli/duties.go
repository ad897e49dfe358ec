package cli

import (
	"fmt"
	"slices"

	"github.com/penstock-dev/penstock/internal/approval"
	"github.com/penstock-dev/penstock/internal/forge"
	"github.com/penstock-dev/penstock/internal/kube"
)

// anyRepository stands for every repository of a forge, and of a repository for its number.
const anyRepository = "any"

func hearing(platform approval.Platform, repository string) string {
	return string(platform) + ":" + repository
}

// triggering names what it takes to trigger pipelines of a project.
func triggering(project int64) string { return fmt.Sprintf("%s:%d", forge.Trigger, project) }

// duties are the names of what a server does for runs: whose comments it hears, and by what it can start a run.
func (h *hooks) duties() []string {
	if !h.used() {
		return nil
	}
	var all []string
	hears := func(platform approval.Platform, ids []int64) {
		if h.anyRepository {
			all = append(all, hearing(platform, anyRepository))
		}
		for _, id := range ids {
			all = append(all, hearing(platform, fmt.Sprint(id)))
		}
	}
	if len(h.github) > 0 {
		hears(approval.GitHub, h.githubIDs)
	}
	if len(h.gitlab)+len(h.gitlabSigning) > 0 {
		hears(approval.GitLab, h.gitlabIDs)
	}
	if h.access.githubToken != "" || h.access.appID != 0 {
		all = append(all, string(forge.Rerun), string(forge.Workflow), string(forge.Dispatch))
	}
	if h.access.appID != 0 {
		all = append(all, string(forge.ProtectionRule))
	}
	if h.access.gitlabToken != "" {
		all = append(all, string(forge.Play))
		for project := range h.access.triggers {
			all = append(all, triggering(project))
		}
	}
	slices.Sort(all) // replicas say the same
	return all
}

// duties is what the run counts on the server for that watches over it.
func (d *drive) duties() []kube.Duty {
	var all []kube.Duty
	ci := &d.job.CI
	platform := approval.Platform(ci.Platform)
	if d.approvals != nil && d.approvals.served {
		one := hearing(platform, fmt.Sprint(ci.RepositoryID))
		all = append(all, kube.Duty{
			Names: []string{one, hearing(platform, anyRepository)},
			What:  fmt.Sprintf("hear what people write in repository %d of %s (penstock serve --%s-secret, --repository %s)", ci.RepositoryID, ci.Platform.Title(), platform, one),
		})
	}
	switch m := d.standing.resume; m.Kind {
	case "":
	case forge.Trigger:
		all = append(all, kube.Duty{
			Names: []string{triggering(ci.RepositoryID)},
			What:  fmt.Sprintf("start a run by %s (penstock serve --gitlab-trigger-token %d=TOKEN)", m, ci.RepositoryID),
		})
	default:
		access := map[forge.MeansKind]string{forge.Play: "--gitlab-token", forge.ProtectionRule: "--github-app-id"}[m.Kind]
		if access == "" {
			access = "--github-app-id or --github-token"
		}
		all = append(all, kube.Duty{Names: []string{string(m.Kind)}, What: fmt.Sprintf("start a run by %s (penstock serve %s)", m, access)})
	}
	return all
}
