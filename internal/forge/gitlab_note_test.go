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

const marker = "<!-- penstock:rollout shop/web/shop/web -->"

func noteOf(t *testing.T, f *fakeGitLab) forge.Surface {
	t.Helper()
	byName, _ := surfaces(t, gitlabConfig(f))
	return byName["merge request note"]
}

func wantNotes(t *testing.T, notes []*fakeNote, want ...string) {
	t.Helper()
	var got []string
	for _, n := range notes {
		got = append(got, n.Author.Username+": "+n.Body)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestNoteIsEditedInPlace(t *testing.T) {
	t.Parallel()
	f := newFakeGitLab(t)
	show(t, noteOf(t, f), step, step, step50)
	show(t, noteOf(t, f), step50, done) // the job is run again
	wantNotes(t, f.notes[12], "project_42_bot: "+marker+"\npromoted")
	if made, edited := f.count("POST notes"), f.count("PUT notes"); made != 1 || edited != 2 {
		t.Errorf("made %d, edited %d: what did not change is not written", made, edited)
	}
}

func TestNoteIsFoundOnPageThree(t *testing.T) {
	t.Parallel()
	f := newFakeGitLab(t)
	for i := range 130 {
		f.notes[12] = append(f.notes[12], &fakeNote{ID: i + 1, Body: fmt.Sprint("note ", i), Author: human})
	}
	f.notes[12] = append(f.notes[12], &fakeNote{ID: 131, Body: marker + "\r\nold", Author: bot}, &fakeNote{ID: 132, Body: "thanks", Author: human})
	show(t, noteOf(t, f), step)
	if got := f.notes[12][130].Body; len(f.notes[12]) != 132 || got != marker+"\nthirty percent" {
		t.Errorf("%d notes, ours is %q", len(f.notes[12]), got)
	}
	if pages := f.count("GET notes"); pages != 3 {
		t.Errorf("%d pages", pages)
	}
}

func TestOnlyANoteOfOurOwnUserCounts(t *testing.T) {
	t.Parallel()
	f := newFakeGitLab(t)
	others := []*fakeNote{
		{ID: 1, Body: marker + "\nmine!", Author: human},
		{ID: 2, Body: marker + "\nmarked this as ready", Author: bot, System: true},
		{ID: 3, Body: "> " + marker, Author: bot},
		{ID: 4, Body: "<!-- penstock:rollout shop/web/shop/web-2 -->\nanother canary", Author: bot},
	}
	f.notes[12] = others
	show(t, noteOf(t, f), step)
	wantNotes(t, f.notes[12][4:], "project_42_bot: "+marker+"\nthirty percent")
	if f.notes[12][0].Body != marker+"\nmine!" {
		t.Error("another user's note was edited")
	}
}

func TestDeletedNoteIsWrittenAnew(t *testing.T) {
	t.Parallel()
	f := newFakeGitLab(t)
	n := noteOf(t, f)
	show(t, n, step)
	f.notes[12] = []*fakeNote{}
	show(t, n, step50)
	wantNotes(t, f.notes[12], "project_42_bot: "+marker+"\nfifty percent")
}

func TestLostAnswerMakesNoSecondNote(t *testing.T) {
	t.Parallel()
	for _, due := range []fault{{lost: true}, {status: 500}, {status: 201, body: "<html>"}} {
		synctest.Test(t, func(t *testing.T) {
			f := newFakeGitLab(t)
			f.faults["POST notes"] = []fault{due, due}
			f.faults["PUT notes"] = []fault{due}
			show(t, noteOf(t, f), step, step50, done)
			wantNotes(t, f.notes[12], "project_42_bot: "+marker+"\npromoted")
		})
	}
}

func TestLostAnswerOfAllTriesIsLookedUpByTheNextPage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFakeGitLab(t)
		f.faults["POST notes"] = []fault{{lost: true}}
		f.faults["GET notes"] = []fault{{}, {status: 500}, {status: 500}, {status: 500}, {status: 500}}
		n := noteOf(t, f)
		mention(t, n.Show(t.Context(), step), "read the merge request's notes", "500")
		show(t, n, done)
		wantNotes(t, f.notes[12], "project_42_bot: "+marker+"\npromoted")
	})
}

func TestNoteGivesGitLabNoCommand(t *testing.T) {
	t.Parallel()
	f := newFakeGitLab(t)
	block := "```text\n/canary approve 01J-1-abc\n```"
	for _, body := range []string{
		"/merge", "a\n/approve\n/close", "a\r\n/merge\r\n", block + "\n/merge", "```\n/merge", "``` `x`\n/merge\n```", "~~~\n/merge\n~~~", "````\n```\n/merge\n````",
	} {
		show(t, noteOf(t, f), forge.Page{Body: body, State: forge.InProgress})
	}
	if len(f.obeyed) > 0 {
		t.Errorf("GitLab obeyed %q", f.obeyed)
	}
	show(t, noteOf(t, f), forge.Page{Body: "Approve:\n" + block + "\n/home", State: forge.InProgress})
	wantNotes(t, f.notes[12], "project_42_bot: "+marker+"\nApprove:\n"+block+"\n\\/home")
}

func TestLongNoteIsCut(t *testing.T) {
	t.Parallel()
	f := newFakeGitLab(t)
	show(t, noteOf(t, f), forge.Page{Body: strings.Repeat("ä", 1_000_001), State: forge.InProgress}, forge.Page{Body: " \n", State: forge.InProgress})
	if len(f.notes[12]) != 1 || !strings.HasSuffix(f.notes[12][0].Body, "ä…") {
		t.Errorf("%d notes", len(f.notes[12]))
	}
}

func TestRequestIsFoundByCommit(t *testing.T) {
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
			byName, _ := surfaces(t, cfg)
			show(t, byName["merge request note"], step)
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

func TestRequestThatIsOpenedLaterIsFound(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFakeGitLab(t)
		cfg := gitlabConfig(f)
		cfg.CI.Request = 0
		byName, _ := surfaces(t, cfg)
		n := byName["merge request note"]
		show(t, n, step, step50)
		if asked := f.count("GET merge_requests"); asked != 1 {
			t.Errorf("asked %d times within a moment", asked)
		}
		f.requests = []fakeRequest{{IID: 12, ProjectID: fakeProject, State: "opened", SHA: fakeSHA, Source: fakeRef}}
		show(t, n, step50)
		wantNotes(t, f.notes[12])
		time.Sleep(time.Minute)
		show(t, n, step50)
		wantNotes(t, f.notes[12], "project_42_bot: "+marker+"\nfifty percent")
	})
}
