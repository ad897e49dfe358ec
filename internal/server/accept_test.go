package server

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/penstock-dev/penstock/internal/approval"
)

func TestADeliveryIsStoredBeforeItIsAccepted(t *testing.T) {
	t.Parallel()
	config := sampleConfig()
	s := newServer(t, config)
	m := config.Store.(*memory)
	if answer := send(s, fromGitHub("issue_comment", "d-1", comment(3, approve))); answer.Code != http.StatusAccepted {
		t.Fatalf("%d %s", answer.Code, answer.Body)
	}
	if p := m.ledger.Pending; len(p) != 1 || p[0].Subject != subject(approval.GitHub, 3) || p[0].Since.IsZero() {
		t.Errorf("pending %+v", p)
	}
	m.fail(errors.New("disk full"))
	for platform, r := range map[string]*http.Request{
		"github": fromGitHub("issue_comment", "d-2", comment(4, approve)), "gitlab": fromGitLab("Note Hook", "d-2", note(4, approve)),
	} {
		answer := send(s, r)
		if answer.Code != http.StatusServiceUnavailable || answer.Header().Get("Retry-After") == "" || strings.Contains(answer.Body.String(), "disk") {
			t.Errorf("%s: %d %s", platform, answer.Code, answer.Body)
		}
	}
	if n, _ := s.queue.length(); n != 1 {
		t.Errorf("%d changes wait; one was stored", n)
	}
	if got := scrape(t, s, `penstock_webhook_deliveries_total{event="issue_comment",outcome="refused",platform="github"}`); got != "1" {
		t.Errorf("refused: %q", got)
	}
}

func TestAReplayIsKnown(t *testing.T) {
	t.Parallel()
	config := sampleConfig()
	s := newServer(t, config)
	body, edited := note(3, approve), note(3, "/canary abort")
	now := time.Now()
	for i, c := range []struct {
		name    string
		request *http.Request
		status  int
	}{
		{"first", fromGitLab("Note Hook", "k-1", body), 202},
		{"again", fromGitLab("Note Hook", "k-1", body), 200},
		{"again, but signed", signedAt(fromGitLab("Note Hook", "k-1", body), rawKey, now, body), 200},
		{"the number of the first with another body", fromGitLab("Note Hook", "k-1", edited), 202},
		{"another number", fromGitLab("Note Hook", "k-2", body), 202},
		{"the same number on the other platform", fromGitHub("issue_comment", "k-1", comment(3, approve)), 202},
		{"that again", fromGitHub("issue_comment", "k-1", comment(3, approve)), 200},
	} {
		if answer := send(s, c.request); answer.Code != c.status {
			t.Errorf("%d %s: %d %s", i, c.name, answer.Code, answer.Body)
		}
	}
	if n, _ := s.queue.length(); n != 2 {
		t.Errorf("%d changes wait; the deliveries were of two", n)
	}
	if got := scrape(t, s, `penstock_webhook_deliveries_total{event="Note Hook",outcome="duplicate",platform="gitlab"}`); got != "2" {
		t.Errorf("duplicates: %q", got)
	}
}

func TestSecretsCanBeRotated(t *testing.T) {
	t.Parallel()
	config := sampleConfig()
	config.GitHub.Secrets = []Secret{"the old one", secret}
	config.GitLab.Tokens = []Secret{"the old one", token}
	config.GitLab.SigningKeys = []Secret{signingKey("the old signing key that goes"), signingKey(rawKey)}
	s := newServer(t, config)
	body := note(3, approve)
	withOld := fromGitHub("issue_comment", "d-old", comment(3, approve))
	withOld.Header.Set("X-Hub-Signature-256", "sha256="+hmacHex("the old one", comment(3, approve)))
	oldToken := fromGitLab("Note Hook", "k-old", body)
	oldToken.Header.Set("X-Gitlab-Token", "the old one")
	both := signedAt(fromGitLab("Note Hook", "k-both", body), "a key that nobody knows", time.Now(), body)
	other := both.Header.Get("Webhook-Signature")
	both = signedAt(both, rawKey, time.Now(), body)
	both.Header.Set("Webhook-Id", "k-both")
	both.Header.Set("Webhook-Signature", "v2,AAAA "+other+" "+signatureOf("k-both", rawKey, body))
	for name, r := range map[string]*http.Request{
		"GitHub, old secret": withOld, "GitHub, new secret": fromGitHub("issue_comment", "d-new", comment(3, approve)),
		"GitLab, old token": oldToken, "GitLab, new token": fromGitLab("Note Hook", "k-new", body),
		"GitLab, old key":             signedAt(fromGitLab("Note Hook", "s-old", body), "the old signing key that goes", time.Now(), body),
		"GitLab, new key":             signedAt(fromGitLab("Note Hook", "s-new", body), rawKey, time.Now(), body),
		"GitLab, one of many is ours": both,
	} {
		if answer := send(s, r); answer.Code != http.StatusAccepted {
			t.Errorf("%s: %d %s", name, answer.Code, answer.Body)
		}
	}
	config.GitHub.Secrets, config.Registry, config.Store = []Secret{secret}, nil, &memory{}
	withOld.Body = http.NoBody
	if answer := send(newServer(t, config), withOld); answer.Code != http.StatusUnauthorized {
		t.Errorf("the old secret, after it went: %d", answer.Code)
	}
}

// signatureOf is the signature of a delivery that is sent now.
func signatureOf(id, key, body string) string {
	return signedAt(fromGitLab("Note Hook", id, body), key, time.Now(), body).Header.Get("Webhook-Signature")
}

// example is a payload of others, and what the request of it is.
type example struct {
	name    string
	request func(id string) *http.Request
}

func examples(t testing.TB) []example {
	t.Helper()
	var all []example
	file, err := os.Open("testdata/octokit.json.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	text, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	var events []struct {
		Name     string
		Examples []json.RawMessage
	}
	if err := json.NewDecoder(text).Decode(&events); err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		for _, body := range e.Examples {
			var p struct{ Action string }
			_ = json.Unmarshal(body, &p) // not all have one
			all = append(all, example{strings.TrimSpace("github " + e.Name + " " + p.Action), func(id string) *http.Request {
				return fromGitHub(e.Name, id, string(body))
			}})
		}
	}
	names, err := filepath.Glob("testdata/gitlab/*.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		body, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var p struct {
			Kind string `json:"object_kind"`
		}
		_ = json.Unmarshal(body, &p) // an event without a kind has another name
		event := map[string]string{"note": noteHook, "merge_request": mergeHook, "build": jobHook}[p.Kind]
		if event == "" {
			event = "System Hook"
		}
		all = append(all, example{"gitlab " + filepath.Base(name), func(id string) *http.Request {
			return fromGitLab(event, id, string(body))
		}})
	}
	return all
}

// TestExamples sends every payload of others through the router.
func TestExamples(t *testing.T) {
	t.Parallel()
	config := sampleConfig()
	config.AnyRepository, config.GitHub.Repositories, config.GitLab.Repositories = true, nil, nil
	m := config.Store.(*memory)
	s := newServer(t, config)
	tally := map[string]int{}
	all := examples(t)
	for i, e := range all {
		before := len(m.ledger.Pending)
		answer := send(s, e.request(fmt.Sprint("d-", i)))
		line := fmt.Sprintf("%s: %d %s", e.name, answer.Code, strings.TrimSpace(answer.Body.String()))
		if len(m.ledger.Pending) > before {
			line += " " + m.ledger.Pending[before].Subject.String()
		}
		tally[line]++
		if answer.Code/100 != 2 {
			t.Errorf("%s", line)
		}
	}
	if len(all) < 350 {
		t.Errorf("only %d examples", len(all))
	}
	lines := make([]string, 0, len(tally))
	for line, n := range tally {
		lines = append(lines, fmt.Sprintf("%s (%d)\n", line, n))
	}
	slices.Sort(lines)
	got := strings.Join(lines, "")
	if *update {
		if err := os.WriteFile("testdata/examples.golden", []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("testdata/examples.golden")
	if err != nil || got != string(want) {
		t.Errorf("%v; got:\n%s", err, got)
	}
}
