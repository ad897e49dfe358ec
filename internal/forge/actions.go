package forge

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"

	"github.com/sethvargo/go-githubactions"
)

const (
	// summaryLimit is of the file of one step. GitHub drops the whole file when it is longer.
	summaryLimit = 1 << 20

	// annotationLimit is where the runner cuts the text of an annotation.
	annotationLimit = 4096

	// shortestSecret is what is worth masking, in bytes.
	shortestSecret = 4

	// delimiter ends a value in the files of outputs and state. It is fixed in the library, so that a value which
	// holds it could set further outputs.
	delimiter = "_GitHubActionsFileCommandDelimeter_"
)

// outputName is what GitHub takes for a name; a name with "<<" or a line break would be read as something else.
var outputName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]*$`)

// Actions talks to the runner of GitHub Actions: outputs, the job summary, groups, masks and annotations. The runner
// reads commands from stdout and stderr alike; texts from outside must go through Plain on their way to either.
type Actions struct {
	w      io.Writer
	getenv func(string) string
	action *githubactions.Action
}

// NewActions writes commands to w, which is the job's stdout.
func NewActions(w io.Writer, getenv func(string) string) *Actions {
	return &Actions{w: w, getenv: getenv, action: githubactions.New(
		githubactions.WithWriter(w), githubactions.WithGetenv(githubactions.GetenvFunc(getenv)))}
}

// Pair is a name with a value.
type Pair struct{ Name, Value string }

// SetOutputs sets outputs of the step, all or, if one of them is bad, none.
func (a *Actions) SetOutputs(outputs ...Pair) error {
	return a.setAll("GITHUB_OUTPUT", "output", outputs, a.action.SetOutput)
}

// SaveState keeps values for the post step, all or none. It survives a cancelled job: save early.
func (a *Actions) SaveState(values ...Pair) error {
	return a.setAll("GITHUB_STATE", "state", values, a.action.SaveState)
}

func (a *Actions) setAll(file, kind string, pairs []Pair, set func(name, value string)) error {
	var problems []error
	if a.getenv(file) == "" {
		problems = append(problems, fmt.Errorf("%s is not set, and must be the path of a file", file))
	}
	for _, p := range pairs {
		if !outputName.MatchString(p.Name) {
			problems = append(problems, fmt.Errorf("%s %q: a name has letters, digits, - and _, and begins with none of digits and -", kind, p.Name))
		}
		if strings.Contains(p.Value, delimiter) {
			problems = append(problems, fmt.Errorf("%s %q: the value holds %s, which ends a value for GitHub", kind, p.Name, delimiter))
		}
	}
	if err := errors.Join(problems...); err != nil {
		return err
	}
	for _, p := range pairs {
		if err := safely(func() { set(p.Name, p.Value) }); err != nil {
			return fmt.Errorf("set %s %q: %w", kind, p.Name, err)
		}
	}
	return nil
}

// AddSummary adds markdown to the page of the job. What is over the limit is cut, with a note: a summary that is too
// long would not be shown at all.
func (a *Actions) AddSummary(markdown string) error {
	path := a.getenv("GITHUB_STEP_SUMMARY")
	if path == "" {
		return errors.New("GITHUB_STEP_SUMMARY is not set, and must be the path of a file")
	}
	used := int64(0)
	if info, err := os.Stat(path); err == nil {
		used = info.Size()
	}
	left := summaryLimit - int(min(used, summaryLimit)) - 2 // the library adds a line break, of two bytes at most
	const enough = 200                                      // for the note and something to read
	if len(markdown) > left && left < enough {
		return fmt.Errorf("the job summary is full: %d of %d bytes are used", used, summaryLimit)
	}
	if err := safely(func() { a.action.AddStepSummary(cut(markdown, left)) }); err != nil {
		return fmt.Errorf("write the job summary: %w", err)
	}
	return nil
}

// Mask hides a secret in the log. Each line of it is masked, because the runner looks at one line at a time; one of fewer
// than four bytes is not.
func (a *Actions) Mask(secret string) error {
	for l := range strings.Lines(strings.ReplaceAll(secret, "\r", "\n")) {
		if l = strings.TrimSpace(l); len(l) < shortestSecret {
			continue // masking nothing would mask everything, and masking "1" every number with it
		}
		if err := safely(func() { a.action.AddMask(l) }); err != nil {
			return fmt.Errorf("mask a secret: %w", err)
		}
	}
	return nil
}

// Group starts a part of the log that people can fold; EndGroup ends it. Groups do not nest.
func (a *Actions) Group(title string) error {
	return safely(func() { a.action.Group(line(title, annotationLimit)) })
}

// EndGroup ends the group.
func (a *Actions) EndGroup() error { return safely(a.action.EndGroup) }

// Severity is the kind of an annotation.
type Severity string

// The severities.
const (
	Notice  Severity = "notice"
	Warning Severity = "warning"
	Problem Severity = "error"
)

// Annotation is a message on the page of the run, and in the changed files if it has a file.
type Annotation struct {
	Severity Severity
	Title    string
	Message  string
	File     string // relative to the repository; may be empty
	Line     int    // from 1; 0 is none
}

// Annotate shows an annotation. Its texts may come from outside.
func (a *Actions) Annotate(n Annotation) error {
	fields := map[string]string{}
	if n.Title != "" {
		fields["title"] = line(n.Title, titleLimit)
	}
	if n.File != "" {
		fields["file"] = n.File
		if n.Line > 0 {
			fields["line"] = strconv.Itoa(n.Line)
		}
	}
	action, message := a.action.WithFieldsMap(fields), cut(n.Message, annotationLimit)
	show := map[Severity]func(string, ...any){Notice: action.Noticef, Warning: action.Warningf, Problem: action.Errorf}[n.Severity]
	if show == nil {
		return fmt.Errorf("an annotation is %q, and must be one of %q", n.Severity, []Severity{Notice, Warning, Problem})
	}
	return safely(func() { show("%s", message) })
}

// Raw lets write put texts from outside into the log as they are: the runner takes no command from it.
func (a *Actions) Raw(write func(io.Writer) error) error {
	token := "penstock-" + rand.Text() // nobody outside can know it, and so nobody can end the part
	if _, err := fmt.Fprintf(a.w, "::stop-commands::%s\n", token); err != nil {
		return fmt.Errorf("write to the log: %w", err)
	}
	err := write(a.w)
	// Even after an error: without this, no later command would be obeyed. It begins a line of its own, because what
	// was written may have ended in the middle of one.
	if _, end := fmt.Fprintf(a.w, "\n::%s::\n", token); end != nil {
		err = errors.Join(err, fmt.Errorf("write to the log: %w", end))
	}
	return err
}

// safely turns the panics of the library, which it uses for files and pipes that fail, into errors.
func safely(f func()) (err error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case error:
			err = r
		default:
			err = fmt.Errorf("%v", r)
		}
	}()
	f()
	return nil
}
