package loadtest

import (
	"net/url"
	"slices"
	"time"
)

// span is a duration in metadata.
type span struct {
	key            string
	or, least, top time.Duration
}

// span returns a duration, or its default when it is not set.
func (r *reader) span(s span) time.Duration {
	value, set := r.metadata[s.key]
	if !set || value == "" {
		return s.or
	}
	d, err := time.ParseDuration(value)
	if err != nil || d < s.least || d > s.top {
		r.addf("metadata.%s is %q: allowed is a duration from %s to %s, like 500ms or 10s", s.key, short(value), s.least, s.top)
		return s.or
	}
	return d
}

// address returns a URL that may be called.
func (r *reader) address(key string) *url.URL {
	value := r.required(key)
	if value == "" {
		return &url.URL{}
	}
	u, problem := parseTarget(value, r.options.Namespaces)
	if problem != "" {
		r.addf("metadata.%s: %s", key, problem)
		return &url.URL{}
	}
	return u
}

// only refuses every key that is not one of the known, beyond those that every task has.
func (r *reader) only(known ...string) {
	all := append([]string{"type", "logCmdOutput", "returnCmdOutput"}, known...)
	var unknown []string
	for key := range r.metadata {
		if !slices.Contains(all, key) {
			unknown = append(unknown, key)
		}
	}
	slices.Sort(unknown)
	for _, key := range unknown {
		r.addf("metadata.%s is unknown: allowed are %s", short(key), listed(all))
	}
}
