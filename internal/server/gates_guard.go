package server

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// GateTokens are the tokens that callers of gates and tasks may prove to know. Several are for the time in which one
// replaces the other. They print as ***.
type GateTokens []string

// Format writes ***, whatever the verb.
func (GateTokens) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "***") }

// MarshalText writes ***, also for JSON and slog.
func (GateTokens) MarshalText() ([]byte, error) { return []byte("***"), nil }

// GateGuard keeps out callers without a token, when there are any, and pages of other sites that a browser shows.
//
// The token comes as a Bearer, or as the password of Basic: Flagger's webhooks have no headers, but a URL such as
// http://flagger:TOKEN@penstock/gate/check makes it send that.
func GateGuard(tokens GateTokens) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		guarded := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if len(tokens) > 0 && !tokens.known(gateToken(r)) {
				w.Header().Set("WWW-Authenticate", `Bearer realm="penstock"`)
				gateAnswer(w, http.StatusUnauthorized, "the token is missing or wrong: send it as Authorization: Bearer, or as the password in the URL")
				return
			}
			next.ServeHTTP(w, r)
		})
		// Without this, any page that somebody on the same network looks at could open a gate that asks for no token.
		return http.NewCrossOriginProtection().Handler(guarded)
	}
}

// gateToken returns what the caller gives as a token; empty when it is none.
func gateToken(r *http.Request) string {
	if _, password, ok := r.BasicAuth(); ok {
		return password
	}
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// known reports whether a text is one of the tokens, always in the same time. Sums are compared, because comparing the
// texts would tell their length.
func (t GateTokens) known(text string) bool {
	found, given := 0, sha256.Sum256([]byte(text))
	for _, token := range t {
		want := sha256.Sum256([]byte(token))
		found |= subtle.ConstantTimeCompare(want[:], given[:])
	}
	return found == 1
}
