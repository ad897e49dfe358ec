package cli

import (
	"k8s.io/utils/clock"

	"github.com/penstock-dev/penstock/internal/forge"
	"github.com/penstock-dev/penstock/internal/report"
)

// folder puts parts of a log under titles, for people to fold.
type folder interface {
	Open(title string) error
	Close() error
}

// folder is that of the CI job whose log is standard error, or nil: nobody could fold a plain pipe.
func (a *App) folder(c clock.PassiveClock) folder {
	switch {
	case a.Getenv("GITHUB_ACTIONS") == "true":
		return actionsFolder{forge.NewActions(a.Stderr, a.Getenv)} // the runner reads both streams, and stdout may be a JSON document
	case a.Getenv("GITLAB_CI") == "true":
		return sectionFolder{forge.NewGitLabSections(a.Stderr, c)}
	}
	return nil
}

type actionsFolder struct{ actions *forge.Actions }

func (f actionsFolder) Open(title string) error { return f.actions.Group(title) }
func (f actionsFolder) Close() error            { return f.actions.EndGroup() }

// sectionFolder leaves its parts open: GitLab shows a section that is not collapsed as it shows any other lines.
type sectionFolder struct{ sections *forge.GitLabSections }

func (f sectionFolder) Open(title string) error { return f.sections.Open("penstock", title, false) }
func (f sectionFolder) Close() error            { return f.sections.Close() }

// chapters folds the lines of each step of a rollout. Parts of a log do not nest on GitHub, so that one is closed before
// the next is opened. An output that is gone does not stop a rollout.
type chapters struct {
	to    folder // nil folds nothing
	title string
}

// turn begins the part of the log that a snapshot's line belongs to, unless it is the one that is open.
func (c *chapters) turn(s report.Snapshot) {
	title := report.Chapter(s)
	if c.to == nil || title == c.title {
		return
	}
	c.end()
	if c.title = title; title != "" {
		_ = c.to.Open(title)
	}
}

// end closes the part that is open. Calling it again is harmless.
func (c *chapters) end() {
	if c.to != nil && c.title != "" {
		_ = c.to.Close()
	}
	c.title = ""
}
