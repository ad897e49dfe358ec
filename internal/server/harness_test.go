package server

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/penstock-dev/penstock/internal/approval"
)

var update = flag.Bool("update", false, "rewrite the golden files")

const (
	secret   = "It's a Secret to Everybody"
	token    = "glpat-of-the-hook"
	rawKey   = "thirty-two bytes of a signing key"
	repoID   = 77
	repoPath = "shop/web"
)

func signingKey(raw string) Secret {
	return Secret("whsec_" + base64.StdEncoding.EncodeToString([]byte(raw)))
}

// memory is a Store that does not outlive the process.
type memory struct {
	mu      sync.Mutex
	ledger  ledger
	err     error
	commits int
	adds    int
	enter   func() // called at the beginning of each commit, without the lock
}

func (m *memory) Commit(ctx context.Context, b Batch) ([]Receipt, error) {
	if m.enter != nil {
		m.enter()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.commits++
	m.adds += len(b.Add)
	if m.err != nil {
		return nil, m.err
	}
	receipts, _ := m.ledger.apply(b)
	return receipts, ctx.Err()
}

func (m *memory) Pending(context.Context) ([]Pending, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]Pending(nil), m.ledger.Pending...), m.err
}

func (m *memory) fail(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.err = err
}

// looker counts the looks and does what do does.
type looker struct {
	mu   sync.Mutex
	seen []Subject
	do   func(ctx context.Context, s Subject) error
}

func (l *looker) Look(ctx context.Context, s Subject) error {
	l.mu.Lock()
	l.seen = append(l.seen, s)
	l.mu.Unlock()
	if l.do == nil {
		return nil
	}
	return l.do(ctx, s)
}

func (l *looker) looks() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.seen)
}

// logs is what a server wrote to its log.
type logs struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func sampleConfig() Config {
	return Config{
		Address: "127.0.0.1:0", Store: &memory{}, Looker: &looker{}, Log: slog.New(slog.DiscardHandler),
		GitHub: GitHub{Secrets: []Secret{secret}, Repositories: []int64{repoID}},
		GitLab: GitLab{Tokens: []Secret{token}, SigningKeys: []Secret{signingKey(rawKey)}, Repositories: []int64{repoID}},
	}
}

func newServer(t testing.TB, c Config) *Server {
	t.Helper()
	s, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// comment is a payload of GitHub: somebody comments on a pull request.
func comment(change int, text string) string {
	return fmt.Sprintf(`{"action":"created","issue":{"number":%d,"pull_request":{"url":"x"}},`+
		`"comment":{"body":%q,"user":{"type":"User"}},"repository":{"id":%d,"full_name":%q}}`, change, text, repoID, repoPath)
}

// note is a payload of GitLab: somebody comments on a merge request.
func note(change int, text string) string {
	return fmt.Sprintf(`{"object_kind":"note","project":{"id":%d,"path_with_namespace":%q},"merge_request":{"iid":%d},`+
		`"object_attributes":{"action":"create","noteable_type":"MergeRequest","system":false,"note":%q}}`, repoID, repoPath, change, text)
}

func hmacHex(key, text string) string {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(text))
	return hex.EncodeToString(mac.Sum(nil))
}

// fromGitHub is a delivery as GitHub sends it.
func fromGitHub(event, id, body string) *http.Request {
	r := unsigned(event, id, body)
	r.Header.Set("X-Hub-Signature-256", "sha256="+hmacHex(secret, body))
	return r
}

func unsigned(event, id, body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/webhooks/github", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-GitHub-Event", event)
	r.Header.Set("X-GitHub-Delivery", id)
	return r
}

// fromGitLab is a delivery with a token as GitLab sends it.
func fromGitLab(event, id, body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/webhooks/gitlab", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Gitlab-Event", event)
	r.Header.Set("Idempotency-Key", id)
	r.Header.Set("X-Gitlab-Token", token)
	return r
}

// signedAt replaces the token of a delivery of GitLab by a signature.
func signedAt(r *http.Request, key string, at time.Time, body string) *http.Request {
	id, stamp := r.Header.Get("Idempotency-Key"), fmt.Sprint(at.Unix())
	mac := hmac.New(sha256.New, []byte(key))
	_, _ = io.WriteString(mac, id+"."+stamp+"."+body)
	r.Header.Del("X-Gitlab-Token")
	r.Header.Set("Webhook-Id", id)
	r.Header.Set("Webhook-Timestamp", stamp)
	r.Header.Set("Webhook-Signature", "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	return r
}

// send delivers through the router and returns the answer.
func send(s *Server, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	return w
}

// scrape reads one value off the metrics, such as penstock_webhook_queue_length.
func scrape(t *testing.T, s *Server, line string) string {
	t.Helper()
	for text := range strings.Lines(send(s, httptest.NewRequest(http.MethodGet, "/metrics", nil)).Body.String()) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(text), line+" "); ok {
			return value
		}
	}
	return ""
}

func subject(platform approval.Platform, change int64) Subject {
	return Subject{Platform: platform, Repository: repoID, Path: repoPath, Change: change}
}
