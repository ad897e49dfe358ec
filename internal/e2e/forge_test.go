package e2e

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	forgeSHA    = "0123456789012345678901234567890123456789"
	forgeSecret = "a-secret-of-webhooks-0123456789"
)

// A gitHub answers as GitHub does about pull request 12 of acme/shop. Person 1 wrote and pushed it and started the run;
// those with numbers below 100 may write, and the others may read.
type gitHub struct {
	URL   string
	delay time.Duration // of every answer

	mu       sync.Mutex
	comments []map[string]any
	replies  []string // what penstock wrote
}

func newGitHub(t testing.TB, delay time.Duration) *gitHub {
	g := &gitHub{delay: delay}
	server := httptest.NewServer(g)
	t.Cleanup(server.Close)
	g.URL = server.URL
	return g
}

// job is the environment of a job of this GitHub.
func (n *Namespace) job(g *gitHub) []string {
	n.t.Helper()
	event := filepath.Join(n.home, "event.json")
	if err := os.WriteFile(event, []byte("{}"), 0o600); err != nil {
		n.t.Fatal(err)
	}
	return []string{
		"GITHUB_EVENT_PATH=" + event,
		"GITHUB_ACTIONS=true", "GITHUB_API_URL=" + g.URL, "GITHUB_SERVER_URL=" + g.URL, "GITHUB_REPOSITORY=acme/shop", "GITHUB_REPOSITORY_ID=7",
		"GITHUB_SHA=" + forgeSHA, "GITHUB_REF=refs/heads/main", "GITHUB_EVENT_NAME=push", "GITHUB_ACTOR=person1", "GITHUB_TRIGGERING_ACTOR=person1",
		"GITHUB_ACTOR_ID=1", "GITHUB_RUN_ID=99", "GITHUB_RUN_ATTEMPT=1", "GITHUB_JOB=deploy", "GITHUB_TOKEN=ghs_job",
	}
}

func person(id int) map[string]any {
	return map[string]any{"id": id, "login": fmt.Sprintf("person%d", id), "type": "User"}
}

var permissionOf = regexp.MustCompile(`/collaborators/person(\d+)/permission$`)

func (g *gitHub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	time.Sleep(g.delay)
	body, _ := io.ReadAll(r.Body) // what was cut off makes no sense below
	g.mu.Lock()
	defer g.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	if r.Method == http.MethodPost && !strings.HasSuffix(r.URL.Path, "/graphql") {
		w.WriteHeader(http.StatusCreated)
	}
	_ = json.NewEncoder(w).Encode(g.reply(w, r, string(body)))
}

func (g *gitHub) reply(w http.ResponseWriter, r *http.Request, body string) any {
	path := r.URL.Path
	m := permissionOf.FindStringSubmatch(path)
	me := map[string]any{"id": 1000, "login": "github-actions[bot]", "type": "Bot"}
	switch {
	case strings.HasSuffix(path, "/graphql"):
		return map[string]any{"data": map[string]any{"viewer": me}}
	case m != nil:
		id, _ := strconv.Atoi(m[1])
		role := "write"
		if id >= 100 {
			role = "read"
		}
		return map[string]any{"permission": role, "role_name": role, "user": person(id)}
	case strings.HasSuffix(path, "/pulls/12"):
		return map[string]any{
			"number": 12, "state": "open", "user": person(1), "commits": 1, "base": map[string]any{"repo": map[string]any{"id": 7}},
			"head": map[string]any{"sha": forgeSHA, "ref": "topic", "repo": map[string]any{"full_name": "acme/shop"}},
		}
	case strings.HasSuffix(path, "/pulls"):
		return []any{map[string]any{"number": 12, "state": "open", "head": map[string]any{"sha": forgeSHA}}}
	case strings.HasSuffix(path, "/activity"):
		return []any{map[string]any{"after": forgeSHA, "actor": person(1)}, map[string]any{"after": strings.Repeat("a", 40), "actor": person(1)}}
	case strings.HasSuffix(path, "/issues/12/comments") && r.Method == http.MethodGet:
		return g.page(w, r)
	case strings.HasSuffix(path, "/issues/12/comments"):
		var made struct{ Body string }
		_ = json.Unmarshal([]byte(body), &made)
		g.replies = append(g.replies, made.Body)
		g.comments = append(g.comments, comment(len(g.comments)+1, me, made.Body))
		return g.comments[len(g.comments)-1]
	case strings.HasSuffix(path, "/check-runs") && r.Method == http.MethodGet:
		return map[string]any{"total_count": 0, "check_runs": []any{}}
	case r.Method == http.MethodGet:
		return []any{}
	}
	return map[string]any{"id": 1, "number": 12, "state": "open"}
}

// page is a page of the comments since a time, with a link to the next.
func (g *gitHub) page(w http.ResponseWriter, r *http.Request) any {
	since, _ := time.Parse(time.RFC3339, r.URL.Query().Get("since")) // none is all of them
	number, _ := strconv.Atoi(r.URL.Query().Get("page"))
	number = max(1, number)
	const size = 100
	all := []map[string]any{}
	for _, c := range g.comments {
		if at, _ := time.Parse(time.RFC3339, c["updated_at"].(string)); !at.Before(since) {
			all = append(all, c)
		}
	}
	from, to := min(len(all), (number-1)*size), min(len(all), number*size)
	if to < len(all) {
		w.Header().Set("Link", fmt.Sprintf(`<%s%s?page=%d>; rel="next"`, g.URL, r.URL.Path, number+1))
	}
	return all[from:to]
}

func comment(id int, who map[string]any, body string) map[string]any {
	at := time.Now().UTC().Format(time.RFC3339)
	return map[string]any{"id": id, "body": body, "created_at": at, "updated_at": at, "user": who}
}

// says makes a comment of a person, and returns it.
func (g *gitHub) says(who int, body string) map[string]any {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.comments = append(g.comments, comment(len(g.comments)+1, person(who), body))
	return g.comments[len(g.comments)-1]
}

// answers returns what penstock wrote that begins with a text.
func (g *gitHub) answers(begin string) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := 0
	for _, text := range g.replies {
		if strings.HasPrefix(text, begin) {
			n++
		}
	}
	return n
}

// deliver sends the webhook of a comment to a server, and returns its status; 0 when there was no answer.
func deliver(to string, said map[string]any) int {
	body, err := json.Marshal(map[string]any{
		"action": "created", "comment": said, "sender": said["user"], "repository": map[string]any{"id": 7, "full_name": "acme/shop"},
		"issue": map[string]any{"number": 12, "pull_request": map[string]any{"url": "x"}},
	})
	if err != nil {
		return 0
	}
	req, err := http.NewRequest(http.MethodPost, to+"/webhooks/github", bytes.NewReader(body))
	if err != nil {
		return 0
	}
	mac := hmac.New(sha256.New, []byte(forgeSecret))
	mac.Write(body)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-GitHub-Event", "issue_comment")
	req.Header.Set("X-GitHub-Delivery", fmt.Sprintf("00000000-0000-0000-0000-%012d", said["id"]))
	req.Header.Set("X-Hub-Signature-256", "sha256="+hex.EncodeToString(mac.Sum(nil)))
	client := http.Client{Timeout: 10 * time.Second}
	resp, err := client.Do(req)
	if err != nil {
		return 0
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}

// serve starts a server of webhooks, and returns it with its address when it serves. An address with the port 0 is a free one.
func (n *Namespace) serve(g *gitHub, address string, more ...string) (*Run, string) {
	n.t.Helper()
	run := n.PenstockWith([]string{"PENSTOCK_GITHUB_SECRET=" + forgeSecret, "PENSTOCK_GITHUB_TOKEN=ghs_server"}, append([]string{"serve", "--address", address,
		"-n", n.Name, "--repository", "github:7", "--github-url", g.URL, "--log-format", "json"}, append(n.permitServer(), more...)...)...)
	line := run.AwaitLine(`"msg":"serving"`)
	var entry struct{ Address string }
	if err := json.Unmarshal([]byte(line.Text), &entry); err != nil {
		n.t.Fatal(err)
	}
	return run, entry.Address
}
