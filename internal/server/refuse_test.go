package server

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

const approve = "/canary approve r1-1-abcdefgh"

func TestTheSignatureIsTheOneOfGitHubsManual(t *testing.T) {
	t.Parallel()
	h := http.Header{"X-Hub-Signature-256": {"sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"}}
	if n, why := proveGitHub(h, []byte("Hello, World!"), [][]byte{[]byte(secret)}); n != 1 || why != "" {
		t.Errorf("secret %d, %s", n, why)
	}
}

// refusalOf is one delivery that is refused, and nothing of it is stored or parsed.
type refusalOf struct {
	request *http.Request
	status  int
	reason  Reason
}

func githubRefusals() map[string]refusalOf {
	body := comment(3, approve)
	with := func(change func(http.Header)) *http.Request {
		r := fromGitHub("issue_comment", "d-1", body)
		change(r.Header)
		return r
	}
	without := func(name string) *http.Request { return with(func(h http.Header) { h.Del(name) }) }
	tampered := fromGitHub("issue_comment", "d-1", body)
	tampered.Body = http.NoBody
	long := fromGitHub("issue_comment", "d-1", comment(3, approve+strings.Repeat(" ", bodyLimit)))
	unknown := fromGitHub("issue_comment", "d-1", comment(3, approve+strings.Repeat(" ", bodyLimit)))
	unknown.ContentLength = -1
	return map[string]refusalOf{
		"unsigned":        {without("X-Hub-Signature-256"), 401, Unsigned},
		"empty signature": {with(func(h http.Header) { h.Set("X-Hub-Signature-256", "") }), 401, WrongSignature},
		"wrong secret":    {with(func(h http.Header) { h.Set("X-Hub-Signature-256", "sha256="+hmacHex("other", body)) }), 401, WrongSignature},
		"secret is empty": {with(func(h http.Header) { h.Set("X-Hub-Signature-256", "sha256="+hmacHex("", body)) }), 401, WrongSignature},
		"SHA-1 only": {with(func(h http.Header) {
			h.Del("X-Hub-Signature-256")
			h.Set("X-Hub-Signature", "sha1="+hmacSHA1(secret, body)) // a right one
		}), 401, SHA1Only},
		"SHA-1 named as 256":       {with(func(h http.Header) { h.Set("X-Hub-Signature-256", "sha1="+hmacHex(secret, body)) }), 401, WrongSignature},
		"two signatures":           {with(func(h http.Header) { h.Add("X-Hub-Signature-256", "sha256=00") }), 401, Unsigned},
		"cut signature":            {with(func(h http.Header) { h.Set("X-Hub-Signature-256", "sha256="+hmacHex(secret, body)[:32]) }), 401, WrongSignature},
		"other body":               {tampered, 401, WrongSignature},
		"form":                     {with(func(h http.Header) { h.Set("Content-Type", "application/x-www-form-urlencoded") }), 415, WrongContentType},
		"no content type":          {without("Content-Type"), 415, WrongContentType},
		"oversized body":           {long, 413, BodyTooLarge},
		"oversized, length unsaid": {unknown, 413, BodyTooLarge},
		"no delivery id":           {without("X-GitHub-Delivery"), 400, BadDeliveryID},
		"delivery id of two lines": {with(func(h http.Header) { h["X-Github-Delivery"] = []string{"a\nlevel=ERROR"} }), 400, BadDeliveryID},
		"not JSON":                 {fromGitHub("issue_comment", "d-1", "payload={}"), 400, BadPayload},
		"no change":                {fromGitHub("pull_request", "d-1", `{"action":"closed","repository":{"id":77,"full_name":"a/b"}}`), 400, BadPayload},
		"path that climbs": {fromGitHub("pull_request", "d-1",
			`{"action":"closed","pull_request":{"number":1},"repository":{"id":77,"full_name":"a/../b"}}`), 400, BadPayload},
		"other repository": {fromGitHub("pull_request", "d-1",
			`{"action":"closed","pull_request":{"number":1},"repository":{"id":78,"full_name":"shop/web"}}`), 403, OtherRepository},
	}
}

func hmacSHA1(key, text string) string {
	mac := hmac.New(sha1.New, []byte(key))
	mac.Write([]byte(text))
	return hex.EncodeToString(mac.Sum(nil))
}

func gitlabRefusals() map[string]refusalOf {
	body, now := note(3, approve), time.Now()
	with := func(change func(http.Header)) *http.Request {
		r := fromGitLab("Note Hook", "k-1", body)
		change(r.Header)
		return r
	}
	signed := func(key string, at time.Time) *http.Request {
		return signedAt(fromGitLab("Note Hook", "k-1", body), key, at, body)
	}
	saved := signed("another key", now)
	saved.Header.Set("X-Gitlab-Token", token)
	moved := signed(rawKey, now)
	moved.Header.Set("Webhook-Id", "k-2")
	nameless := fromGitLab("Note Hook", "", body)
	nameless = signedAt(nameless, rawKey, now, body)
	nameless.Header.Set("Idempotency-Key", "k-3") // which is not signed
	return map[string]refusalOf{
		"signed without an id":                  {nameless, 401, WrongSignature},
		"no token":                              {with(func(h http.Header) { h.Del("X-Gitlab-Token") }), 401, Unsigned},
		"wrong token":                           {with(func(h http.Header) { h.Set("X-Gitlab-Token", token+"x") }), 401, WrongToken},
		"two tokens":                            {with(func(h http.Header) { h.Add("X-Gitlab-Token", "guess") }), 401, WrongToken},
		"the signing key as token":              {with(func(h http.Header) { h.Set("X-Gitlab-Token", string(signingKey(rawKey))) }), 401, WrongToken},
		"wrong key":                             {signed("another key", now), 401, WrongSignature},
		"wrong key, right token":                {saved, 401, WrongSignature},
		"signed for another id":                 {moved, 401, WrongSignature},
		"stale timestamp":                       {signed(rawKey, now.Add(-6*time.Minute)), 401, StaleTimestamp},
		"timestamp of the future":               {signed(rawKey, now.Add(6*time.Minute)), 401, StaleTimestamp},
		"other repository":                      {fromGitLab("Note Hook", "k-1", strings.Replace(body, `"id":77`, `"id":78`, 1)), 200, OtherRepository},
		"not JSON":                              {fromGitLab("Note Hook", "k-1", "{"), 200, BadPayload},
		"oversized body":                        {fromGitLab("Note Hook", "k-1", note(3, approve+strings.Repeat(" ", bodyLimit))), 413, BodyTooLarge},
		"form":                                  {with(func(h http.Header) { h.Set("Content-Type", "text/plain") }), 415, WrongContentType},
		"GitHub's signature instead of a token": {with(func(h http.Header) { h.Del("X-Gitlab-Token"); h.Set("X-Hub-Signature-256", "sha256=00") }), 401, Unsigned},
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	for platform, cases := range map[string]map[string]refusalOf{"github": githubRefusals(), "gitlab": gitlabRefusals()} {
		for name, c := range cases {
			t.Run(platform+"/"+name, func(t *testing.T) {
				t.Parallel()
				config, written := sampleConfig(), &logs{}
				config.Log = slog.New(slog.NewTextHandler(written, nil))
				s := newServer(t, config)
				answer := send(s, c.request)
				if answer.Code != c.status {
					t.Errorf("answered %d %s, want %d", answer.Code, answer.Body, c.status)
				}
				line := fmt.Sprintf("penstock_webhook_refusals_total{platform=%q,reason=%q}", platform, c.reason)
				if scrape(t, s, line) != "1" {
					t.Errorf("the metrics lack %s", line)
				}
				if m := config.Store.(*memory); m.commits != 0 || len(s.queue.entries) != 0 {
					t.Errorf("%d commits, %d changes", m.commits, len(s.queue.entries))
				}
				if text := written.String(); !strings.Contains(text, string(c.reason)) || strings.Count(text, "\n") != 1 {
					t.Errorf("log: %s", text)
				}
			})
		}
	}
}

func TestOnlyPostIsAnsweredAndOnlyOfPlatformsWithASecret(t *testing.T) {
	t.Parallel()
	config := sampleConfig()
	config.GitLab = GitLab{}
	s := newServer(t, config)
	if code := send(s, httptest.NewRequest(http.MethodGet, "/webhooks/github", nil)).Code; code != http.StatusMethodNotAllowed {
		t.Errorf("GET: %d", code)
	}
	if code := send(s, fromGitLab("Note Hook", "k", note(1, approve))).Code; code != http.StatusNotFound {
		t.Errorf("GitLab without a secret: %d", code)
	}
}

func TestSecretsAndBodiesAreNeverWritten(t *testing.T) {
	t.Parallel()
	config, written := sampleConfig(), &logs{}
	config.Log = slog.New(slog.NewJSONHandler(written, &slog.HandlerOptions{Level: slog.LevelDebug}))
	s := newServer(t, config)
	send(s, fromGitHub("issue_comment", "d-1", comment(3, approve+"\nprivate words")))
	send(s, fromGitLab("Note Hook", "d-2", note(3, approve+"\nprivate words")))
	refusedOne := fromGitLab("Note Hook", "d-3", note(3, approve))
	refusedOne.Header.Set("X-Gitlab-Token", "a guess")
	send(s, refusedOne)
	config.Log.Info("config", "github", config.GitHub, "gitlab", fmt.Sprintf("%+v %s", config.GitLab, config.GitLab.Tokens))
	text := written.String()
	if strings.Count(text, "\n") != 4 || !strings.Contains(text, "***") {
		t.Errorf("log: %s", text)
	}
	for _, hidden := range []string{secret, token, rawKey, "private", "guess", string(signingKey(rawKey)), "sha256="} {
		if strings.Contains(text, hidden) {
			t.Errorf("the log has %q: %s", hidden, text)
		}
	}
}
