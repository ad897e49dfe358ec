package notify

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
)

const hidden = "***"

// Secret is a text that prints as ***, whatever the verb. string(s) is the text itself.
type Secret string

// Format writes *** for every secret but the empty one, which is no secret.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(s.shown())) }

// MarshalText writes the same, also for JSON and slog.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.shown()), nil }

func (s Secret) shown() string {
	if s == "" {
		return ""
	}
	return hidden
}

// Credentials say where alerts go and as whom. Both are secrets: the address of a chat's webhook is all that one needs to
// post.
type Credentials struct {
	Address Secret
	Token   Secret // of a Slack bot; sent in the Authorization header when it is set
}

// Request is the HTTP request that posts an alert. It holds secrets: it prints as its method and host only.
type Request struct {
	Method string
	URL    string
	Header map[string][]string // canonical names
	Body   []byte
}

// String returns the method and the host. The rest of the URL is the secret.
func (r Request) String() string {
	u, err := url.Parse(r.URL)
	if err != nil {
		return r.Method + " " + hidden
	}
	return r.Method + " " + u.Scheme + "://" + u.Host + "/" + hidden
}

// Format writes String, whatever the verb.
func (r Request) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(r.String())) }

// MarshalText writes String, also for JSON and slog.
func (r Request) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// endpoint reads an address. Blanks around it come from Secrets made of files, which end in a line break.
func endpoint(address Secret) (*url.URL, error) {
	text := strings.TrimSpace(string(address))
	if text == "" {
		return nil, errors.New("the alert provider has no address")
	}
	u, err := url.Parse(text)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" {
		// The parser's own message repeats the address.
		return nil, errors.New("the alert provider's address (hidden) is not an http:// or https:// URL")
	}
	return u, nil
}

// post returns the request that posts a message to an address.
func post(to *url.URL, token Secret, body []byte) Request {
	header := map[string][]string{"Content-Type": {"application/json; charset=utf-8"}}
	if t := strings.TrimSpace(string(token)); t != "" {
		header["Authorization"] = []string{"Bearer " + t}
	}
	return Request{Method: "POST", URL: to.String(), Header: header, Body: body}
}

// encode writes JSON without the escapes for HTML, which would make a body up to six times as long.
func encode(message any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(message); err != nil {
		return nil, fmt.Errorf("write alert: %w", err)
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}

// within encodes the message that build makes, giving its text less and less room until the body has at most limit bytes.
func within(limit, room int, build func(room int) any) ([]byte, error) {
	for ; ; room /= 2 {
		body, err := encode(build(room))
		if err != nil || len(body) <= limit || room == 0 {
			return body, err
		}
	}
}

// valueRoom is how long a value may be when the text has that much room: it shrinks after the text has shrunk a lot, and
// never to nothing.
func valueRoom(room, most int) int { return min(most, max(room/4, 40)) }

// accepted is the Parse of platforms that mean what the status says.
func accepted(status int, _ []byte) error {
	if status < 200 || status > 299 {
		return fmt.Errorf("the alert provider answered with status %d", status)
	}
	return nil
}
