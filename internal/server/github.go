package server

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/penstock-dev/penstock/internal/approval"
)

// The events of GitHub that are read.
const (
	issueComment = "issue_comment"
	review       = "pull_request_review"
	pullRequest  = "pull_request"
	ruleAsked    = "deployment_protection_rule"
	workflowRun  = "workflow_run"
	workflowJob  = "workflow_job"
)

var githubEvents = []string{ping, issueComment, review, pullRequest, ruleAsked, workflowRun, workflowJob}

// githubPayload is what is read of a payload; a comment's text only tells whether to look.
type githubPayload struct {
	Action     string `json:"action"`
	Repository struct {
		ID       int64  `json:"id"`
		FullName string `json:"full_name"`
	} `json:"repository"`
	Issue struct {
		Number      int64           `json:"number"`
		PullRequest json.RawMessage `json:"pull_request"` // only there when the issue is a pull request
	} `json:"issue"`
	Comment struct {
		Body string     `json:"body"`
		User githubUser `json:"user"`
	} `json:"comment"`
	Review struct {
		Body  string     `json:"body"`
		State string     `json:"state"`
		User  githubUser `json:"user"`
	} `json:"review"`
	PullRequest struct {
		Number int64 `json:"number"`
	} `json:"pull_request"`
	Callback string `json:"deployment_callback_url"`
	Run      struct {
		ID int64 `json:"id"`
	} `json:"workflow_run"`
	Job struct {
		Run int64 `json:"run_id"`
	} `json:"workflow_job"`
	Changes struct {
		Body struct {
			From string `json:"from"`
		} `json:"body"`
	} `json:"changes"`
}

type githubUser struct {
	Type string `json:"type"`
}

// bot tells of an account that can never approve: the comments that Penstock writes itself are sent back to it too.
func (u githubUser) bot() bool { return u.Type == "Bot" }

// ParseGitHub reads a payload of GitHub. The error is one of a payload that lacks what its event always has.
func ParseGitHub(event string, body []byte, g approval.Grammar) (Notice, error) {
	if event == other || event == ping {
		return ignored("event"), nil
	}
	var p githubPayload
	if err := decode(body, &p); err != nil {
		return Notice{}, err
	}
	subject := Subject{Platform: approval.GitHub, Repository: p.Repository.ID, Path: p.Repository.FullName, Change: p.PullRequest.Number}
	var why string
	switch event {
	case ruleAsked, workflowRun, workflowJob:
		return p.run(event, subject)
	case issueComment:
		why, subject.Change = p.comment(g), p.Issue.Number
	case review:
		why = p.review(g)
	default:
		why = p.change()
	}
	if why != "" {
		return ignored(why), nil
	}
	return about(subject)
}

// run is about a workflow run: one of its jobs is over, or waits for a deployment protection rule.
func (p *githubPayload) run(event string, subject Subject) (Notice, error) {
	wanted := "completed"
	if event == ruleAsked {
		wanted = "requested"
	}
	if p.Action != wanted {
		return ignored("action"), nil
	}
	subject.Change = 0
	switch event {
	case workflowRun:
		subject.Run = p.Run.ID
	case workflowJob:
		subject.Run = p.Job.Run
	default:
		path, found := strings.CutSuffix(p.Callback, "/deployment_protection_rule")
		base, id, numbered := cutLast(path, "/")
		n, err := strconv.ParseInt(id, 10, 64)
		if !found || !numbered || err != nil || !strings.HasSuffix(base, "/repos/"+p.Repository.FullName+"/actions/runs") {
			return Notice{}, fmt.Errorf("%w: the rule calls back to somewhere else than its run", errPayload)
		}
		subject.Run = n
	}
	n, err := about(subject)
	n.Callback = p.Callback
	return n, err
}

func cutLast(text, separator string) (before, after string, found bool) {
	if i := strings.LastIndex(text, separator); i >= 0 {
		return text[:i], text[i+len(separator):], true
	}
	return text, "", false
}

// comment says why a comment is not worth a look.
func (p *githubPayload) comment(g approval.Grammar) string {
	switch {
	case len(p.Issue.PullRequest) == 0 || string(p.Issue.PullRequest) == "null":
		return "issue"
	case p.Action != "created" && p.Action != "edited" && p.Action != "deleted":
		return "action"
	case p.Comment.User.bot():
		return "bot"
	case !means(g, p.Comment.Body, p.Changes.Body.From): // taking a command out of a comment takes it back
		return "no command"
	}
	return ""
}

// review says why a review is not worth a look. One that approves is, whatever its text: the policy may count it.
func (p *githubPayload) review(g approval.Grammar) string {
	switch {
	case p.Action == "dismissed":
		return ""
	case p.Action != "submitted" && p.Action != "edited":
		return "action"
	case p.Review.User.bot():
		return "bot"
	case p.Review.State == "commented" && !means(g, p.Review.Body, p.Changes.Body.From):
		return "no command"
	}
	return ""
}

// change says why an event of the pull request itself is not worth a look: only new commits and its end are.
func (p *githubPayload) change() string {
	if p.Action != "synchronize" && p.Action != "closed" {
		return "action"
	}
	return ""
}
