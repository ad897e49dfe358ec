package httpx

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"html"
	"net/url"
	"slices"
	"strings"
	"unicode"
)

// Secrets are texts that must not be shown when a server echoes them. The zero value has none.
type Secrets []string

const (
	hidden = "***"

	// shortest is the length below which a text is too common to be hidden: it would be replaced in numbers and words.
	shortest = 4

	// tokenLength is how long a part of a path is that may be a token, as in the URLs of chat services.
	tokenLength = 16
)

// Add adds texts, in every form in which a server is likely to repeat them. Blanks around them are no part of them.
func (s *Secrets) Add(texts ...string) {
	for _, text := range texts {
		if text = strings.TrimSpace(text); len(text) < shortest {
			continue
		}
		quoted, _ := json.Marshal(text) // a string can always be marshalled
		forms := []string{text, url.QueryEscape(text), url.PathEscape(text), strings.Trim(string(quoted), `"`), html.EscapeString(text)}
		for _, form := range forms {
			if !slices.Contains(*s, form) {
				*s = append(*s, form)
			}
		}
	}
	// The longest first: of a secret that begins like another one, no rest may be left.
	slices.SortStableFunc(*s, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
}

// AddURL adds what a URL may hold of credentials: user, password, query, fragment, and what looks like a token in its
// path.
func (s *Secrets) AddURL(raw string) {
	u, err := url.Parse(raw)
	if err != nil {
		s.Add(raw)
		return
	}
	if u.User != nil {
		password, _ := u.User.Password()
		s.Add(u.User.Username(), password, u.User.String(),
			base64.StdEncoding.EncodeToString([]byte(u.User.Username()+":"+password)))
	}
	s.Add(u.RawQuery, u.Fragment)
	for _, pair := range strings.FieldsFunc(u.RawQuery, func(r rune) bool { return r == '&' || r == ';' }) {
		_, value, _ := strings.Cut(pair, "=")
		s.Add(value)
		if plain, err := url.QueryUnescape(value); err == nil {
			s.Add(plain)
		}
	}
	for segment := range strings.SplitSeq(u.Path, "/") {
		if len(segment) >= tokenLength && strings.ContainsFunc(segment, unicode.IsDigit) {
			s.Add(segment)
		}
	}
}

// Hide returns text without the secrets.
func (s Secrets) Hide(text string) string {
	for _, secret := range s {
		text = strings.ReplaceAll(text, secret, hidden)
	}
	return text
}
