package server

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/penstock-dev/penstock/internal/approval"
)

// tolerance is how far the clocks of sender and receiver may be apart, and so how long a signed delivery is good for.
const tolerance = 5 * time.Minute

// sender is one platform: how its deliveries are proved and read. Nothing of it does I/O.
type sender struct {
	platform approval.Platform
	allowed  map[int64]bool // nil allows all
	rejects  bool           // a proved delivery may be answered with an error; GitLab would switch the webhook off
	// early judges what can be judged before the body is read: "" when it is good, or still open.
	early func(http.Header) Reason
	// prove returns the number of the secret that proves a delivery, and otherwise why there is none.
	prove func(h http.Header, body []byte, now time.Time) (secret int, why Reason)
	// id is what the platform calls the delivery, the same when it sends it again.
	id func(http.Header) string
	// event names what the delivery is about, from the names that are known.
	event func(http.Header) string
	// parse reads an event that is known.
	parse func(event string, body []byte) (Notice, error)
}

func newGitHub(c Config) *sender {
	keys := make([][]byte, len(c.GitHub.Secrets))
	for i, s := range c.GitHub.Secrets {
		keys[i] = []byte(s)
	}
	return &sender{
		platform: approval.GitHub, allowed: allowed(c.AnyRepository, c.GitHub.Repositories), rejects: true,
		early: func(h http.Header) Reason {
			switch {
			case len(h.Values("X-Hub-Signature-256")) == 1:
				return ""
			case h.Get("X-Hub-Signature-256") == "" && h.Get("X-Hub-Signature") != "":
				return SHA1Only // taking it would let whoever breaks SHA-1 choose it
			default:
				return Unsigned
			}
		},
		prove: func(h http.Header, body []byte, _ time.Time) (int, Reason) { return proveGitHub(h, body, keys) },
		id:    func(h http.Header) string { return h.Get("X-GitHub-Delivery") },
		event: func(h http.Header) string { return known(h.Get("X-GitHub-Event"), githubEvents) },
		parse: func(event string, body []byte) (Notice, error) {
			n, err := ParseGitHub(event, body, c.Grammar)
			if n.Callback != "" && (c.GitHub.API == "" || !strings.HasPrefix(n.Callback, strings.TrimRight(c.GitHub.API, "/")+"/repos/")) {
				return Notice{}, fmt.Errorf("%w: the rule calls back to another API than that of GitHub", errPayload)
			}
			return n, err
		},
	}
}

func proveGitHub(h http.Header, body []byte, keys [][]byte) (int, Reason) {
	text, ok := strings.CutPrefix(h.Get("X-Hub-Signature-256"), "sha256=")
	signature, err := hex.DecodeString(text)
	if !ok || err != nil {
		return 0, WrongSignature
	}
	if n := matching(keys, [][]byte{signature}, body); n > 0 {
		return n, ""
	}
	return 0, WrongSignature
}

func newGitLab(c Config) *sender {
	keys := make([][]byte, 0, len(c.GitLab.SigningKeys))
	for _, s := range c.GitLab.SigningKeys {
		if key, err := s.signingKey(); err == nil { // Check has refused the others
			keys = append(keys, key)
		}
	}
	g := gitlabProof{keys: keys, tokens: c.GitLab.Tokens}
	return &sender{
		platform: approval.GitLab, allowed: allowed(c.AnyRepository, c.GitLab.Repositories),
		early: g.early, prove: g.prove, id: gitlabID,
		event: func(h http.Header) string { return known(h.Get("X-Gitlab-Event"), gitlabEvents) },
		parse: func(event string, body []byte) (Notice, error) { return ParseGitLab(event, body, c.Grammar) },
	}
}

// gitlabProof is how deliveries of GitLab are proved: signed as Standard Webhooks has it, or by a token.
type gitlabProof struct {
	keys   [][]byte
	tokens []Secret
}

// signed tells whether the signature counts. When it does, the token cannot save a delivery whose signature is wrong.
func (g gitlabProof) signed(h http.Header) bool {
	return len(g.keys) > 0 && h.Get("Webhook-Signature") != ""
}

func (g gitlabProof) early(h http.Header) Reason {
	if g.signed(h) {
		return ""
	}
	switch token := h.Get("X-Gitlab-Token"); {
	case token == "" || len(g.tokens) == 0:
		return Unsigned
	case len(h.Values("X-Gitlab-Token")) != 1 || equalTo(g.tokens, token) == 0:
		return WrongToken
	default:
		return ""
	}
}

func (g gitlabProof) prove(h http.Header, body []byte, now time.Time) (int, Reason) {
	if !g.signed(h) {
		if n := equalTo(g.tokens, h.Get("X-Gitlab-Token")); n > 0 {
			return n, ""
		}
		return 0, WrongToken
	}
	var signatures [][]byte
	for _, text := range strings.Fields(h.Get("Webhook-Signature")) {
		encoded, ok := strings.CutPrefix(text, "v1,")
		if signature, err := base64.StdEncoding.DecodeString(encoded); ok && err == nil {
			signatures = append(signatures, signature)
		}
	}
	if len(signatures) > 8 { // each costs a comparison
		return 0, WrongSignature
	}
	id, at := h.Get("Webhook-Id"), h.Get("Webhook-Timestamp")
	n := matching(g.keys, signatures, []byte(id+"."+at+"."), body)
	if n == 0 || id == "" {
		return 0, WrongSignature
	}
	seconds, err := strconv.ParseInt(at, 10, 64)
	if err != nil || now.Sub(time.Unix(seconds, 0)).Abs() > tolerance {
		return 0, StaleTimestamp
	}
	return n, ""
}

// gitlabID prefers what is signed. Before GitLab 17.4 nothing stays the same when it sends again, and each try has a
// number of its own; then one look too many is made.
func gitlabID(h http.Header) string {
	for _, name := range []string{"Webhook-Id", "Idempotency-Key", "X-Gitlab-Event-Uuid"} {
		if id := h.Get(name); id != "" {
			return id
		}
	}
	return ""
}

func allowed(anyRepository bool, ids []int64) map[int64]bool {
	if anyRepository {
		return nil
	}
	all := make(map[int64]bool, len(ids))
	for _, id := range ids {
		all[id] = true
	}
	return all
}
