package httpx_test

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/penstock-dev/penstock/internal/httpx"
)

func TestSecretsAreHiddenInEveryFormThatAServerRepeats(t *testing.T) {
	t.Parallel()
	var s httpx.Secrets
	s.AddURL("https://bot:p%40ss%2Fword@gate.example/services/T0001/B0002/abcdef0123456789?token=a%26b%22c%3Cd&id=7#fragment-9")
	s.Add("begin", "beginning-and-end", " ", "abc")
	for _, c := range []struct{ text, want string }{
		{"no route for /services/T0001/B0002/abcdef0123456789", "no route for /services/T0001/B0002/***"},
		{"wrong password p@ss/word", "wrong password ***"},
		{"Basic Ym90OnBAc3Mvd29yZA==", "Basic ***"},
		{"query token=a%26b%22c%3Cd&id=7", "query ***"},
		{`{"token":"a\u0026b\"c\u003cd"}`, `{"token":"***"}`},
		{"<p>a&amp;b&#34;c&lt;d</p>", "<p>***</p>"},
		{`a&b"c<d`, "***"},
		{"fragment-9", "***"},
		{"beginning-and-end", "***"}, // and not ***ning-and-end
		{"id 7, abc: nothing secret", "id 7, abc: nothing secret"},
	} {
		if got := s.Hide(c.text); got != c.want {
			t.Errorf("%q: got %q, want %q", c.text, got, c.want)
		}
	}
	var none httpx.Secrets
	if got := none.Hide("as it is"); got != "as it is" {
		t.Errorf("no secrets: got %q", got)
	}
	none.AddURL("http://[::1/%zz-secret")
	if got := none.Hide("cannot parse http://[::1/%zz-secret"); strings.Contains(got, "zz-secret") {
		t.Errorf("a URL that cannot be read: got %q", got)
	}
}

func TestARedirectIsAnAnswerWhenItIsNotToBeFollowed(t *testing.T) {
	t.Parallel()
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" {
			t.Errorf("followed to %s", r.URL.Path)
		}
		http.Redirect(w, r, "/login", http.StatusFound)
	})
	got, err := httpx.New(httpx.Options{NoRedirects: true}).Do(t.Context(), get(t, s.URL))
	if err != nil || got.Status != http.StatusFound || got.Header.Get("Location") != "/login" {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestALongAnswerIsCutWhenOnlyItsBeginningMatters(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 999, 1000, 1001, 1 << 20} {
		s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.Copy(w, bytes.NewReader(bytes.Repeat([]byte("a"), size)))
		})
		got, err := httpx.New(httpx.Options{MaxBody: 1000, CutBody: true}).Do(t.Context(), get(t, s.URL))
		if err != nil || len(got.Body) != min(size, 1000) {
			t.Errorf("%d bytes: got %d, %v", size, len(got.Body), err)
		}
	}
}

func TestThePunctuationAroundAURLIsKept(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"http://host:80: no answer":             "http://host:80: no answer",
		"see (https://bot:pw@host/x?t=s3cret).": "see (https://host/x?***).",
		"http://[::1]:80, and http://[::1]!":    "http://[::1]:80, and http://[::1]!",
		"https://bot:s3cret@[::1/x; odd":        "(a URL that cannot be read); odd",
	} {
		if got := httpx.Redact(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}
