package kube

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// TokenSource gives bearer tokens, such as the id tokens of a CI job.
type TokenSource interface {
	Token(ctx context.Context) (string, error)
}

// A token is renewed while it is still good for a while, so that a request which starts now is not refused. One that
// cannot be renewed is used to its end.
const (
	renewBefore  = time.Minute // of its expiry; or a fifth of its life, when that is less
	tokenTimeout = 10 * time.Second
	tokenPause   = 5 * time.Second // between two tries to renew a token that is still good
)

// errBadToken means that a source gives what no server takes, so that asking again does not help.
var errBadToken = errors.New("no token that can be used")

// bearer sends a token with each request.
type bearer struct {
	base   http.RoundTripper
	tokens *tokens
}

// tokens keeps the newest token of a source. The connections of one client share it.
type tokens struct {
	source TokenSource
	turn   chan struct{} // holds one token: whoever has it may use the fields below

	token  string
	expiry time.Time // zero: the token does not say
	renew  time.Time // when to ask for the next one; zero: never
}

func newTokens(source TokenSource) *tokens {
	return &tokens{source: source, turn: make(chan struct{}, 1)}
}

// RoundTrip implements http.RoundTripper. A request that the server refuses as not authorised is made once more with a new
// token, if its body can be sent again: the clocks may differ, or the issuer may have changed its keys.
func (b *bearer) RoundTrip(req *http.Request) (*http.Response, error) {
	token, err := b.tokens.current(req.Context(), "")
	if err != nil {
		return nil, err
	}
	answer, err := b.base.RoundTrip(with(req, token))
	if err != nil || answer.StatusCode != http.StatusUnauthorized || req.Body != nil && req.Body != http.NoBody && req.GetBody == nil {
		return answer, err
	}
	next, err := b.tokens.current(req.Context(), token)
	if err != nil || next == token {
		return answer, nil //nolint:nilerr // the refusal says more
	}
	again := with(req, next)
	if req.GetBody != nil {
		if again.Body, err = req.GetBody(); err != nil {
			return answer, nil //nolint:nilerr // the refusal says more
		}
	}
	_ = answer.Body.Close()
	return b.base.RoundTrip(again)
}

func with(req *http.Request, token string) *http.Request {
	req = req.Clone(req.Context())
	req.Header.Set("Authorization", "Bearer "+token)
	return req
}

// current returns a token that is good now, and another one than the refused. Only one request at a time asks for one; the
// others wait for its answer, as long as their contexts allow.
func (t *tokens) current(ctx context.Context, refused string) (string, error) {
	select {
	case t.turn <- struct{}{}:
	case <-ctx.Done():
		return "", fmt.Errorf("wait for the token of the cluster: %w", context.Cause(ctx))
	}
	defer func() { <-t.turn }()
	now := time.Now()
	good := t.token != "" && t.token != refused && (t.expiry.IsZero() || now.Before(t.expiry))
	if good && (t.renew.IsZero() || now.Before(t.renew)) {
		return t.token, nil
	}
	asked, cancel := context.WithTimeout(ctx, tokenTimeout)
	defer cancel()
	token, err := t.source.Token(asked)
	if err == nil {
		err = t.take(token, time.Now())
	}
	switch {
	case err == nil:
		return t.token, nil
	case good:
		t.renew = now.Add(tokenPause)
		return t.token, nil
	}
	return "", fmt.Errorf("get a token for the cluster: %w", err)
}

func (t *tokens) take(token string, now time.Time) error {
	if token == "" || strings.ContainsAny(token, " \t\r\n") {
		return fmt.Errorf("%w: what was given is no token (it is not shown, since it may be a secret)", errBadToken)
	}
	issued, expiry := lifetime(token)
	if !expiry.IsZero() && !now.Before(expiry) {
		return fmt.Errorf("%w: the token expired at %s, and it is %s now", errBadToken, expiry.UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339))
	}
	t.token, t.expiry, t.renew = token, expiry, time.Time{}
	if !expiry.IsZero() {
		early := renewBefore
		if !issued.IsZero() {
			early = min(early, expiry.Sub(issued)/5)
		}
		t.renew = expiry.Add(-max(early, 0))
	}
	return nil
}

// lifetime reads when a JSON Web Token was issued and when it expires. Nothing is verified: that is the server's to do.
// Another kind of token says nothing.
func lifetime(token string) (issued, expiry time.Time) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return time.Time{}, time.Time{}
	}
	text, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil {
		return time.Time{}, time.Time{}
	}
	var claims struct {
		Issued float64 `json:"iat"` // seconds since 1970; RFC 7519 allows fractions
		Expiry float64 `json:"exp"`
	}
	if json.Unmarshal(text, &claims) != nil {
		return time.Time{}, time.Time{}
	}
	moment := func(seconds float64) time.Time {
		if seconds <= 0 || seconds > 1e11 {
			return time.Time{}
		}
		return time.Unix(int64(seconds), 0)
	}
	return moment(claims.Issued), moment(claims.Expiry)
}
