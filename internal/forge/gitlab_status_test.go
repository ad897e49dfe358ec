package forge_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/penstock-dev/penstock/internal/forge"
)

const gitlabStatusName = "penstock/shop/web"

// gitlabWantStatuses compares as "user state", the oldest first.
func gitlabWantStatuses(t *testing.T, f *fakeGitLab, want ...string) {
	t.Helper()
	var got []string
	for _, s := range f.statuses {
		got = append(got, s.Author.Username+" "+s.Status)
	}
	if strings.Join(got, ", ") != strings.Join(want, ", ") {
		t.Errorf("statuses %q, want %q", got, want)
	}
}

func gitlabStatusOf(t *testing.T, f *fakeGitLab) forge.Surface {
	t.Helper()
	byName, _ := gitlabSurfaces(t, gitlabConfig(f))
	return byName["commit status"]
}

func TestGitLabStatusIsWrittenWhenTheStateChanges(t *testing.T) {
	t.Parallel()
	f := newFakeGitLab(t)
	s := gitlabStatusOf(t, f)
	gitlabShow(t, s, forge.Page{Title: "queued", State: forge.Queued}, gitlabStep, gitlabStep50,
		forge.Page{Title: "waits for approval", State: forge.ActionRequired}, gitlabStep50, gitlabDone, gitlabDone)
	if n := f.count("POST statuses"); n != 3 {
		t.Errorf("%d writes, want pending, running and success", n)
	}
	gitlabWantStatuses(t, f, "project_42_bot success")
	if got := f.statuses[0]; got.Name != gitlabStatusName || got.Description != "promoted" || got.TargetURL != gitlabCI().RunURL {
		t.Errorf("got %+v", got)
	}
}

func TestGitLabStatusOfEveryState(t *testing.T) {
	t.Parallel()
	for state, want := range map[forge.State]string{
		forge.Queued: "pending", forge.InProgress: "running", forge.Success: "success", forge.Failure: "failed", forge.Error: "failed",
		forge.Cancelled: "canceled", forge.TimedOut: "failed", forge.ActionRequired: "pending", forge.Neutral: "success",
	} {
		f := newFakeGitLab(t)
		gitlabShow(t, gitlabStatusOf(t, f), forge.Page{State: state})
		gitlabWantStatuses(t, f, "project_42_bot "+want)
	}
	f := newFakeGitLab(t)
	gitlabMention(t, gitlabStatusOf(t, f).Show(t.Context(), forge.Page{State: 99}), "no state")
	gitlabWantStatuses(t, f)
}

func TestGitLabStatusOfRunThatDiedIsTakenOver(t *testing.T) {
	t.Parallel()
	f := newFakeGitLab(t)
	gitlabShow(t, gitlabStatusOf(t, f), gitlabStep) // and then its machine is gone
	gitlabShow(t, gitlabStatusOf(t, f), gitlabStep50, gitlabFailed)
	gitlabWantStatuses(t, f, "project_42_bot failed")
	gitlabShow(t, gitlabStatusOf(t, f), gitlabStep, gitlabDone) // the job is retried
	gitlabWantStatuses(t, f, "project_42_bot failed", "project_42_bot success")
	gitlabShow(t, gitlabStatusOf(t, f), gitlabDone) // penstock finalize, after all is done
	gitlabWantStatuses(t, f, "project_42_bot failed", "project_42_bot success")
}

func TestGitLabStatusOfAnotherUserIsLeftAndTold(t *testing.T) {
	t.Parallel()
	f := newFakeGitLab(t)
	f.statuses = []*fakeStatus{{ID: 1, Name: gitlabStatusName, Status: "running", PipelineID: fakePipeline, Author: gitlabHuman}}
	s := gitlabStatusOf(t, f)
	gitlabMention(t, s.Show(t.Context(), gitlabStep), "@mallory", "one token")
	gitlabShow(t, s, gitlabStep50, gitlabDone)
	gitlabWantStatuses(t, f, "mallory running", "project_42_bot success")
}

func TestGitLabStatusOfAnotherPipelineIsNotOurs(t *testing.T) {
	t.Parallel()
	f := newFakeGitLab(t)
	f.statuses = []*fakeStatus{{ID: 1, Name: gitlabStatusName, Status: "success", PipelineID: 1000, Author: gitlabBot}}
	gitlabShow(t, gitlabStatusOf(t, f), gitlabDone)
	if n := f.count("POST statuses"); n != 1 {
		t.Errorf("%d writes", n)
	}
}

func TestGitLabStatusThatAnotherUserFinishedIsNotOurs(t *testing.T) {
	t.Parallel()
	f := newFakeGitLab(t)
	f.statuses = []*fakeStatus{{ID: 1, Name: "penstock/shop/web", Status: "success", PipelineID: fakePipeline, Author: gitlabHuman}}
	gitlabShow(t, gitlabStatusOf(t, f), gitlabDone)
	gitlabWantStatuses(t, f, "mallory success", "project_42_bot success")
}

func TestGitLabStatusIsFoundOnALaterPage(t *testing.T) {
	t.Parallel()
	f := newFakeGitLab(t)
	for i := range 120 {
		f.statuses = append(f.statuses, &fakeStatus{ID: i + 1, Name: gitlabStatusName, Status: "failed", PipelineID: fakePipeline, Author: gitlabHuman})
	}
	f.statuses = append(f.statuses, &fakeStatus{ID: 121, Name: gitlabStatusName, Status: "running", PipelineID: fakePipeline, Author: gitlabBot})
	gitlabShow(t, gitlabStatusOf(t, f), gitlabStep)
	if n := f.count("POST statuses"); n != 0 {
		t.Errorf("%d writes: running is running already", n)
	}
}

func TestGitLabStatusWaitsForLockedCommit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFakeGitLab(t)
		locked := gitlabFault{status: 409, body: `{"message":"Another update to this commit status is in progress"}`}
		f.faults["POST statuses"] = []gitlabFault{locked, locked}
		s := gitlabStatusOf(t, f)
		start := time.Now()
		gitlabShow(t, s, gitlabStep)
		if took := time.Since(start); took != 3*time.Second {
			t.Errorf("took %v", took)
		}
		gitlabWantStatuses(t, f, "project_42_bot running")

		f.faults["POST statuses"] = []gitlabFault{locked, locked, locked, locked, locked}
		gitlabMention(t, s.Show(t.Context(), gitlabDone), "409", "in progress")
		if left := len(f.faults["POST statuses"]); left != 1 {
			t.Errorf("%d tries, want 4", 5-left)
		}
		f.faults = nil
		gitlabShow(t, s, gitlabDone)
		gitlabWantStatuses(t, f, "project_42_bot success")
	})
}

func TestGitLabLostAnswerMakesNoSecondStatus(t *testing.T) {
	t.Parallel()
	for name, due := range map[string]gitlabFault{"carried out": {lost: true}, "not carried out": {status: 502}} {
		synctest.Test(t, func(t *testing.T) {
			f := newFakeGitLab(t)
			f.faults["POST statuses"] = []gitlabFault{due, {}, due}
			s := gitlabStatusOf(t, f)
			gitlabShow(t, s, gitlabStep, gitlabDone)
			gitlabWantStatuses(t, f, "project_42_bot success")
			if n, want := f.count("POST statuses"), map[bool]int{true: 3, false: 4}[due.lost]; n > want {
				t.Errorf("%s: %d writes", name, n)
			}
		})
	}
}

func TestGitLabStatusThatAnotherProcessChangedIsReadAgain(t *testing.T) {
	t.Parallel()
	f := newFakeGitLab(t)
	s := gitlabStatusOf(t, f)
	gitlabShow(t, s, forge.Page{Title: "queued", State: forge.Queued})
	f.statuses[0].Status = "running" // penstock finalize runs at the same time
	gitlabShow(t, s, gitlabStep, gitlabDone)
	gitlabWantStatuses(t, f, "project_42_bot success")
}

func TestGitLabStatusKeepsGitLabsLimits(t *testing.T) {
	t.Parallel()
	f := newFakeGitLab(t)
	cfg := gitlabConfig(f)
	cfg.Rollout.Canary = strings.Repeat("w", 253)
	cfg.CI.RunURL = "https://gitlab.test/" + strings.Repeat("g", 300)
	byName, _ := gitlabSurfaces(t, cfg)
	gitlabShow(t, byName["commit status"], forge.Page{Title: strings.Repeat("Σ·", 300), State: forge.InProgress})
	if got := f.statuses[0]; got.TargetURL != "" || !strings.HasSuffix(got.Description, "…") || !strings.HasPrefix(got.Description, "Σ·Σ·") {
		t.Errorf("got %+v", got)
	}
}

func TestGitLabFullPipelineIsToldOnce(t *testing.T) {
	t.Parallel()
	f := newFakeGitLab(t)
	f.faults["POST statuses"] = []gitlabFault{{status: 422, body: `{"message":"The number of jobs has exceeded the limit"}`}}
	s := gitlabStatusOf(t, f)
	gitlabMention(t, s.Show(t.Context(), gitlabStep), "422", "number of jobs")
	gitlabShow(t, s, gitlabDone)
	gitlabWantStatuses(t, f)
}

// The pipeline runs on a merge commit that the merge request does not have, under a ref that is no branch.
func TestGitLabStatusOfMergedResultsGoesToThePipelinesOwnCommit(t *testing.T) {
	t.Parallel()
	f := newFakeGitLab(t)
	f.pipelineSHA, f.pipelineRef = strings.Repeat("a", 40), "refs/merge-requests/12/merge"
	gitlabShow(t, gitlabStatusOf(t, f), gitlabStep, gitlabDone)
	gitlabWantStatuses(t, f, "project_42_bot success")
}
