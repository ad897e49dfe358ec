package forge

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// deployed starts a fake whose event is a deployment, and returns the surfaces of the canaries.
func deployed(t *testing.T, canaries ...string) (*fakeDeployment, []Surface) {
	f := newFakeGitHub(t)
	d := &fakeDeployment{ID: 3, SHA: headSHA, Environment: "prod"}
	f.deployments = []*fakeDeployment{d}
	cfg := f.config()
	cfg.CI.Deployment = Deployment{ID: 3, Environment: "prod"}
	cfg.CI.EnvironmentURL = "https://prod.test"
	g := f.start(cfg)
	var parts []Surface
	for _, c := range canaries {
		parts = append(parts, g.Surfaces(Rollout{ID: "01HX", Namespace: "shop", Canary: c})[2])
	}
	return d, parts
}

func states(d *fakeDeployment) string {
	var s []string
	for _, one := range d.statuses {
		s = append(s, one.State)
	}
	return strings.Join(s, " ")
}

func TestADeploymentIsToldOfChangesOfState(t *testing.T) {
	t.Parallel()
	d, parts := deployed(t, "web")
	for _, p := range []Page{{State: Queued, Title: "q"}, body("a"), body("b"), {State: ActionRequired, Title: "?"}, body("c"), end(Success), end(Success)} {
		mustShow(t, parts, p)
	}
	if got, want := states(d), "queued in_progress pending in_progress success"; got != want {
		t.Errorf("states: %s, want %s", got, want)
	}
	if s := d.statuses[4]; s.Description != "the end" || s.LogURL != "https://github.test/o/r/actions/runs/99" || s.EnvironmentURL != "https://prod.test" {
		t.Errorf("the last status: %+v", s)
	}
}

func TestTheEndsOfADeployment(t *testing.T) {
	t.Parallel()
	for state, want := range map[State]string{
		Success: "success", Failure: "failure", Error: "error", Cancelled: "failure", TimedOut: "failure",
		ActionRequired: "pending", Neutral: "inactive", InProgress: "error",
	} {
		d, parts := deployed(t, "web")
		mustShow(t, parts, end(state))
		if got := states(d); got != want {
			t.Errorf("%v: %s, want %s", state, got, want)
		}
	}
}

func TestASuccessIsNotToldBeforeTheEnd(t *testing.T) {
	t.Parallel()
	d, parts := deployed(t, "web")
	mustShow(t, parts, Page{Title: "promoting", State: Success})
	if got := states(d); got != "in_progress" {
		t.Errorf("states: %s", got)
	}
}

func TestADeploymentOfSeveralCanariesEndsWithTheLastAndAsTheWorst(t *testing.T) {
	t.Parallel()
	d, parts := deployed(t, "web", "api", "db")
	mustShow(t, parts[:1], body("web"))
	mustShow(t, parts[:1], end(Success))
	mustShow(t, parts[1:2], end(Failure))
	if got := states(d); got != "in_progress" {
		t.Errorf("before the last one: %s", got)
	}
	mustShow(t, parts[2:], end(Neutral))
	if got, want := states(d), "in_progress failure"; got != want {
		t.Errorf("states: %s, want %s", got, want)
	}
	if got := d.statuses[1].Description; got != "shop/api: the end" {
		t.Errorf("description: %s", got)
	}
}

func TestALongDescriptionIsCut(t *testing.T) {
	t.Parallel()
	d, parts := deployed(t, "web")
	mustShow(t, parts, Page{Title: strings.Repeat("ü ", 200)})
	if n := utf8.RuneCountInString(d.statuses[0].Description); n != 140 {
		t.Errorf("%d characters", n)
	}
}

func TestADeploymentOfOursIsFoundByTheNextAttemptOfTheJob(t *testing.T) {
	t.Parallel()
	f := newFakeGitHub(t)
	f.deployments = []*fakeDeployment{{ID: 1, SHA: headSHA, Environment: "prod", Payload: []byte(`"text"`)}}
	cfg := f.config()
	cfg.CI.Environment, cfg.CreateDeployment = "prod", true
	mustShow(t, f.start(cfg).Surfaces(web()), body("a"))
	mustShow(t, f.start(cfg).Surfaces(web()), end(Success))
	if len(f.deployments) != 2 || states(f.deployments[0]) != "" || states(f.deployments[1]) != "in_progress success" {
		t.Errorf("%d deployments: %q", len(f.deployments), states(f.deployments[len(f.deployments)-1]))
	}
}

func TestNoDeploymentIsMadeUnasked(t *testing.T) {
	t.Parallel()
	f := newFakeGitHub(t)
	cfg := f.config()
	cfg.CI.Environment = "prod"
	if got := f.start(cfg).Surfaces(web()); len(got) != 2 {
		t.Errorf("%d surfaces", len(got))
	}
}
