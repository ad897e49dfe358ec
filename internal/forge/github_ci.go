package forge

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// readGitHub reads the GITHUB_* variables and the event.
func readGitHub(getenv func(string) string, readFile func(string) ([]byte, error)) (CI, error) {
	r := variables{getenv: getenv}
	ci := CI{
		Platform:        PlatformGitHub,
		Server:          r.url("GITHUB_SERVER_URL", "https://github.com"),
		API:             r.url("GITHUB_API_URL", "https://api.github.com"),
		Repository:      r.match("GITHUB_REPOSITORY", repositoryName, "owner/name"),
		RepositoryID:    r.number("GITHUB_REPOSITORY_ID"),
		SHA:             r.match("GITHUB_SHA", commitID, "40 or 64 hexadecimal digits"),
		Ref:             getenv("GITHUB_REF"),
		Event:           r.match("GITHUB_EVENT_NAME", anything, "the name of an event"),
		Actor:           getenv("GITHUB_ACTOR"),
		TriggeringActor: getenv("GITHUB_TRIGGERING_ACTOR"),
		ActorID:         r.number("GITHUB_ACTOR_ID"),
		RunID:           r.match("GITHUB_RUN_ID", digits, "a number"),
		JobID:           getenv("GITHUB_JOB"),
		Attempt:         int(r.number("GITHUB_RUN_ATTEMPT")),
	}
	ci.Attempt = max(1, ci.Attempt)
	if ci.TriggeringActor == "" {
		ci.TriggeringActor = ci.Actor
	}
	ci.RunURL = ci.Server + "/" + ci.Repository + "/actions/runs/" + ci.RunID
	if ci.Attempt > 1 {
		ci.RunURL += "/attempts/" + strconv.Itoa(ci.Attempt)
	}
	if path := r.match("GITHUB_EVENT_PATH", anything, "the path of the event's file"); path != "" {
		r.add(readEvent(&ci, path, readFile))
	}
	if err := errors.Join(r.problems...); err != nil {
		return CI{}, err
	}
	return ci, nil
}

var (
	anything       = regexp.MustCompile(`.`)
	digits         = regexp.MustCompile(`^[0-9]+$`)
	commitID       = regexp.MustCompile(`^([0-9a-f]{40}|[0-9a-f]{64})$`)
	repositoryName = regexp.MustCompile(`^[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+$`)
)

// variables reads environment variables and collects what is wrong with them.
type variables struct {
	getenv   func(string) string
	problems []error
}

func (r *variables) add(err error) {
	if err != nil {
		r.problems = append(r.problems, err)
	}
}

// match is the value of a variable that must be set and match.
func (r *variables) match(name string, want *regexp.Regexp, allowed string) string {
	value := r.getenv(name)
	if !want.MatchString(value) {
		r.add(fmt.Errorf("%s is %q, and must be %s", name, value, allowed))
	}
	return value
}

// number is the value of a variable that older servers do not set: 0 then.
func (r *variables) number(name string) int64 {
	value := r.getenv(name)
	if value == "" {
		return 0
	}
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil || n < 0 {
		r.add(fmt.Errorf("%s is %q, and must be a number from 0", name, value))
		return 0
	}
	return n
}

// url is a base URL without the slash at its end.
func (r *variables) url(name, fallback string) string {
	value := strings.TrimRight(r.getenv(name), "/")
	if value == "" {
		return fallback
	}
	u, err := url.Parse(value)
	if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" || u.User != nil {
		// The value is not shown: a URL with a user may have a password, too.
		r.add(fmt.Errorf("%s must be a http or https URL without a user", name))
	}
	return value
}
