package forge

import "sync/atomic"

// Link is a place that people can open.
type Link struct{ Name, URL string }

// linked is a surface that people can open in the browser. Link may be called at any time, and has no URL before the
// surface is shown.
type linked interface{ Link() Link }

// place is where a surface is, once that is known.
type place struct{ url atomic.Pointer[string] }

func (p *place) is(url string) {
	if url != "" {
		p.url.Store(&url)
	}
}

func (p *place) at() string {
	if url := p.url.Load(); url != nil {
		return *url
	}
	return ""
}

// Links returns where people can see what is shown by now: the check run, the comment. It never waits.
func (p *Publisher) Links() []Link {
	var links []Link
	for _, w := range p.writers {
		if s, ok := w.surface.(linked); ok {
			if l := s.Link(); l.URL != "" {
				links = append(links, l)
			}
		}
	}
	return links
}
