package forge

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func web() Rollout { return Rollout{ID: "01HX", Namespace: "shop", Canary: "web"} }

func body(s string) Page { return Page{Title: "title of " + s, Body: s} }

func end(state State) Page { return Page{Title: "the end", Body: "the end", State: state, Final: true} }

// show shows a page on all surfaces, and returns their errors by name.
func show(t *testing.T, surfaces []Surface, p Page) map[string]error {
	t.Helper()
	errs := map[string]error{}
	for _, s := range surfaces {
		if err := s.Show(t.Context(), p); err != nil {
			errs[s.Name()] = err
		}
	}
	return errs
}

func mustShow(t *testing.T, surfaces []Surface, p Page) {
	t.Helper()
	if errs := show(t, surfaces, p); len(errs) > 0 {
		t.Fatalf("show %q: %v", p.Title, errs)
	}
}

func TestARolloutIsOneCheckRunAndOneCommentEditedInPlace(t *testing.T) {
	t.Parallel()
	f := newFakeGitHub(t)
	surfaces := f.start(f.config()).Surfaces(web())
	for _, p := range []Page{{Title: "queued", Body: "q", State: Queued}, body("a"), body("b"), end(Success)} {
		mustShow(t, surfaces, p)
	}
	if len(f.checks) != 1 || len(f.comments["7"]) != 1 {
		t.Fatalf("%d check runs, %d comments", len(f.checks), len(f.comments["7"]))
	}
	c := f.checks[0]
	if c.Name != "Canary shop/web" || c.ExternalID != "penstock:01HX" || c.HeadSHA != headSHA || c.DetailsURL != "https://github.test/o/r/actions/runs/99" ||
		c.Status != "completed" || c.Conclusion != "success" || c.Output.Title != "the end" || c.Output.Summary != "the end" {
		t.Errorf("check run: %+v %+v", c, c.Output)
	}
	if got, want := f.comments["7"][0].Body, "<!-- penstock:rollout o/r/shop/web -->\nthe end"; got != want {
		t.Errorf("comment: %q, want %q", got, want)
	}
}

func TestAJobThatResumesARolloutGoesOnWithItsCheckRunAndComment(t *testing.T) {
	t.Parallel()
	f := newFakeGitHub(t)
	mustShow(t, f.start(f.config()).Surfaces(web()), end(ActionRequired))
	mustShow(t, f.start(f.config()).Surfaces(web()), body("resumed"))
	if len(f.checks) != 1 || len(f.comments["7"]) != 1 {
		t.Fatalf("%d check runs, %d comments", len(f.checks), len(f.comments["7"]))
	}
	if c := f.checks[0]; c.Status != "in_progress" || c.Conclusion != "" || c.Output.Summary != "resumed" {
		t.Errorf("check run: %+v", c)
	}
	next := web()
	next.ID = "01HZ"
	mustShow(t, f.start(f.config()).Surfaces(next), body("next"))
	if len(f.checks) != 2 || len(f.comments["7"]) != 1 {
		t.Errorf("the next rollout: %d check runs, %d comments; want a check run of its own, and the same comment", len(f.checks), len(f.comments["7"]))
	}
}

func TestTwoCanariesHaveTheirOwnCheckRunsAndCommentsAndOneLookup(t *testing.T) {
	t.Parallel()
	f := newFakeGitHub(t)
	cfg := f.config()
	cfg.CI.Request = 0
	f.pulls[headSHA] = []fakePull{pull(7, "open", headSHA)}
	g := f.start(cfg)
	mustShow(t, g.Surfaces(web()), body("web"))
	mustShow(t, g.Surfaces(Rollout{ID: "01HX", Namespace: "shop", Canary: "web-2"}), body("web-2"))
	if len(f.checks) != 2 || len(f.comments["7"]) != 2 {
		t.Errorf("%d check runs, %d comments", len(f.checks), len(f.comments["7"]))
	}
	if n := f.count("GET /repos/o/r/commits/" + headSHA + "/pulls"); n != 1 {
		t.Errorf("the pull request was looked up %d times", n)
	}
	if n := f.count("POST /graphql"); n != 1 {
		t.Errorf("the token was asked for its name %d times", n)
	}
}

func TestALostAnswerMakesNoSecondObject(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeGitHub(t)
		lost := map[string]bool{}
		f.lose = func(r *http.Request) bool { // the first answer to every POST
			first := r.Method == http.MethodPost && r.URL.Path != "/graphql" && !lost[r.URL.Path]
			if first {
				lost[r.URL.Path] = true
			}
			return first
		}
		cfg := f.config()
		cfg.CI.Environment, cfg.CreateDeployment = "prod", true
		p := NewPublisher(t.Context(), f.start(cfg).Surfaces(web())...)
		p.Publish(body("a"))
		time.Sleep(time.Minute)
		p.Publish(end(Failure))
		noWarnings(t, p.Close(within(t, time.Minute)))
		if len(lost) != 4 {
			t.Errorf("lost were %v", lost)
		}
		if len(f.checks) != 1 || len(f.comments["7"]) != 1 || len(f.deployments) != 1 {
			t.Fatalf("%d check runs, %d comments, %d deployments", len(f.checks), len(f.comments["7"]), len(f.deployments))
		}
		if got := f.deployments[0].statuses; len(got) != 2 || got[1].State != "failure" {
			t.Errorf("deployment statuses: %+v", got)
		}
		if c := f.checks[0]; c.Conclusion != "failure" {
			t.Errorf("check run: %+v", c)
		}
	})
}

func TestOurCommentIsFoundOnTheThirdPageAndNobodyElsesIsEdited(t *testing.T) {
	t.Parallel()
	f := newFakeGitHub(t)
	text := marker("o/r", web()) + "\nold"
	foreign := &fakeComment{ID: 1, Body: text, User: fakeUser{"mallory", "User"}}
	quoted := &fakeComment{ID: 2, Body: "I quote:\n" + text, User: fakeUser{ourLogin, "Bot"}}
	other := &fakeComment{ID: 3, Body: marker("o/r", Rollout{Namespace: "shop", Canary: "web-2"}), User: fakeUser{ourLogin, "Bot"}}
	f.comments["7"] = []*fakeComment{foreign, quoted, other}
	for i := range 230 {
		f.comments["7"] = append(f.comments["7"], &fakeComment{ID: int64(10 + i), Body: "hello", User: fakeUser{"ann", "User"}})
	}
	ours := &fakeComment{ID: 500, Body: text, User: fakeUser{ourLogin, "Bot"}}
	f.comments["7"] = append(f.comments["7"], ours)
	mustShow(t, f.start(f.config()).Surfaces(web()), body("new"))
	if want := marker("o/r", web()) + "\nnew"; ours.Body != want {
		t.Errorf("our comment: %q, want %q", ours.Body, want)
	}
	if foreign.Body != text || quoted.Body != "I quote:\n"+text || strings.Contains(other.Body, "new") || len(f.comments["7"]) != 234 {
		t.Errorf("another comment was touched: %q %q %q, %d comments", foreign.Body, quoted.Body, other.Body, len(f.comments["7"]))
	}
}

func TestWithoutAnAnswerToWhoWeAreOnlyTheBotOfJobsIsUs(t *testing.T) {
	t.Parallel()
	f := newFakeGitHub(t)
	f.trouble = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/graphql" {
			refuse(w, http.StatusForbidden, "no")
		}
		return r.URL.Path == "/graphql"
	}
	text := marker("o/r", web())
	foreign := &fakeComment{ID: 1, Body: text, User: fakeUser{"github-actions", "User"}}
	ours := &fakeComment{ID: 2, Body: text, User: fakeUser{ourLogin, "Bot"}}
	f.comments["7"] = []*fakeComment{foreign, ours}
	mustShow(t, f.start(f.config()).Surfaces(web()), body("new"))
	if foreign.Body != text || ours.Body != text+"\nnew" {
		t.Errorf("foreign %q, ours %q", foreign.Body, ours.Body)
	}
}

func TestAnObjectThatWasDeletedIsMadeAgain(t *testing.T) {
	t.Parallel()
	f := newFakeGitHub(t)
	surfaces := f.start(f.config()).Surfaces(web())
	mustShow(t, surfaces, body("a"))
	f.checks, f.comments["7"] = nil, nil
	mustShow(t, surfaces, body("b"))
	mustShow(t, surfaces, body("c"))
	if len(f.checks) != 1 || len(f.comments["7"]) != 1 || f.checks[0].Output.Summary != "c" {
		t.Errorf("%d check runs, %d comments", len(f.checks), len(f.comments["7"]))
	}
}

func TestATenStepRolloutNeedsFewRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeGitHub(t)
		cfg := f.config()
		cfg.CI.Deployment = Deployment{ID: 3, Environment: "prod"}
		cfg.CI.Request = 0
		f.pulls[headSHA] = []fakePull{pull(7, "open", headSHA)}
		f.deployments = []*fakeDeployment{{ID: 3, SHA: headSHA, Environment: "prod"}}
		p := NewPublisher(t.Context(), f.start(cfg).Surfaces(web())...)
		for second := range 600 { // ten steps of a minute, and a page every second
			p.Publish(Page{Title: fmt.Sprintf("step %d/10 · next in %ds", second/60+1, 60-second%60), Body: fmt.Sprint(second)})
			time.Sleep(time.Second)
		}
		p.Publish(end(Success))
		noWarnings(t, p.Close(within(t, 5*time.Second)))
		if n := f.count(""); n > 60 || n < 51 {
			t.Errorf("%d requests, want at most 60, and at least enough to follow the rollout", n)
		}
		if f.checks[0].Conclusion != "success" || !strings.HasSuffix(f.comments["7"][0].Body, "the end") {
			t.Errorf("the last page is not there: %+v", f.checks[0])
		}
		if got := f.deployments[0].statuses; len(got) != 2 || got[0].State != "in_progress" || got[1].State != "success" {
			t.Errorf("deployment statuses: %+v", got)
		}
		DocumentedCost(t, "../../docs/github.md", f.count(""))
	})
}

func TestNewGitHubListsEveryProblem(t *testing.T) {
	t.Parallel()
	_, err := NewGitHub(GitHubConfig{CI: CI{Repository: "r", SHA: "abc"}})
	for _, want := range []string{"the repository is", "the API of GitHub", "the commit is", "no token", "no HTTP client"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v lacks %q", err, want)
		}
	}
	if s := fmt.Sprintf("%v %+v %#v %s", Token("x-secret"), GitHubConfig{Token: "x-secret"}, GitHubConfig{Token: "x-secret"}, Token("x-secret")); strings.Contains(s, "x-secret") {
		t.Errorf("the token is printed: %s", s)
	}
}
