package forge_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/penstock-dev/penstock/internal/forge"
)

func TestGitLabDotenv(t *testing.T) {
	t.Parallel()
	text, err := forge.GitLabDotenv(map[string]string{"state": "promoted", "rollout-id": "01J", "report-url": "https://gitlab.test/a?b=c#d", "failed-checks": "", "reason": `"99.8%" of 'web' # fine`})
	if err != nil {
		t.Fatal(err)
	}
	want := "PENSTOCK_FAILED_CHECKS=\nPENSTOCK_REASON=\"99.8%\" of 'web' # fine\nPENSTOCK_REPORT_URL=https://gitlab.test/a?b=c#d\nPENSTOCK_ROLLOUT_ID=01J\nPENSTOCK_STATE=promoted\n"
	if diff := cmp.Diff(want, text); diff != "" {
		t.Error(diff)
	}
}

func TestGitLabDotenvLeavesOutWhatGitLabWouldRefuseOrChange(t *testing.T) {
	t.Parallel()
	text, err := forge.GitLabDotenv(map[string]string{
		"state": "promoted", "line": "a\nPENSTOCK_STATE=b", "return": "a\rb", "dollar": "$CI_JOB_TOKEN", "blank": " a", "bytes": "\xff", "b=c": "d", "nul": "a\x00b",
	})
	if diff := cmp.Diff("PENSTOCK_STATE=promoted\n", text); diff != "" {
		t.Error(diff)
	}
	gitlabMention(t, err, `"line" is left out: its value has more than one line`, `"return"`, `"dollar" is left out: its value has a $`, `"blank"`, `"bytes"`, `"b=c"`, `"nul"`)
}

func TestGitLabDotenvKeepsGitLabsLimits(t *testing.T) {
	t.Parallel()
	text, err := forge.GitLabDotenv(map[string]string{"a": "1", "reason": strings.Repeat("x", 5*1024-20), "state": "promoted"})
	if diff := cmp.Diff("PENSTOCK_A=1\nPENSTOCK_STATE=promoted\n", text); diff != "" {
		t.Error(diff)
	}
	gitlabMention(t, err, `"reason" is left out`, "5120 bytes")

	full := strings.Repeat("x", 5*1024-1-len("PENSTOCK_A=\n"))
	if text, err = forge.GitLabDotenv(map[string]string{"a": full}); err != nil || len(text) != 5119 {
		t.Errorf("%d bytes, %v", len(text), err)
	}
	_, err = forge.GitLabDotenv(map[string]string{"a": full + "x"})
	gitlabMention(t, err, `"a" is left out`)

	many := map[string]string{}
	for i := range 21 {
		many[fmt.Sprintf("o%02d", i)] = "x"
	}
	text, err = forge.GitLabDotenv(many)
	gitlabMention(t, err, `"o20" is left out: GitLab takes 20`)
	if n := strings.Count(text, "\n"); n != 20 {
		t.Errorf("%d lines", n)
	}
}

func TestGitLabAnnotations(t *testing.T) {
	t.Parallel()
	text, err := forge.GitLabAnnotations([]forge.Link{
		{"Report <b>", "https://gitlab.test/r?a=1&b=2"}, {"bad\x1b[31m", "javascript:alert(1)"}, {"", "https://a.test"}, {"long", "https://a.test/" + strings.Repeat("x", 2048)},
	})
	gitlabMention(t, err, `\x1b[31m" is left out: its URL is not an http or https URL`, "no label", `"long" is left out`)
	want := "{\n  \"penstock\": [\n    {\n      \"external_link\": {\n        \"label\": \"Report \\u003cb\\u003e\",\n        \"url\": \"https://gitlab.test/r?a=1\\u0026b=2\"\n      }\n    }\n  ]\n}\n"
	if diff := cmp.Diff(want, text); diff != "" {
		t.Error(diff)
	}
	if text, err = forge.GitLabAnnotations(nil); err != nil || text != "{\n  \"penstock\": []\n}\n" {
		t.Errorf("%q, %v", text, err)
	}
}

func TestGitLabSectionsNestAndHaveNamesOfTheirOwn(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	now := clocktesting.NewFakePassiveClock(time.Unix(1700000000, 0))
	s := forge.NewGitLabSections(&log, now)
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	must(s.Open("step 1: 10%", "Step 1\r\x1b[0Ksection_end:1700000000:step_1", false))
	must(s.Open("step 1: 10%", "Samples", true))
	now.SetTime(time.Unix(1700000009, 0))
	must(s.Close())
	must(s.Close())
	must(s.Close()) // nothing is open
	must(s.Open("", "", false))
	want := "section_start:1700000000:step_1__10__1\r\x1b[0KStep 1 \\x1b[0Ksection_end:1700000000:step_1\n" +
		"section_start:1700000000:step_1__10__2[collapsed=true]\r\x1b[0KSamples\n" +
		"section_end:1700000009:step_1__10__2\r\x1b[0Ksection_end:1700000009:step_1__10__1\r\x1b[0K" +
		"section_start:1700000009:section_3\r\x1b[0K\n"
	if diff := cmp.Diff(want, log.String()); diff != "" {
		t.Error(diff)
	}
}

type gitlabFullDisk struct{}

func (gitlabFullDisk) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

func TestGitLabSectionThatCannotBeWrittenIsAnError(t *testing.T) {
	t.Parallel()
	s := forge.NewGitLabSections(gitlabFullDisk{}, clocktesting.NewFakePassiveClock(time.Unix(0, 0)))
	if err := s.Open("a", "b", false); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("got %v", err)
	}
}
