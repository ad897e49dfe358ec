package server

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"io"
	"strings"
)

// Secret is what the sender of a webhook proves to know. It prints as ***.
type Secret string

// Format writes ***, whatever the verb.
func (Secret) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "***") }

// MarshalText writes ***, also for JSON and slog.
func (Secret) MarshalText() ([]byte, error) { return []byte("***"), nil }

// problem says why the text cannot be a secret, or nothing.
func (s Secret) problem() string {
	switch trimmed := strings.TrimSpace(string(s)); {
	case trimmed == "":
		return "is empty; anybody could sign with that"
	case trimmed != string(s):
		return "begins or ends with a space or a new line; often that is the end of the file it was read from"
	default:
		return ""
	}
}

const keyPrefix = "whsec_"

// signingKey decodes a signing token of GitLab, written as Standard Webhooks has it: whsec_ and base64.
func (s Secret) signingKey() ([]byte, error) {
	text, ok := strings.CutPrefix(string(s), keyPrefix)
	if !ok {
		return nil, fmt.Errorf("does not begin with %s", keyPrefix)
	}
	key, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("is not base64 after %s", keyPrefix)
	}
	if len(key) < 16 {
		return nil, fmt.Errorf("has %d bytes; want at least 16", len(key))
	}
	return key, nil
}

// sum is the HMAC-SHA256 of the parts.
func sum(key []byte, parts ...[]byte) []byte {
	mac := hmac.New(sha256.New, key)
	for _, p := range parts {
		mac.Write(p)
	}
	return mac.Sum(nil)
}

// matching returns the number, from 1, of the key whose sum one of the signatures is, and 0 when there is none. It
// always compares all, in the same time.
func matching(keys, signatures [][]byte, parts ...[]byte) int {
	found := 0
	for i, key := range keys {
		want := sum(key, parts...)
		for _, signature := range signatures {
			found = subtle.ConstantTimeSelect(subtle.ConstantTimeCompare(want, signature), i+1, found)
		}
	}
	return found
}

// equalTo returns the number, from 1, of the secret that a text is, and 0 when it is none. Sums are compared, because
// comparing the texts would tell their length.
func equalTo(secrets []Secret, text string) int {
	found, given := 0, sha256.Sum256([]byte(text))
	for i, secret := range secrets {
		want := sha256.Sum256([]byte(secret))
		found = subtle.ConstantTimeSelect(subtle.ConstantTimeCompare(want[:], given[:]), i+1, found)
	}
	return found
}
