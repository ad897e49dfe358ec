package forge_test

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/penstock-dev/penstock/internal/forge"
)

func deploymentOf(t *testing.T, f *fakeGitLab) forge.Surface {
	t.Helper()
	cfg := gitlabConfig(f)
	cfg.Environment = "production"
	byName, _ := surfaces(t, cfg)
	return byName["deployment"]
}

func wantDeployments(t *testing.T, f *fakeGitLab, want ...string) {
	t.Helper()
	var got []string
	for _, d := range f.deployments {
		got = append(got, d.Environment+" "+d.Status)
	}
	if strings.Join(got, ", ") != strings.Join(want, ", ") {
		t.Errorf("deployments %q, want %q", got, want)
	}
}

func TestDeploymentIsMadeOnceAndUpdated(t *testing.T) {
	t.Parallel()
	f := newFakeGitLab(t)
	f.tag, f.pipelineRef = true, "v1.2.3"
	show(t, deploymentOf(t, f), step, step50) // and then its machine is gone
	show(t, deploymentOf(t, f), step50, done, done)
	wantDeployments(t, f, "production success")
	if d := f.deployments[0]; d.SHA != fakeSHA || d.Ref != "v1.2.3" || !d.Tag || d.User != bot {
		t.Errorf("got %+v", d)
	}
	if made, changed := f.count("POST deployments"), f.count("PUT deployments"); made != 1 || changed != 1 {
		t.Errorf("made %d, changed %d", made, changed)
	}
}

func TestDeploymentOfEveryState(t *testing.T) {
	t.Parallel()
	for state, want := range map[forge.State]string{
		forge.Queued: "running", forge.InProgress: "running", forge.ActionRequired: "running", forge.Success: "success", forge.Neutral: "canceled",
		forge.Cancelled: "canceled", forge.Failure: "failed", forge.Error: "failed", forge.TimedOut: "failed",
	} {
		f := newFakeGitLab(t)
		show(t, deploymentOf(t, f), step, forge.Page{State: state})
		wantDeployments(t, f, "production "+want)
	}
	mention(t, deploymentOf(t, newFakeGitLab(t)).Show(t.Context(), forge.Page{}), "no state")
}

func TestNothingIsDeployedWhenNothingBegan(t *testing.T) {
	t.Parallel()
	f := newFakeGitLab(t)
	show(t, deploymentOf(t, f), forge.Page{State: forge.Neutral, Final: true})
	wantDeployments(t, f)
}

func TestJobWithEnvironmentHasItsDeploymentAlready(t *testing.T) {
	t.Parallel()
	cfg := gitlabConfig(newFakeGitLab(t))
	cfg.Environment, cfg.CI.Environment = "production", "production"
	if byName, _ := surfaces(t, cfg); byName["deployment"] != nil {
		t.Error("there is a surface")
	}
}

func TestDeploymentsOfOthersAreNotOurs(t *testing.T) {
	t.Parallel()
	f := newFakeGitLab(t)
	running := func(id int, change func(*fakeDeployment)) *fakeDeployment {
		d := &fakeDeployment{ID: id, SHA: fakeSHA, Ref: fakeRef, Status: "running", Environment: "production", User: bot}
		change(d)
		return d
	}
	f.deployments = []*fakeDeployment{
		running(1, func(d *fakeDeployment) { d.User = human }),
		running(2, func(d *fakeDeployment) { d.SHA = strings.Repeat("2", 40) }),
		running(3, func(d *fakeDeployment) { d.Ref = "main" }),
		running(4, func(d *fakeDeployment) { d.Deployable = map[string]int{"id": 77} }),
		running(5, func(d *fakeDeployment) { d.Environment = "staging" }),
		running(6, func(d *fakeDeployment) { d.Status = "failed" }),
	}
	show(t, deploymentOf(t, f), step, done)
	wantDeployments(t, f, "production running", "production running", "production running", "production running", "staging running", "production failed", "production success")
}

func TestLostAnswerMakesNoSecondDeployment(t *testing.T) {
	t.Parallel()
	for _, due := range []fault{{lost: true}, {status: 502}} {
		synctest.Test(t, func(t *testing.T) {
			f := newFakeGitLab(t)
			f.faults["POST deployments"] = []fault{due}
			f.faults["PUT deployments"] = []fault{due} // the repetition of one that was carried out is a 400
			show(t, deploymentOf(t, f), step, done)
			wantDeployments(t, f, "production success")

			f = newFakeGitLab(t)
			f.faults["POST deployments"] = []fault{due}
			show(t, deploymentOf(t, f), failed)
			wantDeployments(t, f, "production failed")
		})
	}
}

func TestDeletedDeploymentIsMadeAnew(t *testing.T) {
	t.Parallel()
	f := newFakeGitLab(t)
	d := deploymentOf(t, f)
	show(t, d, step)
	f.deployments = nil
	show(t, d, done)
	wantDeployments(t, f, "production success")
}
