package forge

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/go-github/v60/github"

	"github.com/penstock-dev/penstock/internal/httpx"
)

// secondaryWait is how long to stay away when GitHub limits without saying for how long, as it asks for.
const secondaryWait = time.Minute

// limit remembers until when GitHub wants to be left alone. One limit is for all surfaces: it counts by token.
type limit struct {
	mu    sync.Mutex
	until time.Time
	err   error
}

// check returns the *LimitError that is still in force.
func (l *limit) check() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if time.Now().Before(l.until) {
		return &LimitError{Until: l.until, Err: l.err}
	}
	return nil
}

// learn takes note of a *LimitError.
func (l *limit) learn(err error) {
	var limited *LimitError
	if !errors.As(err, &limited) {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if limited.Until.After(l.until) {
		l.until, l.err = limited.Until, limited.Err
	}
}

// answerError is an answer of GitHub that is not the wanted one.
type answerError struct {
	status  int
	message string
}

func (e *answerError) Error() string {
	s := fmt.Sprintf("GitHub answered %d", e.status)
	if e.message != "" {
		s += fmt.Sprintf(" %q", e.message) // quoted: what a server says is not a line of ours
	}
	return s
}

// Unwrap returns the retry class.
func (e *answerError) Unwrap() error {
	if httpx.Retryable(e.status) {
		return httpx.ErrTransient
	}
	return httpx.ErrPermanent
}

// explainGitHub turns an error of go-github into a *LimitError, an *answerError or a *httpx.Error.
func explainGitHub(err error, target string) error {
	var (
		primary   *github.RateLimitError
		secondary *github.AbuseRateLimitError
		accepted  *github.AcceptedError
		answer    *github.ErrorResponse
		known     *answerError
	)
	switch {
	case errors.As(err, &known):
		return known
	case errors.As(err, &primary):
		return limited(answerOf(primary.Response, primary.Message, nil), primary.Rate.Reset.Time)
	case errors.As(err, &secondary):
		after := secondaryWait
		if d := secondary.RetryAfter; d != nil && *d > 0 {
			after = *d
		}
		return limited(answerOf(secondary.Response, secondary.Message, nil), time.Now().Add(after))
	case errors.As(err, &accepted):
		return &answerError{status: http.StatusAccepted}
	case errors.As(err, &answer) && answer.Response != nil:
		known = answerOf(answer.Response, answer.Message, answer.Errors)
		if until, ok := limitOf(answer); ok {
			return limited(known, until)
		}
		return known
	}
	return httpx.Explain(err, target, httpx.DefaultTimeout)
}

// dropReset takes the end of the hour out of an answer that is not about the hour's requests. The library would take it
// for the end of a secondary limit, which is usually over in a minute, and send nothing before.
func dropReset(r *http.Response) {
	limited := r.StatusCode == http.StatusForbidden || r.StatusCode == http.StatusTooManyRequests
	if limited && r.Header.Get("X-RateLimit-Remaining") != "0" {
		r.Header.Del("X-RateLimit-Reset")
	}
}

func limited(answer *answerError, until time.Time) error {
	if now := time.Now(); !until.After(now) {
		until = now.Add(time.Second) // clocks differ: a reset in the past is one that is due
	}
	return &LimitError{Until: until, Err: answer}
}

// limitOf knows the limits that the library does not: every 429, and the 403 that shows itself only by its message.
func limitOf(answer *github.ErrorResponse) (time.Time, bool) {
	status, header := answer.Response.StatusCode, answer.Response.Header
	if status != http.StatusTooManyRequests && status != http.StatusForbidden {
		return time.Time{}, false
	}
	if after, err := strconv.Atoi(header.Get("Retry-After")); err == nil && after >= 0 {
		return time.Now().Add(time.Duration(after) * time.Second), true
	}
	if header.Get("X-RateLimit-Remaining") == "0" {
		if reset, err := strconv.ParseInt(header.Get("X-RateLimit-Reset"), 10, 64); err == nil {
			return time.Unix(reset, 0), true
		}
	}
	message := strings.ToLower(answer.Message)
	if status == http.StatusTooManyRequests || strings.Contains(message, "rate limit") || strings.Contains(message, "abuse detection") {
		return time.Now().Add(secondaryWait), true
	}
	return time.Time{}, false
}

// answerOf keeps what people can use of an answer.
func answerOf(r *http.Response, message string, details []github.Error) *answerError {
	status := http.StatusForbidden
	if r != nil {
		status = r.StatusCode
	}
	for _, d := range details {
		said := d.Message
		if said == "" {
			said = strings.TrimSpace(d.Field + " " + d.Code)
		}
		if said != "" {
			message += "; " + said
		}
	}
	return &answerError{status: status, message: line(httpx.Redact(message), 300)}
}
