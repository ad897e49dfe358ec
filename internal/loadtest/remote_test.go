package loadtest

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// concordServer runs processes that end after some questions.
type concordServer struct {
	after  int
	end    string
	fields map[string]string
	asked  int
}

func (s *concordServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "key" {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	if r.Method == http.MethodPost && r.URL.Path == "/api/v1/process" {
		_ = r.ParseMultipartForm(1 << 20)
		s.fields = map[string]string{}
		for name, values := range r.MultipartForm.Value {
			s.fields[name] = values[0]
		}
		_, _ = io.WriteString(w, `{"instanceId": "i1", "ok": true}`)
		return
	}
	s.asked++
	status := "RUNNING"
	if s.asked >= s.after {
		status = s.end
	}
	if r.URL.Path != "/api/v1/process/i1" {
		status = "no such process: " + r.URL.Path
	}
	_, _ = fmt.Fprintf(w, `{"status": %q}`, status)
}

func concordPayload(more ...string) Payload {
	return payload(append([]string{
		"type", "concord", "server", "http://concord.test", "org", "o", "project", "p", "repo", "r", "entrypoint", "e",
		"endpoint", "http://podinfo.test", "apiKeyPath", "key", "arguments.x", "y",
	}, more...)...)
}

func keyDir(t *testing.T, key string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "key"), []byte(key), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestConcordIsAskedUntilItsProcessEnds(t *testing.T) {
	t.Parallel()
	dir := keyDir(t, "key\n")
	for name, c := range map[string]struct {
		server  concordServer
		more    []string
		message string
		took    time.Duration
	}{
		"finished":  {concordServer{after: 3, end: "FINISHED"}, nil, "", 15 * time.Second},
		"failed":    {concordServer{after: 1, end: "FAILED"}, nil, "process i1 is FAILED", 5 * time.Second},
		"cancelled": {concordServer{after: 1, end: "CANCELLED"}, nil, "process i1 is CANCELLED", 5 * time.Second},
		"too slow":  {concordServer{after: 99, end: "FINISHED"}, nil, "process i1 has not ended within 30s", 30 * time.Second},
		"patience": {
			concordServer{after: 30, end: "FINISHED"}, []string{"pollInterval", "2", "pollTimeout", "61"}, "", time.Minute,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tester := newTester(t, Options{HTTP: inMemory{&c.server}, Files: dir})
				result := mustRun(t, tester, concordPayload(c.more...))
				if result.Passed != (c.message == "") || result.Message != c.message || result.Elapsed != c.took {
					t.Errorf("%+v", result)
				}
				got := fmt.Sprint(c.server.fields)
				if got != "map[arguments.endpoint:http://podinfo.test arguments.x:y entryPoint:e org:o project:p repo:r]" {
					t.Error(got)
				}
			})
		})
	}
}

func TestConcordThatCannotBeAskedIsAnError(t *testing.T) {
	t.Parallel()
	for want, o := range map[string]Options{
		"status is 401":             {HTTP: inMemory{&concordServer{}}, Files: keyDir(t, "wrong")},
		"tasks may read no files":   {HTTP: inMemory{&concordServer{}}},
		"read the key of concord":   {HTTP: inMemory{&concordServer{}}, Files: t.TempDir()},
		"the answer has no instanc": {HTTP: inMemory{http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "{}") })}, Files: keyDir(t, "key")},
	} {
		_, err := newTester(t, o).Run(t.Context(), concordPayload())
		if err == nil {
			t.Errorf("%s: no error", want)
			continue
		}
		mustContain(t, err.Error(), want)
	}
	err := newTester(t, Options{}).Check(payload("type", "concord", "pollTimeout", "x", "arguments.endpoint", "x"))
	mustContain(t, err.Error(), "metadata.server", "metadata.org", "metadata.project", "metadata.repo", "metadata.entrypoint",
		"metadata.endpoint", "metadata.apiKeyPath", "metadata.pollTimeout", "metadata.arguments.endpoint")
}

// grinder is a server of nGrinder whose test ends after some questions, of which the first gets no good answer.
type grinder struct {
	end     string
	after   int
	asked   int
	stopped bool
}

func (s *grinder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	user, password, _ := r.BasicAuth()
	switch r.Method + " " + r.URL.RequestURI() + " " + user + " " + password {
	case "POST /perftest/api/100/clone_and_start admin geheim":
		_, _ = io.WriteString(w, `{"id": 7, "success": true}`)
	case "PUT /perftest/api/7?action=stop admin geheim":
		s.stopped = true
		_, _ = io.WriteString(w, `{}`)
	case "GET /perftest/api/7/status admin geheim":
		status := "TESTING"
		if s.asked++; s.asked == 1 {
			w.WriteHeader(http.StatusBadGateway)
		}
		if s.asked >= s.after {
			status = s.end
		}
		_, _ = fmt.Fprintf(w, `{"status": [{"status_id": %q}]}`, status)
	default:
		w.WriteHeader(http.StatusTeapot)
	}
}

func grinderPayload() Payload {
	return payload("type", "ngrinder", "server", "http://ngrinder.test:8080", "clone", "100", "username", "admin",
		"passwd", base64.StdEncoding.EncodeToString([]byte("geheim")), "pollInterval", "5s")
}

func TestNGrinderIsAskedUntilItsTestEnds(t *testing.T) {
	t.Parallel()
	for end, message := range map[string]string{"FINISHED": "", "STOP_BY_ERROR": "test 7 is STOP_BY_ERROR", "CANCELED": "test 7 is CANCELED"} {
		synctest.Test(t, func(t *testing.T) {
			server := &grinder{end: end, after: 3}
			result := mustRun(t, newTester(t, Options{HTTP: inMemory{server}}), grinderPayload())
			if result.Passed != (message == "") || result.Message != message || result.Elapsed != 15*time.Second || server.stopped {
				t.Errorf("%+v", result)
			}
		})
	}
}

func TestNGrinderIsStoppedWithTheTask(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &grinder{after: 1 << 30}
		result := mustRun(t, newTester(t, Options{HTTP: inMemory{server}, Timeout: time.Minute}), grinderPayload())
		if result.Passed || !server.stopped || result.Message != "stopped after 1m0s, the most that a task may take" {
			t.Errorf("%+v, stopped %t", result, server.stopped)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		server := &grinder{after: 1 << 30}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		tester := newTester(t, Options{HTTP: inMemory{server}})
		_, err := tester.Run(ctx, grinderPayload())
		tester.Wait()
		if !errors.Is(err, context.DeadlineExceeded) || !server.stopped {
			t.Errorf("%v, stopped %t", err, server.stopped)
		}
	})
}

func TestNGrinderNamesWhatIsWrong(t *testing.T) {
	t.Parallel()
	tester := newTester(t, Options{})
	err := tester.Check(payload("type", "ngrinder", "pollInterval", "5", "clone", "x", "passwd", "???geheim"))
	mustContain(t, err.Error(), "metadata.server", "metadata.username", "metadata.clone", "metadata.passwd is not base64", "metadata.pollInterval")
	if strings.Contains(err.Error(), "geheim") {
		t.Error(err)
	}
}
