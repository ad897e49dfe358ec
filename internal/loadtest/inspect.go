package loadtest

import (
	"net/http"
	"net/url"
	"time"
)

// Info is what is known of a task before it runs.
type Info struct {
	Targets []string      // URLs that it asks, as far as it is known: not of commands
	Length  time.Duration // how long it takes at least; 0 when that is not known

	Authorized bool   // its requests have an Authorization header
	Host       string // the Host header, where it is not the host of the URL
	GRPC       bool   // its requests are calls of gRPC
}

// Inspect returns what is known of a task, or everything that is wrong with it, as Run would.
func (t *Tester) Inspect(p Payload) (Info, error) {
	parsed, err := t.options.parse(p)
	if err != nil {
		return Info{}, err
	}
	if known, ok := parsed.job.(interface{ info() Info }); ok {
		return known.info(), nil
	}
	return Info{}, nil
}

func (h *hey) info() Info {
	info := Info{Targets: []string{h.target.String()}, Length: h.flags.duration, Authorized: authorized(h.header, h.target), Host: h.flags.host}
	if h.proxy != nil {
		info.Targets = []string{h.proxy.String()}
	}
	return info
}

func (s *smoke) info() Info {
	return Info{Targets: []string{s.url.String()}, Authorized: authorized(s.header, s.url), Host: s.header.Get("Host")}
}

// authorized reports whether requests have an Authorization header, of their own or by the URL.
func authorized(header http.Header, u *url.URL) bool {
	return header.Get("Authorization") != "" || u.User != nil
}
