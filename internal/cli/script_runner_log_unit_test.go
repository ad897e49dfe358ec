package cli

import (
	"strings"
	"testing"
)

func TestTheRunnerOfScriptsReadsALogAsGitHubDoes(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"::group::a%25\nline\n::endgroup::\n":            "##[group] a%\nline\n##[endgroup] \n",
		"::add-mask::secret\nthe secret\n":               "the ***\n",
		"::error file=a.yaml,line=7::one%0Atwo\n":        "##[error] file=a.yaml,line=7 one\ntwo\n",
		":\u200b:set-output::x\nstep 1::2\n":             ":\u200b:set-output::x\nstep 1::2\n",
		"  ::set-output name=a::b\n":                     "the step gives the command",
		"::group::a\n":                                   `the group "a" is never closed`,
		"::group::a\n::group::b\n":                       "the group that is open is",
		"::endgroup::\n":                                 "the group that is open is",
		"::add-mask:: \n":                                "masks nothing",
		"::error::" + strings.Repeat("x", 4097) + "\n":   "is cut",
		"::notice::" + strings.Repeat("%0A", 4000) + "x": "##[notice] " + strings.Repeat("\n", 4000) + "x\n",
	} {
		shown, err := runnerLog(text)
		if err != nil {
			shown = err.Error()
		}
		if shown != want && (err == nil || !strings.Contains(shown, want)) {
			t.Errorf("%.60q: %.100q, want %.100q", text, shown, want)
		}
	}
}

func TestTheRunnerOfScriptsReadsFileCommandsAsGitHubDoes(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                                  "",
		"a=b\nc<<END\nd\ne\nEND\nf<<E\nE\n": "a=b\nc=d\\ne\nf=\n",
		"a<<END\nb\n":                       "matching delimiter not found",
		"nothing\n":                         "invalid format",
	} {
		got, err := fileCommands(text)
		if err != nil {
			got = err.Error()
		}
		if got != want && (err == nil || !strings.Contains(got, want)) {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
