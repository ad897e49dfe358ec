package forge

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestTheStatesOfACheckRun(t *testing.T) {
	t.Parallel()
	for state, want := range map[State]string{
		InProgress: "failure", Queued: "failure", // an end in a state that is none
		Success: "success", Failure: "failure", Error: "failure", Cancelled: "cancelled", TimedOut: "timed_out",
		ActionRequired: "action_required", Neutral: "neutral", State(99): "failure",
	} {
		f := newFakeGitHub(t)
		check := f.start(f.config()).Surfaces(web())[:1]
		mustShow(t, check, Page{Title: "a", Body: "a", State: state})
		if c := f.checks[0]; c.Conclusion != "" || c.Status == "completed" {
			t.Errorf("%v, not final: %s %s", state, c.Status, c.Conclusion)
		}
		mustShow(t, check, end(state))
		if c := f.checks[0]; c.Conclusion != want {
			t.Errorf("%v, final: %s, want %s", state, c.Conclusion, want)
		}

		late := newFakeGitHub(t) // nothing could be shown before the end
		mustShow(t, late.start(late.config()).Surfaces(web())[:1], end(state))
		if c := late.checks[0]; c.Conclusion != want || len(late.checks) != 1 {
			t.Errorf("%v, final at once: %s, want %s", state, c.Conclusion, want)
		}
	}
}

func TestTooLongPagesAreCutAtACharacter(t *testing.T) {
	t.Parallel()
	f := newFakeGitHub(t)
	mustShow(t, f.start(f.config()).Surfaces(web()), Page{Title: strings.Repeat("ü\n", 400), Body: strings.Repeat("ü", 70_000)})
	out := f.checks[0].Output
	for name, text := range map[string]string{"summary": out.Summary, "comment": f.comments["7"][0].Body} {
		if !utf8.ValidString(text) || strings.ContainsRune(text, utf8.RuneError) || !strings.HasSuffix(text, "longer than the platform shows)") || len(text) < 65_000 {
			t.Errorf("%s: %d bytes, ends in %q", name, len(text), text[len(text)-60:])
		}
	}
	if strings.Contains(out.Title, "\n") || utf8.RuneCountInString(out.Title) != titleLimit {
		t.Errorf("title: %d characters, %q", utf8.RuneCountInString(out.Title), out.Title)
	}
}

func TestThePagesOfOneByteACharacterAreAsLongAsGitHubAllows(t *testing.T) {
	t.Parallel()
	f := newFakeGitHub(t)
	mustShow(t, f.start(f.config()).Surfaces(web()), Page{Title: "a", Body: strings.Repeat("x", 70_000)})
	if n := len(f.checks[0].Output.Summary); n < 65_400 || n > 65_535 {
		t.Errorf("the summary has %d characters", n)
	}
	if n := len(f.comments["7"][0].Body); n < 65_400 || n > 65_536 {
		t.Errorf("the comment has %d characters", n)
	}
}

func TestAPageWithoutTextIsShown(t *testing.T) {
	t.Parallel()
	f := newFakeGitHub(t)
	mustShow(t, f.start(f.config()).Surfaces(web()), Page{})
	if out := f.checks[0].Output; out.Title != "in progress" || out.Summary != "in progress" {
		t.Errorf("%+v", out)
	}
}

func TestAnOldCheckRunIsFoundBehindOthersOfItsName(t *testing.T) {
	t.Parallel()
	f := newFakeGitHub(t)
	ours := &fakeCheck{ID: 1, Name: "Canary shop/web", HeadSHA: headSHA, ExternalID: "penstock:01HX"}
	f.checks = []*fakeCheck{ours}
	for i := range 150 {
		f.checks = append(f.checks, &fakeCheck{ID: int64(i + 2), Name: "Canary shop/web", HeadSHA: headSHA, ExternalID: "penstock:other"})
	}
	mustShow(t, f.start(f.config()).Surfaces(web())[:1], body("a"))
	if len(f.checks) != 151 || ours.Output == nil || ours.Output.Summary != "a" {
		t.Errorf("%d check runs, ours %+v", len(f.checks), ours)
	}
}
