package forge

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func someFindings(n int) []Finding {
	var all []Finding
	for i := range n {
		all = append(all, Finding{File: fmt.Sprintf("deploy/%d.yaml", i%3), Line: i + 1, Message: fmt.Sprintf("spec.number %d is wrong", i)})
	}
	return all
}

func TestProblemsStandAtTheLinesOfTheFiles(t *testing.T) {
	t.Parallel()
	for n, requests := range map[int]int{1: 1, 50: 1, 51: 2, 120: 3, 1000: annotationRequests} {
		f := newFakeGitHub(t)
		if err := f.start(f.config()).ShowFindings(t.Context(), someFindings(n)); err != nil {
			t.Fatal(err)
		}
		if made := f.count("POST /repos/o/r/check-runs") + f.count("PATCH /repos/o/r/check-runs"); made != requests || len(f.checks) != 1 {
			t.Errorf("%d problems: %d requests, %d check runs; want %d and 1", n, made, len(f.checks), requests)
		}
		c := f.checks[0]
		if c.Status != "completed" || c.Conclusion != "failure" || c.ExternalID != "" || len(c.Output.Annotations) != min(n, annotationRequests*annotationsPerRequest) {
			t.Errorf("%d problems: %s %s with %d annotations", n, c.Status, c.Conclusion, len(c.Output.Annotations))
		}
		last := c.Output.Annotations[len(c.Output.Annotations)-1]
		if i := len(c.Output.Annotations) - 1; last.Start != i+1 || last.Message != fmt.Sprintf("spec.number %d is wrong", i) {
			t.Errorf("%d problems: the last one is %+v", n, last)
		}
	}
}

func TestTheTitleCountsProblemsAndFiles(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]string{1: "1 problem in 1 file", 2: "2 problems in 2 files", 70: "70 problems in 3 files"} {
		if got := findingsPage(someFindings(n)).Title; got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestHostileProblemsAreText(t *testing.T) {
	t.Parallel()
	f := newFakeGitHub(t)
	hostile := Finding{File: "deploy/\n<b>x</b>.yaml", Message: "@everyone ``` </code>\n# heading\n::set-output name=state::promoted\u202e"}
	if err := f.start(f.config()).ShowFindings(t.Context(), []Finding{hostile}); err != nil {
		t.Fatal(err)
	}
	out := f.checks[0].Output
	for _, l := range strings.Split(strings.TrimSpace(out.Summary), "\n")[1:] {
		if l != "" && !strings.HasPrefix(l, "    ") {
			t.Errorf("%q is no code", l)
		}
	}
	if long := annotations([]Finding{{File: "a", Message: strings.Repeat("x", 100_000)}}); len(*long[0].Message) > annotationMessage {
		t.Errorf("a message of %d bytes", len(*long[0].Message))
	}
	if a := out.Annotations[0]; a.Start != 1 || strings.Contains(a.Path, "\n") {
		t.Errorf("the annotation is at %q:%d", a.Path, a.Start)
	}
}

func TestATokenThatMayWriteNoCheckRunShowsNoProblems(t *testing.T) {
	t.Parallel()
	f := newFakeGitHub(t)
	f.person = true
	err := f.start(f.config()).ShowFindings(t.Context(), someFindings(2))
	if disabled := (*DisabledError)(nil); !errors.As(err, &disabled) || !strings.Contains(err.Error(), "checks: write") {
		t.Errorf("got %v", err)
	}
}
