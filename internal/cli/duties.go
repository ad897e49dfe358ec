package cli

import (
	"fmt"
	"slices"

	"github.com/penstock-dev/penstock/internal/approval"
	"github.com/penstock-dev/penstock/internal/forge"
	"github.com/penstock-dev/penstock/internal/kube"
)

// anyRepository stands for the number of every repository, as in --repository.
const anyRepository = "any"

// beginnings are what a server needs to start runs, and by which means it then can. A trigger needs a token of its project.
var beginnings = []struct {
	inputs string // of penstock serve
	given  func(*forgeAccess) bool
	starts []forge.MeansKind
}{
	{"--github-app-id or --github-token", func(a *forgeAccess) bool { return a.appID != 0 || a.githubToken != "" }, []forge.MeansKind{forge.Rerun, forge.Workflow, forge.Dispatch}},
	{"--github-app-id", func(a *forgeAccess) bool { return a.appID != 0 }, []forge.MeansKind{forge.ProtectionRule}},
	{"--gitlab-token", func(a *forgeAccess) bool { return a.gitlabToken != "" }, []forge.MeansKind{forge.Play}},
}

// hearing names that a server hears what people write in a repository.
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
	for _, b := range beginnings {
		if b.given(&h.access) {
			for _, kind := range b.starts {
				all = append(all, string(kind))
			}
		}
	}
	if h.access.gitlabToken != "" {
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
	m := d.standing.resume
	if m.Kind == forge.Trigger {
		return append(all, kube.Duty{
			Names: []string{triggering(ci.RepositoryID)},
			What:  fmt.Sprintf("start a run by %s (penstock serve --gitlab-trigger-token %d=TOKEN)", m, ci.RepositoryID),
		})
	}
	for _, b := range beginnings {
		if slices.Contains(b.starts, m.Kind) {
			all = append(all, kube.Duty{Names: []string{string(m.Kind)}, What: fmt.Sprintf("start a run by %s (penstock serve %s)", m, b.inputs)})
		}
	}
	return all
}
