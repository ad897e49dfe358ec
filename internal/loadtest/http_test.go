package loadtest

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// podinfo answers like the app of that name.
func podinfo(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/slow":
		time.Sleep(2 * time.Second)
	case "/gone":
		w.WriteHeader(http.StatusNotFound)
	case "/moved":
		w.Header().Set("Location", "/gone")
		w.WriteHeader(http.StatusFound)
	case "/text":
		_, _ = io.WriteString(w, "not JSON")
		return
	case "/echo":
		body, _ := io.ReadAll(r.Body)
		_, _ = io.WriteString(w, r.Method+" "+r.Host+" "+strings.Join(r.Header.Values("X-A"), ",")+" "+string(body))
		return
	}
	_, _ = io.WriteString(w, `{"status": "ready", "n": 3, "ok": true, "items": [{"a": "x", "b": "1"}, {"a": "y", "b": "2"}]}`)
}

func TestASmokeTestChecksWhatItSays(t *testing.T) {
	t.Parallel()
	const base = "http://podinfo.test"
	for name, c := range map[string]struct {
		metadata []string
		wrong    string // empty when it passes
	}{
		"any 2xx":                    {[]string{"url", base}, ""},
		"another status":             {[]string{"url", base + "/gone"}, "status is 404, expected 2xx"},
		"a redirect is not followed": {[]string{"url", base + "/moved"}, "status is 302"},
		"the status that is wanted":  {[]string{"url", base + "/gone", "expectStatus", "200, 404"}, ""},
		"a class":                    {[]string{"url", base + "/moved", "expectStatus", "3xx"}, ""},
		"the end of a class":         {[]string{"url", base + "/gone", "expectStatus", "5xx,403"}, "status is 404, expected 5xx,403"},
		"a text":                     {[]string{"url", base, "bodyContains", "ready"}, ""},
		"no such text":               {[]string{"url", base, "bodyContains", "Ready"}, `the body does not contain "Ready"`},
		"a pattern":                  {[]string{"url", base, "bodyMatches", `"n": \d+,`}, ""},
		"no such pattern":            {[]string{"url", base, "bodyMatches", `^ready`}, `the body does not match "^ready"`},
		"JSON":                       {[]string{"url", base, "jsonPath", "{.status} == ready\n$.n == 3\n.ok == true\n{.items[*].b} == \"2\"\n{.items}"}, ""},
		"a filter in JSON":           {[]string{"url", base, "jsonPath", `{.items[?(@.a=="y")].b} == 2`}, ""},
		"another value in JSON":      {[]string{"url", base, "jsonPath", "{.status} == broken"}, `JSON at {.status} is "ready", expected "broken"`},
		"an empty value in JSON":     {[]string{"url", base, "jsonPath", "{.status} =="}, `is "ready", expected ""`},
		"nothing in JSON":            {[]string{"url", base, "jsonPath", "{.nope}"}, "JSON has no {.nope}"},
		"an empty filter in JSON":    {[]string{"url", base, "jsonPath", `{.items[?(@.a=="z")].b}`}, "JSON has no"},
		"no JSON":                    {[]string{"url", base + "/text", "jsonPath", "{.status}"}, "the body is no JSON"},
		"fast enough":                {[]string{"url", base + "/slow", "maxLatency", "2s"}, ""},
		"too slow":                   {[]string{"url", base + "/slow", "maxLatency", "1999ms"}, "it took 2s, expected at most 1.999s"},
		"all that is wrong":          {[]string{"url", base + "/gone", "bodyContains", "zzz"}, `expected 2xx; the body does not contain "zzz"`},
		"the request": {[]string{"url", base + "/echo", "method", "put", "headers", "X-A: b:c\nHost: h\n\nX-A:d", "body", "e",
			"bodyContains", "PUT h b:c,d e"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tester := newTester(t, Options{HTTP: inMemory{http.HandlerFunc(podinfo)}})
				result := mustRun(t, tester, payload(append(c.metadata, "type", "http")...))
				if result.Passed != (c.wrong == "") || (c.wrong == "" && result.Message != "") {
					t.Errorf("%+v", result)
				}
				mustContain(t, result.Message, c.wrong)
			})
		})
	}
}

func TestASmokeTestTriesAgain(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		tries  string
		passed bool
		asked  int
		took   time.Duration
	}{{"3", true, 3, 20 * time.Second}, {"2", false, 2, 10 * time.Second}, {"10", true, 3, 20 * time.Second}} {
		synctest.Test(t, func(t *testing.T) {
			asked := 0
			tester := newTester(t, Options{HTTP: inMemory{http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				if asked++; asked < 3 {
					w.WriteHeader(http.StatusServiceUnavailable)
				}
			})}})
			result := mustRun(t, tester, payload("type", "http", "url", "http://a.b.c", "tries", c.tries, "pause", "10s"))
			if result.Passed != c.passed || asked != c.asked || result.Elapsed != c.took {
				t.Errorf("%s tries: asked %d, %+v", c.tries, asked, result)
			}
		})
	}
}

func TestASmokeTestIsReadStrictly(t *testing.T) {
	t.Parallel()
	tester := newTester(t, Options{})
	for want, p := range map[string]Payload{
		"metadata.url is empty":                        payload("type", "http"),
		"allowed is http://host/path":                  payload("type", "http", "url", "podinfo:80"),
		"metadata.expectstatus is unknown: allowed":    payload("type", "http", "url", "http://a", "expectstatus", "200"),
		`metadata.expectStatus has "2x"`:               payload("type", "http", "url", "http://a", "expectStatus", "2x"),
		`metadata.expectStatus has "6xx"`:              payload("type", "http", "url", "http://a", "expectStatus", "200,6xx"),
		`metadata.expectStatus has ""`:                 payload("type", "http", "url", "http://a", "expectStatus", "200,"),
		"metadata.bodyMatches is no regular":           payload("type", "http", "url", "http://a", "bodyMatches", "("),
		`metadata.jsonPath has "{.a"`:                  payload("type", "http", "url", "http://a", "jsonPath", "{.a"),
		`it does not begin with a . or $`:              payload("type", "http", "url", "http://a", "jsonPath", "status == ready"),
		`metadata.maxLatency is "5": allowed is`:       payload("type", "http", "url", "http://a", "maxLatency", "5"),
		`metadata.tries is "0": allowed is a whole`:    payload("type", "http", "url", "http://a", "tries", "0"),
		`metadata.timeout is "-1s"`:                    payload("type", "http", "url", "http://a", "timeout", "-1s"),
		`metadata.headers has "no header"`:             payload("type", "http", "url", "http://a", "headers", "A: b\nno header"),
		`metadata.method is "G T"`:                     payload("type", "http", "url", "http://a", "method", "G T"),
		`metadata.logCmdOutput is "maybe": allowed`:    payload("type", "http", "url", "http://a", "logCmdOutput", "maybe"),
		`metadata.type is "htpp": allowed are bash, c`: payload("type", "htpp"),
	} {
		err := tester.Check(p)
		if err == nil {
			t.Errorf("%v: no error", p.Metadata)
			continue
		}
		mustContain(t, err.Error(), want)
	}
	err := tester.Check(Payload{Metadata: map[string]string{"type": "http", "tries": "x", "pause": "x", "z": ""}})
	if problems, ok := errors.AsType[Problems](err); !ok || len(problems) != 6 {
		t.Errorf("not every problem is named: %q", err)
	}
}
