package forge_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/penstock-dev/penstock/internal/forge"
)

func TestGitLabATenStepRolloutNeedsFewRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeGitLab(t)
		cfg := gitlabConfig(f)
		cfg.JobToken, cfg.Environment = "job-secret", "production"
		surfaces, warnings, err := forge.NewGitLab(cfg)
		if err != nil || len(warnings) > 0 || len(surfaces) != 3 {
			t.Fatalf("%d surfaces, %q, %v", len(surfaces), warnings, err)
		}
		p := forge.NewPublisher(t.Context(), surfaces...)
		for second := range 600 { // ten steps of a minute, and a page every second
			p.Publish(forge.Page{
				Title: fmt.Sprintf("step %d/10 · next in %ds", second/60+1, 60-second%60), Body: fmt.Sprint(second), State: forge.InProgress,
			})
			time.Sleep(time.Second)
		}
		p.Publish(gitlabDone)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		if warnings := p.Close(ctx); len(warnings) > 0 {
			t.Errorf("warnings: %v", warnings)
		}
		if n := len(f.log); n > 40 || n < 31 {
			t.Errorf("%d requests, want at most 40, and at least enough to follow the rollout: %v", n, f.log)
		}
		if notes := f.notes[12]; len(notes) != 1 || f.statuses[0].Status != "success" || f.deployments[0].Status != "success" {
			t.Errorf("the last page is not there: %d notes, %+v, %+v", len(notes), f.statuses[0], f.deployments[0])
		}
		forge.DocumentedCost(t, "../../docs/gitlab.md", len(f.log))
	})
}
