package loadtest

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/penstock-dev/penstock/internal/httpx"
)

// Limits of a smoke test.
const (
	defaultTry = 10 * time.Second
	mostTry    = time.Hour
	mostTries  = 100
)

// smoke is a request and what its answer has to be. Its metadata:
//
//	url           where to, http or https
//	method        GET unless set
//	headers       one "Name: value" a line
//	body          of the request
//	expectStatus  200, 2xx, or a list of such, with commas; 2xx unless set
//	bodyContains  a text
//	bodyMatches   a regular expression (RE2)
//	jsonPath      one JSONPath a line, as kubectl has it: {.path} has to be there, {.path} == value has to have that value
//	maxLatency    of the whole exchange, like 500ms
//	timeout       of one try; 10s unless set
//	tries         how often it may fail but for the last time; 1 unless set
//	pause         between tries; 1s unless set
type smoke struct {
	options *Options
	method  string
	url     *url.URL
	header  http.Header
	body    string
	expect  expectation
	timeout time.Duration
	tries   int
	pause   time.Duration
}

// parseHTTP reads a smoke test. A key that it does not know is a problem: a check that is misspelt would check nothing.
func parseHTTP(r *reader) job {
	r.only("url", "method", "headers", "body", "expectStatus", "bodyContains", "bodyMatches", "jsonPath", "maxLatency", "timeout",
		"tries", "pause")
	s := &smoke{
		options: r.options,
		method:  http.MethodGet,
		url:     r.address("url"),
		header:  r.headers("headers"),
		body:    r.text("body"),
		expect:  r.expectation(),
		timeout: r.span(span{key: "timeout", or: defaultTry, least: time.Millisecond, top: mostTry}),
		tries:   r.integer(integer{key: "tries", or: 1, least: 1, top: mostTries}),
		pause:   r.span(span{key: "pause", or: time.Second, least: 0, top: time.Hour}),
	}
	if method := r.text("method"); method != "" {
		s.method = strings.ToUpper(method)
		if !token.MatchString(method) {
			r.addf("metadata.method is %q: allowed is a method like GET or POST", short(method))
		}
	}
	return s
}

// headers reads one header a line.
func (r *reader) headers(key string) http.Header {
	header := http.Header{}
	for line := range strings.Lines(r.metadata[key]) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		name, value, ok := strings.Cut(line, ":")
		if name = strings.TrimSpace(name); !ok || !token.MatchString(name) {
			r.addf("metadata.%s has %q: allowed is one 'Name: value' a line", key, short(name)) // what follows may be a secret
			continue
		}
		header.Add(name, strings.TrimSpace(value))
	}
	return header
}

// String describes it, without header, body and credentials.
func (s *smoke) String() string {
	return fmt.Sprintf("http %s %s", s.method, short(httpx.RedactURL(s.url.String())))
}

// run asks until an answer is as expected, or all tries are used up.
func (s *smoke) run(ctx context.Context) (outcome, error) {
	var end outcome
	for try := range s.tries {
		if try > 0 {
			if err := sleep(ctx, s.pause); err != nil {
				return end, err
			}
		}
		end = s.try(ctx)
		if end.passed || ctx.Err() != nil {
			break
		}
	}
	if !end.passed && ctx.Err() == nil && s.tries > 1 {
		end.message += fmt.Sprintf(" (%d tries)", s.tries)
	}
	return end, nil
}

// try asks once.
func (s *smoke) try(ctx context.Context) outcome {
	ctx, cancel := httpx.WithTimeout(ctx, s.timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, s.method, s.url.String(), bytes.NewReader([]byte(s.body)))
	if err != nil {
		return outcome{message: err.Error()}
	}
	request.Header = s.header.Clone()
	if host := request.Header.Get("Host"); host != "" {
		request.Host = host // net/http takes it from nowhere else
	}
	begin := time.Now()
	response, err := s.options.HTTP.Do(ctx, request)
	if err != nil {
		return outcome{message: clip(err.Error(), 400)}
	}
	wrong := s.expect.check(response, time.Since(begin))
	return outcome{
		passed:  len(wrong) == 0,
		message: strings.Join(wrong, "; "),
		output:  cut(string(response.Body), s.options.MaxOutput),
	}
}

// sleep waits, or returns the error of ctx.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}
