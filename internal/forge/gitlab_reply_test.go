package forge_test

import (
	"testing"

	"github.com/penstock-dev/penstock/internal/forge"
)

func TestGitLabReplyIsOneNoteThatIsEditedInPlace(t *testing.T) {
	t.Parallel()
	f := newFakeTalk(t)
	f.say(7, gitlabAt, gitlabHuman, "<!-- penstock:help 900 -->\nwords of somebody else")
	c := gitlabReader(t, f)
	for _, r := range []forge.Reply{
		{Kind: "help", Question: 501, Body: "one\n/merge"}, {Kind: "help", Question: 501, Body: "once more"}, {Kind: "status shop/podinfo", Question: 502, Body: "30%"},
		{Kind: "help", Question: 503, Body: "two\n/merge"}, {Kind: "help", Question: 502, Body: "late"},
	} {
		if err := c.Reply(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	gitlabWantNotes(t, f.notes[12], gitlabHuman.Username+": <!-- penstock:help 900 -->\nwords of somebody else",
		"project_42_bot: <!-- penstock:help 503 -->\ntwo\n\\/merge", "project_42_bot: <!-- penstock:status shop/podinfo 502 -->\n30%")
	if made, edited := f.count("POST notes"), f.count("PUT notes"); made != 2 || edited != 1 {
		t.Errorf("made %d, edited %d", made, edited)
	}
}
