package forge

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/penstock-dev/penstock/internal/approval"
)

// githubStarter starts runs on GitHub.
type githubStarter struct {
	Resume
	office     *Office
	repository []string // its path, in parts
	job        int64    // to run again; known when the run is ready
}

// The names of what a dispatched run is told, as inputs of the workflow and in the payload of the event.
const (
	resumeRollout = "penstock-rollout" // the id of the run that has suspended it
	resumeCanary  = "penstock-canary"  // its name
	resumeSHA     = "penstock-sha"     // the commit that the rollout is of
	resumeRun     = "penstock-run"     // the number of the workflow run that has suspended it
)

// clockSkew is by how much the clocks of a forge and of this machine may differ.
const clockSkew = 2 * time.Minute

func (o *Office) githubStarter(r Resume) (*githubStarter, error) {
	parts, err := o.parts(approval.GitHub, r.CI.Repository)
	switch {
	case err != nil:
		return nil, &refusal{err.Error()}
	case !digits.MatchString(r.CI.RunID):
		return nil, refuses("%q is not the number of a workflow run", r.CI.RunID)
	case r.Means.Kind == ProtectionRule && o.app == nil:
		return nil, refuses("only the GitHub App whose rule it is can answer a deployment protection rule, and the server is none; give it --github-app-id")
	}
	return &githubStarter{Resume: r, office: o, repository: parts}, nil
}

// ask sends one request about the repository.
func (s *githubStarter) ask(ctx context.Context, what, method, path string, body, into any) error {
	g, err := s.office.githubFor(ctx, s.repository)
	if err != nil {
		return err
	}
	return g.call(ctx, what, func(ctx context.Context) error {
		req, err := g.api.NewRequest(method, "repos/"+s.CI.Repository+"/"+path, body)
		if err != nil {
			return err
		}
		_, err = g.api.Do(ctx, req, into)
		return err
	})
}

// githubRun is a workflow run.
type githubRun struct {
	Status     string    `json:"status"`
	Attempt    int       `json:"run_attempt"`
	Title      string    `json:"display_title"`
	Created    time.Time `json:"created_at"`
	Repository struct {
		ID int64 `json:"id"`
	} `json:"repository"`
}

func (s *githubStarter) run(ctx context.Context) (githubRun, error) {
	var run githubRun
	err := s.ask(ctx, "read the workflow run", http.MethodGet, "actions/runs/"+s.CI.RunID, nil, &run)
	if err == nil && run.Repository.ID != s.CI.RepositoryID {
		err = errMoved(s.CI.Repository, run.Repository.ID, s.CI.RepositoryID)
	}
	return run, err
}

// Ready implements Starter. A job can run again once all of its run is over; every other means needs nothing to be over.
func (s *githubStarter) Ready(ctx context.Context) (string, error) {
	run, err := s.run(ctx)
	switch {
	case err != nil:
		return "", err
	case s.Means.Kind == ProtectionRule:
		return s.pending(ctx)
	case s.Means.Kind != Rerun:
		return "", nil
	case run.Status != "completed":
		return "the workflow run that suspended it has to be over first; it is " + line(run.Status, 40), nil
	case run.Attempt > s.CI.Attempt:
		return "", refuses("attempt %d of the workflow run has run already, and has not taken the rollout up", run.Attempt)
	}
	return "", s.findJob(ctx)
}

// findJob finds the job to run again, by its name: a job is not told its number.
func (s *githubStarter) findJob(ctx context.Context) error {
	name := cmp.Or(s.Means.Name, s.CI.JobID)
	jobs, err := s.jobs(ctx)
	if err != nil {
		return err
	}
	var names []string
	for _, job := range jobs {
		if job.Name == name {
			s.job = job.ID
			return nil
		}
		names = append(names, fmt.Sprintf("%q", line(job.Name, 80)))
	}
	return refuses("the workflow run has no job called %q; it has %s: say which one in --resume rerun:JOB", name, strings.Join(names[:min(len(names), 10)], ", "))
}

// githubJob is a job of a workflow run.
type githubJob struct {
	ID     int64  `json:"id"`
	Name   string `json:"name"`
	Status string `json:"status"`
}

// jobs are those of the attempt that has suspended the rollout.
func (s *githubStarter) jobs(ctx context.Context) ([]githubJob, error) {
	var all []githubJob
	for page := 1; page <= maxPages; page++ {
		var found struct {
			Jobs []githubJob `json:"jobs"`
		}
		path := fmt.Sprintf("actions/runs/%s/attempts/%d/jobs?per_page=%d&page=%d", s.CI.RunID, max(1, s.CI.Attempt), pageSize, page)
		if err := s.ask(ctx, "list the jobs of the workflow run", http.MethodGet, path, nil, &found); err != nil {
			return nil, err
		}
		if all = append(all, found.Jobs...); len(found.Jobs) < pageSize {
			break
		}
	}
	return all, nil
}

// pending reports what has to happen before the rule can be answered: GitHub has to ask first.
func (s *githubStarter) pending(ctx context.Context) (string, error) {
	var waiting []struct {
		Environment struct {
			Name string `json:"name"`
		} `json:"environment"`
	}
	err := s.ask(ctx, "read the pending deployments", http.MethodGet, "actions/runs/"+s.CI.RunID+"/pending_deployments", nil, &waiting)
	if err != nil {
		return "", err
	}
	for _, one := range waiting {
		if strings.EqualFold(one.Environment.Name, s.Means.Name) {
			return "", nil
		}
	}
	return fmt.Sprintf("no job of the workflow run waits for the environment %q yet", s.Means.Name), nil
}

// Start implements Starter.
func (s *githubStarter) Start(ctx context.Context) error {
	switch s.Means.Kind {
	case Rerun:
		return s.ask(ctx, "run the job again", http.MethodPost, fmt.Sprintf("actions/jobs/%d/rerun", s.job), nil, nil)
	case Workflow:
		body := map[string]any{"ref": s.ref(), "inputs": s.told()}
		return s.ask(ctx, "start the workflow "+s.Means.Name, http.MethodPost, "actions/workflows/"+url.PathEscape(s.Means.Name)+"/dispatches", body, nil)
	case Dispatch:
		payload := s.told()
		payload["penstock-namespace"], payload["penstock-image"] = s.Namespace, s.Image
		body := map[string]any{"event_type": s.Means.Name, "client_payload": payload}
		return s.ask(ctx, "send the event "+s.Means.Name, http.MethodPost, "dispatches", body, nil)
	case ProtectionRule:
		return s.report(ctx, "approved", s.Comment)
	case Play, Trigger:
	}
	return refuses("GitHub has no means %s", s.Means)
}

// Refuse implements Refuser. Only a rule can be told.
func (s *githubStarter) Refuse(ctx context.Context, why string) error {
	if s.Means.Kind != ProtectionRule {
		return nil
	}
	if waits, err := s.Ready(ctx); err != nil || waits != "" {
		return err
	}
	return s.report(ctx, "rejected", why)
}

// Wait implements Waiter. Only a rule can be told.
func (s *githubStarter) Wait(ctx context.Context, what string) error {
	if s.Means.Kind != ProtectionRule {
		return nil
	}
	if waits, err := s.Ready(ctx); err != nil || waits != "" {
		return err
	}
	return s.report(ctx, "", what)
}

// ruleComment is the longest comment of a rule, in characters.
const ruleComment = 1024

// report answers the rule, at the address to which GitHub has asked to be called back. It is made of what is known of the
// run: an address that came by a webhook is never called.
func (s *githubStarter) report(ctx context.Context, state, comment string) error {
	body := map[string]string{"environment_name": s.Means.Name, "comment": line(comment, ruleComment)}
	if state != "" {
		body["state"] = state
	}
	return s.ask(ctx, "answer the deployment protection rule", http.MethodPost, "actions/runs/"+s.CI.RunID+"/deployment_protection_rule", body, nil)
}

// told is what the run that is started learns.
func (s *githubStarter) told() map[string]string {
	return map[string]string{resumeRollout: s.Rollout, resumeCanary: s.Canary, resumeSHA: s.CI.SHA, resumeRun: s.CI.RunID}
}

// ref is the branch or tag on which a workflow is started: a commit is none.
func (s *githubStarter) ref() string {
	if s.Means.Ref != "" {
		return s.Means.Ref
	}
	return strings.TrimPrefix(strings.TrimPrefix(s.CI.Ref, "refs/heads/"), "refs/tags/")
}

// Look implements Starter.
func (s *githubStarter) Look(ctx context.Context, since time.Time) (Found, error) {
	switch s.Means.Kind {
	case Rerun:
		run, err := s.run(ctx)
		if err == nil && run.Attempt > s.CI.Attempt {
			return Started, nil
		}
		return Nothing, err
	case ProtectionRule:
		waits, err := s.pending(ctx)
		if err == nil && waits != "" {
			return Started, nil // it waited before, and somebody has answered
		}
		return Nothing, err
	case Workflow:
		return s.lookFor(ctx, "actions/workflows/"+url.PathEscape(s.Means.Name)+"/runs?event=workflow_dispatch", since)
	case Dispatch:
		return s.lookFor(ctx, "actions/runs?event=repository_dispatch", since)
	case Play, Trigger:
	}
	return Unsure, nil
}

// lookFor looks for a run among those that were dispatched since then. GitHub does not tell what a run was told; a run whose
// name holds the rollout is ours, and where there is no run at all there is none of ours.
func (s *githubStarter) lookFor(ctx context.Context, path string, since time.Time) (Found, error) {
	var all struct {
		Runs []githubRun `json:"workflow_runs"` // the newest first
	}
	err := s.ask(ctx, "look for the run", http.MethodGet, fmt.Sprintf("%s&per_page=%d", path, pageSize), nil, &all)
	if err != nil {
		return Unsure, err
	}
	found := Nothing
	for _, run := range all.Runs {
		switch {
		case run.Created.Before(since.Add(-clockSkew)):
		case s.Rollout != "" && strings.Contains(run.Title, s.Rollout):
			return Started, nil
		default:
			found = Unsure
		}
	}
	return found, nil
}

// ByHand implements Starter.
func (s *githubStarter) ByHand() string {
	switch s.Means.Kind {
	case Rerun:
		if s.job != 0 {
			return fmt.Sprintf("gh run rerun --job %d --repo %s", s.job, s.CI.Repository)
		}
		return fmt.Sprintf("gh run rerun %s --repo %s", s.CI.RunID, s.CI.Repository)
	case Workflow:
		text := fmt.Sprintf("gh workflow run %s --repo %s --ref %s", s.Means.Name, s.CI.Repository, s.ref())
		for _, name := range []string{resumeRollout, resumeCanary, resumeSHA, resumeRun} {
			text += fmt.Sprintf(" -f %s=%s", name, s.told()[name])
		}
		return text
	case Dispatch:
		text := fmt.Sprintf("gh api repos/%s/dispatches -f event_type=%s", s.CI.Repository, s.Means.Name)
		for _, name := range []string{resumeRollout, resumeCanary, resumeSHA, resumeRun} {
			text += fmt.Sprintf(" -f 'client_payload[%s]=%s'", name, s.told()[name])
		}
		return text
	case ProtectionRule, Play, Trigger:
	}
	return "open " + s.office.githubPage(s.CI) + " and let the job of the environment " + s.Means.Name + " start"
}

// githubPage is the page of the run that has suspended the rollout.
func (o *Office) githubPage(ci CI) string {
	server := "https://github.com"
	if u, err := url.Parse(ci.Server); err == nil && u.Host != "" && (u.Scheme == "https" || u.Scheme == "http") {
		server = u.Scheme + "://" + u.Host
	}
	return server + "/" + ci.Repository + "/actions/runs/" + ci.RunID
}
