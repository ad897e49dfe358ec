package httpx_test

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/penstock-dev/penstock/internal/httpx"
)

func discard() *log.Logger { return log.New(io.Discard, "", 0) }

func TestARedirectWithinAHostKeepsTheCredentials(t *testing.T) {
	t.Parallel()
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" {
			http.Redirect(w, r, "/there", http.StatusFound)
			return
		}
		_, _ = io.WriteString(w, r.Header.Get("Authorization")+r.Header.Get("X-Api-Key"))
	})
	req := get(t, s.URL)
	req.Header.Set("Authorization", "Bearer a")
	req.Header.Set("X-Api-Key", "b")
	got, err := httpx.New(httpx.Options{}).Do(t.Context(), req)
	if err != nil || string(got.Body) != "Bearer ab" {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestARedirectToAnotherHostTakesNoCredentialsAlong(t *testing.T) {
	t.Parallel()
	var seen http.Header
	var hops int
	other := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if hops++; hops == 1 { // and neither does the hop after it
			http.Redirect(w, r, "/again", http.StatusFound)
			return
		}
		seen = r.Header.Clone()
	})
	s := serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other.URL, http.StatusFound) })
	req := get(t, s.URL+"/?token=s3cret")
	for name, value := range map[string]string{"Authorization": "Bearer a", "X-Api-Key": "b", "Cookie": "c=d", "Accept": "application/json"} {
		req.Header.Set(name, value)
	}
	if _, err := httpx.New(httpx.Options{}).Do(t.Context(), req); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"Authorization", "X-Api-Key", "Cookie"} {
		if seen.Get(name) != "" {
			t.Errorf("%s went along: %q", name, seen.Get(name))
		}
	}
	if strings.Contains(seen.Get("Referer"), "s3cret") {
		t.Errorf("Referer went along: %q", seen.Get("Referer"))
	}
	if seen.Get("Accept") != "application/json" || !strings.HasPrefix(seen.Get("User-Agent"), "penstock/") {
		t.Errorf("the harmless headers were lost: %v", seen)
	}
}

func TestRedirectsThatAreRefused(t *testing.T) {
	t.Parallel()
	other := serve(t, func(http.ResponseWriter, *http.Request) {})
	secure := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL+"/?token=s3cret", http.StatusFound)
	}))
	t.Cleanup(secure.Close)
	around := serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/", http.StatusFound) })
	away := serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
	})
	for _, c := range []struct{ name, method, target, want string }{
		{"a redirect without end", http.MethodGet, around.URL, "more than 5 redirects"},
		{"a redirect from https to http", http.MethodGet, secure.URL, "redirect from https to " + other.URL + "/?***"},
		{"a redirect of a body to another host", http.MethodPost, away.URL, "redirect of a POST to another host, " + other.URL},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			req := get(t, c.target)
			req.Method = c.method
			if c.method == http.MethodPost {
				req.Body = io.NopCloser(strings.NewReader("x"))
				req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("x")), nil }
			}
			_, err := httpx.New(httpx.Options{InsecureSkipVerify: true}).Do(t.Context(), req)
			if err == nil || !strings.HasSuffix(err.Error(), c.want) || httpx.IsTransient(err) {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}
