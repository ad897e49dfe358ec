package httpx

import (
	"fmt"
	"net/http"
)

const maxRedirects = 5

// carried are the headers that a redirect to another host keeps. Everything else may be a credential: the standard
// library drops Authorization and Cookie, but not a provider's own header, such as an API key.
var carried = []string{"Accept", "Accept-Encoding", "Content-Type", "User-Agent"}

type redirectError struct{ why string }

func (e *redirectError) Error() string { return e.why }

func checkRedirect(req *http.Request, via []*http.Request) error {
	first, last := via[0], via[len(via)-1]
	if len(via) > maxRedirects {
		return &redirectError{fmt.Sprintf("more than %d redirects", maxRedirects)}
	}
	if last.URL.Scheme == "https" && req.URL.Scheme != "https" {
		return &redirectError{"redirect from https to " + RedactURL(req.URL.String())}
	}
	if sameOrigin(req, first) {
		return nil
	}
	if req.Method != http.MethodGet && req.Method != http.MethodHead {
		return &redirectError{fmt.Sprintf("redirect of a %s to another host, %s", req.Method, RedactURL(req.URL.String()))}
	}
	kept := http.Header{}
	for _, name := range carried {
		if values := req.Header.Values(name); len(values) > 0 {
			kept[name] = values
		}
	}
	req.Header = kept
	return nil
}

// sameOrigin compares names and ports. A change from http to https of one host is the same origin: the credentials only
// get safer.
func sameOrigin(a, b *http.Request) bool {
	if a.URL.Hostname() != b.URL.Hostname() {
		return false
	}
	if a.URL.Port() == b.URL.Port() {
		return true
	}
	upgraded := b.URL.Scheme == "http" && a.URL.Scheme == "https"
	return upgraded && (b.URL.Port() == "80" || b.URL.Port() == "") && (a.URL.Port() == "443" || a.URL.Port() == "")
}
