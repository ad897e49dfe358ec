package metric_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/penstock-dev/penstock/internal/metric"
)

// asked is the end of the window of all recorded requests and answers, ten seconds past a full minute.
var asked = time.Date(2025, 11, 24, 16, 0, 10, 0, time.UTC)

func provider(t testing.TB, kind string) metric.Provider {
	t.Helper()
	p, err := metric.ProviderFor(kind)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// minutes returns a query with a window that ends at asked.
func minutes(n int, text string) metric.Query {
	return metric.Query{Text: text, Interval: time.Duration(n) * time.Minute, Now: asked}
}

// question is a query and where it is asked; its name is that of the golden file.
type question struct {
	name   string
	source metric.Source
	query  metric.Query
}

// requests holds the requests of a provider to their golden files.
func requests(t *testing.T, kind string, cases []question) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r, err := provider(t, kind).Request(c.source, c.query)
			if err != nil {
				t.Fatal(err)
			}
			golden(t, kind+"/requests/"+c.name+".golden", written(r))
			for name, values := range r.Header {
				values[0] = "changed"
				if got := c.source.Headers[name]; len(got) > 0 && got[0] == "changed" {
					t.Errorf("the source shares its header %s with the request", name)
				}
			}
			for _, secret := range c.source.Credentials {
				if strings.Contains(fmt.Sprintf("%v%+v%#v", r, r, r), secret) && strings.Contains(secret, "hunter") {
					t.Error("a request prints a secret")
				}
			}
		})
	}
}

// refusal is a source and query that cannot be asked, and the error that says so.
type refusal struct {
	source metric.Source
	text   string
	want   string
}

func refuses(t *testing.T, kind string, cases map[string]refusal) {
	t.Helper()
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := provider(t, kind).Request(c.source, minutes(2, c.text))
			if err == nil || err.Error() != c.want {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}

// reply is a recorded answer and what it comes to. message is how the message begins; lasting is when asking again is
// no use.
type reply struct {
	file    string
	status  int
	query   metric.Query
	outcome metric.Outcome
	value   float64
	message string
	lasting bool
}

// answers holds the answers of a provider to what they come to, and fails on one that is not used.
func answers(t *testing.T, kind string, cases []reply) {
	t.Helper()
	used := map[string]bool{}
	for _, c := range cases {
		used[c.file] = true
		t.Run(fmt.Sprintf("%s with HTTP %d within %s", c.file, c.status, c.query.Interval), func(t *testing.T) {
			t.Parallel()
			a := provider(t, kind).Parse(c.query, c.status, read(t, kind+"/answers/"+c.file))
			if a.Outcome != c.outcome || a.Value != c.value || a.Lasting != c.lasting || !strings.HasPrefix(a.Message, c.message) || (c.message == "") != (a.Message == "") {
				t.Errorf("got %v %v %q (lasting: %t), want %v %v %q (lasting: %t)", a.Outcome, a.Value, a.Message, a.Lasting, c.outcome, c.value, c.message, c.lasting)
			}
			if !utf8.ValidString(a.Raw+a.Message) || strings.ContainsAny(a.Raw+a.Message, "\x00\x1b\r\n") {
				t.Errorf("not safe to show: %q", a.Raw)
			}
		})
	}
	files, err := os.ReadDir(testdata + "/" + kind + "/answers")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !used[f.Name()] {
			t.Errorf("%s is not used", f.Name())
		}
	}
}

// lints holds queries to the problems that are found without asking anybody; an empty one is a query without problems.
func lints(t *testing.T, kind string, cases map[string]string) {
	t.Helper()
	for query, want := range cases {
		got := ""
		if err := provider(t, kind).Lint(query); err != nil {
			got = err.Error()
		}
		if !strings.HasPrefix(got, want) || (want == "") != (got == "") {
			t.Errorf("%s: got %q, want %q", query, got, want)
		}
	}
}

func TestNoProviderMakesANumberOfAnythingElse(t *testing.T) {
	t.Parallel()
	bodies := []string{
		"", "null", "0", "1", `"1"`, "[]", "{}", "[null]", "[[]]", "[1]", `[{}]`, `{"error":null}`, `{"value":1}`, `{"status":"ok"}`,
		"<html>1</html>", "\x00\xff", `{"data":`, strings.Repeat("[", 100000),
	}
	for _, kind := range metric.Providers() {
		for _, body := range bodies {
			for _, status := range []int{200, 204, 302, 401, 404, 429, 500} {
				a := provider(t, kind).Parse(minutes(2, "x"), status, []byte(body))
				if a.Outcome == metric.Number || a.Message == "" {
					t.Errorf("%s: HTTP %d %.20q is %v %v %q", kind, status, body, a.Outcome, a.Value, a.Message)
				}
				if status == 429 && (a.Lasting || a.Outcome != metric.Unreadable) {
					t.Errorf("%s: being asked too often does not pass by itself: %q", kind, a.Message)
				}
			}
		}
	}
}

func TestEveryProviderWantsAQuery(t *testing.T) {
	t.Parallel()
	for _, kind := range metric.Providers() {
		if err := provider(t, kind).Lint(" \n"); err == nil || !strings.HasPrefix(err.Error(), "query") {
			t.Errorf("%s: got %v", kind, err)
		}
	}
}
