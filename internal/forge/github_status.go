package forge

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/google/go-github/v60/github"
)

const (
	// GitHub takes 1,000 statuses of a commit and context, and refuses the rest. The last ones are for changes of state.
	statusLimit = 900

	// contextLimit is the longest context; more is refused.
	contextLimit = 255
)

// commitStatus shows a rollout as a status of its commit, where check runs cannot be written. Anybody who can push can
// write the same, and it has room for one line only.
type commitStatus struct {
	g       *GitHub
	rollout Rollout
	written int
	told    string // the last state
	text    string // the last description
}

func (c *commitStatus) Name() string { return "commit status" }

func (c *commitStatus) Show(ctx context.Context, p Page) error {
	state, text := statusState(p), line(p.Title, descriptionLimit)
	if state == c.told && (text == c.text || c.written >= statusLimit && !p.Final) {
		return nil
	}
	err := c.g.call(ctx, "write the commit status", func(ctx context.Context) error {
		// A lost answer costs nothing: the newest status of a context is the only one that is shown.
		_, _, err := c.g.api.Repositories.CreateStatus(ctx, c.g.owner, c.g.repo, c.g.ci.SHA, &github.RepoStatus{
			State:       &state,
			Description: &text,
			Context:     github.String(line("canary/"+c.rollout.name(), contextLimit)),
			TargetURL:   optional(c.g.ci.RunURL),
		})
		return err
	})
	if err != nil {
		return c.g.refused(c.Name(), "`statuses: write`", err)
	}
	c.written++
	c.told, c.text = state, text
	return nil
}

// statusState is the nearest that commit statuses know. Only what ended well lets a merge through.
func statusState(p Page) string {
	switch {
	case !p.Final, p.State == ActionRequired:
		return "pending"
	case p.State == Success, p.State == Neutral:
		return "success"
	case p.State == Failure, p.State == TimedOut:
		return "failure"
	}
	return "error"
}

// commitSurface is a check run, or a commit status if the token is of a person: check runs are for GitHub Apps only, of
// which the token of a job is one.
type commitSurface struct {
	check  *checkRun
	status *commitStatus
	person bool // the check run was refused for that reason
}

func (c *commitSurface) Name() string {
	if c.person {
		return c.status.Name()
	}
	return c.check.Name()
}

// Link leads to the check run; a commit status has no page of its own.
func (c *commitSurface) Link() Link { return c.check.Link() }

func (c *commitSurface) Show(ctx context.Context, p Page) error {
	if !c.person {
		err := c.check.Show(ctx, p)
		if c.person = ofPerson(err); !c.person {
			return err
		}
	}
	return c.status.Show(ctx, p)
}

// ofPerson reports whether GitHub refused because of whose the token is. Only its words tell that from a permission
// that an App lacks.
func ofPerson(err error) bool {
	var answer *answerError
	if !errors.As(err, &answer) || answer.status != http.StatusForbidden {
		return false
	}
	message := strings.ToLower(answer.message)
	return strings.Contains(message, "authenticate via a github app") || strings.Contains(message, "personal access token")
}
