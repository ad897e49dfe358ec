package loadtest

import (
	"encoding/base64"
	"math"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rakyll/hey/requester"
)

// heyWork returns what hey's requester would be told.
func heyWork(t *testing.T, line string) (*requester.Work, *http.Request, *hey) {
	t.Helper()
	h, err := parsed[*hey](t, line)
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	request, err := h.request(t.Context(), []byte(h.flags.body))
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	parts := h.parts(request, nil, newFigures(0))
	requests := parts[0].supply(t.Context(), &connections{}, parts[0].requests*parts[0].workers)
	t.Cleanup(requests.end)
	work := parts[0].requester(requests, nil)
	if len(parts)*work.C != h.flags.workers {
		t.Errorf("%s: %d parts of %d workers", line, len(parts), work.C)
	}
	work.N, work.C = parts[0].requests*h.flags.workers, h.flags.workers // of all parts
	return work, request, h
}

func TestHeyFlagsMeanWhatHeySays(t *testing.T) {
	t.Parallel()
	const url = " http://app.example.com/x"
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte("me:se:cret"))
	for line, holds := range map[string]func(w *requester.Work, r *http.Request, h *hey) bool{
		"hey": func(w *requester.Work, r *http.Request, h *hey) bool {
			return w.N == 200 && w.C == 50 && w.QPS == 0 && w.Timeout == 0 && h.flags.duration == 0 && r.Method == "GET" && !w.H2 &&
				r.Header.Get("Accept-Encoding") == "gzip" && !w.DisableKeepAlives && !w.DisableRedirects && w.ProxyAddr == nil && r.ContentLength == 0 &&
				r.Header.Get("Content-Type") == "text/html" && r.Header.Get("User-Agent") == "hey/0.0.1" && r.Host == "app.example.com"
		},
		"hey -n 10 -c 3":  func(w *requester.Work, _ *http.Request, _ *hey) bool { return w.N == 9 && w.C == 3 },
		"hey -n=10 --c=3": func(w *requester.Work, _ *http.Request, _ *hey) bool { return w.N == 9 && w.C == 3 },
		"hey -q 2.5":      func(w *requester.Work, _ *http.Request, _ *hey) bool { return w.QPS == 2.5 },
		"hey -z 3m -n 1": func(w *requester.Work, _ *http.Request, h *hey) bool {
			return w.N/w.C == math.MaxInt32 && h.flags.duration == 3*time.Minute
		},
		"hey -z 10s -q 5 -c 2": func(w *requester.Work, _ *http.Request, _ *hey) bool { return w.N/w.C > 50 && w.N < 1000 },
		"hey -t 0":             func(w *requester.Work, _ *http.Request, h *hey) bool { return w.Timeout == 0 && h.flags.timeout == 0 },
		"hey -t 7":             func(w *requester.Work, _ *http.Request, h *hey) bool { return w.Timeout == 0 && h.flags.timeout == 7 },
		"hey -h2":              func(w *requester.Work, _ *http.Request, _ *hey) bool { return w.H2 },
		"hey -disable-compression": func(w *requester.Work, r *http.Request, _ *hey) bool {
			return w.DisableCompression && r.Header["Accept-Encoding"] == nil
		},
		"hey -H 'Accept-Encoding: br'": func(_ *requester.Work, r *http.Request, _ *hey) bool {
			return slices.Equal(r.Header["Accept-Encoding"], []string{"br"})
		},
		"hey -H 'Range: bytes=0-1'": func(_ *requester.Work, r *http.Request, _ *hey) bool { return r.Header["Accept-Encoding"] == nil },
		"hey -m HEAD":               func(_ *requester.Work, r *http.Request, _ *hey) bool { return r.Header["Accept-Encoding"] == nil },
		"hey -disable-keepalive":    func(w *requester.Work, r *http.Request, _ *hey) bool { return w.DisableKeepAlives && r.Close },
		"hey -disable-redirects":    func(w *requester.Work, _ *http.Request, _ *hey) bool { return w.DisableRedirects },
		"hey -m post":               func(_ *requester.Work, r *http.Request, _ *hey) bool { return r.Method == "POST" },
		"hey -A application/json": func(_ *requester.Work, r *http.Request, _ *hey) bool {
			return r.Header.Get("Accept") == "application/json"
		},
		"hey -T text/x": func(_ *requester.Work, r *http.Request, _ *hey) bool { return r.Header.Get("Content-Type") == "text/x" },
		"hey -U me": func(_ *requester.Work, r *http.Request, _ *hey) bool {
			return r.Header.Get("User-Agent") == "me hey/0.0.1"
		},
		"hey -H 'User-Agent: you'": func(_ *requester.Work, r *http.Request, _ *hey) bool {
			return r.Header.Get("User-Agent") == "you hey/0.0.1"
		},
		"hey -H 'A: b:c' -H 'Content-Type: text/y' -H 'A: d'": func(_ *requester.Work, r *http.Request, _ *hey) bool {
			return r.Header.Get("A") == "d" && len(r.Header["A"]) == 1 && r.Header.Get("Content-Type") == "text/y"
		},
		"hey -a me:se:cret": func(_ *requester.Work, r *http.Request, _ *hey) bool { return r.Header.Get("Authorization") == basic },
		"hey -host b:1":     func(w *requester.Work, r *http.Request, _ *hey) bool { return r.Host == "b:1" && w.Request.Host == "b" },
		"hey -x p:3128":     func(w *requester.Work, _ *http.Request, _ *hey) bool { return w.ProxyAddr.String() == "http://p:3128" },
		"hey -x http://p:1": func(w *requester.Work, _ *http.Request, _ *hey) bool { return w.ProxyAddr.String() == "http://p:1" },
		"hey -d abc":        func(_ *requester.Work, r *http.Request, _ *hey) bool { return r.ContentLength == 3 },
		"hey -D f":          func(_ *requester.Work, _ *http.Request, h *hey) bool { return h.flags.bodyFile == "f" },
		"hey -o csv":        func(_ *requester.Work, _ *http.Request, h *hey) bool { return h.flags.output == "csv" },
		"hey -cpus 1":       func(_ *requester.Work, _ *http.Request, h *hey) bool { return len(h.notes) == 1 },
		"hey -H 'Host: b'": func(_ *requester.Work, r *http.Request, h *hey) bool {
			return r.Host == "app.example.com" && len(h.notes) == 1
		},
	} {
		if w, r, h := heyWork(t, line+url); !holds(w, r, h) {
			t.Errorf("%s: work %+v, request %+v, notes %q", line, w, r, h.notes)
		}
	}
}

func TestARequestThatTakesTooLongEndsAndTheNextIsSent(t *testing.T) {
	t.Parallel()
	hang := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Again") == "" {
			<-hang
		}
	}))
	defer server.Close()
	defer close(hang)
	h, err := parsed[*hey](t, "hey -t 7 -n 1 -c 1 "+server.URL)
	if err != nil {
		t.Fatal(err)
	}
	request, err := h.request(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	requests := h.parts(request, nil, newFigures(0))[0].supply(t.Context(), &connections{}, 2)
	defer requests.end()
	if requests.limit != 7*time.Second {
		t.Errorf("one request may take %s", requests.limit)
	}
	requests.limit = 10 * time.Millisecond
	requests.renew()
	response, err := server.Client().Do(requests.next())
	if err == nil {
		_ = response.Body.Close()
		t.Fatal("a request that hangs has an answer")
	}
	mustContain(t, err.Error(), "no answer within 10ms, which -t allows")
	requests.limit = time.Minute
	request.Header.Set("Again", "1")
	if response, err = server.Client().Do(requests.next()); err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
}

func TestHeyRefusesWhatMakesNoSense(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"hey":                             "the URL is missing",
		"hey -zz 3 http://a":              "-zz: allowed are -A, -D, -H, -T, -U, -a, -c, -cpus, -d, -disable-compression,",
		"hey -help":                       "allowed are -A",
		"hey http://a -z 10s":             `"-z" follows the URL`,
		"hey ftp://a":                     "allowed is http://",
		"hey a.b:80/x":                    "allowed is http://",
		"hey -c 0 http://a":               "-c is 0",
		"hey -c 1000000 http://a":         "-c is 1000000",
		"hey -n 10 http://a":              "-n is 10: allowed is 1 or more, and no less than -c, which is 50",
		"hey -q NaN http://a":             "-q is NaN",
		"hey -q -1 http://a":              "-q is -1",
		"hey -q 1e9 http://a":             "-q is 1e+09", // hey itself crashes
		"hey -z -1s http://a":             "-z is -1s",
		"hey -z 1 http://a":               "-z",
		"hey -t -1 http://a":              "-t is -1",
		"hey -o xml http://a":             `-o is "xml": allowed is csv`,
		"hey -h A:b http://a":             "use -H",
		"hey -m 'A B' http://a":           `-m is "A B"`,
		"hey -H 'X|oh|bad: pw' http://a":  "-H",
		"hey -a me http://a":              "-a: allowed is username:password",
		"hey -x :// http://a":             "-x: allowed is host:port",
		"hey -cpus 0 http://a":            "-cpus is 0",
		"hey -c x -n y -q z http://a.b.c": "-n",
		"hey -c 0 -t -1 -o x http://a":    "-t is -1",
	} {
		_, err := parsed[*hey](t, line)
		if err == nil {
			t.Errorf("%s: no error", line)
			continue
		}
		mustContain(t, err.Error(), want)
		if strings.Contains(err.Error(), "pw") {
			t.Errorf("%s: %v shows a secret", line, err)
		}
	}
	_, err := parsed[*hey](t, "hey -c x -n y -q 1 -t z http://a")
	if problems := err.(Problems); len(problems) != 3 {
		t.Errorf("not every value is named: %q", problems)
	}
}

// The flags are read off hey's own usage, for none to be forgotten.
func TestEveryFlagOfHeyIsKnown(t *testing.T) {
	t.Parallel()
	const usage = "-n -c -q -z -o -m -H -t -A -d -D -T -U -a -x -h2 -host -disable-compression -disable-keepalive -disable-redirects -cpus"
	known := define().known()
	for flag := range strings.FieldsSeq(usage) {
		if !regexp.MustCompile(`(^|, )` + flag + `(,|$)`).MatchString(known) {
			t.Errorf("%s is not among %s", flag, known)
		}
	}
}

func TestATitleShowsNoSecrets(t *testing.T) {
	t.Parallel()
	h, err := parsed[*hey](t, "hey -z 1s -q 5 -a u:pw1 -H 'Cookie: pw2' -d pw3 -x http://u:pw4@p:1 http://u:pw5@a.b.c/d?e=pw6")
	if err != nil {
		t.Fatal(err)
	}
	if got := h.String(); strings.Contains(got, "pw") || !strings.Contains(got, "-z 1s -q 5 -c 50 -m GET http://") {
		t.Error(got)
	}
}
