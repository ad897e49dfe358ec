package forge_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/penstock-dev/penstock/internal/forge"
)

const statusName = "penstock/shop/web"

// wantStatuses compares as "user state", the oldest first.
func wantStatuses(t *testing.T, f *fakeGitLab, want ...string) {
	t.Helper()
	var got []string
	for _, s := range f.statuses {
		got = append(got, s.Author.Username+" "+s.Status)
	}
	if strings.Join(got, ", ") != strings.Join(want, ", ") {
		t.Errorf("statuses %q, want %q", got, want)
	}
}

func statusOf(t *testing.T, f *fakeGitLab) forge.Surface {
	t.Helper()
	byName, _ := surfaces(t, gitlabConfig(f))
	return byName["commit status"]
}

func TestStatusIsWrittenWhenTheStateChanges(t *testing.T) {
	t.Parallel()
	f := newFakeGitLab(t)
	s := statusOf(t, f)
	show(t, s, forge.Page{Title: "queued", State: forge.Queued}, step, step50,
		forge.Page{Title: "waits for approval", State: forge.ActionRequired}, step50, done, done)
	if n := f.count("POST statuses"); n != 3 {
		t.Errorf("%d writes, want pending, running and success", n)
	}
	wantStatuses(t, f, "project_42_bot success")
	if got := f.statuses[0]; got.Name != statusName || got.Description != "promoted" || got.TargetURL != gitlabCI().RunURL {
		t.Errorf("got %+v", got)
	}
}

func TestStatusOfEveryState(t *testing.T) {
	t.Parallel()
	for state, want := range map[forge.State]string{
		forge.Queued: "pending", forge.InProgress: "running", forge.Success: "success", forge.Failure: "failed", forge.Error: "failed",
		forge.Cancelled: "canceled", forge.TimedOut: "failed", forge.ActionRequired: "pending", forge.Neutral: "success",
	} {
		f := newFakeGitLab(t)
		show(t, statusOf(t, f), forge.Page{State: state})
		wantStatuses(t, f, "project_42_bot "+want)
	}
	f := newFakeGitLab(t)
	mention(t, statusOf(t, f).Show(t.Context(), forge.Page{}), "no state")
	wantStatuses(t, f)
}

func TestStatusOfRunThatDiedIsTakenOver(t *testing.T) {
	t.Parallel()
	f := newFakeGitLab(t)
	show(t, statusOf(t, f), step) // and then its machine is gone
	show(t, statusOf(t, f), step50, failed)
	wantStatuses(t, f, "project_42_bot failed")
	show(t, statusOf(t, f), step, done) // the job is retried
	wantStatuses(t, f, "project_42_bot failed", "project_42_bot success")
	show(t, statusOf(t, f), done) // penstock finalize, after all is done
	wantStatuses(t, f, "project_42_bot failed", "project_42_bot success")
}

func TestStatusOfAnotherUserIsLeftAndTold(t *testing.T) {
	t.Parallel()
	f := newFakeGitLab(t)
	f.statuses = []*fakeStatus{{ID: 1, Name: statusName, Status: "running", PipelineID: fakePipeline, Author: human}}
	s := statusOf(t, f)
	mention(t, s.Show(t.Context(), step), "@mallory", "one token")
	show(t, s, step50, done)
	wantStatuses(t, f, "mallory running", "project_42_bot success")
}

func TestStatusOfAnotherPipelineIsNotOurs(t *testing.T) {
	t.Parallel()
	f := newFakeGitLab(t)
	f.statuses = []*fakeStatus{{ID: 1, Name: statusName, Status: "success", PipelineID: 1000, Author: bot}}
	show(t, statusOf(t, f), done)
	if n := f.count("POST statuses"); n != 1 {
		t.Errorf("%d writes", n)
	}
}

func TestStatusIsFoundOnALaterPage(t *testing.T) {
	t.Parallel()
	f := newFakeGitLab(t)
	for i := range 120 {
		f.statuses = append(f.statuses, &fakeStatus{ID: i + 1, Name: statusName, Status: "failed", PipelineID: fakePipeline, Author: human})
	}
	f.statuses = append(f.statuses, &fakeStatus{ID: 121, Name: statusName, Status: "running", PipelineID: fakePipeline, Author: bot})
	show(t, statusOf(t, f), step)
	if n := f.count("POST statuses"); n != 0 {
		t.Errorf("%d writes: running is running already", n)
	}
}

func TestStatusWaitsForLockedCommit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFakeGitLab(t)
		locked := fault{status: 409, body: `{"message":"Another update to this commit status is in progress"}`}
		f.faults["POST statuses"] = []fault{locked, locked}
		s := statusOf(t, f)
		start := time.Now()
		show(t, s, step)
		if took := time.Since(start); took != 3*time.Second {
			t.Errorf("took %v", took)
		}
		wantStatuses(t, f, "project_42_bot running")

		f.faults["POST statuses"] = []fault{locked, locked, locked, locked, locked}
		mention(t, s.Show(t.Context(), done), "409", "in progress")
		if left := len(f.faults["POST statuses"]); left != 1 {
			t.Errorf("%d tries, want 4", 5-left)
		}
		f.faults = nil
		show(t, s, done)
		wantStatuses(t, f, "project_42_bot success")
	})
}

func TestLostAnswerMakesNoSecondStatus(t *testing.T) {
	t.Parallel()
	for name, due := range map[string]fault{"carried out": {lost: true}, "not carried out": {status: 502}} {
		synctest.Test(t, func(t *testing.T) {
			f := newFakeGitLab(t)
			f.faults["POST statuses"] = []fault{due, {}, due}
			s := statusOf(t, f)
			show(t, s, step, done)
			wantStatuses(t, f, "project_42_bot success")
			if n, want := f.count("POST statuses"), map[bool]int{true: 3, false: 4}[due.lost]; n > want {
				t.Errorf("%s: %d writes", name, n)
			}
		})
	}
}

func TestStatusThatAnotherProcessChangedIsReadAgain(t *testing.T) {
	t.Parallel()
	f := newFakeGitLab(t)
	s := statusOf(t, f)
	show(t, s, forge.Page{Title: "queued", State: forge.Queued})
	f.statuses[0].Status = "running" // penstock finalize runs at the same time
	show(t, s, step, done)
	wantStatuses(t, f, "project_42_bot success")
}

func TestStatusKeepsGitLabsLimits(t *testing.T) {
	t.Parallel()
	f := newFakeGitLab(t)
	cfg := gitlabConfig(f)
	cfg.Rollout.Canary = strings.Repeat("w", 253)
	cfg.CI.RunURL = "https://gitlab.test/" + strings.Repeat("g", 300)
	byName, _ := surfaces(t, cfg)
	show(t, byName["commit status"], forge.Page{Title: strings.Repeat("Σ·", 300), State: forge.InProgress})
	if got := f.statuses[0]; got.TargetURL != "" || !strings.HasSuffix(got.Description, "…") || !strings.HasPrefix(got.Description, "Σ·Σ·") {
		t.Errorf("got %+v", got)
	}
}

func TestFullPipelineIsToldOnce(t *testing.T) {
	t.Parallel()
	f := newFakeGitLab(t)
	f.faults["POST statuses"] = []fault{{status: 422, body: `{"message":"The number of jobs has exceeded the limit"}`}}
	s := statusOf(t, f)
	mention(t, s.Show(t.Context(), step), "422", "number of jobs")
	show(t, s, done)
	wantStatuses(t, f)
}

// The pipeline runs on a merge commit that the merge request does not have, under a ref that is no branch.
func TestStatusOfMergedResultsGoesToThePipelinesOwnCommit(t *testing.T) {
	t.Parallel()
	f := newFakeGitLab(t)
	f.pipelineSHA, f.pipelineRef = strings.Repeat("a", 40), "refs/merge-requests/12/merge"
	show(t, statusOf(t, f), step, done)
	wantStatuses(t, f, "project_42_bot success")
}
