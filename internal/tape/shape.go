package tape

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// The examples that stand for what differs from run to run.
const (
	anySHA   = "0123456789abcdef0123456789abcdef01234567"
	anyURL   = "https://ci.example.com/"
	anyTime  = "2030-01-02T03:04:05Z"
	anyText  = "text"
	anyLogin = "octocat"
)

// longText is from where on the length of a text is a part of the shape: it is near a limit of GitHub's, and the
// description is asked about it.
const longText = 60_000

var (
	repository = regexp.MustCompile(`^/repos/[^/]+/[^/]+`)
	number     = regexp.MustCompile(`^[0-9]+$`)
	commit     = regexp.MustCompile(`^[0-9a-f]{40}$`)
	address    = regexp.MustCompile(`^https?://`)
	word       = regexp.MustCompile(`^[+-]?[a-z0-9][a-z0-9_]*$`)
)

// words are the fields whose values GitHub lists.
var words = []string{"status", "conclusion", "state", "annotation_level", "event", "event_type", "task", "filter", "direction", "sort", "query", "activity_type", "content"}

// exactly is the request as it was made, without the address of the server.
func exactly(r *http.Request, body []byte) (Request, error) {
	path := r.URL.Path
	for _, prefix := range []string{"/api/v3", "/api"} { // of a server of one's own; see GitHub.graphQL
		if rest, ok := strings.CutPrefix(path, prefix+"/"); ok {
			path = "/" + rest
			break
		}
	}
	q := Request{Method: r.Method, Path: path, Query: map[string]string{}, Headers: map[string]string{}}
	for name, values := range r.URL.Query() {
		if len(values) != 1 {
			return q, fmt.Errorf("%s %s: the parameter %s is given %d times", r.Method, path, name, len(values))
		}
		q.Query[name] = values[0]
	}
	for _, name := range []string{"Accept", "Authorization", "Content-Type", "If-None-Match", "User-Agent", "X-GitHub-Api-Version"} {
		if value := r.Header.Get(name); value != "" {
			q.Headers[name] = value
		}
	}
	if len(body) > 0 {
		if err := json.Unmarshal(body, &q.Body); err != nil {
			return q, fmt.Errorf("%s %s: the body is not JSON: %w", r.Method, path, err)
		}
	}
	return q, nil
}

// shape is the request without what differs from run to run.
func (r Request) shape() Request {
	q := Request{Method: r.Method, Path: repository.ReplaceAllString(r.Path, "/repos/octo-org/shop"), Query: map[string]string{}, Headers: map[string]string{}}
	segments := strings.Split(q.Path, "/")
	for i, s := range segments {
		switch {
		case commit.MatchString(s): // before the numbers: a commit of a test may have digits only
			segments[i] = anySHA
		case number.MatchString(s):
			segments[i] = "1"
		case i > 0 && slices.Contains([]string{"collaborators", "memberships", "orgs", "teams", "users"}, segments[i-1]):
			segments[i] = anyLogin
		}
	}
	q.Path = strings.Join(segments, "/")
	for name, value := range r.Query {
		q.Query[name] = text(name, value)
		if q.Query[name] != anySHA && number.MatchString(value) && name != "per_page" {
			q.Query[name] = "1"
		}
	}
	for name, value := range r.Headers {
		switch name {
		case "Authorization":
			scheme, _, _ := strings.Cut(value, " ")
			value = scheme + " token"
		case "If-None-Match":
			value = `"etag"`
		case "User-Agent":
			value = "penstock"
		}
		q.Headers[name] = value
	}
	if r.Body != nil {
		q.Body = shapeOf("", r.Body)
	}
	return q
}

func shapeOf(name string, value any) any {
	switch v := value.(type) {
	case map[string]any:
		out := map[string]any{}
		for k, x := range v {
			out[k] = shapeOf(k, x)
		}
		return out
	case []any:
		out := []any{} // one element of each shape
		var seen []string
		for _, x := range v {
			shape := shapeOf(name, x)
			if k := key(Request{Body: shape}); !slices.Contains(seen, k) {
				out, seen = append(out, shape), append(seen, k)
			}
		}
		return out
	case float64:
		return 1
	case string:
		return text(name, v)
	}
	return value
}

// text is the example for a text.
func text(name, value string) string {
	_, notTime := time.Parse(time.RFC3339, value)
	switch {
	case value == "":
		return ""
	case slices.Contains(words, name) && (word.MatchString(value) || name == "query"), name == "per_page":
		return value
	case commit.MatchString(value):
		return anySHA
	case address.MatchString(value):
		return anyURL
	case notTime == nil:
		return anyTime
	case utf8.RuneCountInString(value) >= longText:
		return strings.Repeat("x", utf8.RuneCountInString(value))
	}
	return anyText
}
