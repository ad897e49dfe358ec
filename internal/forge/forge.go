// Package forge shows a rollout where reviewers already look: on GitHub and on GitLab.
package forge

import "context"

// Platform is where a job runs.
type Platform string

// The platforms. None is a job that runs nowhere in particular, such as on a laptop.
const (
	None           Platform = ""
	PlatformGitHub Platform = "github"
	PlatformGitLab Platform = "gitlab"
)

// CI is what the job knows of itself, one value on both platforms. It is zero outside CI.
type CI struct {
	Platform               Platform
	Server, API            string // base URLs
	RepositoryID           int64
	Repository             string // owner/name or group/project
	SHA, Ref               string // of the pull request's head, not of its merge commit
	Event                  string
	Actor, TriggeringActor string
	ActorID                int64
	Request                int  // number of the pull request, iid of the merge request; 0 when the event has none
	Fork                   bool // the request is from a fork
	Deployment             Deployment
	Environment            string
	EnvironmentURL         string
	RunURL, RunID          string
	JobID                  string
	PipelineID             int64
	Attempt                int
}

// Deployment is the deployment that a job was started for.
type Deployment struct {
	ID                int64
	Payload           Payload
	Environment, Task string
}

// Payload is what a deployment's payload says.
type Payload struct {
	Image  []string
	Canary string
}

// Rollout names what is reported: one per canary.
type Rollout struct{ ID, Namespace, Canary string }

// State is how far a rollout is.
type State string

// The states.
const (
	Queued         State = "queued"
	InProgress     State = "in_progress"
	Success        State = "success"
	Failure        State = "failure"
	Error          State = "error"
	Cancelled      State = "cancelled"
	TimedOut       State = "timed_out"
	ActionRequired State = "action_required"
	Neutral        State = "neutral"
)

// Page is what is shown now.
type Page struct {
	Title string // one line
	Body  string // markdown
	State State
	Final bool
}

// Surface is one object that shows a page: a check run, a commit status, a comment, a deployment.
type Surface interface {
	Name() string                           // for warnings
	Show(ctx context.Context, p Page) error // idempotent: creates at first, then edits in place
}

// ReadCI reads what the job knows of itself. The error lists every problem.
func ReadCI(getenv func(string) string, _ func(string) ([]byte, error)) (CI, error) {
	if getenv("GITLAB_CI") == "true" {
		return readGitLab(getenv)
	}
	return CI{}, nil
}
