package notify

import (
	"fmt"
	"net/url"
	"strings"
)

// maxURL is the longest URL that every platform takes for a link, in bytes.
const maxURL = 2000

// links returns at most limit links that are safe to follow. The others are left out: a link that does not work is better
// missing than in the way of the alert.
func (a *Alert) links(limit int) []Link {
	var links []Link
	for _, l := range a.Links {
		address, host := safe(l.URL)
		if address == "" || len(links) == limit {
			continue
		}
		if strings.TrimSpace(l.Name) == "" {
			l.Name = host
		}
		links = append(links, Link{l.Name, address})
	}
	return links
}

// safe returns a URL in which no character means anything to a platform's markup, and its host; or nothing when it is not
// a plain http:// or https:// URL. One with a password would give that away.
func safe(raw string) (address, host string) {
	u, err := url.Parse(strings.TrimSpace(raw))
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" || u.User != nil {
		return "", ""
	}
	var b strings.Builder
	for _, c := range []byte(u.String()) {
		if c <= ' ' || c >= 0x7f || strings.IndexByte("\"'()<>\\^`{|}*", c) >= 0 {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	if b.Len() > maxURL {
		return "", ""
	}
	return b.String(), u.Host
}

// row writes links into one line of at most limit UTF-16 units; half a link is never written.
func row(links []Link, limit int, write func(Link) string) string {
	const between = " · "
	line := ""
	for _, l := range links {
		next := write(l)
		if line != "" {
			next = line + between + next
		}
		if units(next) <= limit {
			line = next
		}
	}
	return line
}
