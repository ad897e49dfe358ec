package cli

import (
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

// annotate shows an error on the page of a job of GitHub Actions, and at the lines of the files that it names.
func (a *App) annotate(code int, text string) {
	if a.Getenv("GITHUB_ACTIONS") != "true" || code == ExitCancelled {
		return
	}
	actions := forge.NewActions(a.Stderr, a.Getenv) // the runner reads both streams, and stdout may be a JSON document
	shown := 0
	for line := range strings.Lines(text) {
		m := place.FindStringSubmatch(strings.TrimRight(line, "\n"))
		if m == nil || shown == annotationsShown {
			continue
		}
		shown++
		n := forge.Annotation{Severity: forge.Problem, Title: annotationTitle, File: a.inRepository(m[1]), Message: m[3]}
		n.Line, _ = strconv.Atoi(m[2])
		_ = actions.Annotate(n) // what cannot be annotated is in the log
	}
	if shown == 0 {
		_ = actions.Annotate(forge.Annotation{Severity: forge.Problem, Title: annotationTitle, Message: text})
	}
}

// inRepository is a path as GitHub knows it: from the root of the checkout, wherever the job stands. What is elsewhere stays
// as it is.
func (a *App) inRepository(path string) string {
	workspace := a.Getenv("GITHUB_WORKSPACE")
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
