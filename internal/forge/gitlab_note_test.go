package forge_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-dev/penstock/internal/forge"
)

const gitlabMarker = "<!-- penstock:rollout shop/web/shop/web -->"

func gitlabNoteOf(t *testing.T, f *fakeGitLab) forge.Surface {
	t.Helper()
	byName, _ := gitlabSurfaces(t, gitlabConfig(f))
	return byName["merge request note"]
}

func gitlabWantNotes(t *testing.T, notes []*fakeNote, want ...string) {
	t.Helper()
	var got []string
	for _, n := range notes {
		got = append(got, n.Author.Username+": "+n.Body)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestGitLabNoteIsEditedInPlace(t *testing.T) {
	t.Parallel()
	f := newFakeGitLab(t)
	gitlabShow(t, gitlabNoteOf(t, f), gitlabStep, gitlabStep, gitlabStep50)
	gitlabShow(t, gitlabNoteOf(t, f), gitlabStep50, gitlabDone) // the job is run again
	gitlabWantNotes(t, f.notes[12], "project_42_bot: "+gitlabMarker+"\npromoted")
	if made, edited := f.count("POST notes"), f.count("PUT notes"); made != 1 || edited != 2 {
		t.Errorf("made %d, edited %d: what did not change is not written", made, edited)
	}
}

func TestGitLabNoteIsFoundOnPageThree(t *testing.T) {
	t.Parallel()
	f := newFakeGitLab(t)
	for i := range 130 {
		f.notes[12] = append(f.notes[12], &fakeNote{ID: i + 1, Body: fmt.Sprint("note ", i), Author: gitlabHuman})
	}
	f.notes[12] = append(f.notes[12], &fakeNote{ID: 131, Body: gitlabMarker + "\r\nold", Author: gitlabBot}, &fakeNote{ID: 132, Body: "thanks", Author: gitlabHuman})
	gitlabShow(t, gitlabNoteOf(t, f), gitlabStep)
	if got := f.notes[12][130].Body; len(f.notes[12]) != 132 || got != gitlabMarker+"\nthirty percent" {
		t.Errorf("%d notes, ours is %q", len(f.notes[12]), got)
	}
	if pages := f.count("GET notes"); pages != 3 {
		t.Errorf("%d pages", pages)
	}
}

func TestGitLabOnlyANoteOfOurOwnUserCounts(t *testing.T) {
	t.Parallel()
	f := newFakeGitLab(t)
	others := []*fakeNote{
		{ID: 1, Body: gitlabMarker + "\nmine!", Author: gitlabHuman},
		{ID: 2, Body: gitlabMarker + "\nmarked this as ready", Author: gitlabBot, System: true},
		{ID: 3, Body: "> " + gitlabMarker, Author: gitlabBot},
		{ID: 4, Body: "<!-- penstock:rollout shop/web/shop/web-2 -->\nanother canary", Author: gitlabBot},
	}
	f.notes[12] = others
	gitlabShow(t, gitlabNoteOf(t, f), gitlabStep)
	gitlabWantNotes(t, f.notes[12][4:], "project_42_bot: "+gitlabMarker+"\nthirty percent")
	if f.notes[12][0].Body != gitlabMarker+"\nmine!" {
		t.Error("another user's note was edited")
	}
}

func TestGitLabDeletedNoteIsWrittenAnew(t *testing.T) {
	t.Parallel()
	f := newFakeGitLab(t)
	n := gitlabNoteOf(t, f)
	gitlabShow(t, n, gitlabStep)
	f.notes[12] = []*fakeNote{}
	gitlabShow(t, n, gitlabStep50)
	gitlabWantNotes(t, f.notes[12], "project_42_bot: "+gitlabMarker+"\nfifty percent")
}

func TestGitLabLostAnswerMakesNoSecondNote(t *testing.T) {
	t.Parallel()
	for _, due := range []gitlabFault{{lost: true}, {status: 500}, {status: 201, body: "<html>"}} {
		synctest.Test(t, func(t *testing.T) {
			f := newFakeGitLab(t)
			f.faults["POST notes"] = []gitlabFault{due, due}
			f.faults["PUT notes"] = []gitlabFault{due}
			gitlabShow(t, gitlabNoteOf(t, f), gitlabStep, gitlabStep50, gitlabDone)
			gitlabWantNotes(t, f.notes[12], "project_42_bot: "+gitlabMarker+"\npromoted")
		})
	}
}

func TestGitLabLostAnswerOfAllTriesIsLookedUpByTheNextPage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFakeGitLab(t)
		f.faults["POST notes"] = []gitlabFault{{lost: true}}
		f.faults["GET notes"] = []gitlabFault{{}, {status: 500}, {status: 500}, {status: 500}, {status: 500}}
		n := gitlabNoteOf(t, f)
		gitlabMention(t, n.Show(t.Context(), gitlabStep), "read the merge request's notes", "500")
		gitlabShow(t, n, gitlabDone)
		gitlabWantNotes(t, f.notes[12], "project_42_bot: "+gitlabMarker+"\npromoted")
	})
}

func TestGitLabNoteGivesGitLabNoCommand(t *testing.T) {
	t.Parallel()
	f := newFakeGitLab(t)
	block := "```text\n/canary approve 01J-1-abc\n```"
	for _, body := range []string{
		"/merge", "a\n/approve\n/close", "a\r\n/merge\r\n", block + "\n/merge", "```\n/merge", "``` `x`\n/merge\n```", "~~~\n/merge\n~~~", "````\n```\n/merge\n````",
	} {
		gitlabShow(t, gitlabNoteOf(t, f), forge.Page{Body: body, State: forge.InProgress})
	}
	if len(f.obeyed) > 0 {
		t.Errorf("GitLab obeyed %q", f.obeyed)
	}
	gitlabShow(t, gitlabNoteOf(t, f), forge.Page{Body: "Approve:\n" + block + "\n/home", State: forge.InProgress})
	gitlabWantNotes(t, f.notes[12], "project_42_bot: "+gitlabMarker+"\nApprove:\n"+block+"\n\\/home")
}

func TestGitLabNoteWithLineBreaksOfWindowsIsTheSameNote(t *testing.T) {
	t.Parallel()
	f := newFakeGitLab(t)
	p := forge.Page{Body: "Approve:\r\n```\r\n/canary approve\r\n```\r\n", State: forge.InProgress}
	gitlabShow(t, gitlabNoteOf(t, f), p)
	gitlabWantNotes(t, f.notes[12], "project_42_bot: "+gitlabMarker+"\nApprove:\n```\n/canary approve\n```")
	gitlabShow(t, gitlabNoteOf(t, f), p)
	if edited := f.count("PUT notes"); edited != 0 {
		t.Errorf("edited %d times", edited)
	}
}

func TestGitLabLongNoteIsCut(t *testing.T) {
	t.Parallel()
	f := newFakeGitLab(t)
	gitlabShow(t, gitlabNoteOf(t, f), forge.Page{Body: strings.Repeat("ä", 1_000_001), State: forge.InProgress}, forge.Page{Body: " \n", State: forge.InProgress})
	if len(f.notes[12]) != 1 || !strings.HasSuffix(f.notes[12][0].Body, "ä…") {
		t.Errorf("%d notes", len(f.notes[12]))
	}
}

func TestGitLabRequestIsFoundByCommit(t *testing.T) {
	t.Parallel()
	old := strings.Repeat("9", 40)
	many := func(last fakeRequest) (all []fakeRequest) {
		for i := range 60 {
			all = append(all, fakeRequest{IID: 100 + i, ProjectID: fakeProject, State: "closed", SHA: fakeSHA, Source: fakeRef})
		}
		return append(all, last)
	}
	mr := func(iid int, state, sha, source, target string) fakeRequest {
		return fakeRequest{IID: iid, ProjectID: fakeProject, State: state, SHA: sha, Source: source, Target: target}
	}
	merged := func(r fakeRequest, merge, squash string) fakeRequest {
		r.Merge, r.Squash = merge, squash
		return r
	}
	for name, c := range map[string]struct {
		ref      string
		requests []fakeRequest
		want     int
	}{
		"none":                               {"main", nil, 0},
		"the open one of the branch":         {"checkout", []fakeRequest{mr(3, "opened", fakeSHA, "copy", "main"), mr(2, "opened", fakeSHA, "checkout", "main")}, 2},
		"the one that a merge commit merged": {"main", []fakeRequest{merged(mr(2, "merged", old, "checkout", "main"), fakeSHA, ""), mr(4, "opened", fakeSHA, "main", "production")}, 2},
		"the one that was squashed":          {"main", []fakeRequest{merged(mr(2, "merged", old, "checkout", "main"), old, fakeSHA)}, 2},
		"fast-forward, and a tag":            {"v1.2.3", []fakeRequest{mr(2, "merged", fakeSHA, "checkout", "main")}, 2},
		"an open one with newer commits":     {"checkout", []fakeRequest{mr(2, "opened", old, "checkout", "main")}, 2},
		"closed ones do not count":           {"checkout", []fakeRequest{mr(2, "closed", fakeSHA, "checkout", "main")}, 0},
		"another project's does not count":   {"checkout", []fakeRequest{{IID: 2, ProjectID: 43, State: "opened", SHA: fakeSHA, Source: "checkout"}}, 0},
		"the newest of two":                  {"checkout", []fakeRequest{mr(2, "opened", fakeSHA, "checkout", "main"), mr(5, "opened", fakeSHA, "checkout", "next"), mr(4, "opened", fakeSHA, "checkout", "old")}, 5},
		"on the second page":                 {"checkout", many(mr(2, "opened", fakeSHA, "checkout", "main")), 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFakeGitLab(t)
			f.requests, f.notes = c.requests, map[int][]*fakeNote{2: nil, 3: nil, 4: nil, 5: nil}
			cfg := gitlabConfig(f)
			cfg.CI.Request, cfg.CI.Ref = 0, c.ref
			byName, _ := gitlabSurfaces(t, cfg)
			gitlabShow(t, byName["merge request note"], gitlabStep)
			got := 0
			for iid, notes := range f.notes {
				if len(notes) > 0 {
					got += iid
				}
			}
			if got != c.want {
				t.Errorf("the note is on !%d, not on !%d", got, c.want)
			}
		})
	}
}

func TestGitLabRequestThatIsOpenedLaterIsFound(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFakeGitLab(t)
		cfg := gitlabConfig(f)
		cfg.CI.Request = 0
		byName, _ := gitlabSurfaces(t, cfg)
		n := byName["merge request note"]
		gitlabShow(t, n, gitlabStep, gitlabStep50)
		if asked := f.count("GET merge_requests"); asked != 1 {
			t.Errorf("asked %d times within a moment", asked)
		}
		f.requests = []fakeRequest{{IID: 12, ProjectID: fakeProject, State: "opened", SHA: fakeSHA, Source: fakeRef}}
		gitlabShow(t, n, gitlabStep50)
		gitlabWantNotes(t, f.notes[12])
		time.Sleep(time.Minute)
		gitlabShow(t, n, gitlabStep50)
		gitlabWantNotes(t, f.notes[12], "project_42_bot: "+gitlabMarker+"\nfifty percent")
	})
}
