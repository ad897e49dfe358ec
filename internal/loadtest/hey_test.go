package loadtest

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestHeyReportsWhatItMeasures(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if string(body) != "hello" || r.Method != http.MethodPost || r.Host != "app.example.com" {
			t.Errorf("%s %s %q", r.Method, r.Host, body)
		}
		if asked.Add(1)%4 == 0 {
			w.WriteHeader(http.StatusTeapot)
		}
		_, _ = io.WriteString(w, "12345")
	}))
	defer server.Close()
	tester := newTester(t, Options{})
	result := mustRun(t, tester, payload("cmd", "hey -n 40 -c 4 -m POST -d hello -host app.example.com "+server.URL))
	load := result.Load
	if !result.Passed || load.Requests != 40 || load.Status[200] != 30 || load.Status[418] != 10 || load.Bytes != 200 || load.Failed() != 0 {
		t.Errorf("%+v, load %+v", result, load)
	}
	if load.Rate <= 0 || load.Elapsed <= 0 || load.Fastest <= 0 || load.Mean < load.Fastest || load.Slowest < load.Mean {
		t.Errorf("load %+v", load)
	}
	p99, known := load.Percentile(99)
	p50, _ := load.Percentile(50)
	if !known || p99 != load.Slowest || p50 > p99 || len(load.Percentiles) != 7 {
		t.Errorf("percentiles %+v", load.Percentiles)
	}
	mustContain(t, result.Output, "Requests/sec:", "[200]\t30 responses", "[418]\t10 responses", "99% in")
}

func TestHeyWithoutAnAnswerDoesNotPass(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	result := mustRun(t, newTester(t, Options{}), payload("cmd", "hey -n 4 -c 2 "+server.URL+"/?token=geheim"))
	if result.Passed || result.Load.Failed() != 4 || len(result.Load.Percentiles) != 0 || result.Load.Mean != 0 {
		t.Errorf("%+v, load %+v", result, result.Load)
	}
	mustContain(t, result.Message, "no request was answered", "refused")
	if strings.Contains(result.Message+result.Output+result.Task, "geheim") {
		t.Errorf("a secret is shown: %+v", result)
	}
}

func TestHeyStopsAtItsDurationAndLeavesNoConnection(t *testing.T) {
	t.Parallel()
	var open sync.WaitGroup
	var opened atomic.Int64
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			opened.Add(1)
			open.Add(1)
		case http.StateClosed:
			open.Done()
		case http.StateActive, http.StateIdle, http.StateHijacked:
		}
	}
	server.Start()
	defer server.Close()
	result := mustRun(t, newTester(t, Options{}), payload("cmd", "hey -z 100ms -q 100 -c 3 "+server.URL))
	if !result.Passed || result.Load.Requests < 1 || result.Load.Requests > 60 {
		t.Errorf("%+v, load %+v", result, result.Load)
	}
	if result.Elapsed < 100*time.Millisecond {
		t.Errorf("it took %s", result.Elapsed)
	}
	open.Wait() // before the server is closed: it hangs when a connection is left
	if opened.Load() == 0 {
		t.Error("no connection was seen")
	}
}

func TestALotFollowsAnotherUntilAllRequestsAreMade(t *testing.T) {
	t.Parallel()
	var connections atomic.Int64
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	server.Start()
	defer server.Close()
	h, err := parsed[*hey](t, "hey -n 11 -c 2 -o csv "+server.URL)
	if err != nil {
		t.Fatal(err)
	}
	request, err := h.request(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	of := newFigures(4 * leastRow)
	parts := h.parts(request, nil, of)
	for _, one := range parts {
		one.lot = 2
	}
	if err := together(t.Context(), parts); err != nil {
		t.Fatal(err)
	}
	got := h.outcome(t.Context(), of, of.last.Add(-time.Second))
	if !got.passed || got.load.Requests != 10 || got.load.Status[200] != 10 || got.load.Rate != 10 || len(got.load.Percentiles) != 7 {
		t.Errorf("%+v, load %+v", got, got.load)
	}
	if n := connections.Load(); n < 6 {
		t.Errorf("%d connections, want at least one of each lot", n)
	}
	if lines := strings.Count(got.output, "\n"); lines != 1+5 {
		t.Errorf("%d lines, want only those that can be shown: %q", lines, got.output)
	}
}

func TestALoadThatWasStoppedBeginsNoLot(t *testing.T) {
	t.Parallel()
	h, err := parsed[*hey](t, "hey -z 1h -c 1 http://127.0.0.1:1/")
	if err != nil {
		t.Fatal(err)
	}
	request, err := h.request(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	of := newFigures(0)
	part := h.parts(request, nil, of)[0]
	part.stop()
	part.stop()
	if err := part.run(t.Context()); err != nil || of.requests != 0 {
		t.Error(err, of.requests)
	}
}

func TestTheEndOfTheContextEndsRequestsUnderWay(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	stuck := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-stuck
	}))
	defer server.Close()
	defer close(stuck)
	_, err := newTester(t, Options{}).Run(ctx, payload("cmd", "hey -n 4 -c 2 -t 0 "+server.URL))
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestAWorkerThatSleepsIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	tester := newTester(t, Options{Timeout: 50 * time.Millisecond, grace: 10 * time.Millisecond})
	result := mustRun(t, tester, payload("cmd", "hey -z 1m -q 0.02 -c 1 http://127.0.0.1:1/"))
	if result.Passed || result.Elapsed > 20*time.Second {
		t.Errorf("%+v", result)
	}
	mustContain(t, result.Message, "stopped after 50ms")
}

func TestHeyWritesCSV(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	result := mustRun(t, newTester(t, Options{}), payload("cmd", "hey -n 6 -c 2 -o csv "+server.URL))
	lines := strings.Split(strings.TrimSpace(result.Output), "\n")
	if len(lines) != 7 || !strings.HasPrefix(lines[0], "response-time,DNS+dialup,DNS,") || result.Load.Requests != 6 {
		t.Fatalf("%q", result.Output)
	}
	if columns := strings.Split(lines[1], ","); len(columns) != 8 || columns[6] != "200" {
		t.Errorf("%q", columns)
	}
}

func TestHeyReachesAHostWhereItIsForwarded(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Host != "podinfo.test" {
			t.Errorf("host %q", r.Host)
		}
	}))
	defer server.Close()
	tester := newTester(t, Options{Address: func(_ context.Context, hostport string) (string, error) {
		if hostport != "podinfo.test:80" {
			return "", errors.New("no such service: " + hostport)
		}
		return server.Listener.Addr().String(), nil
	}})
	if result := mustRun(t, tester, payload("cmd", "hey -n 2 -c 1 http://podinfo.test/")); !result.Passed || result.Load.Status[200] != 2 {
		t.Errorf("%+v", result)
	}
	if _, err := tester.Run(t.Context(), payload("cmd", "hey -n 2 -c 1 https://other.test/")); err == nil {
		t.Error("no error")
	} else {
		mustContain(t, err.Error(), "no such service: other.test:443")
	}
}

func TestABodyComesOnlyFromFilesThatAreAllowed(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	files := filepath.Join(root, "files")
	for name, content := range map[string]string{"secret": "token", "files/body": "hello"} {
		if err := os.MkdirAll(files, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Join(root, "secret"), filepath.Join(files, "link")); err != nil {
		t.Fatal(err)
	}
	var got atomic.Value
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got.Store(string(body))
	}))
	defer server.Close()
	run := func(o Options, name string) error {
		_, err := newTester(t, o).Run(t.Context(), payload("cmd", "hey -n 1 -c 1 -m PUT -D "+name+" "+server.URL))
		return err
	}
	for _, name := range []string{"body", filepath.Join(files, "body")} {
		if err := run(Options{Files: files}, name); err != nil || got.Swap("") != "hello" {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{"link", "../secret", filepath.Join(root, "secret"), "none"} {
		if err := run(Options{Files: files}, name); err == nil || got.Load() != "" {
			t.Errorf("%s: %v, sent %q", name, err, got.Load())
		}
	}
	if err := run(Options{}, filepath.Join(files, "body")); err == nil {
		t.Error("a file is read where none may be")
	}
	if err := run(Options{Exec: true, Dir: root}, "secret"); err != nil || got.Load() != "token" {
		t.Error(err, got.Load())
	}
}

func TestErrorsThatSayTheSameAreOne(t *testing.T) {
	t.Parallel()
	raw := map[string]int64{
		"read tcp 127.0.0.1:50001->127.0.0.1:80: reset": 2,
		"read tcp 127.0.0.1:50002->127.0.0.1:80: reset": 3,
	}
	for i := range 20 {
		raw[strings.Repeat("x", i+1)] = 1
	}
	got := gather(raw)
	if got["read tcp 127.0.0.1->127.0.0.1:80: reset"] != 5 || len(got) != mostErrors+1 || got[otherErrors] != 11 {
		t.Errorf("%v", got)
	}
}

func TestTheRateCountsNoTimeAfterTheLastRequest(t *testing.T) {
	t.Parallel()
	h, err := parsed[*hey](t, "hey -n 10 -c 1 http://podinfo.test/")
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now().Add(-time.Hour) // the figures are read long after
	of := newFigures(1000)
	if err := of.add([]byte(`{"requests":10,"total":2000000000,"status":{"200":10},"latencies":[0.1]}`), began); err != nil {
		t.Fatal(err)
	}
	if got := h.outcome(t.Context(), of, began).load; got.Elapsed != 2*time.Second || got.Rate != 5 {
		t.Errorf("%d requests in %s are %g/s, want 5/s", got.Requests, got.Elapsed, got.Rate)
	}
}
