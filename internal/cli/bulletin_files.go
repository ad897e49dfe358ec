package cli

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/penstock-dev/penstock/internal/forge"
	"github.com/penstock-dev/penstock/internal/report"
)

// ended publishes the result of a canary: the job's outputs and summary, and the files of the report. Of several canaries
// each has a directory of its own, and none sets outputs.
func (p *poster) ended(r report.Result, s report.Snapshot, alone bool) {
	b := p.bulletin
	if b.in.ReportDir != "" {
		b.check("write the report", b.write(p.dir, r, s))
	}
	pairs := outputs(&r, &s, b.ci.RunURL)
	if b.in.ReportDir != "" {
		pairs = append(pairs, forge.Pair{Name: "report", Value: filepath.Join(b.in.ReportDir, "report.html")})
	}
	switch b.ci.Platform {
	case forge.PlatformGitHub:
		if alone && b.app.Getenv("GITHUB_OUTPUT") != "" {
			b.check("set the outputs", b.actions.SetOutputs(pairs...))
		}
		if b.app.Getenv("GITHUB_STEP_SUMMARY") != "" {
			b.check("write the job summary", b.actions.AddSummary(report.Markdown(s, report.MarkdownOptions{
				Platform: report.PlatformGitHub, Limit: summaryLimit, RunURL: b.ci.RunURL, Ended: p.over,
			})))
		}
		if r.ExitCode != ExitOK {
			b.check("annotate the job", b.actions.Annotate(forge.Annotation{
				Severity: forge.Problem, Title: annotationTitle, Message: report.Title(s),
			}))
		}
	case forge.PlatformGitLab:
		if b.in.ReportDir != "" && alone {
			b.check("write the files for GitLab", p.writeGitLab(pairs))
		}
	}
}

// write writes the report's files, each whole or not at all.
func (b *bulletin) write(dir string, r report.Result, s report.Snapshot) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	page, err := report.HTML(r, s)
	if err != nil {
		return err
	}
	body, err := r.JSON()
	if err != nil {
		return err
	}
	cases, err := report.JUnit(r)
	if err != nil {
		return err
	}
	for name, text := range map[string][]byte{"report.html": page, "report.json": body, "report.junit.xml": cases} {
		if err := writeWhole(filepath.Join(dir, name), text); err != nil {
			return err
		}
	}
	return nil
}

// writeGitLab writes what a job hands to those after it, and its links.
func (p *poster) writeGitLab(pairs []forge.Pair) error {
	b := p.bulletin
	text, err := forge.GitLabDotenv(dotenv(pairs))
	b.check("set the outputs", err)
	if err := writeWhole(filepath.Join(b.in.ReportDir, "penstock.env"), []byte(text)); err != nil {
		return err
	}
	links := p.forgeLinks(true)
	if len(links) > 1 { // it is the job's page that shows them
		links = links[1:]
	}
	text, err = forge.GitLabAnnotations(links)
	b.check("write the links", err)
	return writeWhole(filepath.Join(b.in.ReportDir, "annotations.json"), []byte(text))
}

// dotenv names the outputs as variables of the jobs that follow. PENSTOCK_CANARY there would be the input of the same name
// of the next rollout.
func dotenv(pairs []forge.Pair) map[string]string {
	values := map[string]string{}
	for _, p := range pairs {
		if p.Name == "canary" {
			p.Name = "canary-name"
		}
		values[p.Name] = p.Value
	}
	return values
}

// check warns of what went wrong.
func (b *bulletin) check(what string, err error) {
	if err != nil {
		b.app.warn(fmt.Errorf("%s: %w", what, err))
	}
}

// writeWhole writes a file beside its place and moves it there, so that nobody ever sees half of it.
func writeWhole(path string, text []byte) error {
	partial := path + ".partial"
	if err := os.WriteFile(partial, text, 0o644); err != nil {
		return err
	}
	return os.Rename(partial, path)
}
