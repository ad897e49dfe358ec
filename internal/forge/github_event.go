package forge

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// event is what the file at GITHUB_EVENT_PATH has that a rollout needs; each event has some of it.
type event struct {
	Deployment       *deploymentEvent `json:"deployment"`
	DeploymentStatus *struct {
		EnvironmentURL string `json:"environment_url"`
	} `json:"deployment_status"`
	PullRequest *struct {
		Number int       `json:"number"`
		Head   commitRef `json:"head"`
		Base   commitRef `json:"base"`
	} `json:"pull_request"`
	Release *struct {
		TagName string `json:"tag_name"`
	} `json:"release"`
	WorkflowRun *struct {
		HeadSHA        string      `json:"head_sha"`
		HeadBranch     string      `json:"head_branch"`
		HeadRepository *repository `json:"head_repository"`
		PullRequests   []struct {
			Number int `json:"number"`
		} `json:"pull_requests"`
	} `json:"workflow_run"`
	Repository *repository                `json:"repository"`
	Inputs     map[string]json.RawMessage `json:"inputs"`         // of a workflow that was dispatched
	Payload    map[string]json.RawMessage `json:"client_payload"` // of repository_dispatch
}

type repository struct {
	ID int64 `json:"id"`
}

type commitRef struct {
	SHA  string      `json:"sha"`
	Ref  string      `json:"ref"`
	Repo *repository `json:"repo"` // null when the fork was deleted
}

type deploymentEvent struct {
	ID          int64           `json:"id"`
	SHA         string          `json:"sha"`
	Ref         string          `json:"ref"`
	Task        string          `json:"task"`
	Environment string          `json:"environment"`
	Payload     json.RawMessage `json:"payload"`
}

// readEvent adds to ci what the event's file tells.
func readEvent(ci *CI, path string, readFile func(string) ([]byte, error)) error {
	text, err := readFile(path)
	if err != nil {
		return fmt.Errorf("read the event at GITHUB_EVENT_PATH: %w", err)
	}
	var e event
	if err := json.Unmarshal(text, &e); err != nil {
		return fmt.Errorf("read the event at GITHUB_EVENT_PATH, %q: %w", path, err)
	}
	if e.Repository != nil && ci.RepositoryID == 0 {
		ci.RepositoryID = e.Repository.ID // GitHub Enterprise Server before 3.10 has no GITHUB_REPOSITORY_ID
	}
	switch ci.Event {
	case "deployment", "deployment_status":
		return e.deployment(ci)
	case "pull_request", "pull_request_target", "pull_request_review":
		return e.pullRequest(ci)
	case "workflow_run":
		return e.workflowRun(ci)
	case "workflow_dispatch":
		return resumes(ci, e.Inputs)
	case "repository_dispatch":
		return resumes(ci, e.Payload)
	case "release":
		if e.Release != nil && e.Release.TagName != "" {
			ci.Ref = "refs/tags/" + e.Release.TagName
		}
	}
	return nil // push, schedule and all others: the variables tell everything
}

// resumes reads which rollout the job was started for, as githubStarter tells it. A job that somebody else has dispatched is
// told nothing of that.
func resumes(ci *CI, told map[string]json.RawMessage) error {
	text := func(name string) string {
		var value string
		_ = json.Unmarshal(told[name], &value) // what is no text is none of ours
		return value
	}
	r := Resumes{Rollout: text(resumeRollout), Canary: text(resumeCanary), Run: text(resumeRun)}
	if r.Rollout == "" {
		return nil
	}
	sha := text(resumeSHA)
	if !commitID.MatchString(sha) || !digits.MatchString(r.Run) || r.Canary == "" {
		return fmt.Errorf("the event %s names the rollout %q in %s, and has to name the commit in %s, the workflow run in %s and the canary in %s as well",
			ci.Event, r.Rollout, resumeRollout, resumeSHA, resumeRun, resumeCanary)
	}
	ci.Resumes, ci.SHA = r, sha
	return nil
}

func (e *event) deployment(ci *CI) error {
	d := e.Deployment
	if d == nil || d.ID == 0 || !commitID.MatchString(d.SHA) {
		return fmt.Errorf("the event %s has no deployment with an id and a commit", ci.Event)
	}
	payload, err := parsePayload(d.Payload)
	ci.SHA, ci.Ref, ci.Environment = d.SHA, d.Ref, d.Environment
	ci.Deployment = Deployment{ID: d.ID, Environment: d.Environment, Task: d.Task, Payload: payload}
	if e.DeploymentStatus != nil {
		ci.EnvironmentURL = e.DeploymentStatus.EnvironmentURL
	}
	return err
}

// pullRequest takes the head: GITHUB_SHA is a merge commit that exists only for this run, and what is written to it is
// shown nowhere.
func (e *event) pullRequest(ci *CI) error {
	p := e.PullRequest
	if p == nil || p.Number <= 0 || !commitID.MatchString(p.Head.SHA) {
		return fmt.Errorf("the event %s has no pull request with a number and a head commit", ci.Event)
	}
	ci.Request, ci.SHA, ci.Ref = p.Number, p.Head.SHA, p.Head.Ref
	ci.Fork = p.Head.Repo == nil || (p.Base.Repo != nil && p.Head.Repo.ID != p.Base.Repo.ID)
	return nil
}

// workflowRun takes the commit that the run before was for: GITHUB_SHA is the newest of the default branch.
func (e *event) workflowRun(ci *CI) error {
	w := e.WorkflowRun
	if w == nil || !commitID.MatchString(w.HeadSHA) {
		return errors.New("the event workflow_run has no head commit")
	}
	ci.SHA, ci.Ref = w.HeadSHA, w.HeadBranch
	if len(w.PullRequests) == 1 { // several requests can have the same head; the commit alone does not say which
		ci.Request = w.PullRequests[0].Number
	}
	ci.Fork = w.HeadRepository == nil || w.HeadRepository.ID != ci.RepositoryID
	return nil
}

// parsePayload reads a deployment's payload: an object, or a text that holds one, as many tools send it. A payload
// that is something else is of somebody else, and no error.
func parsePayload(raw json.RawMessage) (Payload, error) {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		raw = json.RawMessage(text)
	}
	var fields map[string]json.RawMessage
	if json.Unmarshal(raw, &fields) != nil {
		return Payload{}, nil
	}
	var p Payload
	var problems []error
	if image, ok := present(fields, "image"); ok {
		var one string
		switch {
		case json.Unmarshal(image, &one) == nil && one != "":
			p.Image = []string{one}
		case json.Unmarshal(image, &p.Image) != nil || len(p.Image) == 0 || slices.Contains(p.Image, ""):
			problems = append(problems, fmt.Errorf("the deployment's payload.image is %s, and must be an image or a list of images", image))
		}
	}
	if name, ok := present(fields, "canary"); ok && json.Unmarshal(name, &p.Canary) != nil {
		problems = append(problems, fmt.Errorf("the deployment's payload.canary is %s, and must be a text", name))
	}
	if len(problems) > 0 {
		return Payload{}, errors.Join(problems...)
	}
	return p, nil
}

// present returns a field that is there and not null.
func present(fields map[string]json.RawMessage, name string) (json.RawMessage, bool) {
	raw, ok := fields[name]
	return raw, ok && string(raw) != "null"
}
