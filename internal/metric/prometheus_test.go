package metric_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-dev/penstock/internal/metric"
)

func prometheus(t *testing.T) metric.Provider {
	t.Helper()
	p, err := metric.ProviderFor("prometheus")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestEveryProviderHasAFileAndAFolder(t *testing.T) {
	t.Parallel()
	for _, name := range metric.Providers() {
		for _, path := range []string{name + ".go", filepath.Join(testdata, name, "answers"), filepath.Join(testdata, name, "requests")} {
			if _, err := os.Stat(path); err != nil {
				t.Errorf("provider %q: %v", name, err)
			}
		}
	}
	_, err := metric.ProviderFor("promethus")
	if want := `metrics provider "promethus" is not supported; supported are ` + strings.Join(metric.Providers(), ", "); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// written writes a request with everything that is sent.
func written(r metric.Request) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s\n", r.Method, r.URL)
	for _, name := range slices.Sorted(maps.Keys(r.Header)) {
		fmt.Fprintf(&b, "%s: %s\n", name, strings.Join(r.Header[name], " | "))
	}
	switch {
	case r.Sign.AWS != nil:
		fmt.Fprintf(&b, "(signed for %s in %s with %q)\n", r.Sign.AWS.Service, r.Sign.AWS.Region, slices.Sorted(maps.Keys(r.Sign.AWS.Login)))
	case r.Sign.Google != nil:
		fmt.Fprintf(&b, "(with a token for %s or %s of %q)\n", r.Sign.Google.Audience, r.Sign.Google.Scope, r.Sign.Google.Account)
	}
	if r.Body != "" {
		fmt.Fprintf(&b, "\n%s\n", r.Body)
	}
	return b.String()
}

func TestPrometheusRequests(t *testing.T) {
	t.Parallel()
	const query = `sum(rate(x{a="b&c"}[1m])) / 2 * 100`
	for name, c := range map[string]struct {
		source metric.Source
		query  string
	}{
		"plain":                             {source: metric.Source{Address: "http://prometheus:9090"}},
		"slash":                             {source: metric.Source{Address: "http://prometheus:9090/"}},
		"prefix":                            {source: metric.Source{Address: "https://mimir.example.com/prometheus/"}},
		"address-with-query":                {source: metric.Source{Address: "https://thanos/?dedup=true"}},
		"headers":                           {source: metric.Source{Address: "http://mimir", Headers: map[string][]string{"x-scope-orgid": {"shop", "front"}}}},
		"token":                             {source: metric.Source{Address: "http://p", Credentials: metric.Credentials{"token": "ey1234\n", "username": "u", "password": "p"}}},
		"password":                          {source: metric.Source{Address: "http://p", Credentials: metric.Credentials{"username": "user", "password": "pass:word"}}},
		"password-in-address":               {source: metric.Source{Address: "http://user:pass@p"}},
		"secret-wins-over-address":          {source: metric.Source{Address: "http://user:pass@p", Credentials: metric.Credentials{"token": "t"}}},
		"secret-wins-over-headers":          {source: metric.Source{Address: "http://p", Headers: map[string][]string{"authorization": {"Basic x"}}, Credentials: metric.Credentials{"token": "t"}}},
		"long-query-is-sent-as-a-form":      {source: metric.Source{Address: "http://p/?dedup=true"}, query: "x + " + strings.Repeat("x + ", 1200) + "x"},
		"query-with-a-comment-keeps-it-all": {source: metric.Source{Address: "http://p"}, query: "x # all\n + y"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			before := fmt.Sprint(c.source.Headers)
			text := c.query
			if text == "" {
				text = query
			}
			r, err := prometheus(t).Request(c.source, metric.Query{Text: text, Interval: time.Minute, Now: time.Unix(1764000000, 0)})
			if err != nil {
				t.Fatal(err)
			}
			golden(t, "prometheus/requests/"+name+".golden", written(r))
			for name := range r.Header {
				r.Header[name][0] = "changed"
			}
			if after := fmt.Sprint(c.source.Headers); before != after {
				t.Errorf("the source shares its headers with the request: %s became %s", before, after)
			}
		})
	}
}

func TestPrometheusRefusesASourceThatCannotBe(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		source metric.Source
		want   string
	}{
		{"no address", metric.Source{}, "address is empty; it must be a URL such as http://prometheus:9090"},
		{"no scheme", metric.Source{Address: "prometheus:9090"}, `address "prometheus:9090" is not an http or https URL such as http://prometheus:9090`},
		{"no host", metric.Source{Address: "http://"}, `address "http:" is not an http or https URL such as http://prometheus:9090`},
		{"another scheme", metric.Source{Address: "ftp://user:hunter2@p"}, `address "ftp://user:xxxxx@p" is not an http or https URL such as http://prometheus:9090`},
		{"not a URL", metric.Source{Address: "http://user:hunter2@[::1"}, "address is not a URL such as http://prometheus:9090"},
		{"half a Secret", metric.Source{Address: "http://p", Credentials: metric.Credentials{"username": "u"}}, "the Secret has neither the key token nor both username and password"},
		{"another Secret", metric.Source{Address: "http://p", Credentials: metric.Credentials{"api_key": "hunter2"}}, "the Secret has neither the key token nor both username and password"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := prometheus(t).Request(c.source, metric.Query{Text: "x"})
			if err == nil || err.Error() != c.want {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}

func TestCredentialsAndRequestsPrintNoSecrets(t *testing.T) {
	t.Parallel()
	s := metric.Source{Address: "http://p", Credentials: metric.Credentials{"token": "hunter2"}}
	r, err := prometheus(t).Request(s, metric.Query{Text: "x"})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	for _, verb := range []string{"%v ", "%+v ", "%#v ", "%s ", "%x ", "%d "} {
		fmt.Fprintf(&out, verb+verb+verb, s, s.Credentials, r)
	}
	slog.New(slog.NewTextHandler(&out, nil)).Info("", "source", s, "credentials", s.Credentials)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("", "source", s, "credentials", s.Credentials)
	all := out.String()
	if strings.Contains(all, "hunter2") || strings.Contains(all, fmt.Sprintf("%x", "hunter2")) {
		t.Error(all)
	}
}

func TestPrometheusAnswers(t *testing.T) {
	t.Parallel()
	const unreadable, number, noData, several = metric.Unreadable, metric.Number, metric.NoData, metric.Several
	cases := []struct {
		file    string
		status  int
		outcome metric.Outcome
		value   float64
		message string
	}{
		{"one.json", 200, number, 99.25, ""},
		{"one-with-labels.json", 200, number, 1, ""},
		{"one-tiny.json", 200, number, 1e-05, ""},
		{"scalar.json", 200, number, 0, ""},
		{"warned.json", 200, number, 99.5, ""},
		{"partial-thanos.json", 200, unreadable, 0, "the answer is not complete: receive series from Addr: 10.0.0.7:10901: rpc error"},
		{"partial-victoriametrics.json", 200, unreadable, 0, "the answer is not complete: some storage nodes did not answer"},
		{"throttled.txt", 429, unreadable, 0, "HTTP 429: the server is asked too often; it said: too many requests"},
		{"empty.json", 200, noData, 0, "no data: the query answers no series"},
		{"null.json", 200, noData, 0, "no data: the query answers no series"},
		{"nan.json", 200, noData, 0, "no data: the query answers NaN, as a division by zero requests does"},
		{"nan-scalar.json", 200, noData, 0, "no data: the query answers NaN, as a division by zero requests does"},
		{"infinite.json", 200, unreadable, 0, "the query answers +Inf, which cannot be judged: something was divided by zero"},
		{"several.json", 200, several, 0, `the query answers 4 series, one is expected: use sum() or another aggregation; the first are {pod="a"}, {pod="b"}, {pod="c"}`},
		{"matrix.json", 200, unreadable, 0, "the query answers a range of samples for each series; one number is expected: use rate(), increase() or an _over_time() function"},
		{"string.json", 200, unreadable, 0, "the query answers a text; one number is expected"},
		{"histogram.json", 200, unreadable, 0, "the query answers a histogram; one number is expected: use histogram_quantile()"},
		{"type-unknown.json", 200, unreadable, 0, "this is not an answer of Prometheus"},
		{"value-not-a-number.json", 200, unreadable, 0, "the vector in the answer cannot be read"},
		{"value-missing.json", 200, unreadable, 0, "the vector in the answer cannot be read"},
		{"value-null.json", 200, unreadable, 0, "the vector in the answer cannot be read"},
		{"value-short.json", 200, unreadable, 0, "the vector in the answer cannot be read"},
		{"value-empty.json", 200, unreadable, 0, "the vector in the answer cannot be read"},
		{"scalar-null.json", 200, unreadable, 0, "the scalar in the answer cannot be read"},
		{"scalar-short.json", 200, unreadable, 0, "the scalar in the answer cannot be read"},
		{"result-missing.json", 200, unreadable, 0, "the vector in the answer cannot be read"},
		{"element-null.json", 200, unreadable, 0, "the vector in the answer cannot be read"},
		{"no-data-field.json", 200, unreadable, 0, `the query answers a result of type`},
		{"bad-query.json", 400, unreadable, 0, `the server refused the query (bad_data, HTTP 400): invalid parameter "query": 1:5: parse error: unexpected end of input`},
		{"bad-query.json", 200, unreadable, 0, `the server refused the query (bad_data, HTTP 200)`},
		{"timeout.json", 503, unreadable, 0, "the server refused the query (timeout, HTTP 503): query timed out in expression evaluation"},
		{"one.json", 500, unreadable, 0, "HTTP 500: {"},
		{"empty.json", 302, unreadable, 0, "HTTP 302: {"},
		{"grafana.json", 404, unreadable, 0, `HTTP 404: {"message":"Not found","traceID":""}`},
		{"grafana.json", 200, unreadable, 0, `this is not an answer of Prometheus: {"message":"Not found","traceID":""}`},
		{"list.json", 200, unreadable, 0, "this is not an answer of Prometheus: [1,2,3]"},
		{"page.html", 200, unreadable, 0, "this is not an answer of Prometheus: <!doctype html> <html> <head><title>404 Not Found</title></head> </html>"},
		{"page.html", 404, unreadable, 0, "HTTP 404: <!doctype html>"},
		{"unauthorized.txt", 401, unreadable, 0, "HTTP 401: the server wants other credentials; it said: Unauthorized"},
		{"unauthorized.txt", 403, unreadable, 0, "HTTP 403: the server wants other credentials; it said: Unauthorized"},
		{"nothing.txt", 200, unreadable, 0, "this is not an answer of Prometheus: (nothing)"},
		{"nothing.txt", 502, unreadable, 0, "HTTP 502: (nothing)"},
		{"hostile.bin", 200, unreadable, 0, "this is not an answer of Prometheus: .[31mred... ::error::x  x"},
		{"long.txt", 200, unreadable, 0, "this is not an answer of Prometheus: éé"},
	}
	used := map[string]bool{}
	for _, c := range cases {
		used[c.file] = true
		t.Run(fmt.Sprintf("%s with HTTP %d", c.file, c.status), func(t *testing.T) {
			t.Parallel()
			a := prometheus(t).Parse(metric.Query{}, c.status, read(t, "prometheus/answers/"+c.file))
			if a.Outcome != c.outcome || a.Value != c.value || !strings.HasPrefix(a.Message, c.message) || (c.message == "") != (a.Message == "") {
				t.Errorf("got %v %v %q, want %v %v %q", a.Outcome, a.Value, a.Message, c.outcome, c.value, c.message)
			}
			if !utf8.ValidString(a.Raw+a.Message) || len(a.Raw) > 520 || strings.ContainsAny(a.Raw+a.Message, "\x00\x1b\r\n") {
				t.Errorf("not safe to show: %q", a.Raw)
			}
		})
	}
	files, err := os.ReadDir(testdata + "/prometheus/answers")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !used[f.Name()] {
			t.Errorf("%s is not used", f.Name())
		}
	}
}

func FuzzPrometheusAnswersNeverPanicAndNeverInvent(f *testing.F) {
	files, err := filepath.Glob(testdata + "/prometheus/answers/*")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range files {
		body, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(200, body)
	}
	p, err := metric.ProviderFor("prometheus")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		a := p.Parse(metric.Query{}, status, body)
		if a.Outcome == metric.Number && (status < 200 || status > 299 || !strings.Contains(string(body), "success")) {
			t.Errorf("a number out of HTTP %d %q", status, body)
		}
		if a.Outcome != metric.Number && a.Message == "" {
			t.Error("no message")
		}
	})
}

func TestShownCutsBetweenCharacters(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ body, want string }{
		{strings.Repeat("a", 512), strings.Repeat("a", 512)},
		{strings.Repeat("a", 513), strings.Repeat("a", 512) + "…"},
		{strings.Repeat("a", 511) + "é", strings.Repeat("a", 511) + "…"},
		{strings.Repeat("a", 510) + "éb", strings.Repeat("a", 510) + "é…"},
	} {
		if diff := cmp.Diff(c.want, metric.Shown([]byte(c.body))); diff != "" {
			t.Error(diff)
		}
	}
}
