package forge

import (
	"strings"
	"sync"
	"testing"
)

func (f *fakeTalk) replies() []string {
	var all []string
	for _, c := range f.comments["7"] {
		all = append(all, c.User.Login+": "+c.Body)
	}
	return all
}

// newFakeForum is a pull request on which we write, too.
func newFakeForum(t *testing.T) *fakeTalk {
	f := newFakeTalk(t)
	f.handle("POST /repos/o/r/issues/{number}/comments", "", f.createComment)
	f.handle("PATCH /repos/o/r/issues/comments/{id}", "", f.editComment)
	return f
}

func TestAReplyIsOneCommentThatIsEditedInPlace(t *testing.T) {
	t.Parallel()
	f := newFakeForum(t)
	f.comments["7"] = []*fakeComment{{ID: 1, Body: "<!-- penstock:help 900 -->\nwords of somebody else", User: fakeUser{"eve", "User"}}}
	c := f.reader()
	for _, r := range []Reply{
		{Kind: "help", Question: 501, Body: "one"}, {Kind: "help", Question: 501, Body: "once more"}, {Kind: "status shop/podinfo", Question: 502, Body: "30%"},
		{Kind: "status shop/podinfo-2", Question: 502, Body: "10%"}, {Kind: "help", Question: 503, Body: "two"}, {Kind: "help", Question: 502, Body: "late"},
	} {
		if err := c.Reply(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{
		"eve: <!-- penstock:help 900 -->\nwords of somebody else", "github-actions[bot]: <!-- penstock:help 503 -->\ntwo",
		"github-actions[bot]: <!-- penstock:status shop/podinfo 502 -->\n30%", "github-actions[bot]: <!-- penstock:status shop/podinfo-2 502 -->\n10%",
	}
	if got := f.replies(); strings.Join(got, "\n\n") != strings.Join(want, "\n\n") {
		t.Errorf("got %q", got)
	}
	if !Own(f.comments["7"][1].Body) || Own("/canary help") {
		t.Error("what Penstock has written is not told apart")
	}
}

func TestTheCanariesOfARunWriteOneReply(t *testing.T) {
	t.Parallel()
	f := newFakeForum(t)
	c := f.reader()
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if err := c.Reply(t.Context(), Reply{Kind: "help", Question: 501, Body: "one"}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if got := f.replies(); len(got) != 1 {
		t.Errorf("got %q", got)
	}
}

func TestAReplyThatSomebodyDeletedIsWrittenAnewWhenItIsAskedForAgain(t *testing.T) {
	t.Parallel()
	f := newFakeForum(t)
	c := f.reader()
	if err := c.Reply(t.Context(), Reply{Kind: "help", Question: 501, Body: "one"}); err != nil {
		t.Fatal(err)
	}
	f.comments["7"] = nil
	if err := c.Reply(t.Context(), Reply{Kind: "help", Question: 502, Body: strings.Repeat("é", 70_000)}); err != nil {
		t.Fatal(err)
	}
	if got := f.replies(); len(got) != 1 || !strings.Contains(got[0], "penstock:help 502") {
		t.Errorf("%d replies", len(got))
	}
}
