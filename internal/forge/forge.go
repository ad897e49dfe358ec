// Package forge shows a rollout where reviewers look, on GitHub and GitLab: check runs, commit statuses, comments,
// deployments. What is shown comes from internal/report as finished text; nothing here knows what a rollout is.
package forge

import (
	"context"
	"fmt"
)

// Platform is the forge whose job runs. The zero value is none.
type Platform string

// The platforms.
const (
	PlatformGitHub Platform = "github"
	PlatformGitLab Platform = "gitlab"
)

// Title is the platform's name as it writes it itself.
func (p Platform) Title() string {
	switch p {
	case PlatformGitHub:
		return "GitHub"
	case PlatformGitLab:
		return "GitLab"
	}
	return string(p)
}

// State is how a rollout stands, in words that both platforms can be told. The zero value is shown as in progress, so
// that a state that nobody set is never taken for a success.
type State int

// The states.
const (
	InProgress State = iota
	Queued
	Success
	Failure   // the canary failed its analysis
	Error     // the rollout could not be finished
	Cancelled // somebody stopped it
	TimedOut
	ActionRequired // waits for an approval
	Neutral        // nothing was decided: superseded, or nothing to do
)

// stateNames are for logs and error messages.
var stateNames = [...]string{"in progress", "queued", "success", "failure", "error", "cancelled", "timed out", "action required", "neutral"}

// String names the state in plain words.
func (s State) String() string {
	if s < 0 || int(s) >= len(stateNames) {
		return fmt.Sprintf("State(%d)", int(s))
	}
	return stateNames[s]
}

// Rollout names what is reported: one per canary.
type Rollout struct {
	ID        string // of the rollout; a new run that resumes it has the same
	Namespace string
	Canary    string
}

// name is how people call the rollout's canary.
func (r Rollout) name() string { return r.Namespace + "/" + r.Canary }

// Page is what is shown now.
type Page struct {
	Title string // one line, such as "30% · step 3/5 · success-rate 99.8% · next in 40s"
	Body  string // markdown of the platform that shows it
	State State
	Final bool // nothing comes after it
}

// Surface is one object that shows a page: a check run, a commit status, a comment, a deployment.
type Surface interface {
	// Name says what it is, for warnings: "check run".
	Name() string
	// Show creates the object at first, and then edits it in place. It may be called again with the same page. A
	// *DisabledError says that no later page can be shown either.
	Show(ctx context.Context, p Page) error
}

// DisabledError says that a surface can show nothing in this run, and what would change that.
type DisabledError struct {
	Surface string
	Need    string // "the permission checks: write"
	Err     error  // the answer that said so; may be nil
}

func (e *DisabledError) Error() string {
	s := fmt.Sprintf("no %s is shown: it needs %s", e.Surface, e.Need)
	if e.Err != nil {
		s += fmt.Sprintf(" (%v)", e.Err)
	}
	return s
}

func (e *DisabledError) Unwrap() error { return e.Err }
