package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/penstock-dev/penstock/internal/forge"
)

// annotationsShown is how many annotations of one kind GitHub shows of a step.
const annotationsShown = 10

// place is the beginning of a problem of a file: name, line, and what is wrong.
var place = regexp.MustCompile(`^\s*([^:\s][^:]*):(\d+): (.+)$`)

// annotate shows an error on the page of a job of GitHub Actions, and at the lines of the files that it names. Those that a
// check run shows there already are not repeated.
func (a *App) annotate(code int, err error) {
	if a.Getenv("GITHUB_ACTIONS") != "true" || code == ExitCancelled {
		return
	}
	actions := forge.NewActions(a.Stderr, a.Getenv) // the runner reads both streams, and stdout may be a JSON document
	text, shown := err.Error(), 0
	if there := (*foundError)(nil); !errors.As(err, &there) {
		for _, f := range a.findings(text) {
			if shown == annotationsShown {
				break
			}
			shown++
			// What cannot be annotated is in the log.
			_ = actions.Annotate(forge.Annotation{Severity: forge.Problem, Title: annotationTitle, File: f.File, Line: f.Line, Message: f.Message})
		}
	}
	if shown == 0 {
		_ = actions.Annotate(forge.Annotation{Severity: forge.Problem, Title: annotationTitle, Message: text})
	}
}

// findings are the problems of an error that stand at a line of a file.
func (a *App) findings(text string) []forge.Finding {
	var all []forge.Finding
	for line := range strings.Lines(text) {
		m := place.FindStringSubmatch(strings.TrimRight(line, "\n"))
		if m == nil {
			continue
		}
		f := forge.Finding{File: a.inRepository(m[1]), Message: m[3]}
		f.Line, _ = strconv.Atoi(m[2])
		all = append(all, f)
	}
	return all
}

// foundError is one whose problems a check run shows at their lines.
type foundError struct{ error }

func (e *foundError) Unwrap() error { return e.error }

// found shows the problems of files in a check run of GitHub, and returns the error. The run has ended by then: what cannot
// be shown is a warning.
func (b *bulletin) found(ctx context.Context, err error) error {
	if b.github == nil || b.actions == nil {
		return err
	}
	var inside []forge.Finding
	for _, f := range b.app.findings(err.Error()) {
		if filepath.IsLocal(f.File) { // GitHub has no line of what is elsewhere
			inside = append(inside, f)
		}
	}
	if len(inside) == 0 {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, publishLimit)
	defer cancel()
	if failed := b.github.ShowFindings(ctx, inside); failed != nil {
		b.app.warn(fmt.Errorf("the problems are not shown in a check run: %w", failed))
		return err
	}
	return &foundError{err}
}

// inRepository is a path as the forge knows it: from the root of the checkout, wherever the job stands. What is elsewhere
// stays as it is.
func (a *App) inRepository(path string) string {
	workspace := cmp.Or(a.Getenv("GITHUB_WORKSPACE"), a.Getenv("CI_PROJECT_DIR"))
	if workspace == "" {
		return path
	}
	absolute, err := filepath.Abs(path)
	if err != nil {
		return path
	}
	inside, err := filepath.Rel(workspace, absolute)
	if err != nil || !filepath.IsLocal(inside) {
		return path
	}
	return filepath.ToSlash(inside)
}
