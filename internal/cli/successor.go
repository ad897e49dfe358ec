package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/penstock-dev/penstock/internal/approval"
	"github.com/penstock-dev/penstock/internal/forge"
	"github.com/penstock-dev/penstock/internal/rollout"
)

// inPlaceOf is the bulletin of the run that has left a rollout: who ends it in another job completes the pages that the
// run has made, on its commit, instead of making new ones on a commit that has nothing to do with it. A run of another
// repository, or of no GitHub, keeps its pages to itself.
//
// left is the job of that run, as it has kept it in the record. It is believed only where it is of the same project of the
// same GitLab: tokens of this job go nowhere else.
func (b *bulletin) inPlaceOf(record *rollout.Record, left keptJob) *bulletin {
	if b.office != nil {
		other := *b
		other.ci, other.in.Environment = left.CI, left.Environment
		return &other
	}
	if same := left.CI.Platform == forge.PlatformGitLab && left.CI.API == b.ci.API && left.CI.RepositoryID == b.ci.RepositoryID; same &&
		b.ci.Platform == forge.PlatformGitLab && left.CI.Repository == b.ci.Repository && record.RunURL != b.ci.RunURL {
		other := *b
		other.ci, other.in.Environment = left.CI, left.Environment
		return &other
	}
	if b.github == nil || record.Commit == "" || record.RunURL == b.ci.RunURL {
		return b
	}
	run, ours := strings.CutPrefix(record.RunURL, b.ci.Server+"/"+b.ci.Repository+"/actions/runs/")
	if !ours {
		return b
	}
	id, _, _ := strings.Cut(run, "/")
	other := *b
	other.ci.RunID, other.ci.RunURL, other.ci.SHA, other.ci.Request = id, record.RunURL, record.Commit, 0
	if other.openGitHub(); other.github == nil {
		return b
	}
	return &other
}

// officeOf is how a server writes to the forges.
type officeOf struct {
	*forge.Office
	allows func(platform approval.Platform, repository int64) bool
}

// succeed returns what shows the rollout of a job in whose place a server acts. What it may not write to stays as it is:
// the rollout is ended all the same.
func (b *bulletin) succeed(ctx context.Context, r forge.Rollout) []forge.Surface {
	if b.ci.Platform == "" {
		return nil // its run was no job
	}
	if !b.office.allows(approval.Platform(b.ci.Platform), b.ci.RepositoryID) {
		b.app.warn(fmt.Errorf("%s/%s: its pages stay as they are: number %d of %s is none of those that --repository lists",
			r.Namespace, r.Canary, b.ci.RepositoryID, b.ci.Platform.Title()))
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, hookForgeTimeout)
	defer cancel()
	surfaces, err := b.office.Surfaces(ctx, b.ci, b.in.Environment, r)
	if err != nil {
		b.app.warn(fmt.Errorf("%s/%s: its pages stay as they are: %w", r.Namespace, r.Canary, err))
	}
	return surfaces
}
