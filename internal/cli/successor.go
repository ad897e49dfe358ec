package cli

import (
	"strings"

	"github.com/penstock-dev/penstock/internal/rollout"
)

// inPlaceOf is the bulletin of the run that has left a rollout: who ends it in another job completes the pages that the
// run has made, on its commit, instead of making new ones on a commit that has nothing to do with it. A run of another
// repository, or of no GitHub, keeps its pages to itself.
func (b *bulletin) inPlaceOf(record *rollout.Record) *bulletin {
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
