package forge

import (
	"context"
	"fmt"
	"strings"

	"github.com/google/go-github/v60/github"
)

// The limits of annotations: https://docs.github.com/en/rest/checks/runs#create-a-check-run
const (
	annotationsPerRequest = 50
	annotationMessage     = 64 << 10 // bytes

	// annotationRequests bounds what one run writes: who has more than 250 problems reads the first ones.
	annotationRequests = 5
)

// findingsName is the check run's. It belongs to the files, since a canary whose name is wrong has none.
const findingsName = "Canary files"

// Finding is a problem at a line of a file.
type Finding struct {
	File    string // from the root of the repository
	Line    int    // 0 when it is not known
	Message string
}

// ShowFindings makes a failed check run with the problems at their lines, so that they stand in the changed files of a pull
// request. It makes a request for each 50 of them. The texts may come from outside. The error is a *DisabledError when the
// token may not write check runs.
func (g *GitHub) ShowFindings(ctx context.Context, findings []Finding) error {
	return g.refused("check run", "`checks: write`", g.showFindings(ctx, findings))
}

func (g *GitHub) showFindings(ctx context.Context, findings []Finding) error {
	page := findingsPage(findings)
	status, conclusion := checkState(page)
	var id int64
	err := g.call(ctx, "create the check run of the files", func(ctx context.Context) error {
		output := checkOutput(page)
		output.Annotations = annotations(findings[:min(len(findings), annotationsPerRequest)])
		run, _, err := g.api.Checks.CreateCheckRun(ctx, g.owner, g.repo, github.CreateCheckRunOptions{
			Name: findingsName, HeadSHA: g.ci.SHA, DetailsURL: optional(g.ci.RunURL),
			Status: &status, Conclusion: &conclusion, Output: output,
		})
		id = run.GetID()
		return err
	})
	if err != nil {
		return err
	}
	for batch := 1; batch < annotationRequests && batch*annotationsPerRequest < len(findings); batch++ {
		from := batch * annotationsPerRequest
		output := checkOutput(page)
		output.Annotations = annotations(findings[from:min(len(findings), from+annotationsPerRequest)]) // GitHub adds them
		err := g.call(ctx, "annotate the files", func(ctx context.Context) error {
			_, _, err := g.api.Checks.UpdateCheckRun(ctx, g.owner, g.repo, id, github.UpdateCheckRunOptions{
				Name: findingsName, Status: &status, Conclusion: &conclusion, Output: output,
			})
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func annotations(findings []Finding) []*github.CheckRunAnnotation {
	level := "failure"
	all := make([]*github.CheckRunAnnotation, 0, len(findings))
	for _, f := range findings {
		path, at, message := line(f.File, annotationLimit), max(1, f.Line), cut(f.Message, annotationMessage)
		all = append(all, &github.CheckRunAnnotation{
			Path: &path, StartLine: &at, EndLine: &at, AnnotationLevel: &level, Message: &message,
		})
	}
	return all
}

// findingsPage says how many there are, and lists them for whoever reads the check run alone.
func findingsPage(findings []Finding) Page {
	files := map[string]bool{}
	var body strings.Builder
	body.WriteString("Nothing was touched.\n\n")
	for _, f := range findings {
		files[f.File] = true
		fmt.Fprintf(&body, "    %s:%d: %s\n", line(f.File, titleLimit), f.Line, line(f.Message, 1000)) // as code: it may be anything
	}
	return Page{
		Title: count(len(findings), "problem") + " in " + count(len(files), "file"), Body: body.String(), State: Failure, Final: true,
	}
}

func count(n int, of string) string {
	if n == 1 {
		return "1 " + of
	}
	return fmt.Sprintf("%d %ss", n, of)
}
