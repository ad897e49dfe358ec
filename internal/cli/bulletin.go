package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strconv"
	"time"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/forge"
	"github.com/penstock-dev/penstock/internal/httpx"
	"github.com/penstock-dev/penstock/internal/report"
)

// forgeInputs say where people see a run beside its log.
type forgeInputs struct {
	Forge          string `input:"forge" default:"auto" help:"who shows the run: auto (the platform whose job this is) or none"`
	GitHubToken    string `input:"github-token" help:"token of GitHub; default: $GITHUB_TOKEN"`
	GitLabToken    string `input:"gitlab-token" help:"project access token of GitLab with the scope api; default: $GITLAB_TOKEN"`
	Environment    string `input:"environment" help:"environment to make a deployment for when the job has none"`
	EnvironmentURL string `input:"environment-url" help:"address at which people open what is deployed; shown with the deployment and linked in alerts; default: that of the job's environment"`
	reportInputs
}

// reportInputs say where the report goes.
type reportInputs struct {
	ReportDir string `input:"report-dir" help:"directory to write report.html, report.json and report.junit.xml to, and in a job of GitLab penstock.env and annotations.json"`
}

// The bounds of what a run that is over still writes.
const (
	publishLimit    = 15 * time.Second        // the last page of everything that shows the run
	publishStopped  = 2500 * time.Millisecond // of a cancelled job, which is killed soon
	forgeTimeout    = 15 * time.Second
	summaryLimit    = 900 << 10 // bytes; the job's other steps want some of GitHub's megabyte
	annotationTitle = "Penstock"
)

// bulletin is what a run publishes beside its log: pages on the forge, outputs of the job, and files. Nothing of it ever
// changes the run: what cannot be written is a warning.
type bulletin struct {
	app     *App
	id      string // of this run, the same for all of its canaries
	in      forgeInputs
	ci      forge.CI
	github  *forge.GitHub  // nil when nothing is shown there
	actions *forge.Actions // nil outside GitHub Actions
	office  *officeOf      // of a server, which has no job of its own; nil in a job
}

// bulletin reads what the CI job knows of itself. The error lists what is wrong with the inputs.
func (a *App) bulletin(in forgeInputs) (*bulletin, error) {
	b := &bulletin{app: a, in: in, id: runID()}
	var problems []error
	if in.Forge != "auto" && in.Forge != "none" {
		problems = append(problems, fmt.Errorf("forge: %q is not known; allowed are auto and none", in.Forge))
	}
	if u, err := url.Parse(in.EnvironmentURL); in.EnvironmentURL != "" && (err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http") {
		problems = append(problems, fmt.Errorf("environment-url: %q is not an http:// or https:// URL such as https://shop.example.com", in.EnvironmentURL))
	}
	if in.ReportDir != "" {
		if err := os.MkdirAll(in.ReportDir, 0o755); err != nil {
			problems = append(problems, fmt.Errorf("report-dir: %w", err))
		}
	}
	if err := errors.Join(problems...); err != nil {
		return nil, badInput(err)
	}
	if in.Forge == "none" {
		return b, nil
	}
	var err error
	if b.ci, err = forge.ReadCI(a.Getenv, os.ReadFile); err != nil {
		a.warn(fmt.Errorf("the run is not shown on the forge, since what the job says of itself cannot be read: %w", err))
		b.ci = forge.CI{}
		return b, nil
	}
	if in.Environment != "" && b.ci.Environment == "" && b.ci.Platform == forge.PlatformGitHub {
		b.ci.Environment = in.Environment
	}
	b.ci.EnvironmentURL = orElse(in.EnvironmentURL, b.ci.EnvironmentURL)
	if b.ci.Platform == forge.PlatformGitHub {
		b.actions = forge.NewActions(a.Stderr, a.Getenv) // the runner reads both streams, and stdout may be a JSON document
		b.openGitHub()
	}
	return b, nil
}

func (b *bulletin) openGitHub() {
	token := orElse(b.in.GitHubToken, b.app.Getenv("GITHUB_TOKEN"))
	if token == "" {
		b.app.warn(errors.New("nothing is shown on GitHub beside the job: there is no token; " +
			"pass github-token: ${{ github.token }}, and the job permissions checks: write and pull-requests: write"))
		return
	}
	if token != b.app.Getenv("GITHUB_TOKEN") { // that one the runner knows itself
		if err := b.actions.Mask(token); err != nil {
			b.app.warn(err)
		}
	}
	client := httpx.New(httpx.Options{Version: b.app.Version, Timeout: forgeTimeout, MaxBody: forge.MaxBody})
	var err error
	b.github, err = forge.NewGitHub(forge.GitHubConfig{
		CI: b.ci, Token: forge.Token(token), Client: client, CreateDeployment: b.in.Environment != "",
	})
	if err != nil {
		b.app.warn(fmt.Errorf("nothing is shown on GitHub beside the job: %w", err))
		b.github = nil
	}
}

// identify tells a run who it is.
func (b *bulletin) identify(d *drive) {
	d.id, d.runURL, d.commit, d.job = b.id, b.ci.RunURL, b.ci.SHA, keptJob{b.ci, b.in.Environment}
}

// asked returns what the deployment that started the job asks for, where the command line leaves it open.
func (b *bulletin) asked(images, args []string) ([]string, []string, error) {
	payload := b.ci.Deployment.Payload
	if len(images) == 0 && len(payload.Image) > 0 {
		images = payload.Image
		if _, err := parseImages(images); err != nil {
			return nil, nil, fmt.Errorf("payload of the deployment: %w", err)
		}
	}
	if name := cmp.Or(b.ci.Resumes.Canary, payload.Canary); len(args) == 0 && name != "" {
		args = []string{name}
	}
	return images, args, nil
}

// surfaces returns what shows the rollout of a canary.
func (b *bulletin) surfaces(ctx context.Context, c *canary.Canary) []forge.Surface {
	r := forge.Rollout{ID: b.ci.Origin() + "/" + c.Namespace + "/" + c.Name, Namespace: c.Namespace, Canary: c.Name}
	switch {
	case b.office != nil:
		return b.succeed(ctx, r)
	case b.github != nil:
		return b.github.Surfaces(r)
	case b.ci.Platform == forge.PlatformGitLab:
		surfaces, warnings, err := forge.NewGitLab(b.gitlabConfig(r))
		if err != nil {
			warnings = append(warnings, fmt.Sprintf("nothing is shown on GitLab beside the job: %v", err))
		}
		for _, warning := range warnings {
			b.app.warn(errors.New(warning))
		}
		return surfaces
	}
	return nil
}

// outputs are those of the job.
func outputs(r *report.Result, s *report.Snapshot, runURL string) []forge.Pair {
	state, _ := r.Outcome.MarshalText()
	return []forge.Pair{
		{Name: "state", Value: string(state)}, {Name: "phase", Value: string(s.Status.Phase)}, {Name: "reason", Value: string(r.Reason)},
		{Name: "message", Value: report.Clean(r.Message)}, {Name: "canary", Value: r.Namespace + "/" + r.Canary},
		{Name: "weight", Value: strconv.Itoa(int(r.Weight))}, {Name: "failed-checks", Value: strconv.Itoa(r.FailedChecks)},
		{Name: "revision", Value: r.Revision}, {Name: "report-url", Value: runURL},
	}
}

// warn says what went wrong beside the run.
func (a *App) warn(err error) {
	if a.warned != nil {
		a.warned(err)
		return
	}
	a.say("warning: " + report.Clean(err.Error()) + "\n")
}

// say writes to the log. No line of it is a command to a CI runner, whatever it holds.
func (a *App) say(text string) {
	w := forge.Plain(a.Stderr)
	_, _ = io.WriteString(w, text)
	_ = w.Close()
}

// deadline is how long the last pages may take.
func (b *bulletin) deadline(ctx context.Context, cancelled bool) (context.Context, context.CancelFunc) {
	limit := publishLimit
	if cancelled {
		limit = publishStopped
	}
	return context.WithTimeout(context.WithoutCancel(ctx), limit)
}

func orElse(text, fallback string) string {
	if text != "" {
		return text
	}
	return fallback
}
