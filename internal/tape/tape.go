// Package tape keeps the requests that tests make to a forge, so that they can be held against the forge's own
// description of its API. Only tests use it.
//
// A fake answers what its author believes. The forge's description was written by somebody else: what the tests ask of
// the fake is written down here, in a file of the repository, and .ci/prism asks it of a server made from GitHub's OpenAPI
// description. What that description does not say is in Limits.
package tape

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// Request is the shape of a request: what depends on the run that made it, such as numbers, commits, addresses and
// sentences, stands as one example for all.
type Request struct {
	Method  string            `json:"method"`
	Path    string            `json:"path"`
	Query   map[string]string `json:"query,omitempty"`
	Headers map[string]string `json:"headers,omitempty"`
	Body    any               `json:"body,omitempty"`
}

// Read reads the requests of a file.
func Read(path string) ([]Request, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var all []Request
	if err := json.Unmarshal(text, &all); err != nil {
		return nil, fmt.Errorf("read the requests of %s: %w", path, err)
	}
	return all, nil
}

// Tape holds requests against those of a file. It is safe for concurrent use.
type Tape struct {
	path   string
	others map[string]Request // of other files

	mu    sync.Mutex
	known map[string]Request // by their JSON
	heard map[string]Request
	wrong []error // what the forge would not accept
}

// Open reads what is known; a file that does not exist holds nothing. What other files have already is not kept again.
func Open(path string, others ...string) (*Tape, error) {
	t := &Tape{path: path, others: map[string]Request{}, known: map[string]Request{}, heard: map[string]Request{}}
	for _, other := range others {
		requests, err := Read(other)
		if err != nil {
			return nil, err
		}
		for _, r := range requests {
			t.others[key(r)] = r
		}
	}
	known, err := Read(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, r := range known {
		t.known[key(r)] = r
	}
	return t, nil
}

// Hear takes a request down and leaves its body to be read again.
func (t *Tape) Hear(r *http.Request) error {
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return fmt.Errorf("read the body of %s %s: %w", r.Method, r.URL.Path, err)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	exact, err := exactly(r, body)
	t.mu.Lock()
	defer t.mu.Unlock()
	if err != nil {
		t.wrong = append(t.wrong, err)
		return nil
	}
	for _, problem := range Limits(exact) {
		t.wrong = append(t.wrong, fmt.Errorf("%s %s: %s", r.Method, r.URL.Path, problem))
	}
	shape := exact.shape()
	if _, elsewhere := t.others[key(shape)]; !elsewhere {
		t.heard[key(shape)] = shape
	}
	return nil
}

// HearGitLab checks a request to GitLab, which is not kept: there is nothing of GitLab's to replay it against.
func (t *Tape) HearGitLab(r *http.Request) error {
	wrong, err := GitLab(r)
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, problem := range wrong {
		t.wrong = append(t.wrong, fmt.Errorf("%s %s: %s", r.Method, r.URL, problem))
	}
	return nil
}

// Problems lists what GitHub would have refused, and the requests that the file lacks. When the tests that made them were
// all there are, it also lists those that the file has and nobody makes any more.
func (t *Tape) Problems(all bool) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	problems := slices.Clone(t.wrong)
	for _, k := range sortedKeys(t.heard) {
		if _, known := t.known[k]; !known {
			problems = append(problems, fmt.Errorf("%s lacks this request; run the test with -update: %s", filepath.Base(t.path), k))
		}
	}
	for _, k := range sortedKeys(t.known) {
		if _, heard := t.heard[k]; all && !heard {
			problems = append(problems, fmt.Errorf("%s has a request that nobody makes; run the test with -update: %s", filepath.Base(t.path), k))
		}
	}
	return errors.Join(problems...)
}

// Write writes the file: what was heard, and what was known, unless the tests were all there are.
func (t *Tape) Write(all bool) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !all {
		for k, r := range t.known {
			t.heard[k] = r
		}
	}
	requests := []Request{}
	for _, k := range sortedKeys(t.heard) {
		requests = append(requests, t.heard[k])
	}
	slices.SortStableFunc(requests, func(a, b Request) int {
		return strings.Compare(a.Path+" "+a.Method, b.Path+" "+b.Method)
	})
	text, err := json.MarshalIndent(requests, "", "  ")
	if err != nil {
		return fmt.Errorf("render the requests: %w", err)
	}
	t.known = t.heard
	return os.WriteFile(t.path, append(text, '\n'), 0o644)
}

// key is the JSON of a request, whose maps are sorted.
func key(r Request) string {
	text, err := json.Marshal(r)
	if err != nil {
		return fmt.Sprintf("%v", r) // nothing that was read from JSON can get here
	}
	return string(text)
}

func sortedKeys(m map[string]Request) []string {
	var all []string
	for k := range m {
		all = append(all, k)
	}
	slices.Sort(all)
	return all
}
