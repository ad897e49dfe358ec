package forge

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/xanzy/go-gitlab"

	"github.com/penstock-dev/penstock/internal/httpx"
	"github.com/penstock-dev/penstock/internal/report"
)

// gitlabError is a request that GitLab did not do, or did not say that it did.
type gitlabError struct {
	message   string
	status    int  // 0: there was no answer
	transient bool // the same request may succeed a little later
	unsure    bool // GitLab may have done what it was asked to
	cause     error
}

func (e *gitlabError) Error() string { return e.message }

func (e *gitlabError) Unwrap() error { return e.cause }

func gitlabUnsure(err error) bool {
	failed := (*gitlabError)(nil)
	return errors.As(err, &failed) && failed.unsure
}

func gitlabStatusOf(err error) int {
	failed := (*gitlabError)(nil)
	if errors.As(err, &failed) {
		return failed.status
	}
	return 0
}

// explain turns an error of the library into one that shows no secrets and says what to do next.
func (a *gitlabAPI) explain(resp *gitlabAnswer, err error, within time.Duration) *gitlabError {
	if resp == nil {
		err = httpx.Explain(err, a.client.BaseURL().String(), within)
		return &gitlabError{message: a.secrets.Hide(err.Error()), transient: httpx.IsTransient(err), unsure: true, cause: err}
	}
	status := resp.StatusCode
	if status < http.StatusMultipleChoices {
		return &gitlabError{message: "GitLab's answer cannot be read", status: status, transient: true, unsure: true}
	}
	return &gitlabError{
		message: strings.TrimSpace(fmt.Sprintf("GitLab answers %d %s", status, http.StatusText(status))) + a.said(err),
		status:  status,
		// GitLab locks a commit while it writes a status: 409 means that another job wrote for very long. A 403 that says
		// when to come back is a limit and no denial.
		transient: httpx.Retryable(status) || status == http.StatusConflict || gitlabLimited(resp),
		unsure:    status >= http.StatusInternalServerError || status == http.StatusRequestTimeout,
	}
}

func gitlabLimited(resp *gitlabAnswer) bool {
	return resp.StatusCode == http.StatusForbidden && resp.Header.Get("Retry-After") != ""
}

const gitlabMaxSaid = 300

// said returns GitLab's own words. A page of HTML, as proxies send, is no words.
func (a *gitlabAPI) said(err error) string {
	answer := (*gitlab.ErrorResponse)(nil)
	if !errors.As(err, &answer) || answer.Message == "" || strings.HasPrefix(answer.Message, "failed to parse unknown error format") {
		return ""
	}
	return ": " + gitlabCut(report.Clean(a.secrets.Hide(httpx.Redact(answer.Message))), gitlabMaxSaid)
}

// gitlabCut shortens text to at most n characters; GitLab counts characters, not bytes.
func gitlabCut(text string, n int) string {
	if len(text) <= n {
		return text
	}
	runes := []rune(text)
	if len(runes) <= n {
		return text
	}
	return string(runes[:n-1]) + "…"
}
