package cli

import (
	"bytes"
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
)

// scriptTalk is what people do on pull request 12 of the scripts' GitHub: ann (3) wrote it, pushed it and started the
// run; bob (4) may write, eve (5) may read, and robot (6) is a machine that may write.
type scriptTalk struct {
	mu       sync.Mutex
	who      string
	verb     string
	target   string // that was asked for last
	seen     string // the target that was answered last
	asker    string // who asks a question before the next answer; empty: nobody
	question string
	merged   bool
	lonely   bool
	comments []map[string]any
	reviews  []map[string]any
	hook     string // where webhooks are delivered to; empty: nowhere
	secret   string // by which they are signed
	sent     int    // webhooks
	files    map[string]string
}

// hold puts a file onto the default branch.
func (k *scriptTalk) hold(path, text string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.files = map[string]string{path: text}
}

var fileOf = regexp.MustCompile(`/contents/(.+)$|/repository/files/(.+)/raw$`)

// show answers who asks for a file of the default branch.
func (k *scriptTalk) show(w http.ResponseWriter, r *http.Request) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	m := fileOf.FindStringSubmatch(r.URL.Path)
	if m == nil {
		return false
	}
	text, there := k.files[m[1]+m[2]]
	switch {
	case !there:
		w.WriteHeader(http.StatusNotFound)
		_, _ = w.Write([]byte(`{"message":"Not Found"}`))
	case m[2] != "":
		_, _ = w.Write([]byte(text))
	default:
		_ = json.NewEncoder(w).Encode(map[string]any{"type": "file", "encoding": "base64", "content": base64.StdEncoding.EncodeToString([]byte(text))})
	}
	return true
}

func (k *scriptTalk) change(args []string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch args[0] {
	case "answers":
		k.who, k.verb, k.seen = args[1], args[2], ""
	case "asks":
		k.asker, k.question = args[1], strings.Join(args[2:], " ")
	case "says":
		k.say(args[1], "/canary "+args[2]+" "+k.target, time.Now().Add(time.Second).UTC().Format(time.RFC3339))
	case "silence":
		k.who = ""
	case "merged":
		k.merged = true
	case "lonely":
		k.lonely = true
	case "hooks":
		k.hook, k.secret = args[1], args[2]
	}
}

func scriptUser(login string) map[string]any {
	kind := map[bool]string{false: "User", true: "Bot"}[login == "robot"]
	return map[string]any{
		"id": map[string]int{"ann": 3, "bob": 4, "eve": 5, "robot": 6}[login], "login": login, "type": kind, "username": login, "bot": kind == "Bot", "state": "active",
	}
}

var asksFor = regexp.MustCompile(`/canary approve ([a-z0-9]+-[0-9]+-[a-z0-9]+)`)

// answer lets the person write who waits for a page that asks.
func (k *scriptTalk) answer(body string) {
	m := asksFor.FindStringSubmatch(body)
	if m != nil {
		k.target = m[1]
	}
	if k.who == "" || m == nil || m[1] == k.seen {
		return
	}
	k.seen = m[1]
	at := time.Now().Add(time.Second).UTC().Format(time.RFC3339)
	if k.asker != "" {
		k.say(k.asker, k.question, at)
		k.asker = ""
	}
	if k.verb == "review" {
		k.reviews = append(k.reviews, map[string]any{
			"id": 700 + len(k.reviews), "state": "APPROVED", "submitted_at": at, "commit_id": "0123456789012345678901234567890123456789", "user": scriptUser(k.who),
		})
		return
	}
	k.say(k.who, "/canary "+k.verb+" "+m[1], at)
}

// say makes a comment. The lock is held.
func (k *scriptTalk) say(who, body, at string) {
	k.comments = append(k.comments, map[string]any{
		"id": 500 + len(k.comments), "body": body, "created_at": at, "updated_at": at, "user": scriptUser(who), "author": scriptUser(who),
	})
	k.deliver(body, k.comments[len(k.comments)-1])
}

// deliver sends the webhook of a comment, as the forges do: once, whatever comes of it. The lock is held.
func (k *scriptTalk) deliver(body string, comment map[string]any) {
	if k.hook == "" {
		return
	}
	k.sent++
	d := scriptDelivery{url: k.hook, secret: k.secret, number: k.sent, at: time.Now()}
	d.body = map[string]any{
		"action": "created", "comment": comment, "sender": comment["user"],
		"issue":      map[string]any{"number": 12, "pull_request": map[string]any{"url": "x"}},
		"repository": map[string]any{"id": 7, "full_name": "acme/shop"},
	}
	if strings.HasSuffix(k.hook, "/webhooks/gitlab") {
		d.body = scriptNoteHook(7, body)
	}
	go func() { _, _ = d.send() }()
}

// tell sends a webhook of GitHub that is about no comment, and waits for the answer.
func (k *scriptTalk) tell(event string, body map[string]any) {
	k.mu.Lock()
	k.sent++
	d := scriptDelivery{url: k.hook, secret: k.secret, event: event, number: k.sent, at: time.Now(), body: body}
	k.mu.Unlock()
	_, _ = d.send()
}

// scriptNoteHook is GitLab's payload of a note on merge request 12 of a project.
func scriptNoteHook(project int, body string) map[string]any {
	return map[string]any{
		"object_kind": "note", "project": map[string]any{"id": project, "path_with_namespace": "acme/shop"}, "merge_request": map[string]any{"iid": 12},
		"object_attributes": map[string]any{"action": "create", "noteable_type": "MergeRequest", "system": false, "note": body},
	}
}

// scriptDelivery is one webhook. A secret that begins with whsec_ signs it as GitLab does, another one is GitLab's token, or
// signs as GitHub does.
type scriptDelivery struct {
	url, secret string
	event       string // of GitHub; empty: a comment
	number      int
	at          time.Time
	body        map[string]any
}

// send returns the code of the answer and its text.
func (d scriptDelivery) send() (int, string) {
	body, err := json.Marshal(d.body)
	if err != nil {
		panic(err)
	}
	req, err := http.NewRequest(http.MethodPost, d.url, bytes.NewReader(body))
	if err != nil {
		panic(err)
	}
	id := fmt.Sprintf("00000000-0000-0000-0000-%012d", d.number)
	req.Header.Set("Content-Type", "application/json")
	key, signs := strings.CutPrefix(d.secret, "whsec_")
	switch {
	case signs:
		raw, err := base64.StdEncoding.DecodeString(key)
		if err != nil {
			panic(err)
		}
		at := strconv.FormatInt(d.at.Unix(), 10)
		mac := hmac.New(sha256.New, raw)
		mac.Write([]byte(id + "." + at + "." + string(body)))
		req.Header.Set("Webhook-Id", id)
		req.Header.Set("Webhook-Timestamp", at)
		req.Header.Set("Webhook-Signature", "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
		req.Header.Set("X-Gitlab-Event", "Note Hook")
	case strings.HasSuffix(d.url, "/webhooks/gitlab"):
		req.Header.Set("X-Gitlab-Token", d.secret)
		req.Header.Set("Idempotency-Key", id)
		req.Header.Set("X-Gitlab-Event", "Note Hook")
	default:
		mac := hmac.New(sha256.New, []byte(d.secret))
		mac.Write(body)
		req.Header.Set("X-GitHub-Event", cmp.Or(d.event, "issue_comment"))
		req.Header.Set("X-GitHub-Delivery", id)
		req.Header.Set("X-Hub-Signature-256", "sha256="+hex.EncodeToString(mac.Sum(nil)))
	}
	client := http.Client{Timeout: 20 * time.Second}
	resp, err := client.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text)
}

// reply answers what is asked about the pull request and its people.
func (k *scriptTalk) reply(r *http.Request, body string) (any, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	const sha = "0123456789012345678901234567890123456789"
	path := r.URL.Path
	login, of := strings.CutSuffix(path, "/permission")
	login = login[strings.LastIndexByte(login, '/')+1:]
	switch {
	case strings.HasSuffix(path, "/access_tokens"):
		return map[string]any{"token": "ghs_app", "expires_at": time.Now().Add(time.Hour).UTC().Format(time.RFC3339)}, true
	case r.Method != http.MethodGet:
		if strings.Contains(path, "/issues/") || strings.Contains(path, "/notes") {
			k.answer(body)
		}
		return k.replyGitLab(r, body)
	case strings.HasSuffix(path, "/repos/acme/shop/installation"):
		return map[string]any{"id": 5}, true
	case path == "/app/hook/deliveries":
		return []any{map[string]any{"id": 3, "guid": "lost", "delivered_at": time.Now().UTC().Format(time.RFC3339), "status_code": 502}}, true
	case k.lonely && strings.HasSuffix(path, "/pulls"):
		return []any{}, true
	case strings.HasSuffix(path, "/pulls/12"):
		pull := map[string]any{"number": 12, "state": "open", "user": scriptUser("ann"), "commits": 1, "base": map[string]any{"repo": map[string]any{"id": 7}}}
		head := map[string]any{"sha": sha, "ref": "topic", "repo": map[string]any{"full_name": "acme/shop"}}
		if k.merged {
			pull["state"], pull["merged_at"], head["sha"] = "closed", "2030-01-02T03:04:05Z", strings.Repeat("a", 40)
		}
		pull["head"] = head
		return pull, true
	case strings.HasSuffix(path, "/activity"):
		return []any{map[string]any{"after": sha, "actor": scriptUser("ann")}, map[string]any{"after": strings.Repeat("a", 40), "actor": scriptUser("ann")}}, true
	case of:
		role := map[string]string{"ann": "admin", "bob": "write", "robot": "write"}[login]
		if role == "" {
			role = "read"
		}
		return map[string]any{"permission": role, "role_name": role, "user": scriptUser(login)}, true
	case strings.HasSuffix(path, "/issues/12/comments") && r.URL.Query().Has("since"):
		return append([]map[string]any{}, k.comments...), true
	case strings.HasSuffix(path, "/pulls/12/reviews"):
		return append([]map[string]any{}, k.reviews...), true
	case strings.HasSuffix(path, "/pulls/12/commits"):
		return []any{map[string]any{"author": scriptUser("ann"), "committer": scriptUser("ann")}}, true
	}
	return k.replyGitLab(r, body)
}
