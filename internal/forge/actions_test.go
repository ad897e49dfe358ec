package forge

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// runner is what a runner gives to a step.
type runner struct {
	out     bytes.Buffer
	files   map[string]string // by variable
	actions *Actions
}

func newRunner(t *testing.T) *runner {
	dir := t.TempDir()
	r := &runner{files: map[string]string{}}
	for _, name := range []string{"GITHUB_OUTPUT", "GITHUB_STATE", "GITHUB_STEP_SUMMARY"} {
		r.files[name] = filepath.Join(dir, name)
	}
	r.actions = NewActions(&r.out, func(name string) string { return r.files[name] })
	return r
}

// read returns what is in a file; a file that is not there is empty.
func (r *runner) read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(r.files[name])
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return string(text)
}

func TestOutputsAndStateAreWritten(t *testing.T) {
	t.Parallel()
	r := newRunner(t)
	if err := r.actions.SetOutputs(Pair{"state", "promoted"}, Pair{"failed-checks", "a\nb"}); err != nil {
		t.Fatal(err)
	}
	if err := r.actions.SaveState(Pair{"rollout", "01HX"}); err != nil {
		t.Fatal(err)
	}
	if got, want := r.read(t, "GITHUB_OUTPUT"), "state<<"+delimiter+"\npromoted\n"+delimiter+"\nfailed-checks<<"+delimiter+"\na\nb\n"+delimiter+"\n"; got != want {
		t.Errorf("outputs: %q, want %q", got, want)
	}
	if got, want := r.read(t, "GITHUB_STATE"), "rollout<<"+delimiter+"\n01HX\n"+delimiter+"\n"; got != want {
		t.Errorf("state: %q, want %q", got, want)
	}
}

func TestAnOutputThatCouldSetOthersIsRefusedWithAllTheRest(t *testing.T) {
	t.Parallel()
	r := newRunner(t)
	err := r.actions.SetOutputs(Pair{"good", "x"}, Pair{"reason", "a\n" + delimiter + "\nstate<<X\npromoted\nX"}, Pair{"a<<b", "x"}, Pair{"", "x"})
	for _, want := range []string{`output "reason": the value holds ` + delimiter, `output "a<<b": a name has`, `output "": a name has`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v lacks %s", err, want)
		}
	}
	if got := r.read(t, "GITHUB_OUTPUT"); got != "" {
		t.Errorf("written: %q", got)
	}
}

func TestAFileThatCannotBeWrittenIsAnErrorAndNoPanic(t *testing.T) {
	t.Parallel()
	r := newRunner(t)
	for name := range r.files {
		r.files[name] = filepath.Join(t.TempDir(), "missing", "file")
	}
	for what, err := range map[string]error{
		`set output "a"`:        r.actions.SetOutputs(Pair{"a", "b"}),
		`set state "a"`:         r.actions.SaveState(Pair{"a", "b"}),
		"write the job summary": r.actions.AddSummary("x"),
	} {
		if err == nil || !strings.HasPrefix(err.Error(), what) || !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: %v", what, err)
		}
	}
	clear(r.files)
	for what, err := range map[string]error{
		"GITHUB_OUTPUT is not set":       r.actions.SetOutputs(Pair{"a", "b"}),
		"GITHUB_STATE is not set":        r.actions.SaveState(Pair{"a", "b"}),
		"GITHUB_STEP_SUMMARY is not set": r.actions.AddSummary("x"),
	} {
		if err == nil || !strings.HasPrefix(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// brokenWriter fails after so many writes.
type brokenWriter struct{ left int }

func (w *brokenWriter) Write(p []byte) (int, error) {
	if w.left--; w.left < 0 {
		return 0, io.ErrClosedPipe
	}
	return len(p), nil
}

func TestALogThatCannotBeWrittenIsAnErrorAndNoPanic(t *testing.T) {
	t.Parallel()
	none := func(string) string { return "" }
	a := NewActions(&brokenWriter{}, none)
	for what, err := range map[string]error{
		"Group": a.Group("x"), "EndGroup": a.EndGroup(), "Mask": a.Mask("secret"),
		"Annotate": a.Annotate(Annotation{Severity: Notice}),
		"Raw":      a.Raw(func(io.Writer) error { return nil }),
		"Raw end":  NewActions(&brokenWriter{left: 1}, none).Raw(func(io.Writer) error { return nil }),
	} {
		if !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestTheJobSummaryNeverGetsTooLongToBeShown(t *testing.T) {
	t.Parallel()
	r := newRunner(t)
	if err := r.actions.AddSummary("# Report"); err != nil {
		t.Fatal(err)
	}
	if err := r.actions.AddSummary(strings.Repeat("ü", summaryLimit)); err != nil {
		t.Fatal(err)
	}
	text := r.read(t, "GITHUB_STEP_SUMMARY")
	if len(text) > summaryLimit || len(text) < summaryLimit-10 || !strings.HasPrefix(text, "# Report\n") || !strings.Contains(text, "(cut: ") {
		t.Errorf("%d bytes", len(text))
	}
	if err := r.actions.AddSummary(strings.Repeat("x", 300)); err == nil || !strings.HasPrefix(err.Error(), "the job summary is full") {
		t.Errorf("a full summary: %v", err)
	}
	if got := r.read(t, "GITHUB_STEP_SUMMARY"); got != text {
		t.Errorf("a full summary was written to: %d bytes", len(got))
	}
}

func TestEveryLineOfASecretIsMaskedAndNothingIsNot(t *testing.T) {
	t.Parallel()
	r := newRunner(t)
	if err := r.actions.Mask("line one\r\n\n  line two\n1\n"); err != nil {
		t.Fatal(err)
	}
	if err := r.actions.Mask(" \n"); err != nil {
		t.Fatal(err)
	}
	if got, want := r.out.String(), "::add-mask::line one\n::add-mask::line two\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestGroupsAndAnnotationsTakeTextsFromOutside(t *testing.T) {
	t.Parallel()
	r := newRunner(t)
	for _, err := range []error{
		r.actions.Group("step 1\n::set-env::x"),
		r.actions.EndGroup(),
		r.actions.Annotate(Annotation{Severity: Problem, Title: "a,b:c", Message: "100%s\n::error::x", File: "deploy/canary.yaml", Line: 7}),
		r.actions.Annotate(Annotation{Severity: Warning, Message: "w", Line: 7}),
		r.actions.Annotate(Annotation{Severity: Notice, Message: "n", File: "a"}),
	} {
		if err != nil {
			t.Error(err)
		}
	}
	want := "::group::step 1 ::set-env::x\n::endgroup::\n" +
		"::error file=deploy/canary.yaml,line=7,title=a%2Cb%3Ac::100%25s%0A::error::x\n::warning::w\n::notice file=a::n\n"
	if got := r.out.String(); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	if err := r.actions.Annotate(Annotation{Severity: "bad"}); err == nil {
		t.Error("an unknown severity is no error")
	}
}

func TestNoCommandIsTakenFromRawText(t *testing.T) {
	t.Parallel()
	r := newRunner(t)
	failed := errors.New("failed")
	err := r.actions.Raw(func(w io.Writer) error {
		_, _ = io.WriteString(w, "::error::x")
		return failed
	})
	if !errors.Is(err, failed) {
		t.Error(err)
	}
	lines := strings.Split(r.out.String(), "\n")
	token := strings.TrimPrefix(lines[0], "::stop-commands::")
	if len(lines) != 4 || len(token) < 20 || lines[1] != "::error::x" || lines[2] != "::"+token+"::" {
		t.Errorf("%q", lines)
	}
	again := newRunner(t)
	_ = again.actions.Raw(func(io.Writer) error { return nil })
	if strings.Contains(again.out.String(), token) {
		t.Error("the token is always the same")
	}
}

func TestPlainLinesAreNeverCommands(t *testing.T) {
	t.Parallel()
	const z = "\u200b"
	for name, tt := range map[string]struct{ in, want string }{
		"a line":                      {"web: 30%\n", "web: 30%\n"},
		"a command":                   {"::set-output name=a::b\n", ":" + z + ":set-output name=a::b\n"},
		"a command after blanks":      {"a\n \t::error::b\nc\n", "a\n \t:" + z + ":error::b\nc\n"},
		"a command after a return":    {"a\r::error::b\r\n", "a\r:" + z + ":error::b\r\n"},
		"the old form":                {"say ##[error]b\n", "say #" + z + "#[error]b\n"},
		"the old form, with more":     {"###[error]b\n", "##" + z + "#[error]b\n"},
		"colons within a line":        {"a ::b::\n", "a ::b::\n"},
		"a last line without its end": {"a\n::b::", "a\n:" + z + ":b::"},
	} {
		for _, size := range []int{1, 2, 100} {
			var out bytes.Buffer
			w := Plain(&out)
			for text := tt.in; text != ""; {
				n := min(size, len(text))
				if got, err := w.Write([]byte(text[:n])); got != n || err != nil {
					t.Fatal(got, err)
				}
				text = text[n:]
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			if out.String() != tt.want {
				t.Errorf("%s, by %d: %q, want %q", name, size, out.String(), tt.want)
			}
		}
	}
}

func TestPlainReportsWhatCannotBeWritten(t *testing.T) {
	t.Parallel()
	w := Plain(&brokenWriter{})
	if _, err := w.Write([]byte("a\nb")); !errors.Is(err, io.ErrClosedPipe) {
		t.Error(err)
	}
	if err := w.Close(); !errors.Is(err, io.ErrClosedPipe) {
		t.Error(err)
	}
}
