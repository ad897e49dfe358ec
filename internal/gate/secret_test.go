package gate_test

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/gate"
	"github.com/penstock-dev/penstock/internal/rollout"
)

func discard() *log.Logger { return log.New(io.Discard, "", 0) }

func TestARedirectNeverOpensAGate(t *testing.T) {
	t.Parallel()
	login := receive(t, answering(200, "please log in"))
	const only = ", and redirects are not followed: only the URL of the webhook itself can answer"
	for _, c := range []struct {
		name, location, says string
	}{
		{"to another server", login.URL + "/login?next=s3cret", "it redirects to " + login.URL + only},
		{"to another server with a password", strings.Replace(login.URL, "http://", "http://bot:hunter2@", 1), "it redirects to " + login.URL + only},
		{"to a login page", "/login", "it redirects to another place of the same server" + only},
		{"to itself", "", "this is neither a yes nor a no"},
		{"to nowhere", "mailto:bot@host", "it redirects" + only},
		{"to nonsense", "http://[::1/s3cret", "it redirects" + only},
	} {
		for _, status := range []int{301, 302, 303, 307, 308} {
			r := receive(t, func(w http.ResponseWriter, q *http.Request) {
				if q.URL.Path != "/gate" {
					t.Errorf("%s: %s was asked", c.name, q.URL.Path)
					return
				}
				w.Header()["Location"] = []string{c.location}
				w.WriteHeader(status)
			})
			hook := canary.Webhook{Name: "gate", Type: canary.HookConfirmRollout, URL: r.URL + "/gate"}
			got := caller(t, gate.Config{}, hook).Call(t.Context(), canary.HookConfirmRollout, about)
			want := fmt.Sprintf(`hook "gate": answered %d: %s`, status, c.says)
			if c.name == "to nonsense" && got.Verdict == rollout.Error && !strings.Contains(got.Message, "s3cret") {
				continue // the HTTP client refuses it before anybody can look
			}
			if got.Verdict != rollout.Fail || got.Message != want {
				t.Errorf("%s, %d: got %v, %s, want %s", c.name, status, got.Verdict, got.Message, want)
			}
		}
	}
	if n := len(login.requests()); n != 0 {
		t.Errorf("the other server got %d requests", n)
	}
}

// echo answers with everything that it got, in the ways in which servers do.
func echo(w http.ResponseWriter, q *http.Request) {
	body, _ := io.ReadAll(q.Body)
	user, password, _ := q.BasicAuth()
	w.WriteHeader(http.StatusTeapot)
	_, _ = fmt.Fprintf(w, "cannot POST %s: %s %q %v, user %s, password %s, %s\n",
		q.URL, q.RequestURI, q.URL.RawQuery, q.Header["Authorization"], user, password, body)
	for _, values := range q.URL.Query() {
		_, _ = fmt.Fprintln(w, values)
	}
}

func TestCredentialsOfAWebhookAreNeverShown(t *testing.T) {
	t.Parallel()
	r := receive(t, echo)
	host := strings.TrimPrefix(r.URL, "http://")
	gone := receive(t, nil)
	gone.Close()
	for _, target := range []string{
		"http://hunter2:s3cret-s3cret@" + host + "/gate",
		"http://hunter2@" + host + "/gate",
		"http://x:hunter2@" + host + "/gate?a=s3cret-s3cret&b=hunter2",
		"http://" + host + "/gate?hunter2",
		"http://" + host + "/gate?k=hunter2;k2=s3cret-s3cret#hunter2",
		"http://" + host + "/services/T000/hunter2-hunter2-hunter2",
		"http://hunter2:s3cret-s3cret@" + strings.TrimPrefix(gone.URL, "http://") + "/gate?a=hunter2#s3cret-s3cret",
		"https://hunter2:s3cret-s3cret@" + host + "/gate",
		"http://hunter2:s3cret-s3cret@no-such-host.invalid/gate?token=hunter2",
	} {
		hook := canary.Webhook{Name: "x", URL: target, Metadata: map[string]string{
			"cmd": "hey", "token": "hunter2", "API-Key": "s3cret-s3cret", "authorization": "Bearer s3cret-s3cret",
		}}
		got := caller(t, gate.Config{}, hook).Call(t.Context(), canary.HookRollout, about)
		if got.Verdict == rollout.Pass || got.Message == "" {
			t.Fatalf("%s: got %+v", target, got)
		}
		for _, secret := range []string{"hunter2", "s3cret"} {
			if strings.Contains(got.Message, secret) {
				t.Errorf("%s: %s", target, got.Message)
			}
		}
	}
}

func FuzzCredentialsOfAWebhookAreNeverShown(f *testing.F) {
	for _, secret := range []string{"hunter2", "p@ss/word", `a"b<c>&d`, "ßßßß", "%2F%2f%zz", "a b+c d", "tok;en=1&x=2", "''''", "***?", "{}[]|\\^`"} {
		f.Add(secret)
	}
	f.Fuzz(func(t *testing.T, secret string) {
		secret = strings.ToValidUTF8(strings.TrimSpace(secret), "")
		marked := "Zq" + secret + "qZ" // nothing else has it
		if secret == "" || strings.ContainsFunc(secret, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			t.Skip()
		}
		r := receive(t, echo)
		u, err := url.Parse(r.URL)
		if err != nil {
			t.Fatal(err)
		}
		u.User = url.UserPassword(marked, marked)
		u.RawQuery = url.Values{"token": {marked}, "x": {"1"}}.Encode()
		hook := canary.Webhook{Name: "x", URL: u.String(), Metadata: map[string]string{"token": marked}}
		got := caller(t, gate.Config{}, hook).Call(t.Context(), canary.HookRollout, about)
		if got.Verdict == rollout.Pass || strings.Contains(got.Message, marked) || strings.Contains(got.Message, url.QueryEscape(marked)) {
			t.Errorf("%q: %v, %s", secret, got.Verdict, got.Message)
		}
	})
}
