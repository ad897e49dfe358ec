package forge

import (
	"slices"
	"testing"
)

func TestWhatIsShownCanBeOpened(t *testing.T) {
	t.Parallel()
	f := newFakeGitHub(t)
	first := NewPublisher(t.Context(), f.start(f.config()).Surfaces(web())...)
	if links := first.Links(); len(links) > 0 {
		t.Errorf("before anything is shown: %v", links)
	}
	first.Publish(body("a"))
	if warnings := first.Close(t.Context()); len(warnings) > 0 {
		t.Fatal(warnings)
	}
	want := []Link{{"Report", f.checks[0].HTMLURL}, {"Pull request", f.comments["7"][0].HTMLURL}}
	if got := first.Links(); !slices.Equal(got, want) || want[0].URL == "" {
		t.Errorf("got %v, want %v", got, want)
	}
	again := NewPublisher(t.Context(), f.start(f.config()).Surfaces(web())...) // another attempt finds both
	again.Publish(end(Success))
	if warnings := again.Close(t.Context()); len(warnings) > 0 {
		t.Fatal(warnings)
	}
	if got := again.Links(); !slices.Equal(got, want) {
		t.Errorf("the next attempt: got %v, want %v", got, want)
	}
}

func TestAddressesOfWhatAJobIsAbout(t *testing.T) {
	t.Parallel()
	hub := CI{Platform: PlatformGitHub, Server: "https://github.test", Repository: "o/r", Request: 7, RunURL: "https://github.test/o/r/actions/runs/9"}
	lab := CI{Platform: PlatformGitLab, Server: "https://gitlab.test", Repository: "g/s/p", Request: 3, RunURL: "https://gitlab.test/g/s/p/-/jobs/9"}
	for _, c := range []struct{ got, want string }{
		{hub.RequestURL(), "https://github.test/o/r/pull/7"},
		{lab.RequestURL(), "https://gitlab.test/g/s/p/-/merge_requests/3"},
		{(&CI{}).RequestURL(), ""},
		{(&CI{Platform: PlatformGitHub}).RequestURL(), ""},
		{hub.ArtifactURL("report/report.html"), ""},
		{lab.ArtifactURL("report dir/report.html"), lab.RunURL + "/artifacts/file/report%20dir/report.html"},
		{lab.ArtifactURL("/tmp/report.html"), ""},
		{lab.ArtifactURL("../report.html"), ""},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}
