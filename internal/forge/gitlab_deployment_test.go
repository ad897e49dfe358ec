package forge_test

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/penstock-dev/penstock/internal/forge"
)

func gitlabDeploymentOf(t *testing.T, f *fakeGitLab) forge.Surface {
	t.Helper()
	cfg := gitlabConfig(f)
	cfg.Environment = "production"
	byName, _ := gitlabSurfaces(t, cfg)
	return byName["deployment"]
}

func gitlabWantDeployments(t *testing.T, f *fakeGitLab, want ...string) {
	t.Helper()
	var got []string
	for _, d := range f.deployments {
		got = append(got, d.Environment+" "+d.Status)
	}
	if strings.Join(got, ", ") != strings.Join(want, ", ") {
		t.Errorf("deployments %q, want %q", got, want)
	}
}

func TestGitLabDeploymentIsMadeOnceAndUpdated(t *testing.T) {
	t.Parallel()
	f := newFakeGitLab(t)
	f.tag, f.pipelineRef = true, "v1.2.3"
	gitlabShow(t, gitlabDeploymentOf(t, f), gitlabStep, gitlabStep50) // and then its machine is gone
	gitlabShow(t, gitlabDeploymentOf(t, f), gitlabStep50, gitlabDone, gitlabDone)
	gitlabWantDeployments(t, f, "production success")
	if d := f.deployments[0]; d.SHA != fakeSHA || d.Ref != "v1.2.3" || !d.Tag || d.User != gitlabBot {
		t.Errorf("got %+v", d)
	}
	if made, changed := f.count("POST deployments"), f.count("PUT deployments"); made != 1 || changed != 1 {
		t.Errorf("made %d, changed %d", made, changed)
	}
}

func TestGitLabDeploymentOfEveryState(t *testing.T) {
	t.Parallel()
	for state, want := range map[forge.State]string{
		forge.Queued: "running", forge.InProgress: "running", forge.ActionRequired: "running", forge.Success: "success", forge.Neutral: "canceled",
		forge.Cancelled: "canceled", forge.Failure: "failed", forge.Error: "failed", forge.TimedOut: "failed",
	} {
		f := newFakeGitLab(t)
		gitlabShow(t, gitlabDeploymentOf(t, f), gitlabStep, forge.Page{State: state})
		gitlabWantDeployments(t, f, "production "+want)
	}
	gitlabMention(t, gitlabDeploymentOf(t, newFakeGitLab(t)).Show(t.Context(), forge.Page{State: 99}), "no state")
}

func TestGitLabNothingIsDeployedWhenNothingBegan(t *testing.T) {
	t.Parallel()
	f := newFakeGitLab(t)
	gitlabShow(t, gitlabDeploymentOf(t, f), forge.Page{State: forge.Neutral, Final: true})
	gitlabWantDeployments(t, f)
}

func TestGitLabJobWithEnvironmentHasItsDeploymentAlready(t *testing.T) {
	t.Parallel()
	cfg := gitlabConfig(newFakeGitLab(t))
	cfg.Environment, cfg.CI.Environment = "production", "production"
	if byName, _ := gitlabSurfaces(t, cfg); byName["deployment"] != nil {
		t.Error("there is a surface")
	}
}

func TestGitLabDeploymentsOfOthersAreNotOurs(t *testing.T) {
	t.Parallel()
	f := newFakeGitLab(t)
	running := func(id int, change func(*fakeDeployment)) *fakeDeployment {
		d := &fakeDeployment{ID: id, SHA: fakeSHA, Ref: fakeRef, Status: "running", Environment: "production", User: gitlabBot}
		change(d)
		return d
	}
	f.deployments = []*fakeDeployment{
		running(1, func(d *fakeDeployment) { d.User = gitlabHuman }),
		running(2, func(d *fakeDeployment) { d.SHA = strings.Repeat("2", 40) }),
		running(3, func(d *fakeDeployment) { d.Ref = "main" }),
		running(4, func(d *fakeDeployment) { d.Deployable = map[string]int{"id": 77} }),
		running(5, func(d *fakeDeployment) { d.Environment = "staging" }),
		running(6, func(d *fakeDeployment) { d.Status = "failed" }),
	}
	gitlabShow(t, gitlabDeploymentOf(t, f), gitlabStep, gitlabDone)
	gitlabWantDeployments(t, f, "production running", "production running", "production running", "production running", "staging running", "production failed", "production success")
}

func TestGitLabLostAnswerMakesNoSecondDeployment(t *testing.T) {
	t.Parallel()
	for _, due := range []gitlabFault{{lost: true}, {status: 502}} {
		synctest.Test(t, func(t *testing.T) {
			f := newFakeGitLab(t)
			f.faults["POST deployments"] = []gitlabFault{due}
			f.faults["PUT deployments"] = []gitlabFault{due} // the repetition of one that was carried out is a 400
			gitlabShow(t, gitlabDeploymentOf(t, f), gitlabStep, gitlabDone)
			gitlabWantDeployments(t, f, "production success")

			f = newFakeGitLab(t)
			f.faults["POST deployments"] = []gitlabFault{due}
			gitlabShow(t, gitlabDeploymentOf(t, f), gitlabFailed)
			gitlabWantDeployments(t, f, "production failed")
		})
	}
}

func TestGitLabDeletedDeploymentIsMadeAnew(t *testing.T) {
	t.Parallel()
	f := newFakeGitLab(t)
	d := gitlabDeploymentOf(t, f)
	gitlabShow(t, d, gitlabStep)
	f.deployments = nil
	gitlabShow(t, d, gitlabDone)
	gitlabWantDeployments(t, f, "production success")
}
