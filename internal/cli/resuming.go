package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/kube"
)

// resuming keeps a job that a server has started for a suspended rollout from doing anything else: started late, or again
// by hand, it would roll out what a newer revision has replaced. It is nil for any other job.
func (b *bulletin) resuming(client *kube.Client, c *canary.Canary) func(context.Context) error {
	wanted := b.ci.Resumes
	if wanted.Rollout == "" {
		return nil
	}
	return func(ctx context.Context) error {
		record, err := kube.NewJournal(client, c).Load(ctx)
		if err != nil {
			return classify(err)
		}
		same := c.Name == wanted.Canary && record.Commit == b.ci.SHA
		mine := record.RunURL != "" && attemptless(record.RunURL) == attemptless(b.ci.RunURL) // a re-run of a job that took it up
		if same && (mine || record.ID == wanted.Rollout && record.Suspension() != "") {
			return nil
		}
		return superseded(fmt.Errorf("this job was started to take up the rollout %s of canary %q at commit %s, which is suspended no more; "+
			"`penstock status` says what has become of it", wanted.Rollout, wanted.Canary, b.ci.SHA))
	}
}

// attemptless is the page of a workflow run, whatever the attempt.
func attemptless(runURL string) string {
	page, _, _ := strings.Cut(runURL, "/attempts/")
	return page
}
