package forge

import (
	"cmp"
	"context"
	"net/http"

	"github.com/google/go-github/v60/github"
)

const (
	checkLimit = 65_535 // of a check run's summary; longer ones are refused
	titleLimit = 255
	pageSize   = 100
	maxPages   = 100 // a bound on what is looked through: nobody reads on after 10,000 comments
)

// checkRun shows a rollout among the checks of its commit. It belongs to the rollout, not to the job: a job that
// resumes a rollout goes on with the check run of the one before.
type checkRun struct {
	g       *GitHub
	rollout Rollout
	id      int64 // 0 before it is found or created
	place   place
}

func (c *checkRun) Name() string { return "check run" }

// Link leads to the check run's own page, which has the report.
func (c *checkRun) Link() Link { return Link{"Report", c.place.at()} }

func (c *checkRun) title() string { return "Canary " + c.rollout.name() }

// mark is the external id that tells our check run from others of the same name.
func (c *checkRun) mark() string { return "penstock:" + c.rollout.ID }

func (c *checkRun) Show(ctx context.Context, p Page) error {
	return c.g.refused(c.Name(), "`checks: write`", c.show(ctx, p))
}

func (c *checkRun) show(ctx context.Context, p Page) error {
	if c.id == 0 {
		// Looked up before every creation: the answer to the one before may have been lost on the way.
		id, err := c.find(ctx)
		if err != nil {
			return err
		}
		if c.id = id; id == 0 {
			return c.create(ctx, p)
		}
	}
	err := c.update(ctx, p)
	if statusOf(err) == http.StatusNotFound {
		c.id = 0 // gone, as GitHub drops old check runs
		return c.create(ctx, p)
	}
	if statusOf(err) == http.StatusForbidden && c.g.succeeds && p.Final { // an App may change no check run but its own
		if again := c.create(ctx, p); again == nil {
			return nil
		}
	}
	return err
}

// find looks for the check run of this rollout, over all pages.
func (c *checkRun) find(ctx context.Context) (int64, error) {
	name, filter := c.title(), "all" // "latest" hides ours behind one of the same name
	opts := &github.ListCheckRunsOptions{CheckName: &name, Filter: &filter, ListOptions: github.ListOptions{PerPage: pageSize}}
	for range maxPages {
		var found *github.ListCheckRunsResults
		var resp *github.Response
		err := c.g.call(ctx, "look for the check run", func(ctx context.Context) (err error) {
			found, resp, err = c.g.api.Checks.ListCheckRunsForRef(ctx, c.g.owner, c.g.repo, c.g.ci.SHA, opts)
			return err
		})
		if err != nil {
			return 0, err
		}
		for _, run := range found.CheckRuns {
			if run.GetExternalID() == c.mark() && run.GetName() == name {
				c.place.is(run.GetHTMLURL())
				return run.GetID(), nil
			}
		}
		if opts.Page = resp.NextPage; opts.Page == 0 {
			break
		}
	}
	return 0, nil
}

func (c *checkRun) create(ctx context.Context, p Page) error {
	status, conclusion := checkState(p)
	return c.g.call(ctx, "create the check run", func(ctx context.Context) error {
		run, _, err := c.g.api.Checks.CreateCheckRun(ctx, c.g.owner, c.g.repo, github.CreateCheckRunOptions{
			Name:       c.title(),
			HeadSHA:    c.g.ci.SHA,
			ExternalID: github.String(c.mark()),
			DetailsURL: optional(c.g.ci.RunURL),
			Status:     &status,
			Conclusion: optional(conclusion),
			Output:     checkOutput(p),
		})
		if err == nil {
			c.id = run.GetID()
			c.place.is(run.GetHTMLURL())
		}
		return err
	})
}

func (c *checkRun) update(ctx context.Context, p Page) error {
	status, conclusion := checkState(p)
	return c.g.call(ctx, "update the check run", func(ctx context.Context) error {
		_, _, err := c.g.api.Checks.UpdateCheckRun(ctx, c.g.owner, c.g.repo, c.id, github.UpdateCheckRunOptions{
			Name:       c.title(),
			DetailsURL: optional(c.g.ci.RunURL),
			Status:     &status,
			Conclusion: optional(conclusion),
			Output:     checkOutput(p),
		})
		return err
	})
}

func checkOutput(p Page) *github.CheckRunOutput {
	// Neither may be empty.
	title := cmp.Or(line(p.Title, titleLimit), p.State.String())
	summary := cmp.Or(cut(p.Body, checkLimit), title)
	return &github.CheckRunOutput{Title: &title, Summary: &summary}
}

// checkState returns the status, and the conclusion of a completed check run. A page that is not final never completes
// one, so that a merge never goes through on the way.
func checkState(p Page) (status, conclusion string) {
	if !p.Final {
		if p.State == Queued {
			return "queued", ""
		}
		return "in_progress", ""
	}
	switch p.State {
	case Success:
		return "completed", "success"
	case Cancelled:
		return "completed", "cancelled"
	case TimedOut:
		return "completed", "timed_out"
	case ActionRequired:
		return "completed", "action_required"
	case Neutral:
		return "completed", "neutral"
	case InProgress, Queued, Failure, Error:
	}
	// An end in a state that is none is a mistake, and must not let a merge through.
	return "completed", "failure"
}

// optional is nil for an empty text: GitHub refuses empty URLs and conclusions.
func optional(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}
