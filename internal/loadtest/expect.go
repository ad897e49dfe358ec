package loadtest

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/penstock-dev/penstock/internal/httpx"
)

// expectation is what an answer has to be.
type expectation struct {
	status   []statusRange
	statuses string // as they were given
	contains string
	matches  *regexp.Regexp
	paths    []pathCheck
	latency  time.Duration // 0 is no bound
}

// statusRange is from the one status to the other, both included.
type statusRange struct{ from, to int }

// expectation reads all of them.
func (r *reader) expectation() expectation {
	e := expectation{statuses: "2xx", contains: r.text("bodyContains")}
	if given := r.text("expectStatus"); given != "" {
		e.statuses = given
	}
	for _, one := range strings.Split(e.statuses, ",") {
		status, ok := parseStatus(strings.TrimSpace(one))
		if !ok {
			r.addf("metadata.expectStatus has %q: allowed are codes from 100 to 599, and classes like 2xx, with commas between",
				short(one))
		}
		e.status = append(e.status, status)
	}
	if pattern := r.text("bodyMatches"); pattern != "" {
		var err error
		if e.matches, err = regexp.Compile(pattern); err != nil {
			r.addf("metadata.bodyMatches is no regular expression: %s", short(err.Error()))
		}
	}
	for line := range strings.Lines(r.text("jsonPath")) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		check, err := parsePathCheck(line)
		if err != nil {
			r.addf("metadata.jsonPath has %q: %s: allowed is {.path}, or {.path} == value", short(line), short(err.Error()))
			continue
		}
		e.paths = append(e.paths, check)
	}
	e.latency = r.span(span{key: "maxLatency", least: time.Nanosecond, top: time.Hour})
	return e
}

func parseStatus(text string) (statusRange, bool) {
	if class, ok := strings.CutSuffix(strings.ToLower(text), "xx"); ok && len(class) == 1 {
		hundreds := int(class[0] - '0')
		return statusRange{hundreds * 100, hundreds*100 + 99}, class[0] >= '1' && class[0] <= '5'
	}
	code, err := strconv.Atoi(text)
	return statusRange{code, code}, err == nil && code >= 100 && code <= 599
}

// check says what is wrong with an answer: each expectation that it does not meet.
func (e *expectation) check(answer *httpx.Response, took time.Duration) []string {
	var wrong []string
	if !e.expects(answer.Status) {
		wrong = append(wrong, fmt.Sprintf("status is %d, expected %s", answer.Status, short(e.statuses)))
	}
	if !strings.Contains(string(answer.Body), e.contains) {
		wrong = append(wrong, fmt.Sprintf("the body does not contain %q", short(e.contains)))
	}
	if e.matches != nil && !e.matches.Match(answer.Body) {
		wrong = append(wrong, fmt.Sprintf("the body does not match %q", short(e.matches.String())))
	}
	if e.latency > 0 && took > e.latency {
		wrong = append(wrong, fmt.Sprintf("it took %s, expected at most %s", took.Round(time.Microsecond), e.latency))
	}
	if len(e.paths) == 0 {
		return wrong
	}
	var body any
	if err := json.Unmarshal(answer.Body, &body); err != nil {
		return append(wrong, "the body is no JSON")
	}
	for _, path := range e.paths {
		if problem := path.check(body); problem != "" {
			wrong = append(wrong, problem)
		}
	}
	return wrong
}

func (e *expectation) expects(status int) bool {
	for _, r := range e.status {
		if status >= r.from && status <= r.to {
			return true
		}
	}
	return false
}
